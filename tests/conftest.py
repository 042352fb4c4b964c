"""Every test runs under gevent, as every one of Canary's programs does, but for the browser's own.

Playwright brings an event loop that gevent would take apart, so those run by themselves.

And every program that a test starts can be interrupted: a shell ignores SIGINT for what it runs in
the background, and so would all that comes of that.
"""

import sys

if any("tests/browser" in word for word in sys.argv):
    collect_ignore = ["unit", "integration", "faults"]
else:
    from gevent import monkey

    monkey.patch_all()
    collect_ignore = ["browser"]

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
