"""The neutral commands: one form of data, and the request that it becomes in each version of OCPP (CONTRACT 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocpp_tw.ocpp.actions import CHARGER_ACTIONS_V16, CHARGER_ACTIONS_V21, CHARGER_ACTIONS_V201, snake_case
from ocpp_tw.ocpp.neutral.common import Converter
from ocpp_tw.ocpp.neutral.keys import NO_VARIABLE, READ_ONLY, VARIABLES, variable
from ocpp_tw.ocpp.neutral.profiles import PERIOD, PROFILE
from ocpp_tw.ocpp.neutral.shapes import SHAPES, TAG, InvalidShape, Natural, NotInVersion
from ocpp_tw.ocpp.neutral.v2 import COMMANDS_V21, COMMANDS_V201
from ocpp_tw.ocpp.neutral.v16 import COMMANDS as COMMANDS_V16
from ocpp_tw.ocpp.schemas import Schemas, load
from payloads import fullest, json_objects, json_values, schema

TIME = "2026-11-22T10:00:00Z"
VERSIONS: dict[str, tuple[Mapping[str, Converter], Schemas, frozenset[str]]] = {
    "1.6": (COMMANDS_V16, load("v16"), CHARGER_ACTIONS_V16),
    "2.0.1": (COMMANDS_V201, load("v201"), CHARGER_ACTIONS_V201),
    "2.1": (COMMANDS_V21, load("v21"), CHARGER_ACTIONS_V21),
}
A_TAG = {"idToken": "A", "type": "ISO14443"}
A_GROUP = {"idToken": "G", "type": "Central"}
PERIODS = [{"start": 0, "limit": 16.1, "phases": 3}, {"start": 600, "limit": 8}]
OCPP_PERIODS = [{"startPeriod": 0, "limit": 16.1, "numberPhases": 3}, {"startPeriod": 600, "limit": 8}]
A_PROFILE = {"id": 7, "stack_level": 1, "purpose": "TxProfile", "kind": "Relative", "unit": "A", "periods": PERIODS, "transaction_id": 5}
PROFILE16 = {
    "chargingProfileId": 7,
    "transactionId": 5,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": OCPP_PERIODS},
}
PROFILE2 = {
    "id": 7,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [{"id": 7, "chargingRateUnit": "A", "chargingSchedulePeriod": OCPP_PERIODS}],
    "transactionId": "5",
}
A_START_PROFILE = {name: value for name, value in A_PROFILE.items() if name != "transaction_id"}
START_PROFILE16 = {name: value for name, value in PROFILE16.items() if name != "transactionId"}
START_PROFILE2 = {name: value for name, value in PROFILE2.items() if name != "transactionId"}
DAILY = {
    "id": 8,
    "stack_level": 0,
    "purpose": "ChargePointMaxProfile",
    "kind": "Recurring",
    "recurrency": "Daily",
    "unit": "W",
    "periods": [{"start": 0, "limit": 11000}],
    "starts_at": TIME,
    "duration": 86400,
    "min_rate": 1400,
    "valid_from": TIME,
    "valid_to": TIME,
}
DAILY_SCHEDULE = {
    "duration": 86400,
    "startSchedule": TIME,
    "chargingRateUnit": "W",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000}],
    "minChargingRate": 1400,
}
DAILY_HEAD = {"stackLevel": 0, "chargingProfileKind": "Recurring", "recurrencyKind": "Daily", "validFrom": TIME, "validTo": TIME}
HASHES = {"hash_algorithm": "SHA256", "issuer_name_hash": "a", "issuer_key_hash": "b", "serial_number": "c"}
OCPP_HASHES = {"certificateHashData": {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}}
SIGNED = {"location": "https://x/f", "retrieve_at": TIME, "install_at": TIME, "signing_certificate": "PEM", "signature": "S"}
OCPP_FIRMWARE = {
    "location": "https://x/f",
    "retrieveDateTime": TIME,
    "installDateTime": TIME,
    "signingCertificate": "PEM",
    "signature": "S",
}
A_LOG = {"location": "ftp://x/", "oldest": TIME, "latest": TIME, "retries": 3, "retry_interval": 60, "request_id": 9}
OCPP_LOG = {
    "logType": "DiagnosticsLog",
    "requestId": 9,
    "retries": 3,
    "retryInterval": 60,
    "log": {"remoteLocation": "ftp://x/", "oldestTimestamp": TIME, "latestTimestamp": TIME},
}
HEARTBEAT = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
TRIGGER = "trigger_message"
NOTHING = ("", None)
"""The version cannot express the command."""

TABLE: list[tuple[str, Any, tuple[str, Any], tuple[str, Any]]] = [
    (
        "remote_start_transaction",
        {"tag": "A", "connector_id": 1, "remote_start_id": 3, "other": "ignored", "aMember": "ignored"},
        ("RemoteStartTransaction", {"connectorId": 1, "idTag": "A"}),
        ("RequestStartTransaction", {"idToken": A_TAG, "remoteStartId": 3, "evseId": 1}),
    ),
    (
        "remote_start_transaction",
        {"tag": "A", "connector_id": 0, "remote_start_id": 3, "tag_type": "Central", "parent_tag": "G", "charging_profile": A_START_PROFILE},
        ("RemoteStartTransaction", {"idTag": "A", "chargingProfile": START_PROFILE16}),
        (
            "RequestStartTransaction",
            {"idToken": {"idToken": "A", "type": "Central"}, "remoteStartId": 3, "groupIdToken": A_GROUP, "chargingProfile": START_PROFILE2},
        ),
    ),
    (
        "remote_stop_transaction",
        {"transaction_id": 5},
        ("RemoteStopTransaction", {"transactionId": 5}),
        ("RequestStopTransaction", {"transactionId": "5"}),
    ),
    ("remote_stop_transaction", {"transaction_id": "a-b"}, NOTHING, ("RequestStopTransaction", {"transactionId": "a-b"})),
    (
        "get_configuration",
        {"key": ["HeartbeatInterval"]},
        ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
        ("GetVariables", {"getVariableData": [HEARTBEAT]}),
    ),
    (
        "get_configuration",
        {"request_id": 4},
        ("GetConfiguration", {}),
        ("GetBaseReport", {"requestId": 4, "reportBase": "ConfigurationInventory"}),
    ),
    (
        "change_configuration",
        {"key": "heartbeatinterval", "value": 60},
        ("ChangeConfiguration", {"key": "heartbeatinterval", "value": "60"}),
        ("SetVariables", {"setVariableData": [{"attributeValue": "60", **HEARTBEAT}]}),
    ),
    (
        "change_configuration",
        {"key": "AuthCtrlr.Enabled:Target", "value": True},
        ("ChangeConfiguration", {"key": "AuthCtrlr.Enabled:Target", "value": "true"}),
        (
            "SetVariables",
            {
                "setVariableData": [
                    {
                        "attributeValue": "true",
                        "component": {"name": "AuthCtrlr"},
                        "variable": {"name": "Enabled"},
                        "attributeType": "Target",
                    }
                ]
            },
        ),
    ),
    ("reset", {"type": "Hard"}, ("Reset", {"type": "Hard"}), ("Reset", {"type": "Immediate"})),
    ("reset", {"type": "Soft", "evse_id": 0}, ("Reset", {"type": "Soft"}), ("Reset", {"type": "OnIdle"})),
    ("reset", {"type": "Immediate"}, ("Reset", {"type": "Hard"}), ("Reset", {"type": "Immediate"})),
    ("reset", {"type": "OnIdle"}, NOTHING, ("Reset", {"type": "OnIdle"})),
    ("reset", {"type": "Hard", "evse_id": 2}, NOTHING, ("Reset", {"type": "Immediate", "evseId": 2})),
    ("unlock_connector", {"connector_id": 2}, ("UnlockConnector", {"connectorId": 2}), ("UnlockConnector", {"evseId": 2, "connectorId": 1})),
    ("unlock_connector", {"connector_id": 2, "connector": 2}, NOTHING, ("UnlockConnector", {"evseId": 2, "connectorId": 2})),
    (
        "change_availability",
        {"connector_id": 0, "type": "Operative"},
        ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
        ("ChangeAvailability", {"operationalStatus": "Operative"}),
    ),
    (
        "change_availability",
        {"connector_id": 1, "available": False},
        ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
        ("ChangeAvailability", {"operationalStatus": "Inoperative", "evse": {"id": 1}}),
    ),
    (TRIGGER, {"message": "Heartbeat"}, ("TriggerMessage", {"requestedMessage": "Heartbeat"}), ("TriggerMessage", {"requestedMessage": "Heartbeat"})),
    (
        TRIGGER,
        {"message": "MeterValues", "connector_id": 1},
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "evse": {"id": 1}}),
    ),
    (
        TRIGGER,
        {"message": "StatusNotification", "connector_id": 2},
        ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}),
        ("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": {"id": 2, "connectorId": 1}}),
    ),
    (TRIGGER, {"message": "StatusNotification"}, ("TriggerMessage", {"requestedMessage": "StatusNotification"}), NOTHING),
    (
        TRIGGER,
        {"message": "DiagnosticsStatusNotification"},
        ("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"}),
        ("TriggerMessage", {"requestedMessage": "LogStatusNotification"}),
    ),
    (
        TRIGGER,
        {"message": "LogStatusNotification"},
        ("ExtendedTriggerMessage", {"requestedMessage": "LogStatusNotification"}),
        ("TriggerMessage", {"requestedMessage": "LogStatusNotification"}),
    ),
    *(
        (
            TRIGGER,
            {"message": message},
            ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}),
            ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}),
        )
        for message in ("SignChargePointCertificate", "SignChargingStationCertificate")
    ),
    (
        TRIGGER,
        {"message": "TransactionEvent", "connector_id": 1},
        NOTHING,
        ("TriggerMessage", {"requestedMessage": "TransactionEvent", "evse": {"id": 1}}),
    ),
    ("clear_cache", {}, ("ClearCache", {}), ("ClearCache", {})),
    (
        "reserve_now",
        {"reservation_id": 3, "connector_id": 1, "tag": "A", "expiry_date": TIME, "parent_tag": "G"},
        ("ReserveNow", {"connectorId": 1, "expiryDate": TIME, "idTag": "A", "parentIdTag": "G", "reservationId": 3}),
        ("ReserveNow", {"id": 3, "expiryDateTime": TIME, "idToken": A_TAG, "evseId": 1, "groupIdToken": A_GROUP}),
    ),
    (
        "reserve_now",
        {"reservation_id": 3, "connector_id": 0, "tag": "A", "expiry_date": TIME},
        ("ReserveNow", {"connectorId": 0, "expiryDate": TIME, "idTag": "A", "reservationId": 3}),
        ("ReserveNow", {"id": 3, "expiryDateTime": TIME, "idToken": A_TAG}),
    ),
    (
        "reserve_now",
        {"reservation_id": 3, "connector_id": 0, "tag": "A", "expiry_date": TIME, "connector_type": "cCCS2"},
        NOTHING,
        ("ReserveNow", {"id": 3, "expiryDateTime": TIME, "connectorType": "cCCS2", "idToken": A_TAG}),
    ),
    ("cancel_reservation", {"reservation_id": 3}, ("CancelReservation", {"reservationId": 3}), ("CancelReservation", {"reservationId": 3})),
    (
        "send_local_list",
        {
            "version": 2,
            "update_type": "Differential",
            "list": [{"tag": "A", "status": "Accepted", "expiry_date": TIME, "parent_tag": "G"}, {"tag": "B"}],
        },
        (
            "SendLocalList",
            {
                "listVersion": 2,
                "localAuthorizationList": [
                    {"idTag": "A", "idTagInfo": {"status": "Accepted", "expiryDate": TIME, "parentIdTag": "G"}},
                    {"idTag": "B"},
                ],
                "updateType": "Differential",
            },
        ),
        (
            "SendLocalList",
            {
                "versionNumber": 2,
                "updateType": "Differential",
                "localAuthorizationList": [
                    {"idToken": A_TAG, "idTokenInfo": {"status": "Accepted", "cacheExpiryDateTime": TIME, "groupIdToken": A_GROUP}},
                    {"idToken": {"idToken": "B", "type": "ISO14443"}},
                ],
            },
        ),
    ),
    (
        "send_local_list",
        {"version": 2, "update_type": "Full", "list": []},
        ("SendLocalList", {"listVersion": 2, "updateType": "Full"}),
        ("SendLocalList", {"versionNumber": 2, "updateType": "Full"}),
    ),
    (
        "send_local_list",
        {"version": 2, "update_type": "Full", "list": [{"tag": "A", "status": "NoCredit"}]},
        NOTHING,
        (
            "SendLocalList",
            {"versionNumber": 2, "updateType": "Full", "localAuthorizationList": [{"idToken": A_TAG, "idTokenInfo": {"status": "NoCredit"}}]},
        ),
    ),
    ("get_local_list_version", {}, ("GetLocalListVersion", {}), ("GetLocalListVersion", {})),
    (
        "set_charging_profile",
        {"connector_id": 1, "profile": A_PROFILE},
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE16}),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE2}),
    ),
    (
        "set_charging_profile",
        {"connector_id": 0, "profile": DAILY},
        (
            "SetChargingProfile",
            {
                "connectorId": 0,
                "csChargingProfiles": DAILY_HEAD
                | {"chargingProfileId": 8, "chargingProfilePurpose": "ChargePointMaxProfile", "chargingSchedule": DAILY_SCHEDULE},
            },
        ),
        (
            "SetChargingProfile",
            {
                "evseId": 0,
                "chargingProfile": DAILY_HEAD
                | {"id": 8, "chargingProfilePurpose": "ChargingStationMaxProfile", "chargingSchedule": [{"id": 8} | DAILY_SCHEDULE]},
            },
        ),
    ),
    (
        "set_charging_profile",
        {"connector_id": 1, "profile": A_PROFILE | {"periods": [{"start": 0, "limit": 6, "phases": 1, "phase_to_use": 2}]}},
        NOTHING,
        (
            "SetChargingProfile",
            {
                "evseId": 1,
                "chargingProfile": PROFILE2
                | {
                    "chargingSchedule": [
                        {
                            "id": 7,
                            "chargingRateUnit": "A",
                            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6, "numberPhases": 1, "phaseToUse": 2}],
                        }
                    ]
                },
            },
        ),
    ),
    (
        "set_charging_profile",
        {"connector_id": 0, "profile": A_START_PROFILE | {"purpose": "ChargingStationExternalConstraints"}},
        NOTHING,
        (
            "SetChargingProfile",
            {"evseId": 0, "chargingProfile": START_PROFILE2 | {"chargingProfilePurpose": "ChargingStationExternalConstraints"}},
        ),
    ),
    (
        "set_charging_profile",
        {"connector_id": 1, "profile": PROFILE16},
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE16}),
        NOTHING,
    ),
    (
        "set_charging_profile",
        {"connector_id": 1, "profile": PROFILE2},
        NOTHING,
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE2}),
    ),
    ("clear_charging_profile", {"id": 7}, ("ClearChargingProfile", {"id": 7}), ("ClearChargingProfile", {"chargingProfileId": 7})),
    (
        "clear_charging_profile",
        {"connector_id": 0, "purpose": "ChargingStationMaxProfile", "stack_level": 0},
        ("ClearChargingProfile", {"connectorId": 0, "chargingProfilePurpose": "ChargePointMaxProfile", "stackLevel": 0}),
        (
            "ClearChargingProfile",
            {"chargingProfileCriteria": {"evseId": 0, "stackLevel": 0, "chargingProfilePurpose": "ChargingStationMaxProfile"}},
        ),
    ),
    ("clear_charging_profile", {}, ("ClearChargingProfile", {}), NOTHING),
    ("clear_charging_profile", {"id": 7, "connector_id": 1}, ("ClearChargingProfile", {"id": 7, "connectorId": 1}), NOTHING),
    (
        "get_composite_schedule",
        {"connector_id": 0, "duration": 60, "unit": "W"},
        ("GetCompositeSchedule", {"connectorId": 0, "duration": 60, "chargingRateUnit": "W"}),
        ("GetCompositeSchedule", {"duration": 60, "chargingRateUnit": "W", "evseId": 0}),
    ),
    (
        "update_firmware",
        {"location": "https://x/f", "retrieve_at": TIME, "retries": 3, "retry_interval": 60, "request_id": 9},
        ("UpdateFirmware", {"location": "https://x/f", "retrieveDate": TIME, "retries": 3, "retryInterval": 60}),
        (
            "UpdateFirmware",
            {"requestId": 9, "retries": 3, "retryInterval": 60, "firmware": {"location": "https://x/f", "retrieveDateTime": TIME}},
        ),
    ),
    (
        "update_firmware",
        {**SIGNED, "request_id": 9},
        ("SignedUpdateFirmware", {"requestId": 9, "firmware": OCPP_FIRMWARE}),
        ("UpdateFirmware", {"requestId": 9, "firmware": OCPP_FIRMWARE}),
    ),
    (
        "update_firmware",
        {"location": "https://x/f", "retrieve_at": TIME, "install_at": TIME, "request_id": 9},
        NOTHING,
        ("UpdateFirmware", {"requestId": 9, "firmware": {"location": "https://x/f", "retrieveDateTime": TIME, "installDateTime": TIME}}),
    ),
    ("get_log", A_LOG, ("GetLog", OCPP_LOG), ("GetLog", OCPP_LOG)),
    (
        "get_log",
        {"location": "ftp://x/", "kind": "security", "request_id": 9},
        ("GetLog", {"logType": "SecurityLog", "requestId": 9, "log": {"remoteLocation": "ftp://x/"}}),
        ("GetLog", {"logType": "SecurityLog", "requestId": 9, "log": {"remoteLocation": "ftp://x/"}}),
    ),
    (
        "get_diagnostics",
        A_LOG,
        ("GetDiagnostics", {"location": "ftp://x/", "retries": 3, "retryInterval": 60, "startTime": TIME, "stopTime": TIME}),
        ("GetLog", OCPP_LOG),
    ),
    (
        "get_diagnostics",
        {"location": "ftp://x/", "kind": "SecurityLog", "request_id": 9},
        ("GetLog", {"logType": "SecurityLog", "requestId": 9, "log": {"remoteLocation": "ftp://x/"}}),
        ("GetLog", {"logType": "SecurityLog", "requestId": 9, "log": {"remoteLocation": "ftp://x/"}}),
    ),
    (
        "data_transfer",
        {"vendor_id": "v", "message_id": "m", "data": "d"},
        ("DataTransfer", {"vendorId": "v", "messageId": "m", "data": "d"}),
        ("DataTransfer", {"vendorId": "v", "messageId": "m", "data": "d"}),
    ),
    ("data_transfer", {"vendor_id": "v", "data": {"a": 1}}, NOTHING, ("DataTransfer", {"vendorId": "v", "data": {"a": 1}})),
    ("data_transfer", {"vendor_id": "v", "data": True}, NOTHING, ("DataTransfer", {"vendorId": "v", "data": True})),
    *(
        (
            "install_certificate",
            {"type": type, "certificate": "PEM"},
            ("InstallCertificate", {"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"}),
            ("InstallCertificate", {"certificateType": "CSMSRootCertificate", "certificate": "PEM"}),
        )
        for type in ("CSMSRootCertificate", "CentralSystemRootCertificate")
    ),
    (
        "install_certificate",
        {"type": "V2GRootCertificate", "certificate": "PEM"},
        NOTHING,
        ("InstallCertificate", {"certificateType": "V2GRootCertificate", "certificate": "PEM"}),
    ),
    ("delete_certificate", HASHES, ("DeleteCertificate", OCPP_HASHES), ("DeleteCertificate", OCPP_HASHES)),
    (
        "get_installed_certificate_ids",
        {"type": ["CSMSRootCertificate"]},
        ("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}),
        ("GetInstalledCertificateIds", {"certificateType": ["CSMSRootCertificate"]}),
    ),
    (
        "get_installed_certificate_ids",
        {"type": "ManufacturerRootCertificate"},
        ("GetInstalledCertificateIds", {"certificateType": "ManufacturerRootCertificate"}),
        ("GetInstalledCertificateIds", {"certificateType": ["ManufacturerRootCertificate"]}),
    ),
    ("get_installed_certificate_ids", {}, NOTHING, ("GetInstalledCertificateIds", {})),
    ("certificate_signed", {"certificate_chain": "PEM"}, ("CertificateSigned", {"certificateChain": "PEM"}), ("CertificateSigned", {"certificateChain": "PEM"})),
    (
        "certificate_signed",
        {"certificate_chain": "PEM", "type": "V2GCertificate"},
        NOTHING,
        ("CertificateSigned", {"certificateChain": "PEM", "certificateType": "V2GCertificate"}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("command", "data", "in16", "in2"), TABLE)
def test_the_same_data_means_the_same_in_every_version(command: str, data: Any, in16: tuple[str, Any], in2: tuple[str, Any]) -> None:
    """Or is refused, with the reason and what to do instead; the request is valid."""
    for version, (action, payload) in zip(VERSIONS, (in16, in2, in2), strict=True):
        table, schemas, _ = VERSIONS[version]
        if action:
            assert table[command](data) == (action, payload), version
            assert schemas.request(action, payload) == [], version
        else:
            with pytest.raises(NotInVersion, match=r"OCPP (1\.6|2\.x)|speaks (1\.6|2\.x)") as raised:
                table[command](data)
            assert re.search(": .{8,}$", str(raised.value)), "what to do instead"


def test_every_neutral_command_is_in_the_table_and_in_every_version() -> None:
    assert {command for command, *_ in TABLE} == set(SHAPES)
    for table, _, _ in VERSIONS.values():
        assert table.keys() >= SHAPES.keys()


def test_every_action_of_the_csms_is_a_command() -> None:
    """CONTRACT 2: in snake_case."""
    for version, (table, schemas, sent) in VERSIONS.items():
        assert sent <= schemas.actions, version
        asked = {snake_case(action) for action in schemas.actions - sent | {"DataTransfer"}}
        assert table.keys() - SHAPES.keys() == asked - SHAPES.keys(), version
        assert table.keys().isdisjoint({snake_case(action) for action in sent - {"DataTransfer"}})


def test_which_side_sends_an_action_in_2_1() -> None:
    """The names do not always show it (2.1 part 2: S01, C25, Q, R)."""
    assert {
        "BatterySwap",
        "NotifySettlement",
        "VatNumberValidation",
        "PullDynamicScheduleUpdate",
        "ReportDERControl",
    } <= CHARGER_ACTIONS_V21
    assert CHARGER_ACTIONS_V21.isdisjoint(
        {"NotifyWebPaymentStarted", "NotifyAllowedEnergyTransfer", "RequestBatterySwap", "AFRRSignal", "GetTariffs"}
    )
    assert (len(CHARGER_ACTIONS_V16), len(CHARGER_ACTIONS_V201), len(CHARGER_ACTIONS_V21)) == (14, 25, 37)


@given(st.sampled_from(sorted(VERSIONS)), st.data())
@settings(deadline=None, max_examples=200)
def test_ocpps_own_payload_is_passed_on_as_the_same_object(version: str, data: st.DataObject) -> None:
    """So the JSON is sent as the backend wrote it."""
    table, schemas, sent = VERSIONS[version]
    action = data.draw(st.sampled_from(sorted(schemas.actions - sent)))
    folder, suffix = {"1.6": ("v16", ""), "2.0.1": ("v201", "Request"), "2.1": ("v21", "Request")}[version]
    payload = fullest(schema(folder, action + suffix))
    asked, made = table[snake_case(action)](payload)
    assert asked == action and (made is payload or payload == {}) and schemas.request(action, made) == []


@pytest.mark.parametrize(
    ("command", "payload", "action"),
    [
        ("remote_start_transaction", {"idToken": A_TAG, "remoteStartId": 1}, "RequestStartTransaction"),
        ("remote_stop_transaction", {"transactionId": "x"}, "RequestStopTransaction"),
        ("get_configuration", {"getVariableData": [HEARTBEAT]}, "GetVariables"),
        ("change_configuration", {"setVariableData": [{"attributeValue": "1", **HEARTBEAT}]}, "SetVariables"),
        ("get_diagnostics", OCPP_LOG, "GetLog"),
    ],
)
def test_the_commands_of_1_6_take_the_payload_of_2_x(command: str, payload: Any, action: str) -> None:
    for table in (COMMANDS_V201, COMMANDS_V21):
        asked, made = table[command](payload)
        assert asked == action and made is payload


def test_an_empty_list_of_keys_is_left_out() -> None:
    """R15: to some chargers it means no key, rather than every key."""
    assert COMMANDS_V16["get_configuration"]({"key": []}) == ("GetConfiguration", {})


def test_a_payload_in_camel_case_that_breaks_its_schema_is_left_to_the_schema() -> None:
    """The schema's messages are clearer: they have the path."""
    payload = {"connectorId": "1"}
    assert COMMANDS_V16["unlock_connector"](payload) == ("UnlockConnector", payload)
    assert [each.path for each in load("v16").request("UnlockConnector", payload)] == [("connectorId",)]


