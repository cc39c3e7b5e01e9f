"""Commands that were given by HTTP without waiting for their results: what came of each can be asked for later.

Knows neither HTTP nor how a command reaches its charger.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from ..core.commands import Invalid, parse
from ..core.security import Operator
from ..dispatch.by_http import Unanswered
from ..log import Logger
from ..waiting import deferred

log = Logger()

MAX_REMEMBERED = 10_000
"""Most commands that are remembered, beyond which the first are forgotten; results are in the fleet's history as well."""

WAITING = {"state": "waiting"}

UNKNOWN = {"state": "unknown", "detail": "The gateway that has the charger has not told the result in time: its `command_result` will"}


class Asks(Protocol):
    """Runs commands (`ocpp_tw.dispatch.dispatcher.Dispatcher`)."""

    def ask(self, body: bytes, operator: Operator) -> Awaitable[dict[str, Any]]:
        """The result of one."""


class GivenCommands:
    """One for a gateway. ``make_id`` makes a unique id."""

    def __init__(self, dispatcher: Asks, make_id: Callable[[], str]) -> None:
        self._dispatcher = dispatcher
        self._make_id = make_id
        self._given: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def give(self, body: bytes, operator: Operator, ended: Callable[[dict[str, Any]], None] = lambda result: None) -> str:
        """Begin a command; returns its id. ``ended`` is called with its result.

        Raises:
            Invalid: it is no command.
            Busy: too many wait for their results.
        """
        command = parse(body, made_id=(made_id := self._make_id()))
        if command.id == made_id:
            body = msgspec.json.encode({**msgspec.json.decode(body, type=dict[str, msgspec.Raw]), "id": made_id})
        asked = deferred(self._dispatcher.ask(body, operator))
        about = {"charger": command.charger, "id": command.id}
        self._remember(command.id, about | WAITING)

        def finished(result: Any) -> None:
            if isinstance(result, Failure):
                if not result.check(Unanswered, CancelledError, Invalid):  # type: ignore[no-untyped-call]
                    log.failure("command {id} by HTTP failed", result, id=command.id)
                result = about | UNKNOWN
            self._remember(command.id, result)
            ended(result)

        asked.addBoth(finished)
        return command.id

    def find(self, id: str) -> dict[str, Any] | None:
        """What came of it: the data of its `command_result`, or a ``state``; None if it is not remembered here."""
        return self._given.get(id)

    def _remember(self, id: str, what: dict[str, Any]) -> None:
        self._given[id] = what
        if len(self._given) > MAX_REMEMBERED:
            self._given.popitem(last=False)
