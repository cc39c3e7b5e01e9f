"""Certificates for tests, made on the spot."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Made:
    """A key and a certificate for 127.0.0.1, by ``issuer`` or by itself, valid for so many days beginning so many from now.

    ``names`` are further attributes of its subject, ``extensions`` further ones of its own, with whether they are critical.
    """

    def __init__(
        self,
        name: str = "gateway",
        kind: str = "ec",
        begin: float = -1,
        days: float = 9,
        issuer: Made | None = None,
        authority: bool = True,
        names: dict[Any, str] | None = None,
        extensions: Sequence[tuple[Any, bool]] = (),
    ) -> None:
        self.private: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, int(kind))
        more = [x509.NameAttribute(oid, value) for oid, value in (names or {}).items()]
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *more])
        by, begins = issuer or self, datetime.now(UTC) + timedelta(begin)
        built = x509.CertificateBuilder().issuer_name(by.subject).subject_name(self.subject).public_key(self.private.public_key())
        built = (
            built.serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days))
            .add_extension(x509.BasicConstraints(authority, None), True)
        )
        for extension, critical in extensions:
            built = built.add_extension(extension, critical)
        built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False)
        made = built.sign(by.private, hashes.SHA256())
        self.made = made
        self.number = made.serial_number
        self.certificate = made.public_bytes(Encoding.PEM)

    @property
    def key(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def encrypted(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))

    @property
    def pem(self) -> bytes:
        return self.certificate + self.key

    def write(self, file: Path) -> str:
        """Put both into a file."""
        file.write_bytes(self.pem)
        return str(file)

    @property
    def trust(self) -> ssl.SSLContext:
        """How a client believes this certificate, and no other."""
        return ssl.create_default_context(cadata=self.certificate.decode())

    def proving(self, made: Made, *above: Made, file: Path) -> ssl.SSLContext:
        """How a client believes this certificate, and shows another one with those above it."""
        context = self.trust
        file.write_bytes(made.certificate + b"".join(each.certificate for each in above) + made.key)
        context.load_cert_chain(file)
        return context


def revocation_list(by: Made, *revoked: Made, begin: float = -1, days: float = 9) -> bytes:
    """An authority's list of certificates that are not valid any more."""
    begins = datetime.now(UTC) + timedelta(begin)
    built = x509.CertificateRevocationListBuilder().issuer_name(by.subject).last_update(begins).next_update(begins + timedelta(days))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.number).revocation_date(begins).build()
        built = built.add_revoked_certificate(entry)
    return built.sign(by.private, hashes.SHA256()).public_bytes(Encoding.PEM)


def shown(port: int) -> int:
    """The serial number of the certificate that is shown at a port of this machine."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port), timeout=60).encode()).serial_number
