"""MongoDB: its client, and what its documents hold."""
