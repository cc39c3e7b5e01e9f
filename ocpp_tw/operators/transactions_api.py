"""HTTP about transactions, running and ended, of the whole fleet: as JSON, and as CSV for a spreadsheet.

Knows neither ledgers nor where histories are kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC
from typing import Any

from twisted.web.iweb import IRequest

from ..core import history
from ..monitoring.fleet_view import FleetView
from ..monitoring.history_reader import HistoryReader, Page
from ..monitoring.rows import iso
from ..ocpp.timestamps import parse_timestamp
from .answering import answer_json
from .described import described
from .serving import HttpAnswer, Query, Refused, from_store, klein_app, run

MAX_LIMIT, MAX_CSV = 1000, 20_000
"""Most rows of a page, and of a CSV."""

CSV_COLUMNS = (
    "state", "charger", "conn", "id", "backend_id", "tag", "started", "ended", "duration_s", "energy_wh", "meter_start", "meter_stop", "power_w",
    "soc", "reason", "provisional", "match", "gateway", "ocpp", "time",
)  # fmt: skip

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a spreadsheet would take for a formula: it gets an apostrophe before it."""


class TransactionsApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/transactions",)

    def __init__(self, view: FleetView, histories: HistoryReader) -> None:
        self._view = view
        self._histories = histories

    @app.route("/api/transactions", methods=["GET"])
    @described({200: dict[str, Any]})
    def transactions(self, request: IRequest) -> HttpAnswer:
        """A page of them: first those that run, the latest first, then those that have ended."""

        async def answer() -> bytes:
            query = Query(request)
            rows, cursor, missing = await self._page(query, query.number("limit", 100, 1, MAX_LIMIT))
            return answer_json(request, 200, {"rows": rows, "cursor": cursor, "missing": missing})

        return run(request, answer())

    @app.route("/api/transactions.csv", methods=["GET"])
    @described({200: None}, media="text/csv")
    def as_csv(self, request: IRequest) -> HttpAnswer:
        """The same as CSV (RFC 4180), with more of them at once."""

        async def answer() -> bytes:
            query = Query(request)
            rows, _, _ = await self._page(query, query.number("limit", MAX_CSV, 1, MAX_CSV))
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(CSV_COLUMNS)
            writer.writerows([[_cell(row.get(name)) for name in CSV_COLUMNS] for row in rows])
            request.setHeader("content-type", "text/csv; charset=utf-8")
            request.setHeader("content-disposition", 'attachment; filename="transactions.csv"')
            return text.getvalue().encode("utf-8", "replace")

        return run(request, answer())

    async def _page(self, query: Query, limit: int) -> tuple[list[dict[str, Any]], str | None, list[str]]:
        state, cursor = query.one_of("state", "", "running", "ended"), query.text("cursor")
        charger, tag = query.text("charger"), query.text("tag")
        provisional = query.one_of("provisional", "", "true", "false") == "true"
        begin, end = _time(query, "from"), _time(query, "to")
        rows: list[dict[str, Any]] = []
        missing: list[str] = []
        if state != "ended" and not cursor:
            asked = {"charger": charger, "tag": tag, "provisional": provisional, "limit": limit}
            running, missing = await self._view.running(asked)
            rows = [each for each in running if _between(iso(each["since"]), begin, end)][:limit]

        def matches(row: dict[str, Any]) -> bool:
            wanted = (not charger or row.get("charger") == charger) and (not tag or row.get("tag") == tag)
            return wanted and (not provisional or bool(row.get("provisional"))) and _between(str(row.get("time")), begin, end)

        if state == "running":
            return rows, None, missing
        if len(rows) >= limit:  # the next page begins with the first that has ended
            return rows, FIRST, missing
        cursor = "" if cursor == FIRST else cursor
        page = await history_page(self._histories, history.TRANSACTIONS, limit - len(rows), cursor, matches, charger, tag)
        return rows + page.rows, page.cursor, missing


FIRST = "first"
"""The cursor before all that have ended."""


async def history_page(
    histories: HistoryReader, name: str, limit: int, cursor: str, matches: Callable[[dict[str, Any]], bool], *words: str
) -> Page:
    """A page of a history. Raises `Refused` if the cursor is none, or the store does not answer."""
    try:
        return await from_store(histories.page(name, limit, cursor, matches, words))
    except ValueError as why:
        raise Refused(400, f"cursor: {why}") from None


def _between(time: str, begin: str, end: str) -> bool:
    return (not begin or time >= begin) and (not end or time < end)


def _time(query: Query, name: str) -> str:
    """A time of the query, as ISO 8601 in UTC, or "" """
    text = query.text(name)
    if not text:
        return ""
    parsed = parse_timestamp(text)
    if parsed is None:
        raise Refused(400, f"{name} must be a time such as 2026-11-23T08:00:00Z")
    return parsed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULAS):
        return "'" + value
    return "" if value is None else value
