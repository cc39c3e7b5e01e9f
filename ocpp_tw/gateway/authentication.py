"""Judges a handshake: which of OCPP's security profiles it has, and whether that is enough (1.6 security whitepaper and 2.x part 2, A00).

Knows what the charger has shown and what is stored about it; no store, no clock, no event.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from hmac import compare_digest
from typing import NamedTuple

from ..core import network_passwords, new_passwords
from ..core.authority import OWNER, owner
from ..core.entries import Record
from ..core.issued import fingerprints, is_new
from ..core.passwords import Passwords, UnknownKey
from ..interfaces import ClientCertificate, HandshakeRequest
from ..settings import Settings

NO_CREDENTIALS, WRONG_USER, WRONG_PASSWORD = "no credentials", "the user name is not the identity", "wrong password"
NO_PASSWORD_SET, UNREADABLE = "no password has been set", "the credentials cannot be read"
UNKNOWN, REFUSED = "nobody has registered it", "the backend refuses it"


class Policy(NamedTuple):
    """What holds for all chargers: the least security profile, what becomes of those nobody has registered (accept, pending, refuse), the
    organization that certificates must name ("": any), and whether the backend decides about each as well."""

    least: int
    unknown: str
    organization: str = ""
    backend: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """As the settings say."""
        return cls(
            int(settings.security_profile or 0), settings.unknown_chargers, settings.client_organization, settings.register == "backend"
        )

    @property
    def open(self) -> bool:
        """Whether a charger of which nothing is stored may come in with nothing."""
        return self.least == 0 and self.unknown == "accept" and not self.backend

    def waits(self, record: Record) -> bool:
        """Whether a charger is Pending until an operator or the backend says more."""
        unknown = self.backend and record.backend_verdict == "pending" and not record.boot_status
        return unknown or (self.unknown == "pending" and not record.is_registered)

    def least_for(self, record: Record) -> int:
        """The least security profile of one charger."""
        return max(self.least, record.least_profile, int(record.backend_profile or 0) if self.backend else 0)

    def excludes(self, record: Record) -> str:
        """Why a charger may not be connected, whatever its credentials are; "" if it may."""
        if self.unknown == "refuse" and not record.is_registered:
            return UNKNOWN
        return REFUSED if self.backend and record.backend_verdict == "refuse" else ""


class NotAdmitted(Exception):
    """The charger is refused. ``kind`` is what the refusal is an instance of: authentication_failed, certificate_refused, downgrade, unknown
    or misconfigured; ``status`` is of HTTP. The text is our own: it may be logged, and is only for whoever may see the log."""

    def __init__(self, kind: str, status: int, why: str) -> None:
        super().__init__(why)
        self.kind, self.status = kind, status


class Verdict(NamedTuple):
    """The security profile; and the stored form of the password, or the fingerprint of the certificate, that the charger has shown, if it is
    one that it was sent since its former one ("": it is not). ``network_password`` is that of its network profiles' password, None if it has
    shown no password at all."""

    profile: int
    new_password: str = ""
    network_password: str | None = None
    new_certificate: str = ""


def judge(request: HandshakeRequest, record: Record, policy: Policy, passwords: Passwords) -> Verdict:
    """What the charger is admitted with.

    Raises:
        NotAdmitted: it is not.
    """
    least = policy.least_for(record)
    verdict = _by_certificate(request, record, policy, least) or _by_password(request, record, passwords, least)
    if excluded := policy.excludes(record):
        raise NotAdmitted("unknown", 404, excluded)
    if verdict.profile < least:
        raise NotAdmitted("downgrade", 403, f"security profile {verdict.profile}, and {least} is the least for it")
    return verdict


def _by_certificate(request: HandshakeRequest, record: Record, policy: Policy, least: int) -> Verdict | None:
    """None if it has shown none, or one that is not ours where none is needed: its maker's, say."""
    certificate = request.certificate
    if certificate is None:
        return None
    why = certificate.trouble or _foreign(certificate, request.id, record, policy)
    if not why:
        return Verdict(3, new_certificate=certificate.fingerprint if is_new(record.issued, certificate.fingerprint) else "")
    if certificate.trouble and least < 3:
        return None
    raise NotAdmitted("certificate_refused", 403, f"certificate: {why}")


