"""Commands that an operator sends by HTTP: each is answered with its result, and soon even if the store does not answer.

Knows neither requests nor how a command reaches its charger.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.commands import Command, Failed, Outcome, parse
from ..core.security import Operator
from ..core.stamps import Stamps
from ..gateway.security import SecurityEvents
from ..interfaces import IRoster, ITracer
from ..log import Logger
from ..settings import Settings
from ..waiting import cancelled, deferred, in_time, pause
from .ended import Ended, unavailable
from .patience import HAND_ON_WITHIN
from .router import Report, Router

log = Logger()

STORE_TIMEOUT = 5.0
"""Seconds that the store has to answer while a command by HTTP still needs it; then the command ends as unavailable."""

STORE_INTERVAL = 2.0
"""Seconds between an answer of the store and the next question, while a command by HTTP waits."""


class Unanswered(Exception):
    """A command by HTTP was handed to the gateway that has its charger, and that gateway has not told its result in time."""


class Busy(Exception):
    """As many commands by HTTP wait for their results as may."""


class HttpCommands:
    """One for a gateway. ``refuses`` says why the store takes no writes though it answers, "" if it does; ``report`` publishes results,
    ``security`` who has asked for what, ``tracer`` how long it took."""

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        stamps: Stamps,
        router: Router,
        roster: IRoster,
        refuses: Callable[[], str],
        report: Report,
        security: SecurityEvents,
        tracer: ITracer,
    ) -> None:
        self._tracer = tracer
        self._security = security
        self._settings = settings
        self._clock = clock
        self._stamps = stamps
        self._router = router
        self._roster = roster
        self._refuses = refuses
        self._report = report
        self._results: dict[tuple[str, str], Deferred[dict[str, Any]]] = {}

    def ask(self, body: bytes, operator: Operator) -> Awaitable[dict[str, Any]]:
        """A command that did not come from the list: fires with the data of its `command_result`, which is published as well.

        Who asks may lose interest (cancel): the command goes on, and its result is published all the same.

        Raises:
            Invalid: it is no command.
            Busy: too many of them are waiting, whether or not who asked still does.
            Unanswered: it was handed to another gateway, and only the event will tell its result.
        """
        if len(self._results) >= self._settings.http_commands:
            raise Busy
        command = parse(body, made_id=self._stamps.id())
        command = msgspec.structs.replace(command, asker="", by=operator.name, element=b"")
        command = self._tracer.begun(command)
        self._security.operator("command", operator, command.charger, command.name)
        asked: Deferred[dict[str, Any]] = Deferred()

        def ended(result: Any) -> None:
            if not asked.called:
                asked.callback(result)  # or errback, if it is a Failure

        Deferred.fromCoroutine(self._ask(command)).addBoth(ended)
        return asked

    def told(self, data: dict[str, Any]) -> None:
        """Another gateway has told the result of a command that was handed to it."""
        waiting = self._results.pop((data["charger"], data["id"]), None)
        if waiting is not None:
            waiting.callback(data)

    async def _ask(self, command: Command) -> dict[str, Any]:
        result: Deferred[dict[str, Any]] = Deferred()
        key = command.charger, command.id
        if key in self._results:
            return _data(self._report(command, Ended(Outcome("duplicate", error=Failed("duplicate", "that id is being asked")))))
        self._results[key] = result
        try:
            reported = await self._run_with_store(command)
            if reported is not None:
                return _data(reported)
            # Another gateway has the charger, and will send a peer message.
            longest = (command.timeout or self._settings.call_timeout) + command.ttl + HAND_ON_WITHIN + STORE_TIMEOUT
            data = await result.addTimeout(longest, self._clock)
            self._tracer.ended(command, str(data.get("outcome")))
            return data
        except TimeoutError:
            raise Unanswered from None
        finally:
            self._results.pop(key, None)
            self._tracer.left(command)

    async def _run_with_store(self, command: Command) -> gateway_events.CommandResult | None:
        """Run it, and end it as unavailable if the store does not answer before it is sent: who asked is there now, not after an outage."""
        running = deferred(self._router.run(command))
        outage = deferred(self._outage(command)).addCallbacks(lambda _: running.cancel(), cancelled)
        try:
            return await running
        except CancelledError:
            if not outage.called:  # the gateway stops
                raise
            return self._report(command, unavailable())
        finally:
            outage.cancel()

    async def _outage(self, command: Command) -> None:
        """Returns once the store does not answer, or takes no writes, although the command was not sent yet."""
        refused: float | None = None  # since when
        while True:
            wait = STORE_INTERVAL
            if not self._router.has_sent(command):
                why = await self._no_answer(command)
                if not self._refuses():
                    refused = None
                else:
                    refused = self._clock.seconds() if refused is None else refused
                    wait = min(wait, refused + STORE_TIMEOUT - self._clock.seconds())
                    why = why or (self._refuses() if wait <= 0 else "")
                if why and not self._router.has_sent(command):
                    id, charger = command.id, command.charger
                    log.warn("command {id} by HTTP for {charger} ends without the store: {why}", id=id, charger=charger, why=why)
                    return
            await pause(max(wait, 0.0), self._clock)

    async def _no_answer(self, command: Command) -> str:
        """Why the store does not answer; "" if it does."""
        try:
            await in_time(self._roster.locate(command.charger), STORE_TIMEOUT, self._clock)
        except CancelledError:
            raise
        except Exception as why:
            return repr(why)
        return ""


def _data(result: gateway_events.CommandResult) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(result)
    return data
