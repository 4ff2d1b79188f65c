"""The daemon by TLS, its own or that of nginx in front of it, as the how-to page has it: real connections."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from filewatcher.cli.serving.certificates import check_certificate
from filewatcher.errors import Refused
from filewatcher.testing.daemon import Daemon
from filewatcher.testing.nginx import PrivateNginx
from tests.certificates import NAME, Authority
from tests.daemon import Cells, write_tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.certificates import Issued

pytestmark = pytest.mark.timeout(240)

CONTROL, READ = "c" * 32, "r" * 32
PAGE = Path(__file__).parents[2] / "docs/how-to/daemon.rst"
FRAMES = 6


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Authority(folder)


def set_up(folder: Path, listen: dict[str, Any]) -> Daemon:
    """Configure a daemon with tokens and a root; it is not started."""
    (folder / "raw").mkdir()
    tokens = folder / "tokens"
    tokens.write_text(f"control {CONTROL}\nread {READ}\n")
    tokens.chmod(0o600)
    config = folder / "serve.yaml"
    config.write_text(json.dumps({"listen": listen, "tokens": str(tokens), "roots": [str(folder / "raw")]}))
    return Daemon(folder / "daemon", ("--config", str(config)), token=CONTROL)


def own_tls(issued: Issued) -> dict[str, Any]:
    return {"certificate": str(issued.certificate), "key": str(issued.key)}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# ---- its own


def test_it_serves_tls_and_nothing_else_on_that_port(authority: Authority, tmp_path: Path) -> None:
    daemon = set_up(tmp_path, own_tls(authority.issue("server"))).start()
    try:
        assert daemon.url.startswith("https://127.0.0.1:")
        with httpx.Client(base_url=daemon.url, verify=authority.trusting, trust_env=False) as http:
            assert http.get("/health").json() == {"status": "ok"}
            assert http.get("/api/collections").status_code == 401
            assert http.get("/api/collections", headers=bearer(READ)).json()["total"] == 0
            cookie = http.post("/api/login", json={"token": READ}).headers["set-cookie"]
            assert "Secure" in cookie
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{daemon.url}/health", trust_env=False)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{daemon.url.replace('https', 'http')}/health", trust_env=False)
        assert not handshake(daemon.url, ssl.TLSVersion.TLSv1_1)
        assert handshake(daemon.url, ssl.TLSVersion.TLSv1_2)
        environment = daemon.environment | {"FILEWATCHER_TOKEN": READ}
        told = [status(daemon, environment | more) for more in ({"SSL_CERT_FILE": str(authority.file)}, {})]
        assert (told[0].returncode, told[0].stderr) == (0, "")
        assert (told[1].returncode, "CERTIFICATE_VERIFY_FAILED" in told[1].stderr) == (4, True)
        assert "Traceback" not in told[1].stderr
    finally:
        assert daemon.stop() == 0
    assert daemon.faults() == []


def handshake(url: str, version: ssl.TLSVersion) -> bool:
    """Whether a client that knows no later version is let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is what is asked about
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, version
    where = httpx.URL(url)
    try:
        with socket.create_connection((where.host, where.port or 0)) as raw, context.wrap_socket(raw):
            return True
    except ssl.SSLError:
        return False


