"""HTTP about commands: give one and ask later what came of it, and look at those of late.

Knows neither chargers nor how a command reaches one. `POST /command/`, which waits for the result, is in `ocpp_tw.operators.api`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypedDict
from urllib.parse import quote

import msgspec
from twisted.web.iweb import IRequest

from ..core import history
from ..core.commands import OUTCOMES, Invalid
from ..core.event import one_of
from ..core.gateway_events import CommandResult
from ..core.history import RecordedCommand
from ..dispatch.by_http import Busy
from ..interfaces import IFleet
from ..monitoring.given import DUPLICATE, WAITING, GivenCommands
from ..monitoring.history_reader import HistoryReader
from ..monitoring.told import PendingCommand
from .answering import answer_json
from .described import Header, Refusal, described
from .history_page import Limit, history_page
from .parameters import NoQuery, query_of
from .serving import HttpAnswer, Refused, body_of, klein_app, operator_of, run

NO_OPERATOR = "list"
"""As `by`: those that came from the list of commands."""


class CommandsQuery(msgspec.Struct, frozen=True):
    """Which commands."""

    outcome: Annotated[str, one_of(["", *OUTCOMES])] = ""
    """only those with this outcome"""
    failed: bool = False
    """true: only those that have no result, but for those with the outcome `duplicate`: of their ids there is another one that has its own"""
    charger: str = ""
    """only those for this charger"""
    action: str = ""
    """only those with this OCPP action"""
    by: str = ""
    """only those that this one has given: the name of a token, or `list`: whoever writes to the list of commands"""
    limit: Limit = 100
    """at most so many"""
    cursor: str = ""
    """`cursor` of the page before"""

    def lets_through(self, row: dict[str, Any]) -> bool:
        """Whether it is one of them."""
        by = NO_OPERATOR if row.get("by") is None else row["by"]
        if self.failed and row.get("outcome") in ("result", DUPLICATE):
            return False
        wanted = (self.outcome, self.charger, self.action, self.by)
        told = (row.get("outcome"), row.get("charger"), row.get("action"), by)
        return all(not each or each == is_ for each, is_ in zip(wanted, told, strict=True))


class CommandQuery(msgspec.Struct, frozen=True):
    """Which command of that id."""

    charger: str = ""
    """the one for this charger, where several were given one of that id"""


class CommandsAnswer(TypedDict):
    """A page of commands."""

    rows: list[RecordedCommand]
    """the commands, the latest first"""
    cursor: str | None
    """leads to the next page; null if there is none"""
    trouble: str
    """why what has happened since may not be among them yet: Redis takes no writes; "" if it does"""


class Given(TypedDict):
    """A command has been given."""

    id: str
    """its id; what came of it is at the path in the header Location"""


class Kept(TypedDict, total=False):
    """Of a command whose result has been read from the fleet's history."""

    time: str
    """when it ended (UTC)"""
    gateway: str
    """the gateway that had it"""
    left_out: bool
    """only when true: something was too long to be kept, as in `GET /api/commands`"""


class CommandsApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/commands",)

    def __init__(self, given: GivenCommands, fleet: IFleet, histories: HistoryReader) -> None:
        self._given = given
        self._fleet = fleet
        self._histories = histories

    @app.route("/api/commands", methods=["GET"])
    @described({200: CommandsAnswer}, query=CommandsQuery)
    def commands(self, request: IRequest) -> HttpAnswer:
        """Those that have their result, the latest first."""

        async def answer() -> bytes:
            query = query_of(request, CommandsQuery)
            words = query.charger, query.outcome, query.action
            page = await history_page(self._histories, history.COMMANDS, query.limit, query.cursor, query.lets_through, *words)
            return answer_json(request, 200, {"rows": page.rows, "cursor": page.cursor, "trouble": self._fleet.trouble})

        return run(request, answer())

    @app.route("/api/commands", methods=["POST"])
    @described({202: Given}, body="http_command", query=NoQuery, headers={"Location": Header("the path of what came of it", always=True)})
    def give(self, request: IRequest) -> HttpAnswer:
        """Give one: 202 with its id, before it has its result."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            try:
                id, charger = self._given.give(body_of(request), operator_of(request))
            except Invalid as why:
                raise Refused(400, str(why)) from None
            except Busy:
                request.setHeader("retry-after", "5")
                raise Refused(503, "Too many commands wait for their results: try again later") from None
            path = f"/api/commands/{quote(id, safe='')}"
            which = f"?charger={quote(charger, safe='')}" if self._given.chargers(id) > 1 else ""
            request.setHeader("location", path + which)
            return answer_json(request, 202, Given(id=id))

        return run(request, answer())

    @app.route("/api/commands/<path:id>", methods=["GET"])
    @described({200: [(CommandResult, Kept), PendingCommand], 404: Refusal, 503: Refusal}, query=CommandQuery)
    def command(self, request: IRequest, id: str) -> HttpAnswer:
        """What came of one, whoever gave it: its result, or its `state`."""

        async def answer() -> bytes:
            found = await self._find(id, query_of(request, CommandQuery).charger)
            if found is None:
                raise Refused(404, "No command of this id is remembered")
            return answer_json(request, 200, found)

        return run(request, answer())

    async def _find(self, id: str, charger: str) -> dict[str, Any] | None:
        """What gateways remember of it, or, where that is no result, the fleet's history. One that was refused as a duplicate is told of only
        where nothing is known of the one before it."""
        here = self._given.find(id, charger)
        told = [] if here is None else [here]
        if not told or _is_duplicate(here):
            answers = await self._fleet.ask("command", {"id": id, "charger": charger})
            told += [each for each in answers.answers.values() if each is not None and charger in ("", each.get("charger"))]
            only_own = answers.trouble or ", ".join(answers.missing)
        else:
            only_own = ""
        for known in (lambda each: "outcome" in each and not _is_duplicate(each), lambda each: each.get("state") == WAITING["state"]):
            if (found := next(filter(known, told), None)) is not None:
                return found
        found = await self._recorded(lambda row: not _is_duplicate(row), id, charger)
        found = found or next(iter(told), None) or await self._recorded(_is_duplicate, id, charger)
        if found is None and only_own:
            raise Refused(503, f"Not all gateways could be asked, and this one does not know it ({only_own}): try again")
        return found

    async def _recorded(self, wanted: Callable[[Any], bool], id: str, charger: str) -> dict[str, Any] | None:
        def matches(row: dict[str, Any]) -> bool:
            return row.get("id") == id and charger in ("", row.get("charger")) and wanted(row)

        page = await history_page(self._histories, history.COMMANDS, 1, "", matches, id, charger)
        return page.rows[0] if page.rows else None


def _is_duplicate(told: Any) -> bool:
    return isinstance(told, dict) and told.get("outcome") == DUPLICATE
