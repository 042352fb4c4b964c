"""Every test runs under gevent, as every one of Canary's programs does."""

from gevent import monkey

monkey.patch_all()
