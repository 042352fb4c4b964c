"""Signing in: tokens, passwords, and the files that hold them.

    credentials.py  what the Authorization header says
    htpasswd.py     a file of names and passwords         passwords.py  whether a password is right
    tokens.py       a file of tokens                      attempts.py   how many were wrong
    kept_file.py    a file that is read again when it changes
    sign_in.py      all ways to sign in together

Passwords and tokens are compared only by their hashes.
"""
