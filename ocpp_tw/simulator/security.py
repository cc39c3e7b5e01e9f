"""The security of a charger's connection: its profile, password and certificates, and what it connects to next.

The state that a real charger keeps over all its connections. Knows neither OCPP's messages nor what opens a connection.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from .certificates import Certificates
from .configuration import Configuration
from .own_certificates import STATION, OwnCertificate, OwnCertificates
from .quirks import Quirk

ATTEMPTS = 3
"""Failed attempts with new settings after which a charger goes back to those that worked; 2.x: NetworkProfileConnectionAttempts."""

SLOTS = ("0", "1", "2", "3")
"""The slots for network connection profiles (2.x); the first has what the charger begins with."""


class SecurityWords(NamedTuple):
    """What a version of OCPP calls these: the CA of the central system, the CA of cars, and its security events, if it has them all."""

    root: str
    v2g_root: str
    invalid_own: str
    invalid_theirs: str
    discarded: str | None = None


@dataclass(frozen=True, slots=True)
class Provision:
    """What a charger has been given before it first connects. ``profile`` is OCPP's security profile; 0 is without any security.

    ``roots`` are the CA certificates (PEM) that it trusts, instead of the system's; ``tls_url`` is where an upgrade to profile 2 or 3
    goes in 1.6 (default: to ``url``, with wss). With ``insecure`` any certificate of the central system will do.
    """

    url: str = "ws://127.0.0.1:10800/"
    profile: int = 0
    password: bytes | None = field(default=None, repr=False)
    roots: tuple[str, ...] = ()
    own: OwnCertificate | None = None
    insecure: bool = False
    tls_url: str | None = None
    quirks: Mapping[str, Quirk] = field(default_factory=dict)


class Network(NamedTuple):
    """A way to connect: OCPP's NetworkConnectionProfile. ``identity`` and ``password`` are those of the charger, unless it has its own."""

    url: str
    profile: int
    slot: int = 0
    identity: str | None = None
    password: bytes | None = None


class Tls(NamedTuple):
    """What a TLS handshake needs: the CAs that are trusted (none: the system's), the charger's own certificate, whether to verify."""

    roots: tuple[str, ...]
    own: OwnCertificate | None
    insecure: bool


class Access(NamedTuple):
    """What one attempt to connect needs: the whole URL, the value of its Authorization header, and TLS; each None if there is none."""

    url: str
    authorization: str | None
    tls: Tls | None


