"""HTTP about the fleet's troubles of late.

Knows neither what a trouble is nor where they are kept.
"""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
from twisted.web.iweb import IRequest

from ..core import history
from ..core.history import Trouble
from ..interfaces import IFleet
from ..monitoring.history_reader import HistoryReader
from .answering import answer_json
from .described import described
from .history_page import Limit, history_page
from .parameters import query_of
from .serving import HttpAnswer, klein_app, run


class TroublesQuery(msgspec.Struct, frozen=True):
    """Which troubles."""

    charger: str = ""
    """only those of this charger"""
    kind: list[str] | str = []
    """only events of these names"""
    limit: Limit = 100
    """at most so many"""
    cursor: str = ""
    """`cursor` of the page before"""


class TroublesAnswer(TypedDict):
    """A page of troubles."""

    rows: list[Trouble]
    """the troubles, the latest first"""
    cursor: str | None
    """leads to the next page; null if there is none"""
    trouble: str
    """why what has happened since may not be among them yet: Redis takes no writes; "" if it does"""


class TroublesApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/troubles",)

    def __init__(self, fleet: IFleet, histories: HistoryReader) -> None:
        self._fleet = fleet
        self._histories = histories

    @app.route("/api/troubles", methods=["GET"])
    @described({200: TroublesAnswer}, query=TroublesQuery)
    def troubles(self, request: IRequest) -> HttpAnswer:
        """A page of them, the latest first."""

        async def answer() -> bytes:
            query = query_of(request, TroublesQuery)

            def matches(row: dict[str, Any]) -> bool:
                return query.charger in ("", row.get("charger")) and (not query.kind or row.get("event") in query.kind)

            page = await history_page(self._histories, history.TROUBLES, query.limit, query.cursor, matches, query.charger)
            return answer_json(request, 200, {"rows": page.rows, "cursor": page.cursor, "trouble": self._fleet.trouble})

        return run(request, answer())
