"""Events of the gateways that the fixtures start are looked at as those of all others."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from event_schemas import schema_faults
from event_tables import EventTables
from ocpp_tw.testing.gateway import GatewayProcess


@pytest.fixture
def ocpp_gateway(ocpp_gateway: GatewayProcess) -> Iterator[GatewayProcess]:
    """The plugin's; its events must be as docs/contract.md and their schemas have them."""
    yield ocpp_gateway
    contract = EventTables()
    elements = [msgspec.json.encode(event) for event in ocpp_gateway.events()]
    faults = {fault for each in elements for fault in contract.faults(each) + schema_faults(each)}
    assert not faults, faults