class Security:
    """The security of one charger. ``quirks`` are its faults, by the key, variable or message that sets something off."""

    def __init__(
        self, id: str, provision: Provision, configuration: Configuration, certificates: Certificates, words: SecurityWords
    ) -> None:
        self.password = provision.password
        self.own = OwnCertificates(provision.own)
        self.quirks = dict(provision.quirks)
        self.words = words
        self.networks = {0: Network(provision.url, provision.profile)}
        self._id = id
        self._provision = provision
        self._configuration = configuration
        self._certificates = certificates
        self._established = self.networks[0]  # the settings of the latest good connection
        self._candidates: deque[Network] = deque()  # what is tried before those, each several times
        self._failures = 0  # with the present settings, in a row
        self._at_reboot: list[Callable[[], object]] = []
        for each in provision.roots:
            certificates.install(words.root, each)
        configuration.set("SecurityProfile", str(provision.profile))

    @property
    def profile(self) -> int:
        """The security profile of the latest good connection."""
        return self._established.profile

    @property
    def identity(self) -> str:
        """The charger's identity for the central system; its id, unless that has set another one (2.1)."""
        return self._established.identity or self._id

    @property
    def slot(self) -> int:
        """The slot of the network connection profile in use."""
        return self._established.slot

    def access(self) -> Access:
        """What the next attempt to connect needs."""
        network = self._candidates[0] if self._candidates else self._established
        identity, password = network.identity or self._id, self.password if network.password is None else network.password
        authorization = None
        if network.profile in (1, 2) and password is not None:
            authorization = "Basic " + b64encode(identity.encode() + b":" + password).decode()
        tls = None
        if _encrypted(network.url):
            tls = Tls(self.roots(STATION), self._certificate() if network.profile == 3 else None, self._provision.insecure)
        return Access(network.url.rstrip("/") + "/" + quote(identity, safe=""), authorization, tls)

    def roots(self, use: str) -> tuple[str, ...]:
        """The CA certificates installed for the connection, or for cars."""
        return self._certificates.trusted(self.words.root if use == STATION else self.words.v2g_root)

    def _certificate(self) -> OwnCertificate | None:
        """The newest, and after several failed attempts one of those before it."""
        usable = self.own.all()
        return usable[self._failures // self._attempts % len(usable)] if usable else None

    @property
    def _attempts(self) -> int:
        return max(1, self._configuration.number("NetworkProfileConnectionAttempts", ATTEMPTS))

    # what has come of an attempt

    def connected(self) -> bool:
        """The attempt has succeeded: its settings are the charger's now, and lower profiles are gone for good (A05.FR.06).

        Whether a newer certificate did not work, and is gone, too.
        """
        used = self._certificate()
        if self._candidates:
            self._established = self._candidates[0]
            self._candidates.clear()
        self._failures = 0
        if self._established.password is not None:
            self.use_password(self._established.password)
        self._configuration.set("SecurityProfile", str(self.profile))
        lower = [slot for slot, each in self.networks.items() if each.profile < self.profile]
        for slot in lower:
            del self.networks[slot]
        if lower and self._configuration.find("NetworkConfigurationPriority") is not None:
            self._configuration.set("NetworkConfigurationPriority", ",".join(str(each) for each in self._priority() if each not in lower))
        return self.profile == 3 and used is not None and self.own.proved(used)

    def failed(self) -> None:
        """The attempt has failed: after several, try the next settings; after all, those that worked (A05.FR.08, B10.FR.03, .07)."""
        self._failures += 1
        if self._candidates and self._failures >= self._attempts:
            self._candidates.popleft()
            self._failures = 0

    def rebooted(self) -> None:
        """The charger has rebooted: begin with the first entry of NetworkConfigurationPriority (B10.FR.04)."""
        waiting, self._at_reboot = self._at_reboot, []
        for do in waiting:
            do()
        if networks := [self.networks[slot] for slot in self._priority() if slot in self.networks]:
            self._try(*networks)

    def at_reboot(self, do: Callable[[], object]) -> None:
        """Do this once the charger has rebooted."""
        self._at_reboot.append(do)

    # changes; each is for the next connection

    def use_password(self, password: bytes) -> None:
        """Authenticate with this password, on every network (2.1 B09.FR.27)."""
        self.password = password
        self.networks = {slot: each._replace(password=None) for slot, each in self.networks.items()}
        self._established = self._established._replace(password=None)
        self._candidates = deque(each._replace(password=None) for each in self._candidates)

    def lacks(self, profile: int, password: bytes | None = None) -> str | None:
        """What the charger lacks for a security profile (1.6 A05.FR.02 to .04, 2.0.1 A05.FR.02, .03); None if it lacks nothing."""
        if profile in (1, 2) and password is None and self.password is None:
            return "a password"
        if profile in (2, 3) and not self.roots(STATION) and not self._provision.insecure:
            return f"a {self.words.root}"
        return "a certificate of its own" if profile == 3 and not self.own.all() else None

    def upgrade(self, profile: int) -> None:
        """Try that profile next. 1.6 has no way to name another URL with it."""
        url = self._established.url
        if profile >= 2 and not _encrypted(url):
            url = self._provision.tls_url or urlsplit(url)._replace(scheme="wss").geturl()
        self._try(Network(url, profile))

    def _try(self, *networks: Network) -> None:
        self._candidates = deque(networks)
        self._failures = 0

    def _priority(self) -> list[int]:
        key = self._configuration.find("NetworkConfigurationPriority")
        return [] if key is None else [int(each) for each in key.value.split(",") if each.strip() in SLOTS]


def _encrypted(url: str) -> bool:
    return urlsplit(url).scheme == "wss"