@pytest.mark.parametrize(
    ("command", "data", "why"),
    [
        ("reset", {"type": "Hard", "delay": 5}, "delay is not known here; known are: type, evse_id"),
        ("reset", {}, "type must be given"),
        ("reset", {"type": None}, "type must be given"),
        ("remote_start_transaction", {"tag": 7}, "tag must be a text"),
        ("remote_start_transaction", {"tag": "A", "connector_id": "1"}, "connector_id must be a whole number"),
        ("remote_start_transaction", {"tag": "A", "connector_id": True}, "connector_id must be a whole number"),
        ("remote_stop_transaction", {"transaction_id": 1.5}, "transaction_id must be a whole number or a text"),
        ("change_configuration", {"key": "A", "value": []}, "value must be a text or a whole number or a number or true or false"),
        ("change_availability", {"type": "Operative"}, "connector_id must be given"),
        ("change_availability", {"connector_id": 1}, "either type"),
        ("change_availability", {"connector_id": 1, "type": "Operative", "available": True}, "either type"),
        ("unlock_connector", {}, "connector_id must be given"),
        ("send_local_list", {"version": 1, "update_type": "Full"}, "list must be given"),
        ("send_local_list", {"version": 1, "update_type": "Full", "list": [7]}, r"list\[0\] must be an object"),
        ("send_local_list", {"version": 1, "update_type": "Full", "list": [{}]}, r"list\[0\]\.tag must be given"),
        ("send_local_list", {"version": 1, "update_type": "Full", "list": [{"tag": "A", "parent_tag": "G"}]}, "the status of the tag A"),
        ("update_firmware", {"location": "x", "retrieve_at": TIME, "signature": "S"}, "must be given together"),
        ("set_charging_profile", {"connector_id": 0, "profile": A_PROFILE}, "a TxProfile limits one transaction"),
        (
            "set_charging_profile",
            {"connector_id": 1, "profile": A_PROFILE | {"purpose": "ChargePointMaxProfile"}},
            "limits the whole charger",
        ),
        (
            "set_charging_profile",
            {"connector_id": 2, "profile": A_PROFILE | {"purpose": "ChargingStationMaxProfile"}},
            "limits the whole charger",
        ),
        (
            "remote_start_transaction",
            {"tag": "A", "charging_profile": A_PROFILE | {"purpose": "TxDefaultProfile"}},
            "must be a TxProfile",
        ),
        ("remote_start_transaction", {"tag": "A", "charging_profile": A_PROFILE}, "has no id yet: leave out its transaction_id"),
        (
            "set_charging_profile",
            {"connector_id": 1, "profile": A_PROFILE | {"purpose": "TxDefaultProfile"}},
            "only a TxProfile is of one transaction",
        ),
        (
            "set_charging_profile",
            {"connector_id": 1, "profile": A_PROFILE | {"stack_level": -1}},
            "stack_level must be a whole number from 0",
        ),
        ("set_charging_profile", {"connector_id": -1, "profile": A_PROFILE}, "connector_id must be a whole number from 0"),
        ("set_charging_profile", {"connector_id": 1, "profile": {"id": 1}}, "profile.stack_level, profile.purpose"),
        ("set_charging_profile", {"connector_id": 1, "profile": A_PROFILE | {"x": 1}}, "profile.x is not known here"),
        (
            "set_charging_profile",
            {"connector_id": 1, "profile": A_PROFILE | {"periods": [{"start": 0, "limit": "6"}]}},
            r"profile\.periods\[0\]\.limit must be a number",
        ),
    ],
)
def test_invalid_data_is_refused_with_the_reason(command: str, data: Any, why: str) -> None:
    for table, _, _ in VERSIONS.values():
        with pytest.raises(InvalidShape, match=why):
            table[command](data)


