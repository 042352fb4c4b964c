"""What is watched in ZooKeeper, one module a thing; nothing here ever writes to it."""
