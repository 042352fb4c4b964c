"""Every test runs under gevent, as every one of Canary's programs does.

And every program that a test starts can be interrupted: a shell ignores SIGINT for what it runs in
the background, and so would all that comes of that.
"""

from gevent import monkey

monkey.patch_all()

import signal  # noqa: E402 -- gevent first

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
