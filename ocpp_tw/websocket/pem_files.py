"""Reads private keys, certificates and revocation lists from PEM files; says in one line what is wrong with a file, and of which setting it is.

Knows neither TLS nor what they are used for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ..settings import InvalidSetting

PRIVATE_KEY = re.compile(rb"-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
REVOCATION_LIST = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class KeyAndChain(NamedTuple):
    """A private key and its certificate chain, its own certificate first."""

    key: Key
    chain: list[x509.Certificate]


def load(chain: Path, key: Path) -> KeyAndChain:
    """The key and certificates in these files.

    Raises:
        InvalidSetting: they do not hold a private key and its certificates.
    """
    option = "--tls" if key == chain else "--tls-key"
    found = certificates(chain, "--tls")
    private = _private_key(key, option)
    public = _public(private)
    if _public(found[0]) != public:
        if any(_public(certificate) == public for certificate in found):
            raise InvalidSetting(f"--tls: in {chain} the key's own certificate must come first, then those that vouch for it")
        raise InvalidSetting(f"{option}: the private key in {key} does not belong to the first certificate in {chain}")
    return KeyAndChain(private, found)


def _read(option: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as why:
        raise InvalidSetting(f"{option}: {file} cannot be read: {why.strerror}") from None


def certificates(file: Path, option: str) -> list[x509.Certificate]:
    """The certificates in a file, at least one.

    Raises:
        InvalidSetting: it holds none, or one that cannot be read.
    """
    text = _read(option, file)
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise InvalidSetting(f"{option}: {file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise InvalidSetting(f"{option}: a certificate in {file} cannot be read") from None


def _private_key(file: Path, option: str) -> Key:
    found = PRIVATE_KEY.search(_read(option, file))
    if found is None:
        hint = "; add it, or name its file with --tls-key" if option == "--tls" else ""
        raise InvalidSetting(f"{option}: {file} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----){hint}")
    if b"ENCRYPTED" in found[0]:
        raise InvalidSetting(f"{option}: the private key in {file} is encrypted, and a server cannot ask for its password; decrypt it")
    try:
        key = load_pem_private_key(found[0], None)
    except Exception:  # the possible exceptions are not documented, and their texts may quote the key
        raise InvalidSetting(f"{option}: the private key in {file} cannot be read") from None
    if not isinstance(key, Key):
        raise InvalidSetting(f"{option}: the private key in {file} is of a type that TLS does not support; use an EC or RSA key")
    return key


def _public(of: Any) -> bytes:
    return cast(bytes, of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def revocation_lists(file: Path, option: str) -> list[x509.CertificateRevocationList]:
    """The revocation lists in a file, at least one; one alone may be in DER, as authorities often publish it.

    Raises:
        InvalidSetting: it holds none, or one that cannot be read.
    """
    data = _read(option, file)
    found = REVOCATION_LIST.findall(data)
    try:
        return [x509.load_pem_x509_crl(each) for each in found] or [x509.load_der_x509_crl(data)]
    except ValueError:
        why = "a revocation list in it cannot be read" if found else "it holds no revocation list (-----BEGIN X509 CRL-----)"
        raise InvalidSetting(f"{option}: {file}: {why}") from None
