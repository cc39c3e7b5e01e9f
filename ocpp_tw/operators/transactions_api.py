"""HTTP about transactions, running and ended, of the whole fleet: as JSON, and as CSV for a spreadsheet.

Knows neither ledgers nor where histories are kept.
"""

from __future__ import annotations

import csv
import io
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from twisted.web.iweb import IRequest

from ..core import history
from ..core.history import EndedTransaction
from ..monitoring.fleet_transactions import FleetTransactions
from ..monitoring.history_reader import HistoryReader
from ..monitoring.rows import iso
from ..monitoring.told import Fleet, RunningTransaction
from ..monitoring.transactions import Position, RunningQuery
from .answering import answer_json
from .described import X_MISSING, Header, described
from .history_page import NO_CURSOR, Limit, history_page
from .parameters import Time, query_of
from .serving import HttpAnswer, Refused, klein_app, run

MAX_CSV = 20_000
"""Most rows of a CSV."""

RUNNING, FIRST = "r-", "first"
"""How a cursor begins that leads to a running transaction, and the one before all that have ended."""

CSV_COLUMNS = (
    "state", "charger", "conn", "id", "backend_id", "tag", "started", "ended", "duration_s", "energy_wh", "meter_start", "meter_stop", "power_w",
    "soc", "reason", "provisional", "match", "gateway", "ocpp", "time", "since", "charging_state", "away",
)  # fmt: skip

_FORMULA = re.compile(r"[\s\x00-\x1f\u200b\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-]|[\t\r]")
"""How a text begins that a spreadsheet may take for a formula, also one that drops blanks before it, or makes fullwidth signs plain ones: it
gets an apostrophe before it."""


class TransactionsQuery(msgspec.Struct, frozen=True):
    """Which transactions."""

    state: Literal["", "running", "ended"] = ""
    """only those that run, or only those that have ended"""
    charger: str = ""
    """only those of this charger"""
    tag: str = ""
    """only those that this tag began"""
    provisional: bool = False
    """true: only those whose id is the gateway's own, since the backend could not be asked"""
    begin: Time | None = msgspec.field(name="from", default=None)
    """only those that have ended since then, or, if they run, begun"""
    end: Time | None = msgspec.field(name="to", default=None)
    """only those that have ended before then, or, if they run, begun"""
    cursor: str = ""
    """`cursor` of the page before"""
    limit: int = 0

    def running(self, after: Position | None, limit: int) -> RunningQuery:
        """What to ask for of those that run."""
        begin, end = [None if each is None else each.timestamp() for each in (self.begin, self.end)]
        return RunningQuery(self.charger, self.tag, self.provisional, begin, end, after, limit)

    def lets_through(self, row: dict[str, Any]) -> bool:
        """Whether one that has ended is among them."""
        begin, end = [None if each is None else iso(each.timestamp()) for each in (self.begin, self.end)]
        return (
            self.charger in ("", row.get("charger"))
            and self.tag in ("", row.get("tag"))
            and (not self.provisional or bool(row.get("provisional")))
            and (begin is None or str(row.get("time")) >= begin)
            and (end is None or str(row.get("time")) < end)
        )


class TransactionsPageQuery(TransactionsQuery, frozen=True):
    """Which transactions, and how many."""

    limit: Limit = 100
    """at most so many"""


