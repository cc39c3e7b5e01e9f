"""Certificates for tests, made on the spot."""

from __future__ import annotations

import ssl
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
    """A key and a certificate for 127.0.0.1, by ``issuer`` or by itself, valid for so many days beginning so many from now."""

    def __init__(self, name: str = "gateway", kind: str = "ec", begin: int = -1, days: int = 9, issuer: Made | None = None) -> None:
        self.private: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, int(kind))
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by, begins = issuer or self, datetime.now(UTC) + timedelta(begin)
        built = x509.CertificateBuilder().issuer_name(by.subject).subject_name(self.subject).public_key(self.private.public_key())
        built = (
            built.serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days))
            .add_extension(x509.BasicConstraints(True, None), True)
        )
        built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False)
        made = built.sign(by.private, hashes.SHA256())
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


def shown(port: int) -> int:
    """The serial number of the certificate that is shown at a port of this machine."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port), timeout=60).encode()).serial_number
