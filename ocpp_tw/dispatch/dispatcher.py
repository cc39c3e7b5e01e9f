"""From an element to its one result: read, brought on its way, reported, and settled.

Knows neither Redis nor HTTP; commands come from `ICommands` or from `ask`. How they reach their chargers is the router's business.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core import events
from ..core.commands import PEER_MESSAGES, Command, Failed, Invalid, Outcome, Taken, digest, parse
from ..core.entries import Acknowledged, Effect, Entry, IdReleased, PeerMessage, Put, Reply
from ..core.stamps import Stamps
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..interfaces import ICommands, IEvents, IRoster
from ..settings import Settings
from ..waiting import pause
from .followup import FollowUps
from .router import INTERNAL_FAILURE, LOCATE_TIMEOUT, Ended, Router
from .translate import action_of

log = Logger()

MAX_RUNNING = 10_000
"""How many commands may be under way at once; the others wait in Redis."""


UNKNOWN_OUTCOMES = ("timeout", "connection_lost")
"""Outcomes that do not say whether the charger has done it."""


class Dispatcher:
    """Takes commands for as long as it is started."""

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        stamps: Stamps,
        gateway: Gateway,
        commands: ICommands,
        roster: IRoster,
        store: IEvents,
        intake: IncomingCalls,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._stamps = stamps
        self._gateway = gateway
        self._commands = commands
        self._events = store
        self._followups = FollowUps(clock, intake, gateway.chargers)
        self._router = Router(settings.name, clock, stamps.unix, gateway, commands, roster, store, self._followups)
        self._http_results: dict[str, Deferred[dict[str, Any]]] = {}
        self._loop: Deferred[None] | None = None
        self._running = 0

    # the loop

    def start(self) -> None:
        """Begin to take commands."""
        self._loop = Deferred.fromCoroutine(self._take_for_ever())
        self._loop.addErrback(_ended)

    def stop(self) -> None:
        """Take no more, and send no more: what waits stays in hand, and is taken up again after the restart."""
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
                log.failure("no commands could be taken")
                await pause(1, self._clock)
                continue
            while self._running - self._router.waiting >= MAX_RUNNING:  # whoever waits for a charger keeps no other command waiting
                await pause(0.1, self._clock)
            Deferred.fromCoroutine(self.run(taken)).addErrback(self._failed, taken.element)

    def _failed(self, failure: Failure, element: bytes) -> None:
        if failure.check(CancelledError):  # type: ignore[no-untyped-call]
            return
        log.failure("an element could not be seen to: {element}", failure, element=element[:200])

    async def run(self, taken: Taken) -> None:
        """One element of the list, from parsing to its result."""
        element = taken.element
        if element.startswith(PEER_MESSAGES):
            try:
                self._peer_message(msgspec.json.decode(element))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                log.warn("word from another gateway that makes no sense: {element}", element=element[:200])
            self._events.publish(Entry("", effects=(Acknowledged(element),)))
            return None
        try:
            command = parse(element)
        except Invalid as why:
            if why.charger and why.id:
                self._report(_unreadable(why, element), Ended(Outcome("invalid", error=Failed("invalid", str(why)))))
                return None
            log.warn("a command nobody can be told of was put aside: {why}", why=str(why))
            return await self._commands.dead_letter(element, str(why))
        if taken.sent:
            watch = self._followups.begin(command, None, command.name, command.payload)
            self._report(command, Ended(Outcome("connection_lost", sent=True), True, watch))
            return None
        self._running += 1
        try:
            await self._router.run(command, self._report, taken.silent)
        finally:
            self._running -= 1
        return None

    def _peer_message(self, said: dict[str, Any]) -> None:
        """Word from another gateway of the fleet: it has one of our chargers now, an operator's decision, or an answer for us."""
        if "evict" in said:
            self._gateway.evict(said["evict"], said["connection"])
        elif "decided" in said:
            self._gateway.apply_decision(said["decided"], said["changes"])
        else:
            waiting = self._http_results.pop(said["data"]["id"], None)
            if waiting is not None:
                waiting.callback(said["data"])

    # commands by HTTP

    def ask(self, body: bytes) -> Awaitable[dict[str, Any]]:
        """A command that came another way: fires with the data of its `command_result`, which is published as well.

        Raises:
            Invalid: it is no command.
        """
        command = parse(body, made_id=self._stamps.id())
        return Deferred.fromCoroutine(self._ask(msgspec.structs.replace(command, element=b"")))

    async def _ask(self, command: Command) -> dict[str, Any]:
        answer: Deferred[dict[str, Any]] = Deferred()
        if command.id in self._http_results:
            return _data(self._result(command, Outcome("duplicate", error=Failed("duplicate", "that id is being asked"))))
        self._http_results[command.id] = answer
        try:
            result = await self._router.run(command, self._report)
            if result is None:  # another gateway has the charger, and will tell us
                most = (command.timeout or self._settings.call_timeout) + command.ttl + LOCATE_TIMEOUT
                return await answer.addTimeout(most, self._clock)
            return _data(result)
        finally:
            self._http_results.pop(command.id, None)

    # the result

    def _report(self, command: Command, ended: Ended) -> events.CommandResult:
        """Exactly one result for each command; with it the element is done with."""
        try:
            result = self._publish(command, ended)
        except Exception:
            log.failure("the result of {id} for {charger} cannot be told as it is", id=command.id, charger=command.charger)
            sent = ended.outcome.sent
            ended = ended._replace(outcome=Outcome("connection_lost" if sent else "error", error=INTERNAL_FAILURE, sent=sent))
            result = self._publish(command, ended)
        if ended.watch is not None:
            if ended.outcome.kind in UNKNOWN_OUTCOMES:
                self._followups.unknown(ended.watch, ended.outcome.kind)
            else:
                self._followups.end(ended.watch)
        return result

    def _publish(self, command: Command, ended: Ended) -> events.CommandResult:
        outcome = ended.outcome
        charger, result = self._gateway.chargers.get(command.charger), self._result(command, outcome)
        event = events.Event(
            "command_result",
            charger.domain if charger else "",
            result,
            self._stamps.id(),
            self._stamps.now(),
            self._settings.name,
            charger.ocpp if charger else None,
        )
        text = events.encode(event)
        effects: list[Effect] = []
        if command.element:
            effects.append(Acknowledged(command.element))
            if ended.claimed:
                effects.append(Put("sent", digest(command.element), None, owner=self._settings.name))
        if command.reply_to:
            effects.append(Reply(command.reply_to, text))
        if command.asker:
            effects.append(PeerMessage(command.asker, text))
        if ended.claimed and outcome.kind in ("offline", "expired"):  # it was never sent: the same id may be tried again
            effects.append(IdReleased(command.charger, command.id))
        self._events.publish(Entry(command.charger, text, tuple(effects)))
        return result

    def _result(self, command: Command, outcome: Outcome) -> events.CommandResult:
        error = None if outcome.error is None else msgspec.to_builtins(outcome.error)
        charger = self._gateway.chargers.get(command.charger)
        action = command.action or (charger and action_of(command, charger.version)) or command.neutral
        return events.CommandResult(
            command.charger, command.id, action, outcome.kind, outcome.status, outcome.payload, error, outcome.sent, outcome.latency_ms
        )


def _data(result: events.CommandResult) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(result)
    return data


def _ended(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]


def _unreadable(why: Invalid, element: bytes) -> Command:
    return Command(why.charger, why.id, action=why.name, reply_to=why.reply_to, element=element)
