"""One charger's transactions: which began, which message repeats an earlier one, which start a stop belongs to (OCPP 1.6 §4.8, §4.10).

Knows only its own charger's transactions: a stop of another charger's finds nothing here. Energies are Wh, times the charger's own.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import msgspec
from msgspec.structs import replace

from ..facts import Authorization, Start, Started, Stopped
from ..ocpp.timestamps import parse_timestamp
from .entries import Effect, Put
from .transaction import End, Transaction
from .transaction_key import namesake, stored_key

KEPT = 50
"""Ended transactions that stay in the ledger: a charger repeats only the last few."""

SPARE = 10
"""Transactions above `KEPT` at which the oldest are pruned, all at once."""

UNKNOWN_STOP = "stop:"
"""What the keys of stops begin with that belong to no known start; they are kept among the ended transactions, to know their repeats."""

REPEATED_WITHIN = 3600.0
"""Seconds after its end for which a start equal to that of a transaction is its repeat; later it begins another transaction."""

OPEN = 256
"""Open transactions that are kept: a charger has a few connectors, a site that is connected as one some hundred; older ones will never end."""


class Closing(NamedTuple):
    """What a stop is matched with.

    ``match`` is exact, by_connector or none, ``matched`` the transaction; ``repeat``: an exact copy of the stop received before,
    ``duplicate``: a differing second one.
    """

    match: str
    energy_wh: int | None = None
    duration_s: int | None = None
    repeat: bool = False
    duplicate: bool = False
    effects: tuple[Effect, ...] = ()
    matched: Transaction | None = None


Same = tuple[str, int, str, int | None]
"""What identifies a start of 1.6 and its repeats: time, connector, tag and meter."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Transaction).decode