class TransactionsCsvQuery(TransactionsQuery, frozen=True):
    """Which transactions, and how many."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_CSV)] = MAX_CSV
    """at most so many"""


class TransactionsAnswer(Fleet):
    """A page of transactions; those of gateways that have not answered, and that run, are not among them."""

    rows: list[RunningTransaction | EndedTransaction]
    """those that run, the latest first, then those that have ended, the latest first"""
    cursor: str | None
    """leads to the next page; null if there is none"""


class Found(NamedTuple):
    """A page of them, and whether all gateways have told those that run."""

    rows: list[dict[str, Any]]
    cursor: str | None
    missing: list[str]
    trouble: str


CURSOR = Header("leads to the rows behind these, as the parameter `cursor` of the same query; left out where there are none")


class TransactionsApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/transactions",)

    def __init__(self, transactions: FleetTransactions, histories: HistoryReader) -> None:
        self._transactions = transactions
        self._histories = histories

    @app.route("/api/transactions", methods=["GET"])
    @described({200: TransactionsAnswer}, query=TransactionsPageQuery)
    def transactions(self, request: IRequest) -> HttpAnswer:
        """A page of them: first those that run, the latest first, then those that have ended."""

        async def answer() -> bytes:
            rows, cursor, missing, trouble = await self._page(query_of(request, TransactionsPageQuery))
            return answer_json(request, 200, {"rows": rows, "cursor": cursor, "missing": missing, "trouble": trouble})

        return run(request, answer())

    @app.route("/api/transactions.csv", methods=["GET"])
    @described({200: None}, query=TransactionsCsvQuery, media="text/csv", headers={"X-Cursor": CURSOR, **X_MISSING})
    def as_csv(self, request: IRequest) -> HttpAnswer:
        """The same as CSV (RFC 4180), with more of them at once.

        The header X-Cursor, where there is one, leads to those behind them; X-Missing names gateways that did not answer.
        """

        async def answer() -> bytes:
            rows, cursor, missing, trouble = await self._page(query_of(request, TransactionsCsvQuery))
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(CSV_COLUMNS)
            writer.writerows([[_cell(row.get(name)) for name in CSV_COLUMNS] for row in rows])
            request.setHeader("content-type", "text/csv; charset=utf-8")
            request.setHeader("content-disposition", 'attachment; filename="transactions.csv"')
            if cursor:
                request.setHeader("x-cursor", cursor)
            if missing or trouble:
                request.setHeader("x-missing", ",".join(missing) or "others")
            return text.getvalue().encode("utf-8", "replace")

        return run(request, answer())

    async def _page(self, query: TransactionsQuery) -> Found:
        rows: list[dict[str, Any]] = []
        missing: list[str] = []
        trouble, cursor = "", query.cursor
        if query.state != "ended" and (not cursor or cursor.startswith(RUNNING)):
            after = _running_at(cursor)
            while True:
                wanted = query.running(after, query.limit - len(rows))
                told, after, missing, trouble = await self._transactions.running(wanted)
                rows += told
                if after is None:
                    break
                if len(rows) >= query.limit:
                    return Found(rows, _behind(after), missing, trouble)
            cursor = ""
        elif query.state == "running":
            raise Refused(400, NO_CURSOR)
        if query.state == "running":
            return Found(rows, None, missing, trouble)
        if len(rows) >= query.limit:  # the next page begins with the first that has ended
            return Found(rows, FIRST, missing, trouble)
        cursor = "" if cursor == FIRST else cursor
        words = query.charger, query.tag
        page = await history_page(self._histories, history.TRANSACTIONS, query.limit - len(rows), cursor, query.lets_through, *words)
        ended = {(row.get("charger"), row.get("id")): str(row.get("time")) for row in reversed(page.rows)}
        # it may have ended since those that run were told; ids come again
        rows = [row for row in rows if ended.get((row["charger"], row["id"]), "") < iso(row["since"] or 0)]
        return Found(rows + page.rows, page.cursor, missing, trouble)


def _behind(running: Position) -> str:
    """The cursor of the page behind a running transaction."""
    return RUNNING + urlsafe_b64encode(msgspec.json.encode(running)).decode().rstrip("=")


def _running_at(cursor: str) -> Position | None:
    """Behind which running transaction a cursor leads; None if to the first. Raises `Refused`."""
    text = cursor.removeprefix(RUNNING)
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Position) if cursor else None
    except ValueError:  # also of base64 and of msgspec
        raise Refused(400, NO_CURSOR) from None


def _cell(value: Any) -> Any:
    if isinstance(value, str) and _FORMULA.match(value):
        return "'" + value
    return "" if value is None else value
