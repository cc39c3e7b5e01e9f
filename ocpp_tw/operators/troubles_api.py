"""HTTP about the fleet's troubles of late.

Knows neither what a trouble is nor where they are kept.
"""

from __future__ import annotations

from typing import Any

from twisted.web.iweb import IRequest

from ..core import history
from ..monitoring.history_reader import HistoryReader
from .answering import answer_json
from .described import described
from .serving import HttpAnswer, Query, klein_app, run
from .transactions_api import MAX_LIMIT, history_page


class TroublesApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/troubles",)

    def __init__(self, histories: HistoryReader) -> None:
        self._histories = histories

    @app.route("/api/troubles", methods=["GET"])
    @described({200: dict[str, Any]})
    def troubles(self, request: IRequest) -> HttpAnswer:
        """A page of them, the latest first."""

        async def answer() -> bytes:
            query = Query(request)
            charger, kinds = query.text("charger"), query.words("kind")

            def matches(row: dict[str, Any]) -> bool:
                return (not charger or row.get("charger") == charger) and (not kinds or row.get("event") in kinds)

            limit = query.number("limit", 100, 1, MAX_LIMIT)
            page = await history_page(self._histories, history.TROUBLES, limit, query.text("cursor"), matches, charger)
            return answer_json(request, 200, {"rows": page.rows, "cursor": page.cursor})

        return run(request, answer())