def test_missing_request_ids_are_generated() -> None:
    """Positive, of 32 bits, and unique."""
    ids = {COMMANDS_V201["remote_start_transaction"]({"tag": "A"})[1]["remoteStartId"] for _ in range(50)}
    ids |= {COMMANDS_V16["get_log"]({"location": "x"})[1]["requestId"] for _ in range(50)}
    ids |= {COMMANDS_V21["update_firmware"]({"location": "x", "retrieve_at": TIME})[1]["requestId"] for _ in range(50)}
    assert len(ids) == 150 and all(0 < each < 2**31 for each in ids)


def test_what_only_2_1_has_violates_the_schema_of_2_0_1() -> None:
    for command, data in (
        ("reset", {"type": "ImmediateAndResume"}),
        ("trigger_message", {"message": "CustomTrigger", "custom_trigger": "x"}),
        ("certificate_signed", {"certificate_chain": "PEM", "request_id": 1}),
        ("get_log", {"location": "x", "kind": "data_collector"}),
    ):
        action, payload = COMMANDS_V21[command](data)
        assert load("v21").request(action, payload) == []
        assert load("v201").request(*COMMANDS_V201[command](data)) != []
        if command != "certificate_signed":
            with pytest.raises(NotInVersion):
                COMMANDS_V16[command](data)


