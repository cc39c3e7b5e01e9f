"""Random inputs of every kind cost a gateway nothing but their answers."""

from __future__ import annotations

from fuzz.harness import Harness
from fuzz.inputs import Inputs

SOME = 2000
"""Inputs: `make fuzz` tries as many in a second."""


def test_some_random_inputs_are_no_error_and_leave_nothing_behind():
    harness = Harness()
    inputs = Inputs(harness, seed=1)
    for _ in range(SOME):
        inputs.next()
    harness.close()
    assert not harness.here.gateway.chargers
