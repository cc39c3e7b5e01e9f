"""After a remote start or stop that may or may not have been done: is the transaction there, or gone?

Knows neither how commands are sent nor where events go. While nobody watches, transactions cost nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..core import events
from ..core.commands import Command
from ..core.conclusions import Conclusion
from ..facts import Started, Stopped, Updated
from ..gateway.incoming import IncomingCalls
from ..ocpp.frames import Call, Error, Payload, Result
from ..waiting import in_time

if TYPE_CHECKING:
    from ..gateway.charger import Charger

log = Logger()

WATCH_FOR = 120.0
"""Seconds after the outcome for which the transaction is watched for."""

LEDGER_TIMEOUT = 5.0
"""Seconds that the fleet's memory has to say whether a transaction is open."""

STARTS = ("RemoteStartTransaction", "RequestStartTransaction", "remote_start_transaction")
STOPS = ("RemoteStopTransaction", "RequestStopTransaction", "remote_stop_transaction")


class Watch:
    """One command that is watched, from when it is sent. ``seen`` is the transaction that shows that it was done."""

    __slots__ = (
        "action",
        "charger",
        "conn",
        "domain",
        "id",
        "ocpp",
        "outcome",
        "refused",
        "seen",
        "start_id",
        "starts",
        "tag",
        "timer",
        "transaction",
    )

    def __init__(self, command: Command, charger: Charger | None, action: str, payload: Payload) -> None:
        self.charger, self.id, self.action = command.charger, command.id, action
        self.domain = charger.domain if charger else ""
        self.ocpp = charger.ocpp if charger else None
        self.starts = action in STARTS
        token = payload.get("idToken")
        self.tag = payload.get("idTag") or (token.get("idToken") if isinstance(token, dict) else payload.get("tag"))
        self.conn = payload.get("connectorId") or payload.get("evseId") or payload.get("connector_id") or None
        self.start_id = payload.get("remoteStartId", payload.get("remote_start_id"))
        self.transaction = payload.get("transactionId", payload.get("transaction_id"))
        self.seen: int | str | None = None
        self.refused = False
        self.outcome = ""
        self.timer: IDelayedCall | None = None

    def started_by(self, fact: Started | Updated) -> bool:
        """Whether it is this command that has begun the transaction (2.x: or taken part in it since, when the cable came first)."""
        step = fact.event_info
        if step is not None and step.remote_start_id is not None and self.start_id is not None:
            return bool(step.remote_start_id == self.start_id)
        conn = fact.conn if isinstance(fact, Started) else step and step.conn
        return isinstance(fact, Started) and fact.tag == self.tag and (self.conn is None or self.conn == conn)


class FollowUps:
    """All that are watched, of all chargers; ``chargers`` are those that are connected."""

    def __init__(self, clock: IReactorTime, intake: IncomingCalls, chargers: Mapping[str, Charger]) -> None:
        self._clock = clock
        self._intake = intake
        self._chargers = chargers
        self._watches: dict[str, list[Watch]] = {}
        self._stopped = False
        intake.on_late_response = self._late_response

    def begin(self, command: Command, charger: Charger | None, action: str, payload: Payload) -> Watch | None:
        """A command is being sent (or was by an earlier run, with no charger to be seen); None when it is none to be watched."""
        if action not in STARTS + STOPS:
            return None
        watch = Watch(command, charger, action, payload)
        if not self._watches:
            self._intake.overhear(self._transaction_event)
        self._watches.setdefault(watch.charger, []).append(watch)
        return watch

    def end(self, watch: Watch) -> None:
        """Watch no more: it is known what became of it."""
        if watch.timer is not None and watch.timer.active():
            watch.timer.cancel()
        watches = self._watches.get(watch.charger, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._watches[watch.charger]
            if not self._watches:
                self._intake.overhear(None)

    def unknown(self, watch: Watch, outcome: str) -> None:
        """The command has ended, and nobody knows whether it was done."""
        watch.outcome = outcome
        if watch.seen is not None:
            self._publish(watch, "confirmed")
        elif watch.refused:
            self._publish(watch, "refuted")
        elif self._stopped:
            self._publish(watch, "unknown")
        else:
            watch.timer = self._clock.callLater(WATCH_FOR, self._timed_out, watch)

    def stop(self) -> None:
        """The gateway ends: what is not known by now never will be."""
        self._stopped = True
        for watch in [each for watches in self._watches.values() for each in watches if each.outcome]:
            self._publish(watch, "unknown")

    # what decides it

    def _transaction_event(self, charger: Charger, fact: Started | Updated | Stopped, served: Conclusion) -> None:
        if not served.events:  # a repeat
            return
        for watch in list(self._watches.get(charger.id, ())):
            if isinstance(fact, Stopped):
                done = not watch.starts and str(fact.transaction_id) == str(watch.transaction)
            else:
                done = watch.starts and watch.seen is None and watch.started_by(fact)
            if done:
                watch.seen = fact.transaction_id if fact.transaction_id is not None else _given(served)
                if watch.outcome:
                    self._publish(watch, "confirmed")
                if watch.starts:
                    return  # one transaction is one command's

    def _late_response(self, charger: Charger, call: Call, frame: Result | Error) -> None:
        """Accepted says that it will try; anything else, that it will not."""
        if isinstance(frame, Result) and frame.payload.get("status") == "Accepted":
            return
        for watch in self._watches.get(charger.id, ()):
            if watch.id == call.id:
                watch.refused = True
                if watch.outcome:
                    self._publish(watch, "refuted")
                return

    def _timed_out(self, watch: Watch) -> None:
        Deferred.fromCoroutine(self._judge(watch)).addErrback(lambda why: log.failure("a follow-up failed", why))

    async def _judge(self, watch: Watch) -> None:
        """The time has passed and nothing was seen."""
        charger, verdict = self._chargers.get(watch.charger), "unknown"
        if charger is not None:
            verdict = "refuted" if watch.starts else await self._still_open(charger, watch.transaction)
        if watch.outcome and watch in self._watches.get(watch.charger, ()):
            self._publish(watch, verdict)

    async def _still_open(self, charger: Charger, id: Any) -> str:
        """What the ledger says of a transaction that was to be stopped: its end may have come to another gateway."""
        try:
            ledger = await in_time(self._intake.ledger(charger), LEDGER_TIMEOUT, self._clock)
        except Exception as why:
            log.warn("whether a transaction of {charger} is open cannot be told: {why}", charger=charger.id, why=repr(why))
            return "unknown"
        known = ledger.find(id) or ledger.find(str(id)) or (ledger.find(int(id)) if str(id).isdecimal() else None)
        return "unknown" if known is None else "refuted" if known.end is None else "confirmed"

    def _publish(self, watch: Watch, verdict: str) -> None:
        self.end(watch)
        transaction = watch.seen if watch.starts else watch.transaction
        data = events.CommandFollowup(watch.charger, watch.id, watch.action, watch.outcome, verdict, transaction)
        self._intake.publish_event_of(watch.charger, watch.domain, "command_followup", data, watch.ocpp)


def _given(served: Conclusion) -> int | str | None:
    """1.6: the id that a start was given."""
    return next((data.transaction_id for _, data in served.events if isinstance(data, events.StartTransaction)), None)