# keys


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("A.B", {"component": {"name": "A"}, "variable": {"name": "B"}}),
        ("A[x].B[y]:MaxSet", {"component": {"name": "A", "instance": "x"}, "variable": {"name": "B", "instance": "y"}, "attributeType": "MaxSet"}),
        ("EVSE@1.Power", {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}),
        ("Connector@1/2.Type", {"component": {"name": "Connector", "evse": {"id": 1, "connectorId": 2}}, "variable": {"name": "Type"}}),
        (
            "transactionmessageattempts",
            {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "MessageAttempts", "instance": "TransactionEvent"}},
        ),
    ],
)  # fmt: skip
def test_a_key_names_a_variable(key: str, said: Any) -> None:
    assert variable(key) == said


def test_every_key_of_1_6_has_a_variable_or_a_reason() -> None:
    """OCPP 1.6 §9 and the security extension's."""
    assert VARIABLES.keys().isdisjoint(NO_VARIABLE) and len(VARIABLES) + len(NO_VARIABLE) == 48
    for key in VARIABLES:
        action, payload = COMMANDS_V201["get_configuration"]({"key": key})
        assert action == "GetVariables" and load("v201").request(action, payload) == []
    for key in NO_VARIABLE:
        with pytest.raises(NotInVersion, match=f"the key {key}: "):
            variable(key)
    for key in READ_ONLY:
        assert variable(key)
        with pytest.raises(NotInVersion):
            COMMANDS_V21["change_configuration"]({"key": key, "value": 2})


