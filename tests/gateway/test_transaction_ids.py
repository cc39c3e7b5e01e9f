"""Transaction ids: leased ahead, from the reserve when there is no lease to be had, by lot when there is neither; never one twice."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ocpp_tw.gateway.transaction_ids import BLOCK, PATIENCE, RANDOM_RANGE, RESERVED, TransactionIds


class Records:
    """Leases that are given when a test says so."""

    def __init__(self, away: bool = False) -> None:
        self.away, self.total, self.asked = away, 0, []

    def lease(self, count):
        asked = Deferred()
        self.asked.append((asked, count))
        if not self.away:
            self.back()
        return asked

    def back(self) -> None:
        self.away = False
        asked, self.asked = self.asked, []
        for each, count in asked:
            self.total += count
            each.callback(1_000_000_001 + self.total - count)


class Reserve:
    def __init__(self, ids=None) -> None:
        self.ids = ids

    def reserve(self):
        return succeed(self.ids)

    def put_by(self, ids):
        self.ids = ids
        return succeed(None)


def test_ids_are_at_hand_without_waiting_and_the_next_block_is_leased_before_one_ends():
    records = Records()
    ids = TransactionIds(records, Clock())
    ids.lease()
    given = [ids.next() for _ in range(3 * BLOCK)]
    assert given == sorted(set(given)) and all(isinstance(id, int) for id in given)
    assert records.total <= 5 * BLOCK


def test_who_comes_before_the_first_lease_gets_the_first_ids_in_order():
    records = Records(away=True)
    ids = TransactionIds(records, Clock())
    waiting = [ids.next() for _ in range(3)]
    records.back()
    assert [each.result for each in waiting] == [1_000_000_001, 1_000_000_002, 1_000_000_003]


def test_more_may_wait_than_a_block_has():
    records = Records(away=True)
    ids = TransactionIds(records, Clock())
    waiting = [ids.next() for _ in range(2 * BLOCK + 5)]
    records.back()
    assert len({each.result for each in waiting}) == len(waiting)


def test_a_reserve_is_put_by_once():
    records, reserve = Records(), Reserve()
    ids = TransactionIds(records, Clock(), reserve)
    ids.lease()
    assert reserve.ids == (1_000_000_001 + BLOCK, RESERVED)
    for _ in range(2 * BLOCK):
        ids.next()
    assert reserve.ids == (1_000_000_001 + BLOCK, RESERVED)


def test_without_a_lease_the_reserve_is_used_up_for_good():
    records, reserve = Records(away=True), Reserve((1_500_000_000, RESERVED))
    ids = TransactionIds(records, Clock(), reserve)
    ids.lease()
    first = ids.next()
    assert first.result == 1_500_000_000 and reserve.ids is None
    assert [ids.next() for _ in range(RESERVED - 1)] == list(range(1_500_000_001, 1_500_000_000 + RESERVED))
    records.back()
    assert reserve.ids is not None and reserve.ids[0] > 1_000_000_000  # for the next time
    assert ids.next() < 1_100_000_000


def test_with_neither_ids_are_drawn_by_lot_after_a_moment():
    clock, records = Clock(), Records(away=True)
    ids = TransactionIds(records, clock, Reserve())
    waiting = [ids.next(), ids.next()]
    clock.advance(PATIENCE / 2)
    assert not waiting[0].called
    clock.advance(PATIENCE)
    first, second = (each.result for each in waiting)
    assert RANDOM_RANGE[0] <= first < RANDOM_RANGE[1] and second == first + 1 and second < 2**31


def test_a_lease_that_comes_in_time_leaves_the_lot_alone():
    clock, records = Clock(), Records(away=True)
    ids = TransactionIds(records, clock)
    waiting = ids.next()
    records.back()
    clock.advance(10)
    assert waiting.result == 1_000_000_001 and not clock.getDelayedCalls()
    assert ids.next() == 1_000_000_002


def test_who_gives_up_takes_no_id_along():
    records = Records(away=True)
    ids = TransactionIds(records, Clock())
    gone, stays = ids.next(), ids.next()
    gone.addErrback(lambda _: None)
    gone.cancel()
    records.back()
    assert stays.result == 1_000_000_001
