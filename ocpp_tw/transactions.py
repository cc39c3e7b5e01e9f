"""The ledger of one charger's transactions: what began, what repeats, what a stop belongs to (OCPP 1.6 §4.8, §4.10).

Knows only its own charger's transactions: a stop of another's finds nothing here. Energies are Wh, times the charger's own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from .facts import Authorisation, Start, Started, Stopped
from .store import Effect, Keep

KEPT = 50
"""How many ended transactions stay in the ledger: a charger's repeats are of the last few."""

OPEN = 100
"""How many may be open: a charger has a few connectors, what is older will never end."""


class End(msgspec.Struct, frozen=True):
    """How a transaction ended, as the charger told it first."""

    meter_stop: int
    timestamp: str
    reason: str
    tag: str | None = None


class Transaction(msgspec.Struct, omit_defaults=True):
    """One transaction; ``meter`` is the latest reading of its energy register, in Wh."""

    id: int
    conn: int
    tag: str
    meter_start: int
    started: str
    authorisation: Authorisation
    provisional: bool = False
    end: End | None = None
    meter: int | None = None

    @property
    def verdict(self) -> Start:
        """What the charger was answered at the start."""
        return Start(self.authorisation, self.id, self.provisional)


class Closing(NamedTuple):
    """What a StopTransaction turned out to be.

    ``match`` is exact, by_connector or none; ``repeat`` an exact copy of the stop we know, ``duplicate`` a differing second one.
    """

    match: str
    energy_wh: int | None = None
    duration_s: int | None = None
    repeat: bool = False
    duplicate: bool = False
    effects: tuple[Effect, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Transaction).decode


class Ledger:
    """Opened with the JSON of each transaction that is kept; every change comes with the effects that keep it."""

    __slots__ = ("_transactions",)

    def __init__(self, kept: list[bytes] | None = None) -> None:
        self._transactions: dict[int, Transaction] = {}
        for text in kept or ():
            try:
                transaction = _decode(text)
            except ValueError:
                continue  # written by another version of this program: no use here, no harm either
            self._transactions[transaction.id] = transaction

    @property
    def running(self) -> list[Transaction]:
        """The transactions that have not ended, in no order."""
        return [each for each in self._transactions.values() if each.end is None]

    def find(self, id: int) -> Transaction | None:
        """The charger's own transaction of that id."""
        return self._transactions.get(id)

    def repeated(self, start: Started) -> Transaction | None:
        """The transaction that this very start began before, under whatever message id."""
        for each in self._transactions.values():
            if (each.conn, each.tag, each.meter_start, each.started) == (start.conn, start.tag, start.meter_start, start.timestamp):
                return each
        return None

    def begin(self, start: Started, verdict: Start) -> tuple[Effect, ...]:
        """Enter a new transaction; ``verdict`` has its id."""
        assert verdict.transaction_id is not None
        transaction = Transaction(
            verdict.transaction_id, start.conn, start.tag, start.meter_start, start.timestamp, verdict.authorisation, verdict.provisional
        )
        self._transactions[transaction.id] = transaction
        return (_keep(transaction), *self._prune())

    def meter(self, id: int, wh: int) -> None:
        """A reading of the transaction's energy register, in Wh. It is not kept over a restart: the next one is soon there."""
        transaction = self._transactions.get(id)
        if transaction is not None:
            transaction.meter = wh

    def close(self, stop: Stopped) -> Closing:
        """Enter a stop. An unknown one is matched with the only open transaction, if its tag and times fit, and changes nothing."""
        end = End(stop.meter_stop, stop.timestamp, stop.reason, stop.tag)
        transaction = self._transactions.get(stop.transaction_id)
        if transaction is None:
            running = self.running
            if len(running) == 1 and _fits(running[0], stop):
                return Closing("by_connector", _energy(running[0], stop), duration(running[0].started, stop.timestamp))
            return Closing("none")
        energy, seconds = _energy(transaction, stop), duration(transaction.started, stop.timestamp)
        if transaction.end is not None:
            return Closing("exact", energy, seconds, repeat=transaction.end == end, duplicate=transaction.end != end)
        transaction.end = end
        return Closing("exact", energy, seconds, effects=(_keep(transaction),))

    def _prune(self) -> tuple[Effect, ...]:
        ended = sorted((each for each in self._transactions.values() if each.end is not None), key=lambda each: each.started)
        gone = [*ended[: max(0, len(ended) - KEPT)], *self.running[: max(0, len(self.running) - OPEN)]]
        for each in gone:
            del self._transactions[each.id]
        return tuple(Keep("transactions", str(each.id), None) for each in gone)


def duration(start: str, stop: str) -> int | None:
    """Whole seconds between two ISO 8601 times (UTC where they name no zone); None when one cannot be read."""
    begin, end = _time(start), _time(stop)
    return None if begin is None or end is None else round((end - begin).total_seconds())


def _energy(transaction: Transaction, stop: Stopped) -> int | None:
    """Wh delivered; unknown when the meter seems to have run backwards: it was exchanged, or reset."""
    energy = stop.meter_stop - transaction.meter_start
    return energy if energy >= 0 else None


def _fits(transaction: Transaction, stop: Stopped) -> bool:
    seconds = duration(transaction.started, stop.timestamp)
    same_tag = stop.tag is None or stop.tag == transaction.tag
    return same_tag and seconds is not None and seconds >= 0 and stop.meter_stop >= transaction.meter_start


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text.strip().upper())  # RFC 3339 allows t and z as well
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _keep(transaction: Transaction) -> Keep:
    return Keep("transactions", str(transaction.id), _encode(transaction))