def test_all_keys_without_a_variable_are_reported_at_once() -> None:
    with pytest.raises(NotInVersion, match=r"NumberOfConnectors: .*; VendorKey is no key"):
        COMMANDS_V21["get_configuration"]({"key": ["HeartbeatInterval", "NumberOfConnectors", "VendorKey"]})


# whatever a backend sends

NAMES = sorted({name for shape in (*SHAPES.values(), TAG, PROFILE, PERIOD) for name in (*shape.required, *shape.optional)})
WORDS = st.sampled_from(["Hard", "OnIdle", "Accepted", "StatusNotification", "TxProfile", "security", "A.B", "", "CSMSRootCertificate"])
TYPED = {
    str: WORDS,
    int: st.integers(-2, 9),
    Natural: st.integers(-2, 9),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    object: json_values(),
}


def near(types: Any) -> st.SearchStrategy[Any]:
    """Values of a member's type, mostly."""
    wanted = types if isinstance(types, tuple) else (types,)
    inner = st.dictionaries(st.sampled_from(NAMES), WORDS | st.integers(0, 3) | json_values(), max_size=8)
    made = [{list: st.lists(inner | WORDS | json_values(), max_size=3), dict: inner | st.just(A_PROFILE)}.get(each) for each in wanted]
    return st.one_of(*(one if one is not None else TYPED[each] for one, each in zip(made, wanted, strict=True)))


