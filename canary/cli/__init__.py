"""``canary``: a command line for what a canary-server knows, built on OpenStack's cliff.

    main.py      the program: global options, and the exit status of each error
    command.py   what all commands share; filters.py: the options of their filters
    listing.py   a command that prints a list, page by page; columns.py: what it prints
    access.py    where the server is and how to sign in
    client.py    requests; session.py: HTTP; events.py and following.py: the event stream
    shown.py     values in a form for people, with nothing that could control a terminal
    checks/      what ``doctor`` checks
    …            one module per command, and what these need

Only ``doctor`` talks to anything but the server. Only it imports gevent, the stores and TaskFlow,
and not before it runs, so that a command starts as fast as Python and its HTTP library do.
"""
