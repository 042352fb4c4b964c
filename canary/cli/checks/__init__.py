"""What ``canary doctor`` looks at: one module a part of an installation.

    finding.py       what a look comes to            examination.py  all of them within a limit
    options.py       what the options say            server.py       canary-server
    ensemble.py      ZooKeeper                       replica_set.py  MongoDB
    ring.py          Cassandra                       clocks.py       whether clocks agree
    boards.py        the boards, in ZooKeeper        watching.py     the workers and what they see

Everything here reads and nothing writes, on Canary's own board as on watched ones.
"""
