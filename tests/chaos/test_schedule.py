"""A run can be had again: its faults come from the seed alone."""

from __future__ import annotations

import pytest

from chaos.faults import DAMAGE, FAULTS, LANES
from chaos.schedule import drawn


def test_a_schedule_can_be_had_again_and_has_as_many_faults_as_were_asked_for():
    usual = [each for each in FAULTS.values() if each.lane != DAMAGE]

    def plan(seed: int) -> list[tuple[float, str, float]]:
        return [(each.at, each.fault.name, each.seconds) for each in drawn(seed, 500, 60, usual).all]

    assert plan(1) == plan(1) != plan(2)
    assert len(plan(1)) == 500 and {name for _, name, _ in plan(1)} == {each.name for each in usual}
    assert sum(LANES.values()) == pytest.approx(1)
