"""One command for many chargers: given to some at a time, with its progress and a summary.

Knows neither HTTP nor which chargers there are. A batch lives in the gateway that was given it, and ends with it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

import msgspec
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..core import history
from ..core.commands import Invalid, parse
from ..core.security import Operator
from ..dispatch.by_http import Busy
from ..interfaces import StoreUnavailable
from .given import UNKNOWN
from .history_reader import Page
from .told import BatchFailure, BatchReport, BatchSummary

MAX_CHARGERS = 20_000
"""Most chargers of a batch."""

MAX_BATCHES = 100
"""Most batches that are remembered; beyond that the first that have ended are forgotten."""

MAX_RUNNING = 5
"""Most batches that run at once."""

AT_ONCE = 50
"""Most commands of a batch that wait for their results."""

MAX_FAILED = 100
"""Most failures that are told of a batch, the first ones."""

MAX_STATUSES, MAX_STATUS, OTHER = 50, 100, "other"
"""Most different statuses that are counted of a batch, and characters of one; all further ones are counted as one."""

MAX_UNKNOWN = 1000
"""Most commands of a batch of which nothing but their `command_result` will tell the result, and of which it is remembered that it is looked for."""

LOOK_AFTER = 5.0
"""Seconds between two looks for those results."""

RETRY = 1.0
"""Seconds until a batch goes on, where too many commands by HTTP wait for their results."""


class Gives(Protocol):
    """Gives commands (`ocpp_tw.monitoring.given.GivenCommands`)."""

    def give(self, body: bytes, operator: Operator, ended: Callable[[dict[str, Any]], None]) -> tuple[str, str]:
        """Begin one; its id and its charger."""


class Results(Protocol):
    """Knows the results of commands (`ocpp_tw.monitoring.history_reader.HistoryReader`)."""

    async def page(self, history: str, limit: int, cursor: str = "", matches: Callable[[dict[str, Any]], bool] = ...) -> Page:
        """The newest that match."""


class TooManyBatches(Exception):
    """As many batches run as may."""


class Batch:
    """``command`` is a neutral or raw one without a charger."""

    def __init__(self, id: str, command: dict[str, Any], chargers: list[str], operator: Operator, time: str) -> None:
        self.id, self.command, self.operator, self.time = id, command, operator, time
        self.total = len(chargers)
        self.waiting = deque(chargers)
        self.running = 0
        self.outcomes: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        """Of the answers that have one: a charger that has answered may have said no."""
        self.failed: list[BatchFailure] = []
        self.unknown: dict[str, str] = {}
        """By the ids of commands of which only their `command_result` will tell: their chargers."""
        self.looked = 0.0
        self.stopped = False

    @property
    def done(self) -> int:
        """How many have their result."""
        return self.outcomes.total()

    @property
    def over(self) -> bool:
        """Whether all have."""
        return self.done >= self.total

    def ended(self, charger: str, result: dict[str, Any]) -> None:
        """One has its result."""
        outcome = str(result.get("outcome") or result.get("state") or "unknown")
        self.outcomes[outcome] += 1
        if outcome == "result" and result.get("status"):
            self.statuses[str(result["status"])[:MAX_STATUS] if len(self.statuses) < MAX_STATUSES else OTHER] += 1
        if outcome == UNKNOWN["state"] and len(self.unknown) < MAX_UNKNOWN:
            self.unknown[str(result.get("id"))] = charger
        if outcome != "result" and len(self.failed) < MAX_FAILED:
            told = {name: result.get(name) for name in ("id", "status", "error")}
            self.failed.append(cast(BatchFailure, {"charger": charger, **told, "outcome": outcome}))

    def became_known(self, result: dict[str, Any]) -> None:
        """What was the result of one is known by now."""
        charger = self.unknown.pop(str(result.get("id")))
        self.outcomes[UNKNOWN["state"]] -= 1
        self.outcomes += Counter()  # without what is 0
        self.failed = [each for each in self.failed if each["id"] != result.get("id")]
        self.ended(charger, result)

    def report(self) -> BatchReport:
        """As it is told."""
        return {
            "id": self.id,
            "time": self.time,
            "by": self.operator.name,
            "command": self.command.get("command") or self.command.get("data", [None] * 3)[2],
            "total": self.total,
            "done": self.done,
            "over": self.over,
            "outcomes": dict(self.outcomes),
            "statuses": dict(self.statuses),
            "failed": self.failed,
        }


class Batches:
    """One for a gateway. ``make_id`` makes a unique id."""

    def __init__(self, given: Gives, results: Results, clock: IReactorTime, make_id: Callable[[], str], now: Callable[[], str]) -> None:
        self._given = given
        self._results = results
        self._clock = clock
        self._make_id = make_id
        self._now = now
        self._batches: OrderedDict[str, Batch] = OrderedDict()
        self._retries: dict[str, IDelayedCall] = {}

    def begin(self, command: dict[str, Any], chargers: list[str], operator: Operator) -> BatchReport:
        """Begin a batch; returns its report.

        Raises:
            Invalid: that is no command.
            TooManyBatches: try again later.
        """
        if sum(not each.over for each in self._batches.values()) >= MAX_RUNNING:
            raise TooManyBatches(f"{MAX_RUNNING} batches run already")
        batch = Batch(self._make_id(), command, chargers, operator, self._now())
        parse(_body(batch, "any", self._make_id()))
        self._batches[batch.id] = batch
        for id in [each.id for each in self._batches.values() if each.over][: max(0, len(self._batches) - MAX_BATCHES)]:
            del self._batches[id]
        self._go_on(batch)
        return batch.report()

    async def find(self, id: str) -> BatchReport | None:
        """The report of a batch; None if it is not remembered here."""
        batch = self._batches.get(id)
        if batch is not None and batch.unknown and self._clock.seconds() - batch.looked >= LOOK_AFTER:
            batch.looked = self._clock.seconds()
            await self._look_for_results(batch)
        return None if batch is None else batch.report()

    async def _look_for_results(self, batch: Batch) -> None:
        wanted = set(batch.unknown)
        try:
            page = await self._results.page(history.COMMANDS, len(wanted), matches=lambda row: row.get("id") in wanted)
        except (TimeoutError, StoreUnavailable):
            return
        for row in page.rows:
            if str(row.get("id")) in batch.unknown:
                batch.became_known(row)

    def all(self) -> list[BatchSummary]:
        """Those that are remembered, the latest first, without the member that has their failures."""
        reports = [each.report() for each in reversed(self._batches.values())]
        return [cast(BatchSummary, {name: told for name, told in each.items() if name != "failed"}) for each in reports]

    def stop(self) -> None:
        """Begin no more commands."""
        for batch in self._batches.values():
            batch.stopped = True
        for each in self._retries.values():
            each.cancel()
        self._retries.clear()

    def _go_on(self, batch: Batch) -> None:
        self._retries.pop(batch.id, None)
        while batch.waiting and batch.running < AT_ONCE and not batch.stopped:
            charger = batch.waiting.popleft()
            batch.running += 1
            try:
                self._given.give(_body(batch, charger, self._make_id()), batch.operator, partial(self._ended, batch, charger))
            except Busy:
                batch.running -= 1
                batch.waiting.appendleft(charger)
                if batch.id not in self._retries:
                    self._retries[batch.id] = self._clock.callLater(RETRY, self._go_on, batch)
                return
            except Invalid as why:  # of this charger only: its identity is none that a command can have
                batch.running -= 1
                batch.ended(charger, {"outcome": "invalid", "error": {"code": "invalid", "description": str(why)}})

    def _ended(self, batch: Batch, charger: str, result: dict[str, Any]) -> None:
        batch.running -= 1
        batch.ended(charger, result)
        if batch.waiting and batch.id not in self._retries and not batch.stopped:
            self._retries[batch.id] = self._clock.callLater(0, self._go_on, batch)  # or results at once would go on in each other


def _body(batch: Batch, charger: str, id: str) -> bytes:
    """The command as it is given to one charger; a raw one gets an id of its own, since one id cannot be shared."""
    command = {name: value for name, value in batch.command.items() if name not in ("cp_id", "CpID", "id")}
    data = command.get("data")
    if "command" not in command and isinstance(data, list) and len(data) == 4:
        return msgspec.json.encode({**command, "CpID": charger, "data": [data[0], id, *data[2:]]})
    return msgspec.json.encode({**command, "cp_id": charger, "id": id})
