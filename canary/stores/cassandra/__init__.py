"""Cassandra: its cluster, the tables, and the checkpoints in them."""
