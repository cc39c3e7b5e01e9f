"""From a command to its one result: routed, checked, asked once, reported, and settled.

Knows neither Redis nor HTTP; commands come from `ICommands` or from `ask`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import events, splitting
from .charger import Charger
from .commands import Command, Failed, Invalid, Outcome, parse, render
from .gateway import Gateway
from .interfaces import ICommands, IEvents, IRoster
from .reports import Reports
from .settings import Settings
from .stamps import Stamps
from .store import Effect, Entry, Note, Released, Reply, Settled
from .versions.translating import meant, translated
from .waiting import in_time, pause

log = Logger()

WHEREABOUTS_TIMEOUT = 5.0
"""Seconds that the fleet's memory has to say where a charger is, or whether an id is new."""

NOTES = (b'{"evict"', b'{"event"', b'{"decided"')
"""How elements begin that are no commands but word from another gateway."""

MOST = 10_000
"""How many commands may be under way at once; the others wait in Redis."""


class Dispatch:
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
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._stamps = stamps
        self._gateway = gateway
        self._commands = commands
        self._roster = roster
        self._events = store
        self._parked: dict[str, list[Deferred[None]]] = {}
        self._asked: dict[str, Deferred[dict[str, Any]]] = {}
        self._loop: Deferred[None] | None = None
        self._running = 0
        gateway.on_arrival = self._arrived

    # the loop

    def start(self) -> None:
        """Begin to take commands."""
        self._loop = Deferred.fromCoroutine(self._take_for_ever())
        self._loop.addErrback(_ended)

    def stop(self) -> None:
        """Take no more, and stop waiting for chargers to come online."""
        if self._loop is not None:
            self._loop.cancel()
            self._loop = None
        parked, self._parked = self._parked, {}
        for waiting in (each for chargers in parked.values() for each in chargers):
            waiting.cancel()  # they stay in hand, and are taken up again after the restart

    async def _take_for_ever(self) -> None:
        while True:
            try:
                element = await self._commands.take()
            except CancelledError:
                raise
            except Exception:
                log.failure("no commands could be taken")
                await pause(1, self._clock)
                continue
            while self._running >= MOST:
                await pause(0.1, self._clock)
            Deferred.fromCoroutine(self.run(element)).addErrback(self._failed, element)

    def _failed(self, failure: Failure, element: bytes) -> None:
        if failure.check(CancelledError):  # type: ignore[no-untyped-call]
            return
        log.failure("a command failed: {element}", failure, element=element[:200])

    async def run(self, element: bytes) -> None:
        """One element of the list, from parsing to its result."""
        if element.startswith(NOTES):
            try:
                self._note(msgspec.json.decode(element))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                log.warn("word from another gateway that makes no sense: {element}", element=element[:200])
            self._events.publish(Entry("", effects=(Settled(element),)))
            return None
        try:
            command = parse(element)
        except Invalid as why:
            if why.charger and why.id:
                self._report(_unreadable(why, element), Outcome("invalid", error=Failed("invalid", str(why))))
                return None
            log.warn("a command nobody can be told of was put aside: {why}", why=str(why))
            return await self._commands.bury(element, str(why))
        self._running += 1
        try:
            outcome = await self._execute(command)
        finally:
            self._running -= 1
        if outcome is not None:
            self._report(command, outcome)
        return None

    def _note(self, said: dict[str, Any]) -> None:
        """Word from another gateway of the fleet: it has one of our chargers now, an operator's decision, or an answer for us."""
        if "evict" in said:
            self._gateway.evict(said["evict"], said["connection"])
        elif "decided" in said:
            self._gateway.decided(said["decided"], said["changes"])
        else:
            waiting = self._asked.pop(said["data"]["id"], None)
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
        if command.id in self._asked:
            return _data(self._result(command, Outcome("duplicate", error=Failed("duplicate", "that id is being asked"))))
        self._asked[command.id] = answer
        try:
            outcome = await self._execute(command)
            if outcome is None:  # another gateway has the charger, and will tell us
                most = (command.timeout or self._settings.call_timeout) + command.ttl + WHEREABOUTS_TIMEOUT
                return await answer.addTimeout(most, self._clock)
            return _data(self._report(command, outcome))
        finally:
            self._asked.pop(command.id, None)

    # from command to outcome

    async def _execute(self, command: Command) -> Outcome | None:
        """What came of it; None when another gateway has it now."""
        charger = self._gateway.chargers.get(command.charger)
        if charger is None:
            other = await self._whereabouts(command.charger)
            if other not in (None, self._settings.name):
                if command.element:
                    await self._commands.hand_over(command.element, str(other))
                else:
                    note = Note(str(other), render(command, self._settings.name))
                    self._events.publish(Entry("", effects=(note,)))
                return None
            if command.ttl and not await self._comes(command):
                return Outcome("expired", error=Failed("expired", f"the charger did not connect within {command.ttl:g} s"))
            charger = self._gateway.chargers.get(command.charger)
            if charger is None:
                return Outcome("offline", error=Failed("offline", "the charger is not connected"))
        try:
            action, payload, raw = translated(command, charger.version)
        except Invalid as why:
            return Outcome("invalid", error=Failed("invalid", str(why)))
        if charger.registration == "Rejected" or (charger.restricted and action in charger.version.starting):
            return Outcome("not_allowed", error=Failed("not_allowed", f"the charger's registration is {charger.registration}"))
        if not await self._commands.claim(command):
            return Outcome("duplicate", error=Failed("duplicate", "a command with this id was taken within the last 24 hours"))
        outcome = await splitting.ask(charger, action, payload, command.timeout, raw, command.id)
        if outcome.status == "Accepted" and action in charger.version.reports and isinstance(payload.get("requestId"), int):
            self._await_report(charger, command, action, payload["requestId"])
        return outcome

    def _await_report(self, charger: Charger, command: Command, action: str, request: int) -> None:
        """2.x: what was asked for comes in parts; when the last has come the backend hears of it under the command's id."""

        def done(parts: int, complete: bool, missing: list[int]) -> None:
            data = events.CommandReport(charger.id, command.id, action, request, parts, complete, missing)
            charger.intake.tell(charger, "command_report", data)

        if charger.reports is None:
            charger.reports = Reports(self._clock)
        charger.reports.open(charger.version.reports[action], request, done)

    async def _whereabouts(self, charger: str) -> str | None:
        try:
            return await in_time(self._roster.whereabouts(charger), WHEREABOUTS_TIMEOUT, self._clock)
        except Exception as why:
            log.warn("where {charger} is cannot be told: {why}", charger=charger, why=repr(why))
            return None

    async def _comes(self, command: Command) -> bool:
        """Whether the charger comes online within the command's ttl."""
        waiting: Deferred[None] = Deferred()
        timer = self._clock.callLater(command.ttl, waiting.callback, None)
        self._parked.setdefault(command.charger, []).append(waiting)
        self._running -= 1  # whoever waits for a charger keeps no other command waiting
        try:
            await waiting
        finally:
            self._running += 1
            if timer.active():
                timer.cancel()
            parked = self._parked.get(command.charger, [])
            if waiting in parked:
                parked.remove(waiting)
                if not parked:
                    del self._parked[command.charger]
        return command.charger in self._gateway.chargers

    def _arrived(self, charger: str) -> None:
        for waiting in self._parked.pop(charger, ()):
            waiting.callback(None)

    # the result

    def _report(self, command: Command, outcome: Outcome) -> events.CommandResult:
        """Exactly one result for each command; with it the element is done with."""
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
        effects: list[Effect] = [Settled(command.element)] if command.element else []
        if command.reply_to:
            effects.append(Reply(command.reply_to, text))
        if command.asker:
            effects.append(Note(command.asker, text))
        if outcome.kind == "offline":  # it was never sent: the same id may be tried again
            effects.append(Released(command.charger, command.id))
        self._events.publish(Entry(command.charger, text, tuple(effects)))
        return result

    def _result(self, command: Command, outcome: Outcome) -> events.CommandResult:
        error = None if outcome.error is None else msgspec.to_builtins(outcome.error)
        charger = self._gateway.chargers.get(command.charger)
        action = command.action or (charger and meant(command, charger.version)) or command.neutral
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
