"""From an element of the command list, or an HTTP request, to its one result: read, routed, published, acknowledged.

Knows neither Redis nor HTTP; commands come from `ICommands` or from `HttpCommands`. How they reach their chargers is the router's business.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..concealed import answer_concealed, concealed
from ..core import gateway_events
from ..core.commands import PEER_MESSAGES, Command, Invalid, Outcome, Taken, digest, parse
from ..core.entries import Acknowledged, Effect, Entry, IdReleased, PeerMessage, Put, Reply
from ..core.event import Event, encode
from ..core.history import commanded
from ..core.security import Operator
from ..core.stamps import Stamps
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..gateway.security import SecurityEvents
from ..gateway.verdicts import Verdicts
from ..interfaces import ITracer, Store
from ..log import Logger
from ..settings import Settings
from ..waiting import cancelled, pause
from .by_http import HttpCommands
from .ended import INTERNAL_FAILURE, Ended, invalid
from .followup import FollowUps
from .handing_over import HandingOver
from .router import Router
from .translate import action_of
from .upgrades import Upgrades

log = Logger()

NOBODY = Operator()

MAX_RUNNING = 10_000
"""Commands that may run at once, beside those that wait for their charger to connect; further ones wait in the list."""


class Dispatcher:
    """One for a gateway; takes commands from the list between `start` and `stop`."""

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        stamps: Stamps,
        gateway: Gateway,
        incoming: IncomingCalls,
        verdicts: Verdicts,
        store: Store,
        handing_over: HandingOver,
        upgrades: Upgrades,
        security: SecurityEvents,
        tracer: ITracer,
    ) -> None:
        self._tracer = tracer
        self._settings = settings
        self._clock = clock
        self._stamps = stamps
        self._gateway = gateway
        self._commands = store.commands
        self._events = store.events
        self._counts = incoming.publisher.counts
        self._followups = FollowUps(clock, gateway, incoming, verdicts)
        self._router = Router(
            clock,
            stamps.unix,
            gateway,
            store.commands,
            store.roster,
            incoming.publisher,
            self._followups,
            handing_over,
            upgrades,
            self._report,
        )
        self._by_http = HttpCommands(
            settings, clock, stamps, self._router, store.roster, lambda: store.refuses, self._report, security, tracer
        )
        self._loop: Deferred[None] | None = None
        self._running = 0

    # commands from the list

    def start(self) -> None:
        """Begin to take commands."""
        self._loop = Deferred.fromCoroutine(self._take_for_ever())
        self._loop.addErrback(cancelled)

    def stop(self) -> None:
        """Take and send no more: what waits stays in flight, and is taken again after the restart."""
        if self._loop is not None:
            self._loop.cancel()
            self._loop = None
        self._router.stop()
        self._followups.stop()

    async def _take_for_ever(self) -> None:
        while True:
            try:
                taken = await self._commands.take()
            except CancelledError:
                raise
            except Exception:
                log.failure("commands cannot be taken")
                await pause(1, self._clock)
                continue
            while self._running - self._router.waiting >= MAX_RUNNING:
                await pause(0.1, self._clock)
            Deferred.fromCoroutine(self.run(taken)).addErrback(self._failed, taken.element)

    def _failed(self, failure: Failure, element: bytes) -> None:
        if failure.check(CancelledError):  # type: ignore[no-untyped-call]
            return
        log.failure("command element of {size} bytes failed", failure, size=len(element))

    async def run(self, taken: Taken) -> None:
        """One element of the list, from parsing to its result."""
        element = taken.element
        if element.startswith(PEER_MESSAGES):
            self._run_peer_message(element)
            return None
        try:
            command = parse(element)
        except Invalid as why:
            if why.charger and why.id:
                self._report(self._tracer.begun(_unreadable(why, element)), invalid(str(why)))
                return None
            log.warn("command without charger or id goes to the dead letters: {why}", why=str(why))
            return await self._commands.dead_letter(element, str(why))
        command = self._tracer.begun(command)
        if taken.sent:  # by an earlier run of a gateway; only its follow-up can say more
            self._followups.begin(command, None, command.name, command.payload)
            self._report(command, Ended(Outcome("connection_lost", sent=True), True))
            return None
        self._running += 1
        try:
            await self._router.run(command, taken.silent)
        finally:
            self._running -= 1
            self._tracer.left(command)
        return None

    def _run_peer_message(self, element: bytes) -> None:
        """Another gateway has one of our chargers now, an operator has decided there, or a command we forwarded has its result."""
        try:
            message = msgspec.json.decode(element)
            if not self._gateway.peer_message(message):
                self._by_http.told(message["data"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.warn("invalid peer message of {size} bytes", size=len(element))
        self._events.publish(Entry("", effects=(Acknowledged(element),)))

    def ask(self, body: bytes, operator: Operator = NOBODY) -> Awaitable[dict[str, Any]]:
        """A command by HTTP; see `HttpCommands.ask`."""
        return self._by_http.ask(body, operator)

    # the result

    def _report(self, command: Command, ended: Ended) -> gateway_events.CommandResult:
        """Publish the one result of a command, and acknowledge its element with it."""
        try:
            result = self._publish(command, ended)
        except Exception:
            log.failure("result of {id} for {charger} cannot be published as it is", id=command.id, charger=command.charger)
            sent = ended.outcome.sent
            ended = ended._replace(outcome=Outcome("connection_lost" if sent else "error", error=INTERNAL_FAILURE, sent=sent))
            result = self._publish(command, ended)
        outcome = ended.outcome
        self._tracer.ended(command, outcome.kind, outcome.error.code if outcome.error else "")
        self._counts.commands[outcome.kind] += 1
        if outcome.latency_ms is not None:
            self._counts.commands_took.add(outcome.latency_ms / 1000)
        if ended.claimed:
            self._followups.ended(command, ended.outcome.kind)
        return result

    def _publish(self, command: Command, ended: Ended) -> gateway_events.CommandResult:
        charger, result = self._gateway.chargers.get(command.charger), self._result(command, ended)
        event = Event(
            "command_result",
            charger.domain if charger else "",
            result,
            self._stamps.id(),
            self._stamps.now(),
            self._settings.name,
            charger.ocpp if charger else None,
        )
        self._counts.events["command_result"] += 1
        text = encode(event)
        effects: list[Effect] = [commanded(result, event.time, event.gateway)]
        if command.element:
            effects.append(Acknowledged(command.element))
            if ended.claimed:
                effects.append(Put("sent", digest(command.element), None, owner=self._settings.name))
        if command.reply_to:
            effects.append(Reply(command.reply_to, text))
        if command.asker:
            effects.append(PeerMessage(command.asker, text))
        if ended.claimed and ended.outcome.kind == "expired":  # it was never sent, so its id may be used again
            effects.append(IdReleased(command.charger, command.id))
        self._events.publish(Entry(command.charger, text, tuple(effects)))
        return result

    def _result(self, command: Command, ended: Ended) -> gateway_events.CommandResult:
        outcome = ended.outcome
        error = None if outcome.error is None else msgspec.to_builtins(outcome.error)
        if outcome.sent:  # then it is the charger's, which may repeat what it was sent
            error = concealed(error)
        charger = self._gateway.chargers.get(command.charger)
        action = command.action or ended.action or (charger and action_of(command, charger.version)) or command.neutral
        return gateway_events.CommandResult(
            command.charger,
            command.id,
            action,
            outcome.kind,
            outcome.status,
            answer_concealed(outcome.payload),
            error,
            outcome.sent,
            outcome.latency_ms,
            command.by,
            command.traceparent or None,
        )


def _unreadable(why: Invalid, element: bytes) -> Command:
    return Command(why.charger, why.id, action=why.name, reply_to=why.reply_to, element=element)
