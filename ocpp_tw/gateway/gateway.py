"""Who is connected here: chargers come in, the newest connection of an identity wins, and the backend hears of it.

Knows neither WebSocket nor Redis: the door calls in, events and the fleet's roster are interfaces.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core import events
from ..core.entries import Effect, Entry, PeerMessage, Put, Record
from ..interfaces import HandshakeRefused, HandshakeRequest, IGate, IRecords, IRoster, IWire, Maybe, StoreUnavailable
from ..log import literal
from ..ocpp.negotiation import choose
from ..ocpp.version import Version
from ..settings import Settings
from ..waiting import Deadlines, deferred, in_time
from .charger import RESTRICTED, Charger
from .incoming import IncomingCalls
from .liveness import Liveness

log = Logger()

PROBE = 2.0
"""Seconds that a charger's old connection has to show that it lives, when a new one of the same identity says nothing."""

ROSTER_TIMEOUT = 3.0
"""Seconds that the fleet's roster has; without it a charger is served all the same."""

DUPLICATE_AFTER = 5
"""So many take-overs within a minute, from more than one address, are two peers with one identity."""


class Gateway:
    """The chargers connected here, and the door's answers to those who knock."""

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        gate: IGate,
        intake: IncomingCalls,
        roster: IRoster,
        records: IRecords,
        versions: dict[str, Version],
    ) -> None:
        self.settings = settings
        self.chargers: dict[str, Charger] = {}
        self.stopping = False
        self.liveness = Liveness(self.chargers, intake)
        self.on_arrival: Callable[[str], None] = lambda id: None
        self._clock = clock
        self._gate = gate
        self._intake = intake
        self._roster = roster
        self._records = records
        self._versions = versions
        self._newcomers: dict[str, tuple[Charger, IDelayedCall]] = {}
        self._leaving: dict[str, tuple[Charger, events.DisconnectCharger]] = {}
        self._requests: dict[Charger, HandshakeRequest] = {}
        self._takeovers: dict[str, deque[tuple[float, str]]] = {}
        self._pins: dict[str, str] = {}
        self._deadlines = Deadlines(ROSTER_TIMEOUT, clock)
        self._connections = map(f"{secrets.token_hex(5)}{{:06x}}".format, count())

    # the door asks

    def admit(self, request: HandshakeRequest, wire: IWire) -> Maybe[tuple[Charger, str | None]]:
        """Whether this charger may come in, and with which version of OCPP. Raises `Refused`."""
        if self.stopping:
            raise HandshakeRefused(503, "restarting", (("Retry-After", "5"),))
        if self._intake.overloaded:
            raise HandshakeRefused(503, "events cannot be kept at the moment", (("Retry-After", "30"),))
        admitted = self._gate.admit(request)
        return self._admit(request, wire) if admitted is None else self._admit_later(admitted, request, wire)

    async def _admit_later(self, admitted: Awaitable[None], knock: HandshakeRequest, wire: IWire) -> tuple[Charger, str | None]:
        await admitted
        return self._admit(knock, wire)

    def _admit(self, knock: HandshakeRequest, wire: IWire) -> tuple[Charger, str | None]:
        """OCPP-J 1.6 §3.1.2: the first subprotocol of the charger's list that we know."""
        pinned = self._pins.get(knock.id)
        chosen = choose(knock.offered, [pinned] if pinned else self._versions)
        name = chosen[1] if chosen else self.settings.default_subprotocol if not knock.offered else ""
        if not name and self.settings.subprotocol_mismatch == "refuse":
            raise HandshakeRefused(400, "no common subprotocol")
        version = self._versions.get(name) or next(iter(self._versions.values()))
        charger = Charger(knock.id, knock.domain, knock.address, version, wire, self._intake, next(self._connections))
        self._requests[charger] = knock
        return charger, chosen[0] if chosen else None

    def handshake_refused(self, knock: HandshakeRequest, status: int, reason: str) -> None:
        """A charger was turned away: whoever looks for it at night finds why."""
        log.warn("{charger} was refused: {status} {reason}", charger=knock.id or "?", status=status, reason=reason, peer=knock.address)
        data = events.HandshakeRejected(knock.id, reason, status, list(knock.offered), knock.address)
        self._intake.publish_event_of(knock.id or "?", knock.domain, "handshake_rejected", data)

    # they come

    def arrived(self, guest: Charger) -> None:
        """Its handshake is complete. It waits if another connection of the same identity is alive and well."""
        waiting = self._newcomers.pop(guest.id, None)
        if waiting is not None:  # a third one: the newest waits, the other will hardly come to anything
            waiting[1].cancel()
            waiting[0].on_first_frame = None
            waiting[0].connection_lost()
            waiting[0].close(4000, "replaced")
        current = self.chargers.get(guest.id)
        if current is None:
            self._install(guest)
            return
        timer = self._clock.callLater(PROBE, self._unseat, guest)
        self._newcomers[guest.id] = (guest, timer)
        guest.on_first_frame = lambda: self._unseat(guest)
        current.wire.ping(lambda: self._alive(guest))

    def _alive(self, newcomer: Charger) -> None:
        """The old connection lives: the newcomer has to say something first."""
        waiting = self._newcomers.get(newcomer.id)
        if waiting is not None and waiting[0] is newcomer and waiting[1].active():
            waiting[1].reset(86_400)

    def _unseat(self, newcomer: Charger) -> None:
        """The newcomer has spoken, or the old connection shows no sign of life."""
        waiting = self._newcomers.pop(newcomer.id, None)
        if waiting is None or waiting[0] is not newcomer:
            return
        if waiting[1].active():
            waiting[1].cancel()
        newcomer.on_first_frame = None
        self._install(newcomer)

    def _install(self, charger: Charger) -> None:
        """This connection is the charger from now on."""
        left = self._leaving.pop(charger.id, None)
        if left is not None:  # back before the fleet has said whether it had moved on: it had not
            self._intake.publish_event(left[0], "disconnect_charger", left[1])
        previous = self.chargers.get(charger.id)
        self.chargers[charger.id] = charger
        knock = self._requests.pop(charger, None)
        repairs = list(knock.repairs) if knock else []
        data = events.ConnectCharger(charger.id, charger.ocpp, charger.address, 0, previous.connection if previous else None, repairs)
        self._intake.publish_event(charger, "connect_charger", data)
        self.liveness.arrived(charger)
        if previous is not None and not previous.gone:
            previous.connection_lost()
            previous.close(4000, "replaced by a newer connection")
            self._notice_flapping(charger, previous)
        asked = self._deadlines.hold(self._roster.arrive(charger.id, charger.connection))
        asked.addCallbacks(self._welcome, self._not_told, callbackArgs=(charger,), errbackArgs=(charger,))

    def _welcome(self, record: Record, charger: Charger) -> None:
        if charger.gone:
            return
        if self._mistaken(charger, record):
            charger.close(1012, f"OCPP {record.version} only")
            return
        charger.serve(record)
        self.on_arrival(charger.id)

    def _not_told(self, why: Failure, charger: Charger) -> Deferred[None]:
        if not isinstance(why.value, StoreUnavailable):  # which has been told once, and not for each charger
            log.info("the fleet is not told of {charger}: {why}", charger=charger.id, why=repr(why.value))
        return Deferred.fromCoroutine(self._recalled(charger.id)).addCallback(self._welcome, charger)

    async def _recalled(self, id: str) -> Record:
        """What can be known of a charger without the fleet."""
        try:
            return await in_time(self._records.record(id), ROSTER_TIMEOUT, self._clock)
        except Exception as why:
            log.warn("{charger} is served without what is remembered of it: {why}", charger=id, why=repr(why))
            return Record()

    def _mistaken(self, charger: Charger, record: Record) -> bool:
        """Whether an operator wants another version, and this gateway only learns that now: the charger comes again at once."""
        subprotocol = next((each.subprotocol for each in self._versions.values() if each.name == record.version), "")
        known = self._pins.pop(charger.id, None)
        if subprotocol:
            self._pins[charger.id] = subprotocol
        return bool(subprotocol) and known != subprotocol and charger.version.name != record.version

    # what operators decide

    async def decide(self, id: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Take in what an operator decides about a charger, connected or not, for good: ``boot_status``, ``retry_interval`` (seconds) and
        ``version``; None takes a decision back. Returns all that stands now.
        """
        effects: list[Effect] = [Put("record", name, None if value is None else str(value).encode()) for name, value in changes.items()]
        other = await in_time(self._roster.locate(id), ROSTER_TIMEOUT, self._clock)
        if other and other != self.settings.name:
            effects.append(PeerMessage(other, msgspec.json.encode({"decided": id, "changes": changes})))
        safe: Deferred[None] = Deferred()
        self._intake.publish_effects(Entry(id, effects=tuple(effects)), safe.callback)
        await safe
        self.apply_decision(id, changes)
        return decisions(await in_time(self._records.record(id), ROSTER_TIMEOUT, self._clock))

    async def recorded(self, id: str) -> dict[str, Any] | None:
        """What is remembered of a charger that may not be here; None when nothing is."""
        record = await in_time(self._records.record(id), ROSTER_TIMEOUT, self._clock)
        return None if record == Record() else decisions(record)

    def apply_decision(self, id: str, changes: dict[str, Any]) -> None:
        """An operator has decided about a charger that may be here: it takes effect now."""
        charger = self.chargers.get(id)
        if charger is None:
            self._pins.pop(id, None)
            return
        texts = {name: "" if value is None else str(value) for name, value in changes.items()}
        charger.record = msgspec.structs.replace(charger.record, **texts)
        status = texts.get("boot_status", "")
        if charger.registration == "Pending" and status == "Accepted":
            charger.call("TriggerMessage", {"requestedMessage": "BootNotification"})  # it is told at once, and not at its next try
        elif status in RESTRICTED:
            charger.registration = status
        if texts.get("version") and self._mistaken(charger, charger.record):
            charger.close(1012, f"OCPP {texts['version']} only")

    def _notice_flapping(self, charger: Charger, previous: Charger) -> None:
        now = self._clock.seconds()
        seen = self._takeovers.setdefault(charger.id, deque(maxlen=DUPLICATE_AFTER))
        while seen and seen[0][0] < now - 60:
            seen.popleft()
        seen.append((now, charger.address))
        addresses = sorted({address for _, address in seen} | {previous.address})
        if len(seen) == DUPLICATE_AFTER and len(addresses) > 1:
            self._intake.publish_event(charger, "duplicate_identity", events.DuplicateIdentity(charger.id, addresses, len(seen)))
            seen.clear()

    # they go

    def departed(self, guest: Charger, code: int, reason: str) -> None:
        """Its connection has ended; the backend hears of it only if it was the current one."""
        self._requests.pop(guest, None)
        waiting = self._newcomers.get(guest.id)
        if waiting is not None and waiting[0] is guest:
            del self._newcomers[guest.id]
            waiting[1].cancel()
        guest.connection_lost()
        if self.chargers.get(guest.id) is not guest:
            return
        del self.chargers[guest.id]
        self._takeovers.pop(guest.id, None)
        connected = round(self._clock.seconds() - guest.connected_at, 1)
        log.info(
            literal(f"{guest.id} left after {connected} s: {code} {reason}"), charger=guest.id, seconds=connected, code=code, reason=reason,
            received=guest.received, sent=guest.sent, violations=guest.violations, ocpp=guest.ocpp, peer=guest.address,
        )  # fmt: skip
        data = events.DisconnectCharger(guest.id, code, reason, connected, guest.received, guest.sent, guest.violations)
        self._leaving[guest.id] = guest, data
        asked = self._deadlines.hold(self._roster.leave(guest.id, guest.connection))
        # unless we hear otherwise it was ours: better a goodbye too many than a charger that seems to be there
        asked.addErrback(lambda _: True).addCallback(self._left, guest, data)
        if waiting is not None and waiting[0] is not guest:
            self._unseat(waiting[0])

    def _left(self, ours: bool, charger: Charger, data: events.DisconnectCharger) -> None:
        """Unless it is at another gateway meanwhile, the backend hears that it left; once."""
        waiting = self._leaving.get(charger.id)
        if waiting is not None and waiting[0] is charger:
            del self._leaving[charger.id]
            if ours:
                self._intake.publish_event(charger, "disconnect_charger", data)

    def evict(self, id: str, connection: str) -> None:
        """Another gateway has this charger now: drop our stale connection of it, without a word to the backend."""
        charger = self.chargers.get(id)
        if charger is not None and charger.connection == connection:
            del self.chargers[id]
            charger.connection_lost()
            charger.close(4000, "replaced by a newer connection")
            deferred(self._roster.leave(id, connection)).addErrback(lambda _: None)  # or it would be announced again one day

    # the end

    @property
    def idle(self) -> bool:
        """Whether no charger's CALL is being served."""
        return not any(charger.busy for charger in self.chargers.values())

    @property
    def drained(self) -> bool:
        """Whether all who left have been told of."""
        return not self.chargers and not self._leaving

    def dismiss(self, limit: int) -> int:
        """Say goodbye to at most so many chargers (1012: they come back); how many are still here."""
        for charger in list(self.chargers.values())[:limit]:
            charger.close(1012, "service restart")
            self.departed(charger, 1012, "service restart")
        return len(self.chargers)


def decisions(record: Record) -> dict[str, Any]:
    """What is remembered of a charger, for an operator."""
    interval = record.retry_interval
    return {
        "registration": record.boot or None,
        "boot_status": record.boot_status or None,
        "retry_interval": int(interval) if interval.isdecimal() else None,
        "version": record.version or None,
        "vendor": record.vendor or None,
        "model": record.model or None,
        "firmware": record.firmware or None,
    }
