"""The ring keeps the latest records within its budget, and finds them again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_tw.monitoring.ring import RECORDS, Ring


def made(budget: int) -> Ring:
    """A ring of pairs of a name and a text."""
    return Ring(budget, [list], 0)


def all_of(ring: Ring) -> list[Any]:
    return ring.since(0)


def test_the_latest_are_kept_and_the_oldest_dropped() -> None:
    ring = made(1_000_000)
    for number in range(20 * RECORDS):
        ring.record((number, b"x" * 500))
        if not number % 100:
            ring.sweep()
    ring.sweep()
    kept = [number for number, _ in all_of(ring)]
    assert kept == list(range(kept[0], 20 * RECORDS)) and ring.end == 20 * RECORDS
    assert 500 * len(kept) >= 800_000 and ring.bytes <= 1_000_000


def test_a_few_large_ones_are_no_reason_to_drop_all() -> None:
    ring = made(1_000_000)
    for number in range(200):
        ring.record((number, b"x" * 20_000))
        ring.sweep()
    assert 800_000 <= ring.bytes <= 1_000_000 and all_of(ring)[-1][0] == 199


def test_one_that_is_larger_than_all_there_may_be_is_left_out() -> None:
    ring = made(1000)
    ring.record((0, b"x" * 5000))
    ring.sweep()
    assert all_of(ring) == [] and ring.end == 1
    ring.record((1, b"x"))
    ring.sweep()
    assert all_of(ring) == [(1, b"x")]


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(0, 70))
def test_what_has_come_since_is_found_whatever_was_dropped(sizes: list[int], since: int) -> None:
    ring = made(1000)
    for number, size in enumerate(sizes):
        ring.record((number, b"x" * size))
        ring.sweep()
    assert ring.end == len(sizes)
    kept = all_of(ring)
    assert kept == [(number, b"x" * sizes[number]) for number in range(len(sizes) - len(kept), len(sizes))]
    assert ring.since(since) == [record for record in kept if record[0] >= since]


def test_records_of_few_bytes_keep_to_the_budget_too() -> None:
    ring = made(100_000)
    for number in range(10_000):
        ring.record((number, b""))
        ring.sweep()
        ring.pack()
    assert 0 < len(all_of(ring)) < 5000 and ring.bytes <= 100_000


def test_of_a_burst_that_is_larger_than_all_there_may_be_the_newest_are_kept() -> None:
    ring = made(100_000)
    for number in range(100):
        ring.record((number, b"x" * 5000))
    ring.sweep()
    kept = [number for number, _ in all_of(ring)]
    assert kept == list(range(kept[0], 100)) and 80_000 <= 5000 * len(kept) <= 100_000


def test_what_is_dropped_while_somebody_looks_is_not_shown() -> None:
    ring = made(100_000)
    for number in range(20):
        ring.record((0, b"%05d" % number * 1000))
        ring.sweep()
    looking = ring.blocks_with(0, 0)
    seen = [text for _, text in next(looking)]
    for _ in range(12):
        ring.record((1, b"y" * 5000))
        ring.sweep()
    seen += [text for block in looking for _, text in block]
    assert seen[-1] == b"00019" * 1000 and len(seen) < 10 and all(text[:5] * 1000 == text for text in seen)


@pytest.mark.parametrize("value", [0, 3, 7])
def test_those_with_a_value_are_found_block_by_block(value: int) -> None:
    ring = made(1_000_000)
    for number in range(3 * RECORDS):
        ring.record((number % 7, b"%d" % number))
        if not number % 50:
            ring.sweep()
    found = list(ring.blocks_with(0, value))
    assert len(found) >= 3
    assert [record for block in found for record in block] == [record for record in all_of(ring) if record[0] == value]