class Ledger:
    """Opened with the JSON of each stored transaction; every change returns the effects that store it."""

    __slots__ = ("_starts", "_transactions")

    def __init__(self, kept: list[bytes] | None = None) -> None:
        self._transactions: dict[int | str, Transaction] = {}
        self._starts: dict[Same, Transaction] = {}
        for text in kept or ():
            try:
                transaction = _decode(text)
            except ValueError:
                continue  # written by another version of this program: it is left alone
            known = self._transactions.get(transaction.id)
            if known is not None and _progress(known) > _progress(transaction):
                continue  # under the key of earlier versions, and under ours
            self._transactions[transaction.id] = transaction
            self._starts[_same(transaction)] = transaction

    @property
    def running(self) -> list[Transaction]:
        """The transactions that have not ended, in no particular order."""
        return [each for each in self._transactions.values() if each.end is None]

    def find(self, id: int | str) -> Transaction | None:
        """The charger's own transaction of that id."""
        return self._transactions.get(id)

    def repeated(self, start: Started, now: float = 0.0) -> Transaction | None:
        """The transaction that this start, sent before under whatever message id, began; ``now`` is Unix time.

        A charger whose clock begins anew at each boot sends equal starts of different transactions: what has ended is repeated only for
        `REPEATED_WITHIN`, and by a start without a readable time not at all.
        """
        transaction = self._starts.get((start.timestamp or "", start.conn, start.tag, start.meter_start))
        if transaction is None or transaction.end is None:
            return transaction
        old = transaction.ended_at is not None and now - transaction.ended_at > REPEATED_WITHIN
        return None if old or parse_timestamp(transaction.started) is None else transaction

    def begin(self, start: Started, verdict: Start) -> tuple[Effect, ...]:
        """Enter a new transaction; ``verdict`` has its id."""
        assert verdict.transaction_id is not None
        transaction = Transaction(
            verdict.transaction_id,
            start.conn,
            start.tag,
            start.meter_start,
            start.timestamp or "",
            verdict.authorization,
            verdict.provisional,
        )
        transaction.backend_id = verdict.backend_id
        self._transactions[transaction.id] = self._starts[_same(transaction)] = transaction
        return self.kept(transaction)

    def reconcile(self, id: int | str, backend_id: int | None) -> tuple[Effect, ...]:
        """The backend has answered on a provisional transaction, which may have been pruned meanwhile."""
        transaction = self._transactions.get(id)
        if transaction is None:
            return ()
        transaction.provisional, transaction.backend_id = False, backend_id
        return self._stored(transaction)

    def close(self, stop: Stopped, now: float = 0.0) -> Closing:
        """Enter a stop. One of an unknown id is matched with the only open transaction, if its tag and times fit, and ends that."""
        end = End(stop.meter_stop, stop.timestamp or "", stop.reason, stop.tag)
        transaction = self._transactions.get(stop.transaction_id)
        if transaction is not None:
            return self._closed("exact", transaction, end, transaction.end and replace(transaction.end, stop_id=None), now)
        named = replace(end, stop_id=stop.transaction_id)
        transaction = self._stopped_as(named)
        if transaction is not None and isinstance(transaction.id, str):
            return Closing("none", repeat=True)
        if transaction is None and len(self.running) == 1 and _fits(self.running[0], stop):
            transaction = self.running[0]
        if transaction is not None:
            return self._closed("by_connector", transaction, named, transaction.end, now)
        unknown = self.enter(f"{UNKNOWN_STOP}{crc32(_encode(named)):08x}")
        unknown.end, unknown.ended_at = named, now
        return Closing("none", effects=self.kept(unknown))

    def _closed(self, match: str, transaction: Transaction, end: End, before: End | None, now: float) -> Closing:
        """The transaction is ended by this stop, unless it had been by the one before."""
        energy, seconds = _energy(transaction, end.meter_stop), duration(transaction.started, end.timestamp)
        if transaction.end is not None:
            return Closing(match, energy, seconds, repeat=before == end, duplicate=before != end, matched=transaction)
        transaction.end, transaction.ended_at = end, now
        return Closing(match, energy, seconds, effects=self._stored(transaction), matched=transaction)

    def _stopped_as(self, end: End) -> Transaction | None:
        """What this stop of an unknown id, or another one of the same id (-1 and 0 are nobody's), has ended before."""
        ended = [each for each in self._transactions.values() if each.end is not None and each.end.stop_id == end.stop_id]
        own_id = isinstance(end.stop_id, int) and end.stop_id > 0
        same = (each for each in ended if each.end == end)
        return next(same, next((each for each in ended if own_id and isinstance(each.id, int)), None))

    # the messages of 2.x, which arrive in any order

    def enter(self, id: str) -> Transaction:
        """The charger's transaction of that id; a new one if this is the first message of it to arrive."""
        transaction = self._transactions.get(id)
        if transaction is None:
            transaction = self._transactions[id] = Transaction(id, 0, "", None, "", Authorization())
        return transaction

    def renew(self, id: str) -> Transaction:
        """A new transaction under the id of another one: a charger that has lost its memory counts from the beginning again."""
        old = self._transactions.pop(id)
        if self._starts.get(_same(old)) is old:
            del self._starts[_same(old)]
        renewed = self._transactions[id] = old.successor()
        return renewed

    def kept(self, transaction: Transaction) -> tuple[Effect, ...]:
        """The effects that store it as it is now."""
        stored = self._stored(transaction)
        return stored if len(self._transactions) <= KEPT + SPARE else (*stored, *self._prune())

    def _stored(self, transaction: Transaction) -> tuple[Effect, ...]:
        """The effects that store it, and in 1.6 its namesake of 2.x too, which an earlier version has stored under the same key."""
        if namesake(transaction.id) is None:
            return (_keep(transaction),)
        other = self._transactions.get(str(transaction.id)) if isinstance(transaction.id, int) else None
        return (_keep(transaction), *self._former(transaction.id)) if other is None else (_keep(transaction), _keep(other))

    def _former(self, id: int | str) -> tuple[Effect, ...]:
        """The effect that clears a text's key of earlier versions, unless its namesake has that."""
        other = namesake(id)
        return (Put("transactions", str(id), None),) if isinstance(other, int) and other not in self._transactions else ()

    def end(self, transaction: Transaction, stop: Stopped, now: float = 0.0) -> Closing:
        """Its last message was received; others may still be missing."""
        last = stop.meter_stop if stop.meter_stop is not None else transaction.meter
        duplicate, known = transaction.end is not None, transaction.has_begun
        transaction.end = transaction.end or End(last, stop.timestamp or "", stop.reason, stop.tag)
        transaction.ended_at = now
        seconds = duration(transaction.started, stop.timestamp) if known else None
        return Closing("exact" if known else "none", _energy(transaction, last), seconds, duplicate=duplicate)

    def _prune(self) -> tuple[Effect, ...]:
        """Drop those that are too old to be repeated."""
        ended = sorted((each for each in self._transactions.values() if each.end is not None), key=_ended_at)
        gone = [*ended[: max(0, len(ended) - KEPT)], *self.running[: max(0, len(self.running) - OPEN)]]
        for each in gone:
            del self._transactions[each.id]
            if self._starts.get(_same(each)) is each:
                del self._starts[_same(each)]
        return tuple(effect for each in gone for effect in (Put("transactions", stored_key(each.id), None), *self._former(each.id)))


def duration(start: str, stop: str | None) -> int | None:
    """Whole seconds between two ISO 8601 times (UTC where they name no zone); None when one cannot be read."""
    begin, end = parse_timestamp(start), parse_timestamp(stop or "")
    return None if begin is None or end is None else round((end - begin).total_seconds())


def _energy(transaction: Transaction, meter_stop: int | None) -> int | None:
    """Wh delivered; unknown when the meter has run backwards: it was exchanged, or reset."""
    if meter_stop is None or transaction.meter_start is None or meter_stop < transaction.meter_start:
        return None
    return meter_stop - transaction.meter_start


def _fits(transaction: Transaction, stop: Stopped) -> bool:
    seconds = duration(transaction.started, stop.timestamp)
    same_tag = stop.tag is None or stop.tag == transaction.tag
    return same_tag and seconds is not None and seconds >= 0 and _energy(transaction, stop.meter_stop) is not None


def _ended_at(transaction: Transaction) -> float:
    """By our clock, since the charger's may be wrong by years; earlier versions did not store that for every transaction."""
    if transaction.ended_at is not None:
        return transaction.ended_at
    told = parse_timestamp(transaction.started or (transaction.end.timestamp if transaction.end else ""))
    return told.timestamp() if told is not None else 0.0


def _same(transaction: Transaction) -> Same:
    return transaction.started, transaction.conn, transaction.tag, transaction.meter_start


def _keep(transaction: Transaction) -> Put:
    return Put("transactions", stored_key(transaction.id), _encode(transaction))


def _progress(transaction: Transaction) -> tuple[bool, int]:
    return transaction.end is not None, transaction.last or 0
