"""``canary``: what a canary-server knows, on the command line, by OpenStack's cliff.

    main.py      the program: its own options, exit statuses, which error is which
    command.py   what all commands have in common; options.py their filters
    listing.py   a command that prints a list, page by page; columns.py what it prints
    access.py    where the server is and who asks; client.py the questions; events.py its stream
    shown.py     values as people read them, and nothing in them that could steer a terminal
    …            beside these one module a command

Only ``doctor`` talks to anything but the server. Nothing here imports gevent, a store or TaskFlow
before it runs, so that a command starts as fast as Python and its HTTP library do.
"""
