"""A certificate authority for tests: it signs what chargers request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certificates import Made


def sign(csr: str, by: Made, begin: int = -1, days: int = 9, name: str | None = None) -> str:
    """The certificate for a signing request, as PEM; ``name`` instead of the requested one."""
    request, begins = x509.load_pem_x509_csr(csr.encode()), datetime.now(UTC) + timedelta(begin)
    subject = request.subject if name is None else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = x509.CertificateBuilder().issuer_name(by.subject).subject_name(subject).public_key(request.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(begins + timedelta(days))
    return built.sign(by.private, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def subject(csr: str) -> dict[str, Any]:
    """The common name and the organization in a signing request."""
    names = x509.load_pem_x509_csr(csr.encode()).subject
    return {oid._name: each.value for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME) for each in names.get_attributes_for_oid(oid)}
