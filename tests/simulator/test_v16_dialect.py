"""How a simulated charger writes OCPP 1.6."""

from __future__ import annotations

import json

from ocpp_tw.simulator.v16.dialect import V16


def test_readings_without_samples_are_an_empty_array() -> None:
    assert json.loads(json.dumps(V16.readings("t", "Trigger", []))) == [{"timestamp": "t", "sampledValue": []}]
