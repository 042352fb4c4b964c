"""Which requests are answered: trusted proxies, hosts, rates, and limits per client.

    proxies.py      the client's address and name and the prefix, as a trusted proxy sends them
    host.py         for which host a request is, and whether that is this machine
    admission.py    who the client is, and whether it may send a request now, by
    rate.py           how many requests it has sent,
    places.py         how many of its answers are in progress, and
    turns.py          turns for clients that have not signed in
    headers.py      security headers of every response
    gate.py         what every request passes through before it is answered

`canary.server.auth` checks credentials. Whatever a client sends is treated as hostile. No
credential is logged, or part of a message or of a ``repr``.
"""
