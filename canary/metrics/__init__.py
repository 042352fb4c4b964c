"""The metrics that worker and server serve to Prometheus at ``/metrics``.

    catalogue.py   every metric: name, type, help, labels; docs/metrics.md is made from it
    worker.py      what a worker counts as it happens; by_board.py: the same, per board
    parts.py       the state of a worker's parts, read at each scrape
    endpoint.py    the worker's own small HTTP server
    boards.py      the boards' figures in MongoDB, read at a scrape of the server
    server.py      what a process of the server counts, summed over all processes
    exposition.py  the text, made without blocking other greenlets

Promises: no label value comes from a payload, a request or a client. A board's path is a label
value, because an operator registers it. Code that is measured does not import this package: it is
handed an observer.
"""
