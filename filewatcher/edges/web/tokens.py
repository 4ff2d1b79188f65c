"""Who may do what: tokens in a file that only its owner can read, given in a header or kept in a cookie.

One token per line, after what it allows::

    control 7fJ1...      ask, end, cancel, look
    read    Qa0c...      look
"""

from __future__ import annotations

import hashlib
import hmac
import stat
from enum import IntEnum
from typing import TYPE_CHECKING

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

COOKIE = "filewatcher"
SHORTEST = 20
"""Characters of a token: shorter ones can be guessed."""


class Right(IntEnum):
    """What a visitor may do."""

    NOTHING = 0
    READ = 1
    CONTROL = 2


class Tokens:
    """The tokens of one server; none = whoever reaches it may do everything."""

    def __init__(self, rights: dict[str, Right]) -> None:
        self._rights = {_digest(token): right for token, right in rights.items()}
        self._cookies = {_cookie(token): right for token, right in rights.items()}

    @classmethod
    def read(cls, file: Path) -> Tokens:
        """Read the file. Raises `Refused` where others can read it too, or for a line that is none."""
        try:
            mode = file.stat().st_mode
            lines = file.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"tokens {file} cannot be read: {getattr(error, 'strerror', error)}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise Refused(f"tokens {file}: others may read it; chmod 600 {file}")
        rights = {}
        for number, line in enumerate(lines, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) != 2 or words[0] not in {"read", "control"}:
                raise Refused(f"tokens {file}, line {number}: write 'control TOKEN' or 'read TOKEN'")
            if len(words[1]) < SHORTEST:
                raise Refused(f"tokens {file}, line {number}: a token has {SHORTEST} characters at least")
            rights[words[1]] = Right[words[0].upper()]
        if not rights:
            raise Refused(f"tokens {file} holds none: write lines 'control TOKEN' or 'read TOKEN'")
        return cls(rights)

    @property
    def required(self) -> bool:
        """Whether a visitor needs one."""
        return bool(self._rights)

    def right(self, token: str | None, cookie: str | None) -> Right:
        """Return what the holder of these may do."""
        if not self.required:
            return Right.CONTROL
        given = Right.NOTHING
        if token is not None:
            given = _found(self._rights, _digest(token))
        if cookie is not None and given is Right.NOTHING:
            given = _found(self._cookies, cookie.encode(errors="replace"))
        return given

    def cookie(self, token: str) -> tuple[str, Right]:
        """Return what stands for a token in a cookie, from which nobody can tell the token; and its right."""
        right = _found(self._rights, _digest(token))
        return _cookie(token).decode(), right


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _cookie(token: str) -> bytes:
    secret = token.encode(errors="surrogatepass")
    return hmac.new(secret, b"filewatcher session", "sha256").hexdigest().encode()


def _found(rights: dict[bytes, Right], given: bytes) -> Right:
    """Look at all of them: how long it takes says nothing of how near a guess is."""
    best = Right.NOTHING
    for known, right in rights.items():
        if hmac.compare_digest(known, given):
            best = right
    return best
