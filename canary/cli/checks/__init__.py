"""What ``canary doctor`` checks: one module for each part of an installation.

    finding.py       the result of a check           examination.py  all checks, within a limit
    installation.py  the checks of an installation   options.py      Canary's options
    ensemble.py      ZooKeeper                       replica_set.py  MongoDB
    ring.py          Cassandra                       clocks.py       whether clocks agree
    boards.py        the boards, in ZooKeeper        watching.py     the workers and what they see
    server.py        canary-server

The checks only read: they write neither to Canary's own board nor to watched boards.
"""
