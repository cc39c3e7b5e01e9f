"""Finds out whether a remote start or stop of unknown outcome was carried out after all: is the transaction there, or gone?

Knows neither how commands are sent nor where events go. While nothing is watched, transactions cost nothing here.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..core import charger_events, gateway_events
from ..core.commands import Command
from ..core.conclusion import Conclusion
from ..facts import Started, Stopped, Updated
from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..gateway.verdicts import Verdicts
from ..log import Logger
from ..ocpp.frames import Call, Error, Payload, Result
from ..waiting import in_time

log = Logger()

WATCH_FOR = 120.0
"""Seconds after an unknown outcome for which the transaction is watched for; then the ledger decides."""

LEDGER_TIMEOUT = 5.0
"""Seconds that the store has to say whether a transaction is open; then the verdict is `unknown`."""

UNKNOWN_OUTCOMES = ("timeout", "connection_lost")
"""Outcomes of a command that leave open whether the charger has carried it out."""

STARTS = ("RemoteStartTransaction", "RequestStartTransaction", "remote_start_transaction")
STOPS = ("RemoteStopTransaction", "RequestStopTransaction", "remote_stop_transaction")


class Watch:
    """A command that is watched from when it is sent. ``seen`` is the transaction that shows that it was carried out."""

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
        """Whether this command began the transaction (2.x: or took part in it later, when the cable came first)."""
        info = fact.event_info
        if info is not None and info.remote_start_id is not None and self.start_id is not None:
            return bool(info.remote_start_id == self.start_id)
        conn = fact.conn if isinstance(fact, Started) else info and info.conn
        return isinstance(fact, Started) and fact.tag == self.tag and (self.conn is None or self.conn == conn)


class FollowUps:
    """The watched commands of all chargers."""

    def __init__(self, clock: IReactorTime, gateway: Gateway, incoming: IncomingCalls, verdicts: Verdicts) -> None:
        self._clock = clock
        self._chargers = gateway.chargers
        self._incoming = incoming
        self._verdicts = verdicts
        self._watches: dict[str, list[Watch]] = {}
        self._stopped = False
        incoming.on_late_response = self._late_response

    def begin(self, command: Command, charger: Charger | None, action: str, payload: Payload) -> None:
        """A command is about to be sent (or was, by an earlier run of a gateway: then ``charger`` is None). Watch it if it is a start or stop."""
        if action not in STARTS + STOPS:
            return
        watch = Watch(command, charger, action, payload)
        self._watches.setdefault(watch.charger, []).append(watch)
        self._incoming.on_transaction = self._transaction_event

    def ended(self, command: Command, outcome: str) -> None:
        """The command has ended: with an unknown outcome its watch goes on, else it is over."""
        watch = next((each for each in self._watches.get(command.charger, ()) if each.id == command.id and not each.outcome), None)
        if watch is None:
            return
        if outcome not in UNKNOWN_OUTCOMES:
            self._remove(watch)
            return
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

    def _remove(self, watch: Watch) -> None:
        if watch.timer is not None and watch.timer.active():
            watch.timer.cancel()
        watches = self._watches.get(watch.charger, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._watches[watch.charger]
            if not self._watches:
                self._incoming.on_transaction = None

    # what decides it

    def _transaction_event(self, charger: Charger, fact: Started | Updated | Stopped, conclusion: Conclusion) -> None:
        if not conclusion.events:  # a repeat
            return
        for watch in list(self._watches.get(charger.id, ())):
            if isinstance(fact, Stopped):
                done = not watch.starts and str(watch.transaction) in (str(fact.transaction_id), str(_matched_id(conclusion)))
            else:
                done = watch.starts and watch.seen is None and watch.started_by(fact)
            if done:
                watch.seen = fact.transaction_id if fact.transaction_id is not None else _given_id(conclusion)
                if watch.outcome:
                    self._publish(watch, "confirmed")
                if watch.starts:
                    return  # one transaction belongs to one command

    def _late_response(self, charger: Charger, call: Call, frame: Result | Error) -> None:
        """Accepted says that the charger will try; anything else, that it will not."""
        if isinstance(frame, Result) and frame.payload.get("status") == "Accepted":
            return
        for watch in self._watches.get(charger.id, ()):
            if watch.id == call.id:
                watch.refused = True
                if watch.outcome:
                    self._publish(watch, "refuted")
                return

    def _timed_out(self, watch: Watch) -> None:
        Deferred.fromCoroutine(self._judge(watch)).addErrback(lambda why: log.failure("follow-up of a command failed", why))

    async def _judge(self, watch: Watch) -> None:
        """The time has passed and no transaction event has shown it."""
        charger, verdict = self._chargers.get(watch.charger), "unknown"
        if charger is not None:
            verdict = "refuted" if watch.starts else await self._still_open(charger, watch.transaction)
        if watch.outcome and watch in self._watches.get(watch.charger, ()):
            self._publish(watch, verdict)

    async def _still_open(self, charger: Charger, id: Any) -> str:
        """What the ledger says of a stop: a transaction that is still open refutes it."""
        try:
            ledger = await in_time(self._verdicts.ledger(charger), LEDGER_TIMEOUT, self._clock)
        except Exception as why:
            log.warn("ledger of {charger} unavailable, follow-up unknown: {why}", charger=charger.id, why=repr(why))
            return "unknown"
        transaction = ledger.find(id) or ledger.find(str(id)) or (ledger.find(int(id)) if str(id).isdecimal() else None)
        return "unknown" if transaction is None else "refuted" if transaction.end is None else "confirmed"

    def _publish(self, watch: Watch, verdict: str) -> None:
        self._remove(watch)
        transaction = watch.seen if watch.starts else watch.transaction
        data = gateway_events.CommandFollowup(watch.charger, watch.id, watch.action, watch.outcome, verdict, transaction)
        self._incoming.publisher.publish_about(watch.charger, watch.domain, "command_followup", data, watch.ocpp)


def _matched_id(conclusion: Conclusion) -> int | str | None:
    """The transaction that a stop has ended, under whatever id."""
    return next((data.matched_id for _, data in conclusion.events if isinstance(data, charger_events.StopTransaction)), None)


def _given_id(conclusion: Conclusion) -> int | str | None:
    """1.6: the id that a start was given."""
    return next((data.transaction_id for _, data in conclusion.events if isinstance(data, charger_events.StartTransaction)), None)
