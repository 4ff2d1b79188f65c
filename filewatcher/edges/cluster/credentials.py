"""The key and certificate of one run: whoever has them may talk to its scheduler and workers, nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed.security import Security

from filewatcher.ports import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

BEFORE, AFTER = timedelta(days=1), timedelta(days=400)
"""For how long it is valid: from before now, because the clocks of nodes differ, to the end of any daemon's life."""


def make_credentials() -> Credentials:
    """Make a new key and a certificate signed by it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "filewatcher")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Credentials(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(serialization.Encoding.PEM, form, plain).decode(),
    )


def security_of(credentials: Credentials) -> Security:
    """Express them as Dask wants them, for every role; what is not encrypted is refused."""
    words: dict[str, Any] = {"tls_ca_file": credentials.certificate, "require_encryption": True}
    for role in ("scheduler", "worker", "client"):
        words |= {f"tls_{role}_cert": credentials.certificate, f"tls_{role}_key": credentials.key}
    return Security(**words)


def worker_environment(credentials: Credentials) -> Mapping[str, str]:
    """Express them as the environment of a job, from which Dask's worker reads its configuration."""
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    return {
        f"{tls}CA_FILE": credentials.certificate,
        f"{tls}WORKER__CERT": credentials.certificate,
        f"{tls}WORKER__KEY": credentials.key,
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
    }
