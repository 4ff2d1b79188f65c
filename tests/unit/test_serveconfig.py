"""The daemon's configuration: what is wrong in it is said in one sentence, with the file and the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from filewatcher.errors import Refused
from filewatcher.serveconfig import load

if TYPE_CHECKING:
    from pathlib import Path

MISTAKES = {
    "hello": "expected keys such as 'listen:' and 'roots:'",
    "listen: 5": "listen should have keys below it, not 5",
    "listen: {hots: x}": "unknown key listen.hots; did you mean host?",
    "listen: {port: eight}": "listen.port should be a valid integer, unable to parse string as an integer, not 'eight'",
    "listen: {key: a.pem}": "certificate and key belong together: give both or neither",
    "listen: {host: 0.0.0.0, port: 1}": "beyond this machine (listen.host 0.0.0.0), tokens must be given",
    "limits: {running: 0}": "limits.running should be greater than or equal to 1, not 0",
    "roots: /data": "roots should be a list, as [a, b], not '/data'",
    "profile: 7": "profile should be text, not 7",
    "watch_directories: [{foldr: /data}]": "watch_directories.0.folder must be given",
    "zocalo: {broker: 'amqp://user:secret@host/'}": "zocalo.queue must be given",
    "zocalo: {queue: q, broker: [secret]}": "zocalo.broker should be text",
}


@pytest.mark.parametrize("content", MISTAKES)
def test_a_mistake_is_told_with_file_and_key(tmp_path: Path, content: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(content)
    with pytest.raises(Refused) as refused:
        load(file)
    assert str(refused.value) == f"{file}: {MISTAKES[content]}"


@pytest.mark.parametrize(("content", "why"), [(b"a: [", "is no YAML: "), (b"\xff\xfe", "cannot be read: ")])
def test_what_is_no_yaml_is_said_so(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_bytes(content)
    with pytest.raises(Refused, match=why):
        load(file)


def test_options_go_before_the_file_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("listen: {port: 1, proxied: false}\nroots: [/a]\n")
    found = load(file, {"listen": {"port": 2}, "results": "/r"})
    assert (found.listen.port, found.listen.host, str(found.roots[0]), str(found.results)) == (
        2,
        "127.0.0.1",
        "/a",
        "/r",
    )


def test_a_section_that_is_none_is_refused_also_where_an_option_adds_to_it(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("listen: 5")
    with pytest.raises(Refused, match="listen should have keys below it, not 5"):
        load(file, {"listen": {"port": 2}})