@given(st.sampled_from(sorted(VERSIONS)), st.sampled_from(sorted(SHAPES)), st.data())
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_any_data_is_a_command_or_refused(version: str, command: str, data: st.DataObject) -> None:
    """F32: no other exception, and every request can be validated."""
    shape = SHAPES[command]
    near_it = st.fixed_dictionaries(
        {name: near(types) for name, types in shape.required.items()},
        optional={name: near(types) for name, types in shape.optional.items()},
    )
    strange = st.dictionaries(st.sampled_from(NAMES), json_values(), max_size=4)
    drawn = data.draw(near_it | st.builds(lambda one, other: one | other, near_it, strange) | json_objects())
    table, schemas, _ = VERSIONS[version]
    try:
        action, payload = table[command](drawn)
    except (KeyError, TypeError, ValueError) as why:
        assert str(why)
        return
    schemas.request(action, payload)


# the documents


def test_the_contract_documents_every_command_with_all_its_members() -> None:
    text = (Path(__file__).parents[3] / "docs/contract.md").read_text()
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| (.*)$", text, re.MULTILINE)}
    for command, shape in SHAPES.items():
        for name in (*shape.required, *shape.optional):
            assert f"`{name}`" in rows[command], (command, name)
    for shape in (TAG, PROFILE, PERIOD):
        for name in (*shape.required, *shape.optional):
            assert f"`{name}`" in text, name


