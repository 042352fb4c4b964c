"""Many clients of an event stream in one process, for ``bench.stream``.

Says ``ready`` once all of them were sent something. Told a number on a line, it waits until each
has as many changes, or ``PATIENCE`` is over, and answers with one JSON object: of each change, by
its revision, the moments at which it came. Leaves when its input ends.
"""

import json
import re
import resource
import selectors
import socket
import sys
import time
from collections import defaultdict
from typing import Final
from urllib.parse import urlsplit

PATIENCE: Final = 60.0  # seconds
_REVISION: Final = re.compile(rb'"revision": (\d+),')


class Listeners:
    """The clients. Moments are by the clock that all processes of a machine share."""

    def __init__(self, url: str, count: int) -> None:
        self.moments: dict[int, list[float]] = defaultdict(list)
        self._seen = 0
        self._parts: dict[socket.socket, bytes] = {}
        self._silent: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        address = urlsplit(url)
        target = f"{address.path}?{address.query}" if address.query else address.path
        for number in range(count):
            asked = target.replace("{}", str(number))  # each client its own filter
            client = socket.create_connection((address.hostname, address.port), PATIENCE)
            client.sendall(f"GET {asked} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            self._parts[client] = b""
            self._silent.add(client)
            self._selector.register(client, selectors.EVENT_READ)

    def wait_until_all_are_sent_something(self) -> None:
        """Return once each has its first event. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while self._silent:
            self._read()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self._silent)} clients were sent nothing")

    def wait_for(self, changes: int) -> None:
        """Return once each has so many changes, or too much time is over."""
        deadline = time.monotonic() + PATIENCE
        while self._seen < changes * len(self._parts) and time.monotonic() < deadline:
            self._read()

    def run(self) -> None:
        """Read until somebody asks, on standard input."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if self._read():
                line = sys.stdin.readline()
                if not line:
                    return
                self.wait_for(int(line))
                print(json.dumps(self.moments), flush=True)

    def _read(self) -> bool:
        """Read what came; return whether there is something on standard input."""
        is_asked = False
        for key, _ in self._selector.select(0.1):
            if not isinstance(key.fileobj, socket.socket):
                is_asked = True
                continue
            data = key.fileobj.recv(65_536)
            moment = time.monotonic()
            if not data:
                raise ConnectionError("a stream ended")
            whole, _, rest = (self._parts[key.fileobj] + data).rpartition(b"\n\n")
            self._parts[key.fileobj] = rest
            for found in _REVISION.finditer(whole):
                self.moments[int(found[1])].append(moment)
                self._seen += 1
            if b"\n\n" in data.partition(b"\r\n\r\n")[2] or b"HTTP/1.1" not in data:
                self._silent.discard(key.fileobj)
        return is_asked


def main(url: str, count: str) -> None:
    """Listen."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, int(count) + 100), hard))
    listeners = Listeners(url, int(count))
    listeners.wait_until_all_are_sent_something()
    print("ready", flush=True)
    listeners.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
