"""One transaction of a charger's, as it is stored; in 2.x with the numbers of its messages (2.0.1 part 2 §E 1.3.2).

Knows no message. Whatever numbers a charger sends, the work and the memory are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import msgspec

from ..facts import Authorization, Start
from ..ocpp.timestamps import MAX_LENGTH, is_earlier

MISSING_NAMED = 200
"""Missing seqNos that an event names at most; their count is exact."""

GAPS = 50
"""Ranges of missing seqNos that are remembered of a transaction; beyond that the earliest are forgotten."""

RECENT = 16
"""Messages whose content is remembered of a transaction beside its first and its last: a charger repeats only the latest. Of earlier ones
only the seqNo is known."""

KEPT_OF_RECENT = 2 - 2 * RECENT
"""Where in the list of them those begin that are kept when one more comes."""

EARLIER = 2 * RECENT
"""Messages that are remembered of the transactions that had the id before; the oldest are forgotten first."""

TOKENS = 4
"""Tokens whose verdicts are remembered of a transaction, beyond which the earliest are forgotten: they begin it, end it, or are refused at both."""


class End(msgspec.Struct, frozen=True):
    """How a transaction ended, as the charger first reported it; ``stop_id`` is the id that it named where that was not known."""

    meter_stop: int | None
    timestamp: str
    reason: str
    tag: str | None = None
    stop_id: int | str | None = None


class TokenVerdict(msgspec.Struct, frozen=True, array_like=True):
    """What a charger was answered last for an idToken of 2.x: its text (empty for NoAuthorization), its type, and the verdict on it."""

    tag: str
    tag_type: str
    verdict: Authorization


class Transaction(msgspec.Struct, omit_defaults=True):
    """One transaction; ``meter`` is the latest reading of its energy register, in Wh: in 2.x that of the message of ``meter_seq`` and ``meter_time``.

    ``backend_id`` is the one the backend has for it where that is not its own. In 2.x the id is the charger's text, and the messages have
    seqNos: all from ``first`` to ``last`` were received except those in ``gaps`` (inclusive ranges); which of those up to ``unknown_to``
    were is forgotten. ``recent`` are the latest messages: seqNo and digest of the content, in turn; ``begun`` and ``ended`` are the digests
    of the messages that began and ended it, ``earlier`` those of messages of transactions that had the id before. ``ended_at`` is when the
    gateway was told of its end, in Unix time. ``renumbered``: a number came again, so that numbers do not order the readings. ``verdicts``
    are those on its tokens in 2.x, the latest last; ``authorization`` is that of the start in 1.6, and in 2.x the latest of all, by which
    earlier versions answered every repeat.
    """

    id: int | str
    conn: int
    tag: str
    meter_start: int | None
    started: str
    authorization: Authorization = msgspec.field(name="authorisation")  # as it is spelled in what is stored already
    provisional: bool = False
    end: End | None = None
    meter: int | None = None
    backend_id: int | None = None
    first: int | None = None
    last: int | None = None
    missing: list[int] = []  # read from records of earlier versions only
    gaps: list[tuple[int, int]] = []
    unknown_to: int | None = None
    recent: list[int | None] = []
    begun: int | None = None
    ended: int | None = None
    ended_at: float | None = None
    meter_seq: int | None = None
    meter_time: str | None = None
    renumbered: bool = False
    earlier: list[int] = []
    verdicts: list[TokenVerdict] = []

    def __post_init__(self) -> None:
        if self.missing:
            self.gaps, self.missing = [(seq_no, seq_no) for seq_no in self.missing], []

    @property
    def verdict(self) -> Start:
        """What the charger was answered at the start."""
        return Start(self.authorization, self.id if isinstance(self.id, int) else self.backend_id, self.provisional)

    @property
    def has_begun(self) -> bool:
        """Whether the message that began it was received; that may have given no time."""
        return bool(self.started) or self.begun is not None

    def began_as(self, timestamp: str | None, tag: str, meter: int | None) -> bool:
        """Whether a start of that time, tag and meter reading is its own, in another wording; what the start leaves out contradicts nothing."""
        return bool(timestamp) and timestamp == self.started and tag in ("", self.tag) and meter in (None, self.meter_start)

    def repeats(self, seq_no: int | None, digest: int, timestamp: str | None) -> bool:
        """Whether a message of that seqNo and content was received before. What is forgotten was not.

        It may have been one of a transaction that had the id before, if it is from before this one began: a charger without a clock, or
        with one that begins anew, says the same in one transaction after another.
        """
        if self.earlier and digest in self.earlier and is_earlier(timestamp, self.started):
            return True
        if seq_no is not None and (self.last is None or seq_no > self.last):  # beyond all that were received
            return False
        if digest in (self.begun, self.ended):
            return True
        if not self.recent and self.last is not None:  # stored by a version that knew numbers only
            return self._received(seq_no)
        return (seq_no, digest) in self._recent()

    def conflicts(self, seq_no: int | None) -> bool:
        """Whether a message, which repeats none that is remembered, has the seqNo of one that was received before."""
        if seq_no is None or self.last is None or seq_no > self.last:
            return False
        return self._received(seq_no) or any(number == seq_no for number, _ in self._recent())

    def successor(self) -> Transaction:
        """Another transaction under the same id, which remembers the messages of this one."""
        digests = dict.fromkeys([*self.earlier, *self.recent[1::2], self.begun, self.ended])
        earlier = [digest for digest in digests if digest is not None]
        return Transaction(self.id, 0, "", None, "", Authorization(), earlier=earlier[-EARLIER:], verdicts=self.verdicts)

    def verdict_on(self, tag: str, tag_type: str) -> Authorization | None:
        """What was said of this token; None if that is not known. Of no token at all nothing is said: any verdict will do."""
        if not tag and not tag_type:
            return self.authorization
        return next((each.verdict for each in self.verdicts if (each.tag, each.tag_type) == (tag, tag_type)), None)

    def note_verdict(self, tag: str, tag_type: str, verdict: Authorization) -> None:
        """This was said of a token, or of none."""
        self.authorization = verdict
        if tag or tag_type:
            others = [each for each in self.verdicts if (each.tag, each.tag_type) != (tag, tag_type)]
            self.verdicts = [*others, TokenVerdict(tag, tag_type, verdict)][-TOKENS:]

    def note(self, seq_no: int | None, digest: int) -> tuple[int, int] | None:
        """A message was received; the range of seqNos, if any, that is found to be missing now."""
        self.recent = [*self.recent[KEPT_OF_RECENT:], seq_no, digest]
        if seq_no is None:
            return None
        if self.last is not None and seq_no == self.last + 1 and not self.gaps and self.first is not None:  # nearly every message
            self.last = seq_no
            return None
        if self.first is None or self.last is None:
            self.first = self.last = seq_no
            return None
        gap: tuple[int, int] | None = None
        if seq_no > self.last:
            gap = (self.last + 1, seq_no - 1) if seq_no > self.last + 1 else None
            self.gaps, self.last = [*self.gaps, *([gap] if gap else [])], seq_no
        elif seq_no < self.first:
            gap = (seq_no + 1, self.first - 1) if seq_no < self.first - 1 else None
            self.gaps, self.first = [*([gap] if gap else []), *self.gaps], seq_no
        elif self.gaps:
            self.gaps = list(_without(self.gaps, seq_no))
        if len(self.gaps) > GAPS:
            last_forgotten = self.gaps[-GAPS - 1][1]
            self.unknown_to = last_forgotten if self.unknown_to is None else max(self.unknown_to, last_forgotten)
            self.gaps = self.gaps[-GAPS:]
        return gap

    def note_meter(self, seq_no: int | None, timestamp: str | None, meter: int | None) -> None:
        """A reading of the energy register, in Wh; that of the highest seqNo counts, in whatever order messages arrive.

        Where numbers do not order them, times do; the higher of two readings counts all the same, since the charger may have lost its clock
        with its numbers, but never the energy that its meter has counted.
        """
        if meter is None:
            return
        if self.meter is None:
            counts = True
        elif self.renumbered or seq_no is None or self.meter_seq is None:
            counts = meter >= self.meter or not is_earlier(timestamp, self.meter_time)
        else:
            counts = seq_no >= self.meter_seq
        if counts:
            self.meter, self.meter_seq = meter, seq_no
            self.meter_time = timestamp if timestamp and len(timestamp) <= MAX_LENGTH else None

    def _recent(self) -> Iterator[tuple[int | None, int | None]]:
        return zip(self.recent[::2], self.recent[1::2], strict=True)

    def _received(self, seq_no: int | None) -> bool:
        if seq_no is None or (self.unknown_to is not None and seq_no <= self.unknown_to):
            return False
        within = self.first is not None and self.last is not None and self.first <= seq_no <= self.last
        return within and not any(low <= seq_no <= high for low, high in self.gaps)


def named(gaps: list[tuple[int, int]]) -> list[int]:
    """The seqNos in these ranges, the first `MISSING_NAMED` of them."""
    return list(islice(chain.from_iterable(range(low, high + 1) for low, high in gaps), MISSING_NAMED))


def count(gaps: list[tuple[int, int]]) -> int:
    """How many seqNos are in these ranges."""
    return sum(high - low + 1 for low, high in gaps)


def _without(gaps: list[tuple[int, int]], seq_no: int) -> Iterator[tuple[int, int]]:
    for low, high in gaps:
        if not low <= seq_no <= high:
            yield low, high
            continue
        if low < seq_no:
            yield low, seq_no - 1
        if seq_no < high:
            yield seq_no + 1, high
