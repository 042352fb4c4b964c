"""The real ZooKeeper, MongoDB and Cassandra, for development, demo, tests and benchmarks.

`python -m devstack run -- COMMAND` starts them on free loopback ports in a fresh folder, runs
COMMAND with environment variables that say where they are, and ends everything it started,
however it ends. `devstack.control` kills, freezes and restarts single servers for tests.

Nothing here is fit for data that somebody needs: the servers listen without a password on
127.0.0.1, skip what costs time, and are ended with SIGKILL.
"""
