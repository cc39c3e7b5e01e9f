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

DUPLICATE = "duplicate"
"""The outcome of a command whose id another one had before: it tells nothing of that one."""

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
        self._given: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._chargers: dict[str, list[str]] = {}

    def give(self, body: bytes, operator: Operator, ended: Callable[[dict[str, Any]], None] = lambda result: None) -> tuple[str, str]:
        """Begin a command; returns its id and its charger. ``ended`` is called with its result.

        Raises:
            Invalid: it is no command.
            Busy: too many wait for their results.
        """
        command = parse(body, made_id=(made_id := self._make_id()))
        if command.id == made_id:
            body = msgspec.json.encode({**msgspec.json.decode(body, type=dict[str, msgspec.Raw]), "id": made_id})
        asked = deferred(self._dispatcher.ask(body, operator))
        key = command.id, command.charger
        about = {"charger": command.charger, "id": command.id}
        known = self._given.get(key)
        first = known is None or not ("state" in known or known.get("sent"))  # what was not sent may be given again
        if first:
            self._remember(key, about | WAITING)

        def finished(result: Any) -> None:
            if isinstance(result, Failure):
                if not result.check(Unanswered, CancelledError, Invalid):  # type: ignore[no-untyped-call]
                    log.failure("command {id} by HTTP failed", result, id=command.id)
                result = about | UNKNOWN
            if first or result.get("outcome", DUPLICATE) != DUPLICATE:
                self._remember(key, result)
            ended(result)

        asked.addBoth(finished)
        return key

    def find(self, id: str, charger: str = "") -> dict[str, Any] | None:
        """What came of it: the data of its `command_result`, or a ``state``; None if it is not remembered here. Where several chargers were
        given one of that id: the first, unless ``charger`` says which."""
        chargers = self._chargers.get(id, ())
        return self._given.get((id, charger or chargers[0])) if chargers else None

    def chargers(self, id: str) -> int:
        """How many chargers were given a command of that id."""
        return len(self._chargers.get(id, ()))

    def _remember(self, key: tuple[str, str], what: dict[str, Any]) -> None:
        if key not in self._given:
            self._chargers.setdefault(key[0], []).append(key[1])
        self._given[key] = what
        if len(self._given) > MAX_REMEMBERED:
            (id, charger), _ = self._given.popitem(last=False)
            self._chargers[id].remove(charger)
            if not self._chargers[id]:
                del self._chargers[id]
