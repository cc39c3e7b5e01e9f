"""A run can be repeated: its faults depend on the seed alone."""

from __future__ import annotations

import pytest

from chaos.faults import DAMAGE, FAULTS, LANES
from chaos.schedule import draw


def test_a_schedule_is_repeatable_and_has_the_requested_number_of_faults():
    usual = [each for each in FAULTS.values() if each.lane != DAMAGE]

    def plan(seed: int) -> list[tuple[float, str, float]]:
        return [(each.at, each.fault.name, each.seconds) for each in draw(seed, 500, 60, usual).all]

    assert plan(1) == plan(1) != plan(2)
    assert len(plan(1)) == 500 and {name for _, name, _ in plan(1)} == {each.name for each in usual}
    assert sum(LANES.values()) == pytest.approx(1)
