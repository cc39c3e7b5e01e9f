"""What events are stamped with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.core.stamps import Stamps


@pytest.mark.parametrize(
    ("clock", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_795_341_600.0, "2026-11-22T10:00:00.000Z"),
        (1_795_341_600.1239, "2026-11-22T10:00:00.123Z"),
        (1_795_341_600.999999, "2026-11-22T10:00:00.999Z"),
    ],
)
def test_the_time_is_utc_with_milliseconds_and_z(clock: float, text: str) -> None:
    """T16, CONTRACT 1; a fraction is cut, never rounded up into the next second."""
    assert Stamps(lambda: clock).now() == text


@given(st.lists(st.floats(0, 4e9), min_size=1, max_size=10))
@settings(deadline=None)
def test_whatever_the_clock_does_the_stamp_is_its_time(times: list[float]) -> None:
    """T16: also when it is set back."""
    clock = iter([0.0, *times])
    stamps = Stamps(lambda: next(clock))
    for each in times:
        stamp = stamps.now()
        assert len(stamp) == 24 and stamp.endswith("Z")
        assert 0 <= each - datetime.fromisoformat(stamp).timestamp() < 0.0011
        assert datetime.fromisoformat(stamp).tzinfo == UTC


def test_ids_are_unique_short_and_sort_by_time() -> None:
    """CONTRACT 1: a consumer drops repeats by them."""
    earlier, later = Stamps(lambda: 1_790_000_000.0), Stamps(lambda: 1_790_000_000.001)
    ids = [*(earlier.id() for _ in range(5000)), *(later.id() for _ in range(5000))]
    assert len(set(ids)) == len(ids) and ids == sorted(ids)
    assert all(20 <= len(each) <= 36 and each.isascii() and each.isprintable() for each in ids)


def test_two_gateways_started_in_the_same_moment_give_different_ids() -> None:
    """Also after a clock was set back."""
    one, other = Stamps(lambda: 1.0), Stamps(lambda: 1.0)
    assert not {one.id() for _ in range(100)} & {other.id() for _ in range(100)}
