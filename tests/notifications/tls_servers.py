"""A real mail server with TLS and a password, and its certificate."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiosmtpd import smtp as aiosmtpd_smtp

SECRET = "b3l13v3-m3"


class Keeper:
    """Keeps what aiosmtpd's own server took."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.logins: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep the bytes as they came."""
        self.mails.append(envelope.original_content)
        return "250 2.0.0 kept"

    def check(self, _server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> Any:
        """Let one password in."""
        self.logins.append(data.password)
        return aiosmtpd_smtp.AuthResult(success=data.password == SECRET.encode(), handled=False)


def make_certificate(folder: Path) -> Path:
    """Make a key with its certificate for `localhost`, believed by whoever is `trusting` it."""
    path = folder / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out",
            path.with_suffix(".crt")],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@asynccontextmanager
async def a_real_server(certificate: Path, **more: Any) -> AsyncIterator[tuple[Keeper, int]]:
    """Run aiosmtpd with TLS and a password."""
    keeper = Keeper()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    implicit = more.pop("implicit", False)

    def make() -> aiosmtpd_smtp.SMTP:
        # Implicit TLS happens below the server, which then must not ask for STARTTLS.
        values = {} if implicit else {"tls_context": context, "require_starttls": True}
        return aiosmtpd_smtp.SMTP(
            keeper,
            authenticator=keeper.check,
            auth_require_tls=not implicit,
            auth_required=not implicit,
            loop=asyncio.get_running_loop(),
            **values,
        )

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(make, "127.0.0.1", 0, ssl=context if implicit else None)
    try:
        yield keeper, listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return what a client needs to believe this server."""
    return ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
