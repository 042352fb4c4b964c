"""TLS to ZooKeeper, MongoDB and Cassandra: trusted authorities, and Canary's own certificate.

Promises: a file that can't be used is refused at start, with the name of its option, and not at
each attempt to connect. No password is asked for on a terminal, and none is in a message. Every
function here raises ConfigError if a file can't be used.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from canary.config import CassandraOptions, Config, MongoOptions, ZooKeeperOptions
from canary.errors import ConfigError


def of_zookeeper(options: ZooKeeperOptions) -> ssl.SSLContext | None:
    """Return the TLS context for ZooKeeper; None if TLS is off."""
    if not options.use_tls:
        return None
    own = _Own("zookeeper", options.cert_file, options.key_file, options.key_password)
    context = _believing("zookeeper", options.ca_file, verify=options.verify)
    context.check_hostname = options.verify and options.verify_hostname
    own.load(context)
    return context


def of_mongo(options: MongoOptions) -> ssl.SSLContext | None:
    """Return the TLS context for MongoDB; None if the options do not turn TLS on."""
    if not options.tls:
        return None
    own = _Own(
        *("mongo", options.cert_key_file, None, options.cert_key_password),
        names=("cert_key_file", "cert_key_file", "cert_key_password"),
    )
    context = _believing("mongo", options.ca_file, verify=True)
    own.load(context)
    return context


def of_cassandra(options: CassandraOptions) -> ssl.SSLContext | None:
    """Return the TLS context for Cassandra; None if TLS is off."""
    if not options.tls:
        return None
    own = _Own("cassandra", options.cert_file, options.key_file, options.key_password)
    context = _believing("cassandra", options.ca_file, verify=options.verify)
    own.load(context)
    return context


def check(config: Config) -> None:
    """Raise ConfigError if a file that the options name can't be used."""
    of_zookeeper(config.zookeeper)
    of_mongo(config.mongo)
    if config.cassandra.enabled:
        of_cassandra(config.cassandra)


@dataclass(frozen=True, slots=True)
class _Own:
    """Canary's own certificate, if it has one; ``names`` are the names of the three options."""

    group: str
    certificate: str | None
    key: str | None
    password: str | None
    names: tuple[str, str, str] = ("cert_file", "key_file", "key_password")

    def load(self, context: ssl.SSLContext) -> None:
        if self.certificate is None:
            return
        named = f"[{self.group}] {self.names[0]}"
        _read(named, self.certificate)
        if self.key is not None:
            _read(f"[{self.group}] {self.names[1]}", self.key)
        try:
            # Without a password here, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(
                self.certificate, self.key, password=lambda: self.password or ""
            )
        except (ssl.SSLError, ValueError) as error:
            where = f" and {self.names[1]}" if self.key is not None else ""
            raise ConfigError(
                f"{named} is {self.certificate}: the certificate and its private key could not be"
                f" loaded from it{where} ({_reason(error)}). Both must be in PEM format, the key"
                f" must belong to the certificate, and [{self.group}] {self.names[2]} must be the"
                " key's password, if it has one.",
                option=named,
                value=self.certificate,
            ) from None


def _believing(group: str, ca_file: str | None, *, verify: bool) -> ssl.SSLContext:
    """Return a context that trusts only the authorities in ``ca_file``, or else the system's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = verify
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    if ca_file is None:
        context.load_default_certs()
        return context
    named = f"[{group}] ca_file"
    _read(named, ca_file)
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{named} is {ca_file}, which has no certificates in PEM format"
            f" ({_reason(error)}). Set it to a file of CA certificates.",
            option=named,
            value=ca_file,
        ) from None
    return context


def _read(named: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise ConfigError(
            f"{named} is {path}, which can't be read: {error.strerror}. Check the path and the"
            " file's permissions.",
            option=named,
            value=path,
        ) from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or type(error).__name__).lower().replace("_", " ")
