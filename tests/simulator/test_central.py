"""The tests' own central system notices what is wrong."""

from __future__ import annotations

import pytest

from simulator.central import Central, check


def test_invalid_messages_and_overlapping_calls_are_noticed() -> None:
    with pytest.raises(AssertionError, match="Heartbeat"):
        check("Heartbeat", {"surplus": 1})
    with pytest.raises(AssertionError, match="StatusNotification"):
        check("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": "today"})
    central = Central()
    central.send(b'[2,"1","Heartbeat",{}]')
    with pytest.raises(AssertionError, match="before"):
        central.send(b'[2,"2","Heartbeat",{}]')
