"""TLS: files that can't be used, and words for connections that are refused."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kazoo.exceptions import ConnectionDropped

from canary.config import Config, load, tls
from canary.errors import ConfigError
from canary.zookeeper.connect_errors import why
from canary.zookeeper.handler import Handler

OWN = Path(__file__).parent / "localhost.pem"  # a certificate that signed itself, and its key
ANY: list[tuple[str, str, str]] = [
    ("ZOOKEEPER", "USE_TLS", "CERT_FILE"),
    ("MONGO", "TLS", "CERT_KEY_FILE"),
    ("CASSANDRA", "TLS", "CERT_FILE"),
]


def config(group: str, switch: str, **options: object) -> Config:
    environ = {f"OS_{group}__{name.upper()}": str(value) for name, value in options.items()}
    return load(environ={f"OS_{group}__{switch}": "true"} | environ)


@pytest.fixture
def certificate_alone(tmp_path: Path) -> Path:
    text = OWN.read_text()
    begins = text.index("-----BEGIN CERTIFICATE")
    ends = text.index("-----END CERTIFICATE-----\n") + len("-----END CERTIFICATE-----\n")
    path = tmp_path / "certificate.pem"
    path.write_text(text[begins:ends])
    return path


@pytest.mark.parametrize(("group", "switch", "certificate"), ANY)
class TestFiles:
    def test_good_ones(self, group: str, switch: str, certificate: str) -> None:
        tls.check(config(group, switch))
        tls.check(config(group, switch, ca_file=OWN, **{certificate: OWN}))

    def test_a_file_that_is_not_there(
        self, group: str, switch: str, certificate: str, tmp_path: Path
    ) -> None:
        for name in ("CA_FILE", certificate):
            with pytest.raises(ConfigError) as raised:
                tls.check(config(group, switch, **{name: tmp_path / "none"}))
            assert raised.value.option == f"[{group.lower()}] {name.lower()}"
            assert str(raised.value) == (
                f"[{group.lower()}] {name.lower()} is {tmp_path}/none, which can't be read:"
                " No such file or directory. Check the path and the file's permissions."
            )

    def test_a_file_with_something_else_in_it(
        self, group: str, switch: str, certificate: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "text"
        path.write_text("no certificate")
        with pytest.raises(ConfigError, match=r"ca_file is .*, which has no certificates in PEM"):
            tls.check(config(group, switch, ca_file=path))
        with pytest.raises(ConfigError, match=r"private key could not be loaded"):
            tls.check(config(group, switch, **{certificate: path}))

    def test_a_certificate_without_its_key(
        self, group: str, switch: str, certificate: str, certificate_alone: Path
    ) -> None:
        with pytest.raises(ConfigError, match="the key must belong to the certificate") as raised:
            tls.check(config(group, switch, **{certificate: certificate_alone}))
        assert raised.value.option == f"[{group.lower()}] {certificate.lower()}"


@pytest.mark.parametrize(("group", "switch"), [("ZOOKEEPER", "USE_TLS"), ("CASSANDRA", "TLS")])
def test_a_key_in_a_file_of_its_own(group: str, switch: str, certificate_alone: Path) -> None:
    tls.check(config(group, switch, cert_file=certificate_alone, key_file=OWN))
    with pytest.raises(ConfigError, match="key_file is /none"):
        tls.check(config(group, switch, cert_file=certificate_alone, key_file="/none"))


def test_without_tls_nothing_is_read() -> None:
    tls.check(Config())


def test_what_is_told_decides_whom_to_believe() -> None:
    def context(**options: object) -> ssl.SSLContext:
        made = tls.of_zookeeper(config("ZOOKEEPER", "USE_TLS", **options).zookeeper)
        assert made is not None
        return made

    own = context(ca_file=OWN)
    assert len(own.get_ca_certs()) == 1, "not the system's beside it"
    assert (own.verify_mode, own.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context(verify_hostname="false").check_hostname is False
    assert context(verify_hostname="false").verify_mode is ssl.CERT_REQUIRED
    unverified = context(verify="false")
    assert (unverified.verify_mode, unverified.check_hostname) == (ssl.CERT_NONE, False)


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[int]:
    """Take one connection, by TLS where there is a context, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                if context is None:
                    accepted.sendall(b"this is no TLS\r\n" * 10)
                    return
                with contextlib.suppress(OSError):  # the client ended it
                    context.wrap_socket(accepted, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


class TestHandler:
    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(OWN)
        return context

    def client(self, **options: object) -> ssl.SSLContext | None:
        return tls.of_zookeeper(config("ZOOKEEPER", "USE_TLS", **options).zookeeper)

    def test_it_connects(self) -> None:
        with listening(self.server()) as port:
            made = Handler(self.client(ca_file=OWN)).create_connection(
                ("127.0.0.1", port), hostname="localhost", timeout=10.0, use_ssl=True
            )
            with made:
                assert made.recv(1) == b""

    # That each socket is closed is told by the warnings, which are errors here.
    @pytest.mark.parametrize(
        ("has_tls", "believed", "name", "words"),
        [
            (True, OWN, "zk.example", "is for another host .* check .zookeeper. hosts, or set"),
            (True, None, "localhost", "is not trusted .* check .zookeeper. ca_file"),
            (
                False,
                OWN,
                "localhost",
                r"the TLS handshake with .* failed \(.*\): check that this is a TLS port",
            ),
        ],
    )
    def test_why_it_does_not(
        self, has_tls: bool, believed: Path | None, name: str, words: str
    ) -> None:
        handler = Handler(self.client(**({"ca_file": believed} if believed else {})))
        with (
            listening(self.server() if has_tls else None) as port,
            pytest.raises(ssl.SSLError) as raised,
        ):
            handler.create_connection(("127.0.0.1", port), hostname=name, timeout=10.0)
        told = ConnectionDropped()
        told.__context__ = raised.value
        told_words = why(told, f"{name}:{port}", by_tls=True)
        assert f"{name}:{port}" in told_words
        assert re.search(words, told_words), told_words


def test_why_a_plain_connection_does_not_come_about() -> None:
    with pytest.raises(OSError, match="refused") as raised:
        Handler().create_connection(("127.0.0.1", 1), hostname="zk", timeout=1.0)
    dropped = ConnectionDropped("x")
    dropped.__context__ = raised.value
    assert why(dropped, "zk:1", by_tls=False) == "zk:1: Connection refused"
    ended = ConnectionDropped("socket connection broken")
    assert why(ended, "zk:1", by_tls=False) == (
        "zk:1 ended the connection (socket connection broken); if it requires TLS, set"
        " [zookeeper] use_tls"
    )
