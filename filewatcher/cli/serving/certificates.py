"""A server's certificate and key, looked at before it starts: what is wrong with them, and with which of the two."""

from __future__ import annotations

import ssl
from datetime import UTC
from typing import TYPE_CHECKING

from cryptography import x509

from filewatcher.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def check_certificate(certificate: Path, key: Path, now: datetime) -> None:
    """Raise `Refused` if nobody could connect with these (PEM), or whoever did would be warned."""
    first = _first(_read("certificate", certificate), certificate)
    _read("key", key)
    begin, end = _validity(first)
    if now >= end:
        raise Refused(
            f"certificate {certificate} expired on {end:%Y-%m-%d %H:%M} UTC and nobody would connect: renew it"
        )
    if now < begin:
        raise Refused(
            f"certificate {certificate} is valid from {begin:%Y-%m-%d %H:%M} UTC on: is the clock here right?"
        )
    try:
        # an encrypted key would have the password asked for on a terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise Refused(
                f"key {key} is not that of certificate {certificate}: give the one it was made with"
            ) from error
        raise Refused(f"key {key} is no key in PEM without a password ({error.reason or 'unreadable'})") from error


def _read(what: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused(f"{what} {file} cannot be read: {error.strerror}") from error


def _first(pem: bytes, certificate: Path) -> x509.Certificate:
    """The server's own; those of its authorities may follow."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise Refused(f"certificate {certificate} is no certificate in PEM") from error


def _validity(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    begin, end = (getattr(certificate, f"not_valid_{which}_utc", None) for which in ("before", "after"))
    if begin is None or end is None:  # before cryptography 42
        begin, end = (when.replace(tzinfo=UTC) for when in (certificate.not_valid_before, certificate.not_valid_after))
    return begin, end
