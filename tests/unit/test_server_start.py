"""How canary-server begins, or says why it does not."""

import os
import socket
import subprocess
import sys


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "canary.server.main"],
            env=os.environ | {"OS_SERVER__PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 2
    assert f"127.0.0.1, port {port}: Address already in use" in ended.stderr
    assert "[server] port" in ended.stderr
    assert "Traceback" not in ended.stderr
