"""Limits to how often something is told: nothing is lost but the telling, and the memory is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocpp_tw.core.rate_limit import MAX_NAMES, Rate, RateLimit, RateLimits


@given(st.lists(st.floats(0, 100), max_size=200), st.integers(1, 5), st.sampled_from([0.1, 1.0, 10.0]))
def test_what_is_told_and_what_is_left_out_is_everything(pauses: list[float], burst: int, per_second: float) -> None:
    limit, now, told, counted = RateLimit(Rate(burst, per_second), 0.0), 0.0, 0, 0
    for pause in pauses:
        now += pause
        left_out = limit.next(now)
        if left_out is not None:
            told, counted = told + 1, counted + 1 + left_out
    assert told <= burst + now * per_second + 1e-6
    now += 1 / per_second + 1
    left_out = limit.next(now)
    assert left_out is not None and counted + left_out == len(pauses)


def test_a_clock_that_stands_still_or_runs_backwards_lets_no_more_be_told() -> None:
    limit = RateLimit(Rate(2, 1.0), 100.0)
    assert [limit.next(now) for now in (100.0, 100.0, 100.0, 50.0, 50.5, 51.0)] == [0, 0, None, None, None, 2 + 1]


def test_whoever_asks_before_is_counted_once_if_it_is_not_told() -> None:
    limit = RateLimit(Rate(1, 1.0), 0.0)
    assert limit.allows(0.0) and limit.allows(0.0) and limit.next(0.0) == 0
    assert not limit.allows(0.0) and not limit.allows(0.5)
    assert limit.allows(1.0) and limit.next(1.0) == 2


def test_names_are_limited_apart_and_forgotten_once_they_have_recovered() -> None:
    limits = RateLimits(Rate(1, 1.0))
    assert [limits.next("a", 0.0), limits.next("a", 0.0), limits.next("b", 0.0)] == [0, None, 0]
    for number in range(3 * MAX_NAMES):
        assert limits.next(f"made-up-{number}", number / 100) == 0
    assert limits.next("b", 1000.0) == 0


def test_the_names_of_a_flood_take_no_more_than_their_number() -> None:
    limits = RateLimits(Rate(1, 1e-9))
    for number in range(3 * MAX_NAMES):
        limits.next(f"made-up-{number}", 0.0)
    assert limits.next(f"made-up-{3 * MAX_NAMES - 1}", 0.0) is None
    assert limits.next("made-up-0", 0.0) == 0  # long forgotten
