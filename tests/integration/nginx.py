"""A real nginx before a server, with a configuration of the test's own."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template

import pytest

from devstack.ports import HOST, Ports
from tests.waiting import eventually

FETCH_LIMIT = 300  # seconds to fetch nginx in, the first time
STOP_TIMEOUT = 60.0  # seconds

MAIN = Template("""\
daemon off;
master_process off;
pid $folder/pid;
error_log stderr info;
events { }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    types { }
    server {
        listen $host:$port;
$server
    }
}
""")


@pytest.fixture(scope="session")
def nginx() -> Path:
    """The program; a test that asks for it is skipped where there is none and none can be had."""
    found = subprocess.run(
        [sys.executable, "-m", "devstack.nginx"],
        capture_output=True,
        text=True,
        timeout=FETCH_LIMIT,
        check=False,
    )
    if found.returncode:
        pytest.skip(found.stderr.strip())
    return Path(found.stdout.strip())


@contextlib.contextmanager
def serving(program: Path, folder: Path, server: str) -> Iterator[int]:
    """Run nginx with these lines in its one ``server``; gives its port."""
    folder.mkdir()
    with Ports() as ports, (folder / "log").open("wb") as log:
        port = ports.reserve()
        text = MAIN.substitute(folder=folder, host=HOST, port=port, server=server)
        (folder / "nginx.conf").write_text(text)
        process = subprocess.Popen(
            [program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:

            def listens() -> bool:
                assert process.poll() is None, (folder / "log").read_text()
                with contextlib.suppress(ConnectionRefusedError):
                    socket.create_connection((HOST, port)).close()
                    return True
                return False

            eventually(listens, why="nginx listens")
            yield port
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT)
