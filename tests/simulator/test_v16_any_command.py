"""A simulated charger under any command: each action of the central system's, with every valid payload and with wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.simulator.v16.dialect import V16
from payloads import schema, valid
from simulator.central import Central

ACTIONS = [
    "CancelReservation",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "DataTransfer",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetDiagnostics",
    "GetLocalListVersion",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "TriggerMessage",
    "UnlockConnector",
    "UpdateFirmware",
    "CertificateSigned",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetInstalledCertificateIds",
    "GetLog",
    "InstallCertificate",
    "SignedUpdateFirmware",
]


def test_every_action_is_known() -> None:
    assert set(V16.commands) == set(ACTIONS) and len(ACTIONS) == 26


@pytest.mark.parametrize("action", ACTIONS)
def test_any_valid_command_gets_a_valid_answer(action: str) -> None:
    """Before and in a transaction; and whatever follows from it is valid, too."""

    @settings(max_examples=25, deadline=None)
    @given(valid(schema("v16", action)), st.booleans(), st.integers(0, 2))
    def any_payload(payload: dict[str, Any], charging: bool, connector: int) -> None:
        if "connectorId" in payload:  # mostly one that exists
            payload["connectorId"] = connector if payload["connectorId"] % 3 else payload["connectorId"]
        central = Central(connectors=2)
        (central.start_charging() if charging else central.connect()).command(action, payload)
        central.run(30).shut_down()

    any_payload()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_command_that_lacks_something_is_refused(central: Central, action: str) -> None:
    required = schema("v16", action).get("required", [])
    answer = central.connect().raw(action, {})
    assert answer[0] == 3 if not required else answer[2] == "OccurenceConstraintViolation"
    wrong = central.raw(action, dict.fromkeys(required, 7.5))
    assert wrong[0] == 3 if not required else wrong[2] == "TypeConstraintViolation"


def test_an_unknown_action_is_not_implemented(central: Central) -> None:
    assert central.connect().raw("MakeCoffee", {})[2] == "NotImplemented"
