"""Registers the chargers of a file, several at a time, and keeps the passwords that were made for them.

Knows neither CSV nor the command line.
"""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TextIO

from ..operators.decision_reader import KEEP
from .client import Client, Unreachable, path_of
from .table import Row

USELESS = (401, 403, 409)
"""Statuses that every further request would get as well: no token for it, or a gateway without the key of passwords."""


NOT_TRIED = "not tried"


class Outcome(NamedTuple):
    """What became of one line; ``why`` is "" if the charger is registered, `NOT_TRIED` if it was of no use to try."""

    row: Row
    why: str


class Passwords:
    """The file with generated passwords: a new one, which only its owner may read, written line by line."""

    def __init__(self, name: str) -> None:
        self._file: TextIO = os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._lock = threading.Lock()
        self._write(("id", "password"))

    def keep(self, row: Row) -> None:
        """Write the charger's password before anything can be lost."""
        if row.generated:
            self._write((row.id, row.decision["password"]))

    def _write(self, cells: Sequence[str]) -> None:
        with self._lock:
            self._writer.writerow(cells)
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class Import:
    """``connect`` makes a connection for each of as many threads as ``connections`` says; ``keep`` gets each row whose password may be in
    force, ``done`` is called after each."""

    def __init__(
        self, connect: Callable[[], Client], connections: int, keep: Callable[[Row], None], done: Callable[[], object] = lambda: None
    ) -> None:
        self._connect = connect
        self._connections = connections
        self._keep = keep
        self._done = done
        self._own = threading.local()
        self._clients: list[Client] = []
        self._useless = ""

    def run(self, rows: Sequence[Row]) -> list[Outcome]:
        """Register them; the first alone, since it shows whether any can be."""
        if not rows:
            return []
        outcomes = [self._register(rows[0])]
        with ThreadPoolExecutor(self._connections) as threads:
            outcomes += threads.map(self._register, rows[1:])
        for each in self._clients:
            each.close()
        return outcomes

    def _client(self) -> Client:
        if not hasattr(self._own, "client"):
            self._own.client = self._connect()
            self._clients.append(self._own.client)
        return self._own.client  # type: ignore[no-any-return]

    def _register(self, row: Row) -> Outcome:
        if self._useless:
            return Outcome(row, NOT_TRIED)
        try:
            answer = self._client().ask("PUT", f"{path_of(row.id)}?unchanged={KEEP}", row.decision)
        except Unreachable as why:
            self._useless = str(why)
            self._keep(row)  # it may have been set all the same
            return Outcome(row, str(why))
        self._done()
        if answer.status == 200:
            self._keep(row)
            return Outcome(row, "")
        if answer.status in USELESS:
            self._useless = answer.why
        elif answer.status >= 500:
            self._keep(row)
        return Outcome(row, answer.why)
