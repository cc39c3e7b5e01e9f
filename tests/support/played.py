"""The simulator's charger, connected in memory to a gateway in memory: what one sends the other gets, on the gateway's clock."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from ocpp_tw.interfaces import ClientCertificate, HandshakeRefused, HandshakeRequest
from ocpp_tw.memory import MemoryWire
from ocpp_tw.simulator.charger import SimulatedCharger
from ocpp_tw.simulator.dialect import Dialect
from ocpp_tw.simulator.security import Provision
from ocpp_tw.simulator.simulated_clock import SimulatedClock
from ocpp_tw.simulator.v2.dialect import V21, V201
from ocpp_tw.simulator.v16.dialect import V16
from ocpp_tw.testing import START_TIME, ChargerClient, InMemoryGateway

DIALECTS: dict[str, Dialect] = {"1.6": V16, "2.0.1": V201, "2.1": V21}
RETRY = 5.0
"""Seconds between a charger's attempts to connect."""


class Wire(MemoryWire):
    """The gateway's end."""

    def __init__(self, charger: Played) -> None:
        super().__init__()
        self._charger = charger
        self.open = True

    def send(self, text: bytes) -> None:
        super().send(text)
        self._charger.here.clock.callLater(0.001, self._deliver_to_charger, text)

    def _deliver_to_charger(self, text: bytes) -> None:
        if self.open:
            self._charger.receive(text)

    def close(self, code: int, reason: str) -> None:
        super().close(code, reason)
        self._charger.here.clock.callLater(0.001, self._charger.ended, self, code, reason)


class Transport:
    """The charger's end (`ocpp_tw.simulator.rpc.Transport`)."""

    def __init__(self, played: Played, wire: Wire, client: ChargerClient) -> None:
        self._played, self._wire, self._client = played, wire, client

    def send(self, text: bytes) -> None:
        self._played.here.clock.callLater(0.001, self._deliver, text)

    def _deliver(self, text: bytes) -> None:
        if self._wire.open:
            self._client.send_text(text)

    def close(self, code: int, reason: str) -> None:
        self._played.here.clock.callLater(0.002, self._played.ended, self._wire, code, reason)

    def drop(self) -> None:
        self._played.ended(self._wire, 1006, "")


class Played:
    """One charger, which connects again by itself. ``refusals`` are the HTTP statuses of handshakes that were refused, ``profiles`` the
    security profiles of those that were not."""

    def __init__(self, here: InMemoryGateway, ocpp: str = "1.6", id: str = "cp1", **provision: Any) -> None:
        self.here, self.ocpp, self.id = here, ocpp, id
        self.refusals: list[int] = []
        self.profiles: list[int] = []
        self.wire: Wire | None = None
        self.simulated = SimulatedCharger(
            id, SimulatedClock(here.clock, 1.0, START_TIME), DIALECTS[ocpp], provision=Provision(**{"url": "ws://csms/", **provision})
        )
        self.receive = self.simulated.received
        self.connect()
        self.run(1)

    @property
    def quirks(self) -> Any:
        return self.simulated.security.quirks

    def connect(self) -> None:
        """One attempt, and another if it fails."""
        access = self.simulated.security.access()
        headers = {} if access.authorization is None else {"authorization": access.authorization}
        wire, tls = Wire(self), access.tls
        certificate = seen(tls.own.chain) if tls is not None and tls.own is not None else None
        request = HandshakeRequest(
            self.id, "csms", "10.0.0.1", (f"ocpp{self.ocpp}",), headers, tls=tls is not None, certificate=certificate
        )
        try:
            charger, _ = self.here.gateway.admit(request, wire)  # type: ignore[misc]
        except HandshakeRefused as why:
            self.refusals.append(why.status)
            self.simulated.connect_failed(None)
            self.here.clock.callLater(RETRY, self.connect)
            return
        self.profiles.append(charger.security_profile)
        self.here.gateway.arrived(charger)
        self.client = ChargerClient(self.here, charger, wire)
        self.wire = wire
        self.simulated.connected(Transport(self, wire, self.client))

    def ended(self, wire: Wire, code: int, reason: str) -> None:
        if wire.open:
            wire.open = False
            self.client.disconnect(code, reason)
            self.simulated.lost()
            self.here.clock.callLater(0.1, self.connect)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * 100)):
            self.here.clock.advance(0.01)

    def reconnect(self) -> None:
        assert self.wire is not None
        self.ended(self.wire, 1006, "")
        self.run(1)

    def boots_again(self) -> None:
        """Somebody restarts it."""
        self.simulated.reset(hard=True)
        self.run(RETRY)


def seen(chain: str, trouble: str = "") -> ClientCertificate:
    """A certificate as the TLS side tells the gateway."""
    found = x509.load_pem_x509_certificates(chain.encode())[0]
    texts = {
        oid: [str(each.value) for each in found.subject.get_attributes_for_oid(oid)]
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    }
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        others = (*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.UniformResourceIdentifier))
    except x509.ExtensionNotFound:
        others = ()
    common, organization = (("".join(texts[oid][:1])) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME))
    expires = found.not_valid_after_utc.timestamp()
    return ClientCertificate(common, organization, others, found.fingerprint(hashes.SHA256()).hex(), expires, trouble)