BELOW_0 = ("connector_id", "connector", "evse_id", "stack_level", "duration", "retries", "retry_interval")
"""Members that count, or name what is counted from 0 or 1."""


@pytest.mark.parametrize(
    ("command", "member"),
    [(command, name) for command, shape in SHAPES.items() for name in BELOW_0 if name in {**shape.required, **shape.optional}],
)
def test_no_number_of_a_connector_or_level_is_below_0(command: str, member: str) -> None:
    """1.6 §7.8 and others; 2.1's schemas say so themselves."""
    shape = SHAPES[command]
    given = {name: A_PROFILE if name == "profile" else {str: "x", list: []}.get(types, 1) for name, types in shape.required.items()}
    if "kind" in shape.optional:
        given |= {"kind": "diagnostics"}  # else {"location": …, "retries": …} is a GetDiagnostics in OCPP's own form
    for table, _, _ in VERSIONS.values():
        with pytest.raises(InvalidShape, match=f"{member} must be a whole number from 0"):
            table[command](given | {member: -1})


@pytest.mark.parametrize("profile", [A_START_PROFILE, START_PROFILE2], ids=["neutral", "OCPP"])
@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_a_tx_profile_of_2_x_names_its_transaction(ocpp: str, profile: dict[str, Any]) -> None:
    """K01.FR.03; 1.6 may leave it out (§3.13.1)."""
    with pytest.raises(InvalidShape, match="give its transaction_id"):
        VERSIONS[ocpp][0]["set_charging_profile"]({"connector_id": 1, "profile": profile})
    sent = COMMANDS_V16["set_charging_profile"]({"connector_id": 1, "profile": A_START_PROFILE})
    assert sent == ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": START_PROFILE16})


