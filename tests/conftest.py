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

import pytest

from tests import inherited

inherited.reset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage in property tests: their thousands of examples would cost thrice as much.

    ``make coverage`` loads the plugin that knows the marker.
    """
    for item in items:
        if item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")
