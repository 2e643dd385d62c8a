"""The sample for nginx, run by nginx itself in front of a page that it must not change."""

import http.client
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.benchmarks.servers import program
from tests.notifications import tls_servers
from tests.ports import free_port

SAMPLE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
FEED = "/ics/alle/termine.ics"
BODY = b"BEGIN:VCALENDAR\r\n" * 2_000
SECRET = "geheimer-link"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        NGINX is None or shutil.which("openssl") is None,
        reason="nginx or openssl is not installed: the sample was not tried",
    ),
]


class _Page(BaseHTTPRequestHandler):
    """Answers as `terminbuch serve` does, and says what the proxy told it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(303 if self.path.startswith("/termin/") else 200)
        self.send_header("Content-Type", "text/calendar; charset=utf-8")
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("ETag", '"strong"')
        self.send_header("Location", "/woanders")
        self.send_header("X-Told", f"{self.headers['Host']} {self.headers['X-Forwarded-Proto']}")
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where nginx listens, and the folder it writes to."""

    plain: int
    secure: int
    folder: Path

    def get(self, path: str, *, secure: bool) -> tuple[http.client.HTTPResponse, bytes]:
        """Fetch once, following nothing, as a program that takes compressed answers."""
        if secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.secure, context=context, timeout=60
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=60)
        headers = {"Host": "termine.example.org", "Accept-Encoding": "gzip, br"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body


@contextmanager
def _page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _write(folder: Path, behind: int) -> Proxy:
    """Write the sample as it is, but for ports, certificate and folders of this machine."""
    certificate = tls_servers.make_certificate(folder)
    plain, secure = free_port(), free_port()
    sample = SAMPLE.read_text("utf-8")
    for own, there in (
        ("    listen [::]:80;\n", ""),
        ("    listen [::]:443 ssl http2;\n", ""),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{secure} ssl"),
        ("/etc/ssl/termine.example.org.pem", str(certificate.with_suffix(".crt"))),
        ("/etc/ssl/termine.example.org.key", str(certificate)),
        ("/var/log/nginx/terminbuch.log", f"{folder}/access.log"),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
    ):
        assert own in sample
        sample = sample.replace(own, there)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    head = "user root;\n" if os.geteuid() == 0 else ""
    head += f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{\n{temporary}{sample}}}\n", "utf-8")
    return Proxy(plain, secure, folder)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    with ExitStack() as stack:
        proxy = _write(folder, stack.enter_context(_page()))
        command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert tried.returncode == 0, tried.stderr
        stack.enter_context(program(command, folder / "nginx.log", None))
        _wait(proxy)
        yield proxy


def _wait(proxy: Proxy) -> None:
    for _ in range(1000):
        try:
            proxy.get("/", secure=True)
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail((proxy.folder / "error.log").read_text())


def test_http_to_https_single_308_of_the_real_nginx(proxy: Proxy) -> None:
    first, _ = proxy.get(f"{FEED}?a=b", secure=False)
    second, body = proxy.get(f"{FEED}?a=b", secure=True)

    expected = (308, f"https://termine.example.org{FEED}?a=b")
    assert expected == (first.status, first.headers["location"])
    assert (200, BODY) == (second.status, body)


def test_no_https_to_http_anywhere(proxy: Proxy) -> None:
    paths = ("/", FEED, "/termin/x.ics", "//x", "/a")
    answers = [proxy.get(path, secure=True)[0] for path in paths]

    found = [answer.headers["location"] for answer in answers if answer.status in range(300, 400)]
    assert ["/woanders"] == found


def test_a_feed_passes_uncompressed_with_its_strong_tag(proxy: Proxy) -> None:
    answer, body = proxy.get(FEED, secure=True)

    assert (None, '"strong"', str(len(BODY))) == (
        answer.headers["content-encoding"],
        answer.headers["etag"],
        answer.headers["content-length"],
    )
    assert body == BODY
    assert "termine.example.org https" == answer.headers["x-told"]


def test_no_path_is_written_down(proxy: Proxy) -> None:
    proxy.get(f"/a/{SECRET}", secure=True)
    proxy.get(f"/a/{SECRET}", secure=False)

    written = [path.read_text() for path in proxy.folder.glob("*.log")]
    assert any("127.0.0.1" in text for text in written)
    assert not any(SECRET in text for text in written)