def status(daemon: Daemon, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = daemon.command("-m", "filewatcher", "status")
    return subprocess.run(words, cwd=daemon.folder, env=environment, capture_output=True, text=True, check=False)


def test_certificates_that_are_no_good_are_refused_in_a_sentence(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.issue("good"), authority.issue("other")
    late, early = authority.issue("late", days=(-3, -1)), authority.issue("early", days=(1, 3))
    locked = authority.issue("locked", password=b"a secret")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("-----BEGIN CERTIFICATE-----\nno\n")
    wrong = [
        (tmp_path / "missing.pem", good.key, "certificate .*missing.pem cannot be read: No such file or directory"),
        (good.certificate, tmp_path / "missing.key", "key .*missing.key cannot be read: No such file or directory"),
        (good.certificate, other.key, "key .*other.key is not that of certificate .*good.pem"),
        (good.certificate, nothing, "key .*nothing.pem is no key in PEM without a password"),
        (locked.certificate, locked.key, "key .*locked.key is no key in PEM without a password"),
        (nothing, good.key, "certificate .*nothing.pem is no certificate in PEM"),
        (
            late.certificate,
            late.key,
            r"certificate .*late.pem expired on 20\d\d-.* UTC and nobody would connect",
        ),
        (
            early.certificate,
            early.key,
            r"certificate .*early.pem is valid from 20\d\d-.* UTC on: is the clock",
        ),
        (tmp_path, good.key, "certificate .* cannot be read: Is a directory"),
    ]
    for certificate, key, words in wrong:
        with pytest.raises(Refused, match=words):
            check_certificate(certificate, key, datetime.now(UTC))
    daemon = set_up(tmp_path, own_tls(late))
    daemon.folder.mkdir()
    ended = daemon.run("serve", "--port", 0, *daemon.options)
    assert ended.returncode == 2
    (sentence,) = ended.stderr.strip().splitlines()
    assert "expired on" in sentence


# ---- nginx's


@contextmanager
def behind_nginx(daemon: Daemon, authority: Authority) -> Iterator[int]:
    """Yield the port of an nginx that is configured by the page, but for ports and places of files."""
    server = authority.issue("server")
    block = re.search(r"::\n\n((?:    .*\n)*    server \{\n(?:    .*\n)+)", PAGE.read_text())
    assert block is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = block[1]
    for words, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/filewatcher/", "{folder}/"),
        ("http://127.0.0.1:8765", daemon.url),
    ):
        assert words in text
        text = text.replace(words, here)
    with PrivateNginx(text, (server.certificate, server.key)):
        yield port


class Visitor(httpx.Client):
    """Finds the server under its name, which no name server here knows."""

    def __init__(self, port: int, authority: Authority) -> None:
        super().__init__(base_url=f"https://127.0.0.1:{port}", verify=authority.trusting, trust_env=False, timeout=60)
        self.headers["Host"] = f"{NAME}:{port}"
        self.origin = f"https://{NAME}:{port}"

    def request(self, *words: Any, **more: Any) -> httpx.Response:
        return super().request(*words, **more | {"extensions": {"sni_hostname": NAME}})


@contextmanager
def watching(port: int, authority: Authority, collection: str, origin: str) -> Iterator[Any]:
    """Yield the messages that a page of `origin` gets."""
    url = f"wss://{NAME}:{port}/api/collections/{collection}/live"
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        connect(
            url,
            sock=raw,
            ssl=authority.trusting,
            server_hostname=NAME,
            origin=Origin(origin),
            additional_headers=bearer(READ),
        ) as viewer,
    ):
        yield viewer


def test_behind_nginx_as_the_page_has_it(authority: Authority, tmp_path: Path) -> None:
    daemon = set_up(tmp_path, {"host": "127.0.0.1", "proxied": True, "names": [NAME]}).start()
    try:
        with behind_nginx(daemon, authority) as port, Visitor(port, authority) as visitor:
            page = visitor.get("/")
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert "default-src 'none'" in page.headers["content-security-policy"]
            script = re.search(r'src="/?(static/[^"]+)"', page.text)
            assert script is not None
            assert visitor.get(f"/{script[1]}").status_code == 200

            here = {"Origin": visitor.origin}
            master = tmp_path / "raw" / "scan.nxs"
            ask = {"master": str(master)}
            assert visitor.post("/api/collections", json=ask, headers=here).status_code == 401
            cookie = visitor.post("/api/login", json={"token": CONTROL}, headers=here)
            assert cookie.status_code == 200
            kept = cookie.headers["set-cookie"]
            assert all(word in kept for word in ("Secure", "HttpOnly", "SameSite=strict"))
            visitor.headers["Cookie"] = kept.partition(";")[0]

            for origin in ("https://elsewhere", f"https://{NAME}", f"http://elsewhere:{port}", "null"):
                refused = visitor.post("/api/collections", json=ask, headers={"Origin": origin})
                assert (refused.status_code, refused.json()["detail"]) == (403, "a page of another site cannot do this")
            other = visitor.get("/api/collections", headers={"Host": f"elsewhere:{port}"})
            assert other.status_code == 421
            large = visitor.post("/api/collections", content=b" " * 100_000, headers=here)
            assert large.status_code == 413

            asked = visitor.post("/api/collections", json=ask, headers=here)
            assert asked.status_code == 201, asked.text
            url = asked.json()["url"]
            with pytest.raises(InvalidStatus), watching(port, authority, asked.json()["id"], "https://elsewhere"):
                pass
            cells, polled = Cells(), Cells()
            with watching(port, authority, asked.json()["id"], visitor.origin) as viewer:
                assert json.loads(first_text(viewer))["collection"]["state"] in {"queued", "waiting", "running"}
                write_tiny(master, FRAMES)
                while len(cells.cells) < FRAMES:
                    message = viewer.recv(timeout=100)
                    if isinstance(message, bytes):
                        cells.take(message)
                while len(polled.cells) < FRAMES:  # the same for whoever has no WebSocket
                    answer = visitor.get(f"{url}/cells", params={"since": polled.cursor, "wait": 50})
                    polled.take(answer.content)
            assert {frame: state for frame, (state, _) in cells.cells.items()} == dict.fromkeys(range(FRAMES), 1)
            assert polled.cells.keys() == cells.cells.keys()
    finally:
        assert daemon.stop() == 0
    assert daemon.faults() == []


def first_text(viewer: Any) -> str:
    while not isinstance(message := viewer.recv(timeout=100), str):
        pass
    return message
