"""What worker and server show to Prometheus at ``/metrics``.

    catalogue.py   every metric: name, type, help, labels; docs/metrics.md is made of it
    worker.py      what a worker counts as it happens; by_board.py keeps it apart by board
    parts.py       what a worker's parts know, asked at each scrape
    endpoint.py    the worker's own small server
    boards.py      what MongoDB knows of the boards, asked at a scrape of the server
    server.py      what a process of the server counts, added up over all of them
    exposition.py  the text, made without holding up anybody

Promises: no label's value comes from a payload, a request or a client. A board's path is one: it is
an operator who registers it. Nothing here is imported by what it measures: that is handed an
observer.
"""
