"""Python looks for cycles seldom, and never among what stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ocpp_tw.process import tuning


@pytest.fixture
def usual() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_what_is_here_by_now_is_looked_at_no_more(usual: None) -> None:
    tuning.freeze_garbage()
    frozen, threshold = gc.get_freeze_count(), gc.get_threshold()
    assert frozen > 1000 and threshold == (tuning.YOUNG, tuning.AGEING, tuning.OLD)


def test_cycles_that_come_later_are_still_found(usual: None) -> None:
    tuning.freeze_garbage()
    found: list[int] = []
    gc.callbacks.append(look := lambda phase, told: found.append(told["collected"]))
    try:
        for _ in range(2 * tuning.YOUNG):
            cycle: list[object] = []
            cycle.append(cycle)
    finally:
        gc.callbacks.remove(look)
    assert sum(found) > tuning.YOUNG // 2