def test_a_payload_of_ocpps_own_goes_out_as_it_is() -> None:
    """What is not in the neutral form is the backend's own business."""
    for ocpp, connector, name, profile in (
        ("1.6", "connectorId", "csChargingProfiles", PROFILE16),
        ("2.0.1", "evseId", "chargingProfile", PROFILE2),
    ):
        odd = {connector: -1, name: profile | {"stackLevel": -1}}
        assert VERSIONS[ocpp][0]["set_charging_profile"](odd) == ("SetChargingProfile", odd)


@pytest.mark.parametrize(("commands", "profile"), [(COMMANDS_V16, PROFILE16), (COMMANDS_V201, PROFILE2), (COMMANDS_V21, PROFILE2)])
def test_a_profile_in_the_form_of_ocpp_is_judged_alike(commands: Mapping[str, Converter], profile: dict[str, Any]) -> None:
    """1.6 §3.13.1, §5.11; K01.FR.16, F01.FR.11."""
    with pytest.raises(InvalidShape, match="a TxProfile limits one transaction"):
        commands["set_charging_profile"]({"connector_id": 0, "profile": profile})
    with pytest.raises(InvalidShape, match="has no id yet"):
        commands["remote_start_transaction"]({"tag": "A", "charging_profile": profile})
    with pytest.raises(InvalidShape, match="stack_level must be"):
        commands["set_charging_profile"]({"connector_id": 1, "profile": profile | {"stackLevel": -1}})
