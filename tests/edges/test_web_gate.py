"""Who may do what: tokens, hosts, origins, sizes, roots; an application behind the gate, without a network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.edges.web import Doorway, Metrics, Tokens, create_app
from filewatcher.edges.web.tokens import Right
from filewatcher.errors import Forbidden, Refused
from filewatcher.roots import Roots
from filewatcher.service import Service, Terms
from filewatcher.testing.works import MemoryRegistry, ScriptedWorks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

CONTROL, READ = "c" * 32, "r" * 32
ASK = {"master": "/data/m.nxs"}


def visited(story: Callable[[httpx.AsyncClient], Awaitable[None]], *, tokens: bool = True, body: int = 2048) -> None:
    """Let a story visit a server with two tokens, called ``here``."""

    async def told() -> None:
        service = Service(ScriptedWorks(), MemoryRegistry(), lambda: 0.0, lambda: "2026-01-01T00:00:00", Terms(2, 3))
        known = Tokens({CONTROL: Right.CONTROL, READ: Right.READ} if tokens else {})
        doorway = Doorway(known, ("here",), secure=True, largest_body=body)
        app = create_app(service, doorway, lambda _: None, lambda: {"version": "1"}, Metrics(lambda: 2, lambda: 1))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="https://here"
        ) as client:
            await story(client)
        await service.close()

    asyncio.run(told())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_without_a_token_nothing_is_told() -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for method, path in (
            ("GET", "/api/collections"),
            ("GET", "/api/collections/abc/results.h5"),
            ("GET", "/api/openapi.json"),
            ("POST", "/api/collections"),
            ("DELETE", "/api/collections/abc"),
            ("GET", "/metrics"),
        ):
            for headers in ({}, bearer("x" * 32), bearer(""), {"Authorization": "Basic abc"}, bearer("\N{SNOWMAN}")):
                encoded = {name.encode(): value.encode() for name, value in headers.items()}
                answer = await client.request(method, path, headers=encoded)
                assert answer.status_code == 401
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["detail"].startswith("a token is needed")
        assert (await client.get("/health")).json() == {"status": "ok"}

    visited(story)


def test_a_read_token_looks_and_a_control_token_acts() -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.post("/api/collections", json=ASK, headers=bearer(READ))).status_code == 403
        asked = await client.post("/api/collections", json=ASK, headers=bearer(CONTROL))
        assert (asked.status_code, asked.headers["location"]) == (201, asked.json()["url"])
        again = await client.post("/api/collections", json=ASK, headers=bearer(CONTROL))
        assert (again.status_code, again.json()) == (200, asked.json() | {"new": False})
        listed = await client.get("/api/collections", headers=bearer(READ))
        assert [one["id"] for one in listed.json()["collections"]] == [asked.json()["id"]]
        assert (await client.delete(asked.json()["url"], headers=bearer(READ))).status_code == 403
        assert (await client.delete(asked.json()["url"], headers=bearer(CONTROL))).json()["state"] == "cancelled"

    visited(story)


def test_a_cookie_stands_for_a_token_and_is_no_token() -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.post("/api/login", json={"token": "y" * 32})).status_code == 401
        answer = await client.post("/api/login", json={"token": READ})
        assert answer.json() == {"right": "read"}
        cookie = answer.headers["set-cookie"]
        for word in ("HttpOnly", "SameSite=strict", "Secure", "Path=/"):
            assert word in cookie
        assert READ not in cookie
        assert (await client.get("/api/collections")).status_code == 200
        assert (await client.post("/api/collections", json=ASK)).status_code == 403
        await client.post("/api/logout")
        assert (await client.get("/api/collections")).status_code == 401

    visited(story)


@pytest.mark.parametrize("origin", ["https://elsewhere", "null", "https://here.elsewhere", "https://here:81"])
def test_a_page_of_another_site_cannot_act(origin: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.post("/api/collections", json=ASK, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["detail"]) == (403, "a page of another site cannot do this")
        assert (await client.post("/api/collections", json=ASK, headers={"Origin": "https://here"})).status_code == 201
        plain = await client.post(
            "/api/collections", content='{"master": "/data/n.nxs"}', headers={"Content-Type": "text/plain"}
        )
        assert plain.status_code == 422, "what a form of another site can send is no JSON"

    visited(story, tokens=False)


def test_another_name_of_our_address_is_not_ours() -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for host in ("elsewhere", "here.elsewhere:443", "", "[::1]"):
            assert (await client.get("/api/collections", headers={"Host": host})).status_code == 421
        assert (await client.get("/api/collections", headers={"Host": "HERE:8765"})).status_code == 200

    visited(story, tokens=False)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b"[" * 2000, 422),
        (b'{"master": ' + b"9" * 1900 + b"}", 422),
        (b'{"master": "/data/\\ud800.nxs"}', 422),
        (b'{"master": "/data/m.nxs", "maser": 1}', 422),
        (b'{"master": null}', 422),
        (b'{"masters": ["/a", "/a"]}', 422),
        (b'{"master": "/a", "dcid": 99999999999999999999}', 422),
        (b'{"master": "/a", "gridinfo": [{"steps_x": "NaN"}]}', 422),
        (b"\xff\xfe", 422),
        (b" " * 3000, 413),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(content: bytes, status: int) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async def chunks() -> object:
            yield content

        headers = {"Content-Type": "application/json"}
        answer = await client.post("/api/collections", content=content, headers=headers)
        assert answer.status_code in {status, 400}, answer.text
        assert answer.json()["detail"]
        assert "Traceback" not in answer.text
        unsaid = await client.post("/api/collections", content=chunks(), headers=headers)  # type: ignore[arg-type]
        assert 400 <= unsaid.status_code < 500

    visited(story, tokens=False)


def test_every_answer_has_a_strict_content_policy() -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for path in ("/health", "/nowhere", "/api/collections", "/api/collections/x"):
            policy = (await client.get(path)).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy

    visited(story, tokens=False)


def test_ten_thousand_collections_are_not_taken() -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answers = [await client.post("/api/collections", json={"master": f"/data/{n}.nxs"}) for n in range(12)]
        assert [answer.status_code for answer in answers] == [201] * 5 + [503] * 7
        assert answers[-1].headers["retry-after"] == "30"
        assert "all that is allowed" in answers[-1].json()["detail"]

    visited(story, tokens=False)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (f"control {CONTROL}", 0o644, "others may read it; chmod 600"),
        ("control short", 0o600, "line 1: a token has 20 characters"),
        (f"\nadmin {CONTROL}", 0o600, "line 2: write 'control TOKEN'"),
        ("# none", 0o600, "holds none"),
    ],
)
def test_a_file_of_tokens_is_checked(tmp_path: Path, content: str, mode: int, words: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(Refused, match=words):
        Tokens.read(file)


def test_a_file_of_tokens_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# who\ncontrol {CONTROL} # the beamline\n\nread {READ}\n")
    file.chmod(0o600)
    tokens = Tokens.read(file)
    assert tokens.right(CONTROL, None) is Right.CONTROL
    assert tokens.right(READ, None) is Right.READ
    assert tokens.right(READ + "x", None) is Right.NOTHING
    assert tokens.right(None, CONTROL) is Right.NOTHING


@given(st.text(max_size=60))
def test_no_path_leads_out_of_the_roots(words: str) -> None:
    roots = Roots([])
    with pytest.raises(Forbidden):
        roots.check(words)


def test_links_and_dots_do_not_lead_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.nxs").touch()
    (inside / "link.nxs").symlink_to(outside / "secret.nxs")
    (inside / "folder").symlink_to(outside)
    (inside / "back").symlink_to(inside)
    (tmp_path / "in-other").mkdir()
    roots = Roots([inside])
    for fine in ("m.nxs", "not/there/yet.nxs", "back/m.nxs"):
        roots.check(str(inside / fine))
    for bad in (
        f"{inside}/link.nxs",
        f"{inside}/folder/secret.nxs",
        f"{inside}/folder/not_there.nxs",
        f"{inside}/../out/secret.nxs",
        f"{tmp_path}/in-other/m.nxs",
        "m.nxs",
        f"{inside}/m.nxs\0",
        f"{inside}/" + "x" * 5000,
        "/etc/passwd",
    ):
        with pytest.raises(Forbidden):
            roots.check(bad)
    with pytest.raises(Refused, match="is no folder here"):
        Roots([inside / "missing"])
