"""Where changes go: MongoDB for what is now and what just was, Cassandra for checkpoints."""
