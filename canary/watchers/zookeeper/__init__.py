"""Boards in ZooKeeper: how they are watched and read."""
