"""A gateway with compiled modules, and one that does without: what they publish of the same messages is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.sync.client import connect

from compiled_cases import CASES
from fleets import PATIENCE
from ocpp_tw.ocpp import compiled

pytestmark = pytest.mark.live


def told(gateway: Any, events: Any, charger: str, ocpp: str, action: str, payload: Any) -> list[dict[str, Any]]:
    """The events of one message, without what is always different."""
    before = len(events())
    address = f"ws://127.0.0.1:{gateway.port}/{charger}"
    with connect(address, subprotocols=[f"ocpp{ocpp}"], open_timeout=PATIENCE) as connection:  # type: ignore[list-item]
        connection.send(json.dumps([2, "1", action, payload]))
        assert json.loads(connection.recv(PATIENCE))[:2] == [3, "1"]
    found = [each for each in events()[before:] if each.get("action") == action]
    for each in found:
        assert each["data"].pop("charger") == charger
    return [{name: value for name, value in each.items() if name not in ("id", "time", "seq", "domain")} for each in found]


def test_a_gateway_without_compiled_modules_says_so_and_publishes_the_same(start, events):
    """Both read kWh of 1.6, and all samples of a TransactionEvent."""
    published, built = [], []
    for number, environment in enumerate(({}, {compiled.WITHOUT: "1"})):
        gateway = start(environment=environment)
        published.append(
            [told(gateway, events, f"{name}-{number}", name, action, payload) for name, (_, action, payload, *_) in CASES.items()]
        )
        [line] = [line for line in gateway.read("/metrics").splitlines() if line.startswith("ocpp_build_info{")]
        built.append('compiled="yes"' in line)
        assert ("without compiled modules" in gateway.log.read_text()) is not built[-1]
        gateway.stop()
    assert built == [compiled.IS_USED, False]
    [[meter_values, event], without] = published
    assert [meter_values, event] == without
    assert [len(meter_values), len(event)] == [1, 2] and len(meter_values[0]["data"]["values"]) == 4
