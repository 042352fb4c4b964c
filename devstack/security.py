"""What servers that let in nobody else need: certificates, a name and a password.

The authority, the servers' certificate and that of their clients are made by openssl, anew for each
run, and hold for a day. The clients' key is encrypted, as one on a disk should be, and the password
has in it what is special in URIs, in shells and in CQL.
"""

import os
import secrets
import shutil
import ssl
import tempfile
from pathlib import Path

from devstack import debian
from devstack.errors import DevstackError
from devstack.ports import HOST
from devstack.reaper import Reaper, how_it_ended
from devstack.server import TAIL

FOLDER = "certificates"
DAYS = "1"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
EXTENSIONS = f"subjectAltName=IP:{HOST},DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n"
SPECIAL = "%40@:/$'\""


class Security:
    """The secrets of one run. The files are there once `make` has returned."""

    username = "canary"

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper
        self._folder = Path()
        self.password = secrets.token_urlsafe(18) + SPECIAL
        self.key_password = secrets.token_urlsafe(18)

    @property
    def authority(self) -> Path:
        """The certificate that signed the others."""
        return self._folder / "authority.pem"

    @property
    def server(self) -> Path:
        """The servers' certificate and its key, not encrypted."""
        return self._folder / "server.pem"

    @property
    def client(self) -> Path:
        """The clients' certificate and its key, encrypted with `key_password`."""
        return self._folder / "client.pem"

    def context(self) -> ssl.SSLContext:
        """Return what a client connects with."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.client, password=self.key_password)
        return context

    async def make(self, home: Path) -> None:
        """Make the certificates below `home`; raise where openssl is not to be had or fails."""
        self._folder = home / FOLDER
        self._folder.mkdir(mode=0o700)
        if shutil.which("openssl") is None:
            if not debian.can_install():
                raise DevstackError(
                    "certificates are made with openssl, and there is none on the PATH. Install "
                    "it (on Debian: apt-get install openssl) and try again."
                )
            await debian.install(self._reaper, "openssl")
        (self._folder / "extensions").write_text(EXTENSIONS)
        subject = ("-subj", "/CN=devstack authority")
        files = ("-nodes", "-keyout", "authority.key", "-out", "authority.pem")
        await self._openssl("req", "-x509", "-days", DAYS, *KEY, *subject, *files)
        await self._sign("server", "-nodes")
        await self._sign("client", "-passout", "env:KEY_PASSWORD")

    async def _sign(self, name: str, *protection: str) -> None:
        subject = ("-subj", f"/CN=devstack {name}")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.request")
        await self._openssl("req", "-new", *KEY, *subject, *files, *protection)
        authority = ("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial")
        files = ("-in", f"{name}.request", "-out", f"{name}.certificate")
        await self._openssl(
            "x509", "-req", "-days", DAYS, *authority, *files, "-extfile", "extensions"
        )
        parts = [self._folder / f"{name}.{kind}" for kind in ("key", "certificate")]
        made = self._folder / f"{name}.pem"
        made.touch(mode=0o600)
        made.write_text("".join(part.read_text() for part in parts))

    async def _openssl(self, *words: str) -> None:
        with tempfile.TemporaryFile() as output:
            child = self._reaper.spawn(
                ["openssl", *words],
                cwd=self._folder,
                environment={**os.environ, "KEY_PASSWORD": self.key_password},
                output=output,
            )
            status = await child.wait()
            if status != 0:
                output.seek(0)
                lines = output.read().decode(errors="replace").splitlines()[-TAIL:]
                raise DevstackError(
                    f"openssl {words[0]} {how_it_ended(status)}:\n    " + "\n    ".join(lines)
                )
