"""Arrivals, take-overs and departures: which connection of an identity is the charger, and what the fleet and the backend learn of it.

Knows neither WebSocket nor Redis. For each identity there is at most one current connection, and one that waits to take over:

| state | event | what happens |
| --- | --- | --- |
| no connection | a connection arrives | it becomes current |
| current | another arrives | that one waits; the current one is pinged, unless it has just shown that it is alive |
| current, one waiting | a third arrives | it waits in the place of the one that waits, which is closed (4000), or it is refused (1008): see `Newcomer.displaces` |
| current, one waiting that may unseat it | the current one answers the ping | the other waits on, until it sends a frame |
| current, one waiting that may unseat it | the other sends a frame | it takes over: the current one is closed (4000) |
| current, one waiting that may not | the current one answers the ping | the other is refused (1008) |
| current, one waiting | `PROBE_TIMEOUT` passes without a sign of life | the other takes over: the current one is closed (4000) |
| current, one waiting | the current one ends | the other becomes current |
| current, one waiting | the other ends | nothing else changes |
| current | it ends | the roster is asked whether it was still the fleet's; if so `disconnect_charger` is published |
| departing | a connection arrives before the roster has answered | `disconnect_charger` is published, and it becomes current |
| current, not announced | the roster says that another gateway has the charger, which this one may not unseat (`Held`) | it is current no more, and waits for that gateway's answer (`elsewhere`): refused (1008) if the connection there is alive, current again if not |
| current | another gateway has a connection of the charger that came later (`evict`) | it is closed (4000), and nothing is published |
| current, one waiting that has sent nothing | likewise | both are closed (4000): a message is what would show that the charger is there |
| current, one waiting that may not unseat it and has sent a frame | likewise | the current one is closed (4000), and the roster is asked whether the other may unseat the one elsewhere |

Who may unseat whom is said in `unseating`. A connection is announced (`connect_charger`) once the roster has answered, or has not in time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..concealed import text_concealed
from ..core import gateway_events
from ..core.entries import Departed, Held, Record, Seated
from ..core.gateway_events import DEAD
from ..interfaces import IRegister, IRoster, StoreUnavailable
from ..log import Logger
from ..networks import network
from ..waiting import Deadlines, deferred
from .announcements import Announcements
from .charger import Charger
from .decisions import STORE_TIMEOUT, Decisions
from .elsewhere import Elsewhere
from .ends import Ends
from .liveness import Liveness
from .probes import Probes
from .publisher import Publisher
from .security import SecurityEvents
from .takeovers import Takeovers
from .unseating import Newcomer, may_unseat, why

log = Logger()

REPLACED = "replaced by a newer connection"

REFUSED = "another connection of this identity is alive"


class Arrivals:
    """The connections to one gateway. ``current`` has each identity's; ``on_current`` is called with a connection that becomes that,
    ``on_serving`` with an identity that begins to be served."""

    def __init__(
        self,
        current: dict[str, Charger],
        clock: IReactorTime,
        publisher: Publisher,
        roster: IRoster,
        decisions: Decisions,
        liveness: Liveness,
        security: SecurityEvents,
        register: IRegister,
    ) -> None:
        self.current = current
        self.on_serving: Callable[[str], None] = lambda id: None
        self.on_current: Callable[[Charger], None] = lambda charger: None
        self._clock = clock
        self._ends = Ends(clock)
        self._publisher = publisher
        self._roster = roster
        self._decisions = decisions
        self._announcements = Announcements(publisher, liveness)
        self._waiting: dict[str, Newcomer] = {}
        self._probes = Probes(clock)
        self._departing: dict[str, tuple[Charger, gateway_events.DisconnectCharger]] = {}
        self._takeovers = Takeovers(clock, publisher, security, register)
        self.elsewhere = Elsewhere(clock, publisher, self._dead_elsewhere, self._refuse, _displace)
        self._deadlines = Deadlines(STORE_TIMEOUT, clock)
        roster.on_forgotten = self._connected_all_along

    @property
    def departing(self) -> bool:
        """Whether a departure has not been published yet."""
        return bool(self._departing)

    def admitted(self, charger: Charger, repairs: tuple[str, ...]) -> None:
        """Its handshake is about to be completed; ``repairs`` is what had to be put right in it."""
        self._announcements.admitted(charger, repairs)

    def arrived(self, charger: Charger) -> None:
        """Its handshake is complete."""
        current = self.current.get(charger.id)
        if current is None:
            self._install(charger)
            return
        newcomer = Newcomer(charger, may_unseat(charger, current), self._probe_ended)
        waiting = self._waiting.get(charger.id)
        if waiting is not None:
            if not newcomer.displaces(waiting):
                self._refuse(charger, waiting.charger.address)
                return
            _displace(waiting.charger)
        self._waiting[charger.id] = newcomer
        if newcomer.may:
            charger.on_first_frame = lambda: self._take_over(newcomer, why(charger))
        self._probes.ask(current, newcomer.told)
        if waiting is not None:  # no sooner, or there would be a moment in which nobody asks and commands go on
            self._probes.withdraw(current, waiting.told)

    def _probe_ended(self, newcomer: Newcomer, alive: bool) -> None:
        """The current connection has given a sign of life, or none: if it has, a newcomer that may unseat it has to send a frame first."""
        id = newcomer.charger.id
        if self._waiting.get(id) is not newcomer:
            return
        if not alive:
            self._take_over(newcomer, DEAD)
        elif not newcomer.may:
            del self._waiting[id]
            self._refuse(newcomer.charger, self.current[id].address)

    def _refuse(self, charger: Charger, address: str) -> None:
        """The newcomer may not take the place of the connection from ``address``, which is alive."""
        _drop(charger, 1008, REFUSED)
        self._takeovers.refused(charger, address)

    def _dead_elsewhere(self, charger: Charger, connection: str) -> None:
        """The newcomer may take the place of that connection to another gateway."""
        current = self.current.get(charger.id)
        if current is None:
            self._install(charger, dead=connection)
        else:  # which is newer, and about to hear from the roster
            self._refuse(charger, current.address)

    def probe(self, message: dict[str, Any]) -> None:
        """Another gateway asks whether a connection is alive."""
        current = self.current.get(message["probe"])
        if current is None or current.connection != message["connection"]:
            self.elsewhere.answer(message, None)
        else:
            address = current.address
            self._probes.ask(current, lambda alive: self.elsewhere.answer(message, address if alive else None))

    def probing(self, id: str) -> bool:
        """Whether a newer connection waits, and the current one has neither shown that it is alive nor failed to."""
        current = self.current.get(id)
        return current is not None and current in self._probes

    def probed(self, id: str) -> Deferred[None]:
        """Fires once that is known, for all who wait in their order; only while `probing`."""
        return self._probes.wait(self.current[id])

    def _take_over(self, newcomer: Newcomer, why: str | None = None) -> None:
        """The newcomer has sent a frame, or the current connection gives no sign of life; or has ended (then there is no why)."""
        charger = newcomer.charger
        if self._waiting.get(charger.id) is newcomer:
            del self._waiting[charger.id]
            charger.on_first_frame = None
            self._install(charger, why)

    def _install(self, charger: Charger, takeover: str | None = None, dead: str = "") -> None:
        """This connection is the charger from now on, unless the roster says that another gateway has it. ``takeover`` is why it takes
        another's place here, ``dead`` a connection elsewhere that has not shown that it is alive."""
        departing = self._departing.pop(charger.id, None)
        # it is back before the roster has said whether it had moved to another gateway: it had not
        if departing is not None and not self._announcements.cancel(departing[0]):
            self._publisher.departed(*departing)
        previous = self.current.get(charger.id)
        self.current[charger.id] = charger
        self.on_current(charger)
        self._announcements.prepare(charger, previous, takeover)
        if previous is not None:
            self._probes.ended(previous)
            self._replaced(previous, charger.address)
            self._takeovers.happened(charger, previous)
        arriving = self._roster.arrive(
            charger.id, charger.connection, charger.domain, charger.ocpp, network(charger.address), charger.security_profile, dead
        )
        self._deadlines.hold(arriving).addCallbacks(
            self._answered, self._serve_unlisted, callbackArgs=(charger, dead), errbackArgs=(charger,)
        )

    def _replaced(self, previous: Charger, by: str | None) -> None:
        """A newer connection from the address ``by``, if that is known, is the charger."""
        previous.connection_lost()
        if by is not None:  # a peer that is alive answers this, or the close
            previous.wire.ping(lambda: self._takeovers.was_alive(previous, by, previous.address))
        previous.close(4000, REPLACED)
        self._ends.tell(previous, 4000, REPLACED)

    def _answered(self, answer: Seated | Held, charger: Charger, dead: str) -> None:
        """The roster has."""
        if isinstance(answer, Held):
            self._held(charger, answer)
            return
        if answer.unseated:
            self._announcements.unseated(charger, answer.unseated, DEAD if dead == answer.unseated else why(charger))
        self._announce(charger)
        may_not = "" if charger.gone else self._decisions.may_not_stay(charger, answer.record)
        if may_not:  # decided since it was admitted
            charger.close(1008, may_not)
        else:
            self._serve(answer.record, charger)
            if self._decisions.anybody_is_judged and not charger.gone:
                self._decisions.look_at_spelling(charger)

    def _held(self, charger: Charger, held: Held) -> None:
        """Another gateway has the charger, on a connection that this one may not unseat."""
        if charger.gone:
            self._announcements.cancel(charger)
            return
        del self.current[charger.id]
        waiting = self._waiting.get(charger.id)
        if waiting is not None and waiting.may:
            _displace(charger)
        else:
            self.elsewhere.held(charger, held)
        if waiting is not None:  # it may come from where the other gateway's connection does
            self._take_over(waiting)
        self._probes.ended(charger)

    def _announce(self, charger: Charger) -> None:
        if self._announcements.announce(charger):
            self.elsewhere.arrived(charger)

    def _connected_all_along(self, id: str) -> None:
        """Another gateway had not heard of us, and published that the charger had disconnected."""
        charger = self.current.get(id)
        if charger is not None and not charger.gone:
            self._announcements.repeat(charger)

    def _serve(self, record: Record, charger: Charger) -> None:
        if charger.gone:
            return
        if self._decisions.speaks_wrong_version(charger, record):
            charger.close(1012, f"OCPP {record.version} only")
            return
        charger.serve(record, self._decisions.policy.waits(record))
        self.on_serving(charger.id)

    def _serve_unlisted(self, failure: Failure, charger: Charger) -> Deferred[None]:
        """The roster does not answer; it will be told later."""
        if not isinstance(failure.value, StoreUnavailable):  # an outage is logged once, not for each charger
            log.info("roster not told of {charger}: {why}", charger=charger.id, why=repr(failure.value))
        self._announce(charger)
        if self._decisions.anybody_is_judged:
            Deferred.fromCoroutine(self._judge_later(charger))
        return Deferred.fromCoroutine(self._decisions.record(charger.id)).addCallback(self._serve, charger)

    async def _judge_later(self, charger: Charger) -> None:
        """It was admitted by what this gateway knew of it without the store: once the store is back, by what that has."""
        record = await self._decisions.stored(charger.id)
        if record is not None and not charger.gone and (why := self._decisions.may_not_stay(charger, record)):
            charger.close(1008, why)
        elif not charger.gone:
            await self._decisions.look_at_spelling(charger)

    def departed(self, charger: Charger, code: int, reason: str) -> None:
        """Its connection has ended; that is published only if it was the current one."""
        self.elsewhere.departed(charger)
        waiting = self._waiting.get(charger.id)
        if waiting is not None and waiting.charger is charger:
            del self._waiting[charger.id]
            self._probes.withdraw(self.current[charger.id], waiting.told)
        charger.connection_lost()
        if self.current.get(charger.id) is not charger:
            self._announcements.cancel(charger)
            return
        del self.current[charger.id]
        self._takeovers.departed(charger.id)
        reason = text_concealed(reason)  # it may be the charger's own
        connected = self._ends.tell(charger, code, reason)
        data = gateway_events.DisconnectCharger(charger.id, code, reason, connected, charger.received, charger.sent, charger.violations)
        self._departing[charger.id] = charger, data
        leaving = deferred(self._roster.leave(charger.id, charger.connection))
        self._deadlines.begin(leaving)
        leaving.addBoth(self._left, leaving, charger, data)
        if waiting is not None:
            self._take_over(waiting)
        self._probes.ended(charger)

    def _left(self, answer: bool | Failure, leaving: Deferred[bool], charger: Charger, data: gateway_events.DisconnectCharger) -> None:
        """The roster has answered, or will not."""
        self._deadlines.end(leaving)
        self._publish_departure(None if isinstance(answer, Failure) else answer, charger, data)

    def _publish_departure(self, ours: bool | None, charger: Charger, data: gateway_events.DisconnectCharger) -> None:
        """Unless the charger is at another gateway meanwhile, publish that it disconnected; once. ``ours``: None where the roster does not
        say whether it is; then the store does, and in doubt it is: better one departure too many than a charger that seems connected for ever.
        """
        departing = self._departing.get(charger.id)
        if departing is not None and departing[0] is charger:
            del self._departing[charger.id]
            if ours is not False:
                self._announce(charger)
                effects = () if ours else (Departed(charger.connection),)
                self._publisher.departed(charger, data, effects)
        self._announcements.cancel(charger)

    def evict(self, id: str, connection: str, by: str | None) -> None:
        """Another gateway has this charger now, from the address ``by``, if that is known: close our stale connection, and publish nothing."""
        charger = self.current.get(id)
        if charger is not None and charger.connection == connection:
            del self.current[id]
            self._announcements.cancel(charger)
            self._takeovers.departed(id)
            self._replaced(charger, by)
            # or it would be announced again after an outage
            deferred(self._roster.leave(id, connection)).addErrback(lambda _: None)
            waiting = self._waiting.get(id)
            if waiting is not None and waiting.charger.received:
                self._take_over(waiting)
            elif waiting is not None:  # that it waits here does not make it newer than the one that the other gateway has let in
                del self._waiting[id]
                _displace(waiting.charger)
            self._probes.ended(charger)


def _displace(charger: Charger) -> None:
    """A newer one waits in its place."""
    charger.on_first_frame = None
    _drop(charger, 4000, "replaced")


def _drop(charger: Charger, code: int, reason: str) -> None:
    """Close a connection that never was the charger's."""
    charger.connection_lost()
    charger.close(code, reason)
