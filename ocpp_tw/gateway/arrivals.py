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
| current | another gateway reports the charger (`evict`) | it is closed (4000), and nothing is published; one that waits becomes current |

Who may unseat whom is said in `unseating`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..core import gateway_events
from ..core.entries import Departed, Record
from ..core.rate_limit import Rate, RateLimits
from ..interfaces import IRoster, StoreUnavailable
from ..log import Logger, literal
from ..networks import network
from ..waiting import Deadlines, deferred
from .charger import Charger
from .decisions import STORE_TIMEOUT, Decisions
from .liveness import Liveness
from .probes import Probes
from .publisher import Publisher
from .security import SecurityEvents
from .takeovers import Takeovers
from .unseating import DEAD, Newcomer, may_unseat

log = Logger()

LINES = Rate(200, 2.0)
"""Lines about ends of connections from one address; the next one counts those that were left out. The events have them all."""

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
    ) -> None:
        self.current = current
        self.on_serving: Callable[[str], None] = lambda id: None
        self.on_current: Callable[[Charger], None] = lambda charger: None
        self._clock = clock
        self._lines = RateLimits(LINES)
        self._publisher = publisher
        self._roster = roster
        self._decisions = decisions
        self._liveness = liveness
        self._repairs: dict[Charger, tuple[str, ...]] = {}
        self._waiting: dict[str, Newcomer] = {}
        self._probes = Probes(clock)
        self._departing: dict[str, tuple[Charger, gateway_events.DisconnectCharger]] = {}
        self._takeovers = Takeovers(clock, publisher, security)
        self._deadlines = Deadlines(STORE_TIMEOUT, clock)
        roster.on_forgotten = self._connected_all_along

    @property
    def departing(self) -> bool:
        """Whether a departure has not been published yet."""
        return bool(self._departing)

    def admitted(self, charger: Charger, repairs: tuple[str, ...]) -> None:
        """Its handshake is about to be completed; ``repairs`` is what had to be put right in it."""
        if repairs:
            self._repairs[charger] = repairs

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
                self._refuse(charger, waiting.charger)
                return
            waiting.charger.on_first_frame = None
            _drop(waiting.charger, 4000, "replaced")
        self._waiting[charger.id] = newcomer
        if newcomer.may:
            charger.on_first_frame = lambda: self._take_over(newcomer, newcomer.why)
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
            self._refuse(newcomer.charger, self.current[id])

    def _refuse(self, charger: Charger, other: Charger) -> None:
        """The newcomer may not take the other's place, which is alive."""
        _drop(charger, 1008, REFUSED)
        self._takeovers.refused(charger, other.address)

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

    def _install(self, charger: Charger, takeover: str | None = None) -> None:
        """This connection is the charger from now on; ``takeover`` is why it takes another's place."""
        departing = self._departing.pop(charger.id, None)
        if departing is not None:  # it is back before the roster has said whether it had moved to another gateway: it had not
            self._publisher.publish(departing[0], "disconnect_charger", departing[1])
        previous = self.current.get(charger.id)
        self.current[charger.id] = charger
        self.on_current(charger)
        repairs = list(self._repairs.pop(charger, ()))
        self._publish_arrival(charger, previous.connection if previous else None, takeover, repairs)
        self._liveness.arrived(charger)
        if previous is not None:
            self._probes.ended(previous)
        if previous is not None and not previous.gone:
            previous.connection_lost()
            previous.wire.ping(lambda: self._takeovers.was_alive(charger, previous))  # a peer that is alive answers this, or the close
            previous.close(4000, REPLACED)
            self._log_end(previous, 4000, REPLACED)
            self._takeovers.happened(charger, previous)
        arriving = self._deadlines.hold(self._roster.arrive(charger.id, charger.connection, charger.domain, charger.ocpp))
        arriving.addCallbacks(self._serve_listed, self._serve_unlisted, callbackArgs=(charger,), errbackArgs=(charger,))

    def _publish_arrival(self, charger: Charger, previous: str | None, takeover: str | None, repairs: list[str]) -> None:
        data = gateway_events.ConnectCharger(
            charger.id, charger.ocpp, charger.address, charger.security_profile, previous, takeover, repairs
        )
        self._publisher.publish(charger, "connect_charger", data)

    def _connected_all_along(self, id: str) -> None:
        """Another gateway had not heard of us, and published that the charger had disconnected."""
        charger = self.current.get(id)
        if charger is not None and not charger.gone:
            self._publish_arrival(charger, None, None, [])

    def _serve_listed(self, record: Record, charger: Charger) -> None:
        why = "" if charger.gone else self._decisions.may_not_stay(charger, record)
        if why:  # decided since it was admitted
            charger.close(1008, why)
        else:
            self._serve(record, charger)

    def _serve(self, record: Record, charger: Charger) -> None:
        if charger.gone:
            return
        if self._decisions.speaks_wrong_version(charger, record):
            charger.close(1012, f"OCPP {record.version} only")
            return
        charger.serve(record)
        self.on_serving(charger.id)

    def _serve_unlisted(self, why: Failure, charger: Charger) -> Deferred[None]:
        """The roster does not answer; it will be told later."""
        if not isinstance(why.value, StoreUnavailable):  # an outage is logged once, not for each charger
            log.info("roster not told of {charger}: {why}", charger=charger.id, why=repr(why.value))
        return Deferred.fromCoroutine(self._decisions.record(charger.id)).addCallback(self._serve, charger)

    def departed(self, charger: Charger, code: int, reason: str) -> None:
        """Its connection has ended; that is published only if it was the current one."""
        self._repairs.pop(charger, None)
        waiting = self._waiting.get(charger.id)
        if waiting is not None and waiting.charger is charger:
            del self._waiting[charger.id]
            self._probes.withdraw(self.current[charger.id], waiting.told)
        charger.connection_lost()
        if self.current.get(charger.id) is not charger:
            return
        del self.current[charger.id]
        self._takeovers.departed(charger.id)
        connected = self._log_end(charger, code, reason)
        data = gateway_events.DisconnectCharger(charger.id, code, reason, connected, charger.received, charger.sent, charger.violations)
        self._departing[charger.id] = charger, data
        leaving = self._deadlines.hold(self._roster.leave(charger.id, charger.connection))
        leaving.addErrback(lambda _: None).addCallback(self._publish_departure, charger, data)
        if waiting is not None:
            self._take_over(waiting)
        self._probes.ended(charger)

    def _log_end(self, charger: Charger, code: int, reason: str) -> float:
        """Log that the connection is the charger's no more; seconds for which it was connected."""
        now = self._clock.seconds()
        connected = round(now - charger.connected_at, 1)
        left_out = self._lines.next(network(charger.address), now)
        if left_out is not None:
            text = literal(f"{charger.id} disconnected after {connected} s: {code} {reason}")
            log.info(
                f"{text} (and {left_out} more from its address)" if left_out else text, charger=charger.id, seconds=connected, code=code,
                reason=reason, received=charger.received, sent=charger.sent, violations=charger.violations, ocpp=charger.ocpp,
                peer=charger.address, left_out=left_out,
            )  # fmt: skip
        return connected

    def _publish_departure(self, ours: bool | None, charger: Charger, data: gateway_events.DisconnectCharger) -> None:
        """Unless the charger is at another gateway meanwhile, publish that it disconnected; once. ``ours``: None where the roster does not
        say whether it is; then the store does, and in doubt it is: better one departure too many than a charger that seems connected for ever.
        """
        departing = self._departing.get(charger.id)
        if departing is not None and departing[0] is charger:
            del self._departing[charger.id]
            if ours is not False:
                effects = () if ours else (Departed(charger.connection),)
                self._publisher.publish(charger, "disconnect_charger", data, effects)

    def evict(self, id: str, connection: str) -> None:
        """Another gateway has this charger now: close our stale connection, and publish nothing."""
        charger = self.current.get(id)
        if charger is not None and charger.connection == connection:
            del self.current[id]
            self._takeovers.departed(id)
            charger.connection_lost()
            charger.close(4000, REPLACED)
            self._log_end(charger, 4000, REPLACED)
            # or it would be announced again after an outage
            deferred(self._roster.leave(id, connection)).addErrback(lambda _: None)
            waiting = self._waiting.get(id)
            if waiting is not None:  # it came here after the charger had gone to the other gateway: it is the newest
                self._take_over(waiting)
            self._probes.ended(charger)


def _drop(charger: Charger, code: int, reason: str) -> None:
    """Close a connection that never was the charger's."""
    charger.connection_lost()
    charger.close(code, reason)
