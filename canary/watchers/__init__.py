"""The watches: each module has one part of them. Nothing here ever writes to ZooKeeper."""
