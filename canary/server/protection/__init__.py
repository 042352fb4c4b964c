"""Who may ask, how often, and what the server believes of what it is told about who asks.

    proxies.py      who asks: the address, name and prefix that a trusted proxy tells
    credentials.py  what the Authorization header says
    htpasswd.py     names and passwords, by a file        passwords.py  whether a password is right
    tokens.py       tokens, by a file                     attempts.py   how many were wrong
    kept_file.py    a file that is read again when it changes
    sign_in.py      all ways to sign in together
    gate.py         what every request passes through before it is answered

What a client sends is hostile here as everywhere. No credential is logged, or part of a message or
of a ``repr``; passwords and tokens are compared by their hashes alone.
"""