def _foreign(certificate: ClientCertificate, id: str, record: Record, policy: Policy) -> str:
    """Why a certificate that we trust is not this charger's; "" if it is. OCPP has a serial number in it (A00.FR.405), which the gateway does
    not know before the charger boots: so it has to name the identity, or be the one that is set for the charger, or that it was sent. One
    that was issued here has the identity that asked for it: what else it says, that one said of itself."""
    if any(compare_digest(each, certificate.fingerprint) for each in (record.certificate, *fingerprints(record.issued)) if each):
        return ""
    owners = [each for each in certificate.names if each.startswith(OWNER)]
    # in exactly this spelling: in 1.6 CP1 and cp1 are two chargers, and one's certificate must not do for the other
    if owner(id) not in owners if owners else id not in (certificate.common_name, *certificate.names):
        return "it is another charger's"
    if policy.organization and certificate.organization != policy.organization:
        return "it names another organization"
    return "it is not the one that is set for this charger" if record.certificate else ""


def _by_password(request: HandshakeRequest, record: Record, passwords: Passwords, least: int) -> Verdict:
    shown = request.headers.get("authorization")
    if least == 0 and not record.password:  # nothing is asked for: some chargers send what they were set to long ago
        return _by_first_password(request, record, passwords, shown)
    if shown is None:
        trouble = request.certificate.trouble if request.certificate is not None else ""
        raise NotAdmitted("authentication_failed", 401, f"{NO_CREDENTIALS} but a certificate: {trouble}" if trouble else NO_CREDENTIALS)
    return _compared(request, record, passwords, shown)


def _by_first_password(request: HandshakeRequest, record: Record, passwords: Passwords, shown: str | None) -> Verdict:
    """The charger has been sent a password and was let in without one so far: once it shows that, it is never again."""
    if shown is None or not (record.new_password or record.network_passwords):
        return Verdict(0)
    try:
        return _compared(request, record, passwords, shown)
    except NotAdmitted as why:
        if why.kind != "authentication_failed":
            raise
        return Verdict(0)


def _compared(request: HandshakeRequest, record: Record, passwords: Passwords, shown: str) -> Verdict:
    user, password = _basic(shown, request.id.encode())
    current = False
    try:
        # one is compared, whoever it is: how long it takes does not tell who is known
        current = passwords.match(record.password, password)
        new = [each for each in new_passwords.forms(record.new_password) if passwords.match(each, password)]
        network = [each for each in network_passwords.forms(record.network_passwords) if passwords.match(each, password)]
    except UnknownKey as why:
        if not current:
            raise NotAdmitted("misconfigured", 503, str(why)) from None
        new, network = [], []
    if user != request.id.encode():
        raise NotAdmitted("authentication_failed", 401, WRONG_USER)
    if not current and not new and not network:
        raise NotAdmitted("authentication_failed", 401, WRONG_PASSWORD if record.password else NO_PASSWORD_SET)
    return Verdict(2 if request.tls else 1, new[-1] if new else "", network[-1] if network else "")


def _basic(header: str, id: bytes) -> tuple[bytes, bytes]:
    """User name and password of an Authorization header (RFC 7617): bytes, since a key of 1.6 is no text. The first colon divides them, but
    for an identity that has one itself."""
    scheme, _, text = header.partition(" ")
    try:
        shown = b64decode(text.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        shown = b""
    user, colon, password = (id, b":", shown[len(id) + 1 :]) if shown.startswith(id + b":") else shown.partition(b":")
    if not colon:
        raise NotAdmitted("authentication_failed", 401, UNREADABLE)
    return user, password
