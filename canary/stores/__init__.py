"""The stores: MongoDB for the present and the recent past, Cassandra for checkpoints."""
