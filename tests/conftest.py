"""Every test runs under gevent, as every one of Canary's programs does, but for the browser's own.

Playwright brings an event loop that gevent would take apart, so those run by themselves.

What a run inherits from its shell is set to what all tests expect (``tests.inherited``).
"""

import sys

if any("tests/browser" in word for word in sys.argv):
    collect_ignore = ["unit", "integration", "faults"]
else:
    from gevent import monkey

    monkey.patch_all()
    collect_ignore = ["browser"]

from tests import inherited

inherited.reset()
