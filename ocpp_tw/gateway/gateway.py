"""One gateway's chargers: who is admitted with which version of OCPP, who is connected, and what operators decide about them.

Knows neither WebSocket nor Redis: the WebSocket driver calls in, events and roster are interfaces.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..core.passwords import Passwords
from ..interfaces import HandshakeRefused, HandshakeRequest, IGate, IWire, Maybe, Store
from ..ocpp.negotiation import choose
from ..ocpp.version import Version
from ..settings import Settings
from ..waiting import deferred
from .arrivals import Arrivals
from .authentication import Policy
from .budgets import Budgets
from .charger import Charger
from .decisions import Decisions
from .fleet_key import FleetKey
from .handshake_refusals import HandshakeRefusals
from .last_refusals import LastRefusals
from .liveness import Liveness
from .orphans import Orphans
from .ports import Incoming
from .publisher import Publisher
from .security import SecurityEvents
from .spellings import Spellings


class Gateway:
    """``chargers`` has the current connection of each identity; ``decisions`` is what operators decide about them.

    ``on_current`` is called with a connection that becomes its charger's, ``on_departed`` with each that has ended.
    """

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        gate: IGate,
        passwords: Passwords,
        incoming: Incoming,
        publisher: Publisher,
        unix: Callable[[], float],
        store: Store,
        versions: dict[str, Version],
        security: SecurityEvents,
    ) -> None:
        self.settings = settings
        self.chargers: dict[str, Charger] = {}
        self.stopping = False
        self.liveness = Liveness(self.chargers, clock, unix, publisher, settings.heartbeat_interval)
        self.policy, self.passwords = Policy.of(settings), passwords
        self.fleet_key = FleetKey(passwords, store.records, clock, publisher)
        self._spellings = Spellings(self.chargers, store.records)
        self.decisions = Decisions(self.chargers, versions, self.policy, clock, publisher, store, self._spellings)
        self.arrivals = Arrivals(self.chargers, clock, publisher, store.roster, self.decisions, self.liveness, security, store.register)
        self.budgets = Budgets(settings, self.chargers, clock, publisher)
        self.arrivals.on_current = self._became_current
        self.on_current: Callable[[Charger], None] = lambda charger: None
        self.on_departed: Callable[[Charger], None] = lambda charger: None
        self.refusals = LastRefusals(unix)
        self.orphans = Orphans(clock, publisher, store.orphans)
        self._gate = gate
        self._told_refusals = HandshakeRefusals(clock, publisher)
        self._incoming = incoming
        self._publisher = publisher
        self._versions = versions
        self._connections = map(f"{secrets.token_hex(5)}{{:06x}}".format, count())

    # called by the WebSocket driver

    def admit(self, request: HandshakeRequest, wire: IWire) -> Maybe[tuple[Charger, str | None]]:
        """The charger's connection, and the subprotocol as the charger spelled it. Raises `HandshakeRefused`."""
        try:
            admitted = self._asked(request, wire)
        except HandshakeRefused as why:
            self.refusals.note(request, why)
            raise
        return admitted if isinstance(admitted, tuple) else deferred(admitted).addErrback(self._refused, request)

    def _refused(self, why: Failure, request: HandshakeRequest) -> Failure:
        if isinstance(why.value, HandshakeRefused):
            self.refusals.note(request, why.value)
        return why

    def _asked(self, request: HandshakeRequest, wire: IWire) -> Maybe[tuple[Charger, str | None]]:
        if self.stopping:
            raise HandshakeRefused(503, "restarting", (("Retry-After", "5"),))
        if self._publisher.overloaded:
            raise HandshakeRefused(503, "events cannot be kept at the moment", (("Retry-After", "30"),))
        admitted = self._gate.admit(request)
        return (
            self._admit(request, wire, admitted)
            if isinstance(admitted, int)
            else deferred(admitted).addCallback(partial(self._admit, request, wire))
        )

    def _admit(self, request: HandshakeRequest, wire: IWire, security_profile: int) -> tuple[Charger, str | None]:
        """OCPP-J 1.6 §3.1.2: the first subprotocol of the charger's list that we know."""
        pinned = self.decisions.pinned(request.id)
        chosen = choose(request.offered, [pinned] if pinned else self._versions)
        name = chosen[1] if chosen else self.settings.default_subprotocol if not request.offered else ""
        if not name and self.settings.subprotocol_mismatch == "refuse":
            raise HandshakeRefused(400, "no common subprotocol")
        version = self._versions.get(name) or next(iter(self._versions.values()))
        other = self._spellings.connected(request.id) if version.name.startswith("2") else None
        if other is not None:  # events and commands have the spelling that is connected
            if not security_profile or other.security_profile:
                raise HandshakeRefused(409, "connected already under another spelling of its identity")
            other.close(1008, "another spelling of its identity has authenticated")
        charger = Charger(
            request.id, request.domain, request.address, version, wire, self._incoming, next(self._connections), security_profile
        )
        if security_profile == 3:
            charger.certificate = request.certificate
        self.arrivals.admitted(charger, request.repairs)
        return charger, chosen[0] if chosen else None

    def _became_current(self, charger: Charger) -> None:
        self.budgets.arrived(charger)
        self.on_current(charger)

    def has_room(self, size: int, may_wait: bool) -> bool:
        """Whether a large message of so many bytes may be processed now."""
        return self._incoming.load.has_room(size, may_wait)

    def handshake_refused(self, request: HandshakeRequest, status: int, reason: str) -> None:
        """A handshake was refused."""
        self._told_refusals.refused(request, status, reason)

    def arrived(self, charger: Charger) -> None:
        """Its handshake is complete."""
        self._spellings.arrived(charger)
        self.arrivals.arrived(charger)

    def departed(self, charger: Charger, code: int, reason: str) -> None:
        """Its connection has ended."""
        self.budgets.departed(charger)
        self.on_departed(charger)
        self.arrivals.departed(charger, code, reason)
        self._spellings.departed(charger)

    # for other gateways

    def peer_message(self, message: dict[str, Any]) -> bool:
        """Another gateway has one of our chargers now (`evict`), asks whether its connection is alive or has answered that, or somebody decided
        there about one, or about another spelling of one; whether it was any of these."""
        if "evict" in message:
            self.arrivals.evict(message["evict"], message["connection"], message.get("by"))
        elif "probe" in message:
            self.arrivals.probe(message)
        elif "probed" in message:
            self.arrivals.elsewhere.answered(message)
        elif "decided" in message:
            self.decisions.told(message["decided"], message.get("changes"))
        else:
            return False
        return True

    # the end

    @property
    def idle(self) -> bool:
        """Whether no charger's CALL is being served."""
        return not any(charger.busy for charger in self.chargers.values())

    @property
    def drained(self) -> bool:
        """Whether nobody is connected, and all departures have been published."""
        return not self.chargers and not self.arrivals.departing

    def dismiss(self, limit: int) -> int:
        """Close at most ``limit`` connections (1012: the chargers reconnect); how many remain."""
        for charger in list(self.chargers.values())[:limit]:
            charger.close(1012, "service restart")
            self.departed(charger, 1012, "service restart")
        return len(self.chargers)
