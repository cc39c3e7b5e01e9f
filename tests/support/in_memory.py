"""An in-memory gateway with settings of one's own, and the payloads of a transaction that most tests use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

START_1 = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-11-23T08:00:00Z"}
"""A StartTransaction's payload."""


def in_memory(**settings: Any) -> InMemoryGateway:
    """A gateway with these settings."""
    return InMemoryGateway(replace(Settings(name="gw"), **settings))


def stop(id: int, meter: int = 4000, time: str = "2026-11-23T09:00:00Z", **more: Any) -> dict[str, Any]:
    """A StopTransaction's payload."""
    return {"transactionId": id, "meterStop": meter, "timestamp": time, **more}
