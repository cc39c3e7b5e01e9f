"""HTTP about commands: give one and ask later what came of it, and look at those of late.

Knows neither chargers nor how a command reaches one. `POST /command/`, which waits for the result, is in `ocpp_tw.operators.api`.
"""

from __future__ import annotations

from typing import Any

from twisted.web.iweb import IRequest

from ..core import history
from ..core.commands import OUTCOMES, Invalid
from ..dispatch.by_http import Busy
from ..interfaces import IFleet
from ..monitoring.given import GivenCommands
from ..monitoring.history_reader import HistoryReader
from .answering import answer_json
from .described import Refusal, described
from .serving import HttpAnswer, Query, Refused, body_of, klein_app, operator_of, run
from .transactions_api import MAX_LIMIT, history_page

NO_OPERATOR = "list"
"""As `by`: those that came from the list of commands."""


class CommandsApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/commands",)

    def __init__(self, given: GivenCommands, fleet: IFleet, histories: HistoryReader) -> None:
        self._given = given
        self._fleet = fleet
        self._histories = histories

    @app.route("/api/commands", methods=["GET"])
    @described({200: dict[str, Any]})
    def commands(self, request: IRequest) -> HttpAnswer:
        """Those that have their result, the latest first."""

        async def answer() -> bytes:
            query = Query(request)
            outcome, failed = query.one_of("outcome", "", *OUTCOMES), query.one_of("failed", "", "true", "false") == "true"
            charger, action, by = query.text("charger"), query.text("action"), query.text("by")

            def matches(row: dict[str, Any]) -> bool:
                if (failed and row.get("outcome") == "result") or (outcome and row.get("outcome") != outcome):
                    return False
                whose = NO_OPERATOR if row.get("by") is None else row["by"]
                return all(
                    not wanted or is_ == wanted for wanted, is_ in ((charger, row.get("charger")), (action, row.get("action")), (by, whose))
                )

            limit = query.number("limit", 100, 1, MAX_LIMIT)
            page = await history_page(self._histories, history.COMMANDS, limit, query.text("cursor"), matches, charger, outcome, action)
            return answer_json(request, 200, {"rows": page.rows, "cursor": page.cursor})

        return run(request, answer())

    @app.route("/api/commands", methods=["POST"])
    @described({202: dict[str, Any]}, body="http_command")
    def give(self, request: IRequest) -> HttpAnswer:
        """Give one: 202 with its id, before it has its result."""

        async def answer() -> bytes:
            try:
                id = self._given.give(body_of(request), operator_of(request))
            except Invalid as why:
                raise Refused(400, str(why)) from None
            except Busy:
                request.setHeader("retry-after", "5")
                raise Refused(503, "Too many commands wait for their results: try again later") from None
            return answer_json(request, 202, {"id": id})

        return run(request, answer())

    @app.route("/api/commands/<path:id>", methods=["GET"])
    @described({200: dict[str, Any], 404: Refusal})
    def command(self, request: IRequest, id: str) -> HttpAnswer:
        """What came of one, whoever gave it: its result, or its `state`."""

        async def answer() -> bytes:
            found = await self._find(id)
            if found is None:
                raise Refused(404, "No command of this id is remembered")
            return answer_json(request, 200, found)

        return run(request, answer())

    async def _find(self, id: str) -> dict[str, Any] | None:
        """What gateways remember of it; where that is no result, or nothing, what the fleet's history has."""
        here = self._given.find(id)
        if here is None:
            answers = await self._fleet.ask("command", {"id": id})
            here = next((each for each in answers.answers.values() if each is not None), None)
        if here is not None and "outcome" in here:
            return here
        page = await history_page(self._histories, history.COMMANDS, 1, "", lambda row: row.get("id") == id, id)
        return page.rows[0] if page.rows else here
