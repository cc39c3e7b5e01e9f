"""OCPP 1.6: every message becomes a fact and gets a valid answer, and every violation has the error code of 1.6."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.facts import (
    Answer,
    Authorization,
    Authorize,
    BootNotification,
    DataTransfer,
    DataTransferResult,
    Heartbeat,
    MeterValues,
    Other,
    Registration,
    Start,
    Started,
    StatusNotification,
    Stopped,
    Verdict,
)
from ocpp_tw.ocpp.actions import snake_case
from ocpp_tw.ocpp.negotiation import enabled_versions
from ocpp_tw.ocpp.v16 import V16
from ocpp_tw.settings import Settings
from payloads import broken, fullest, json_values, schema, valid

NOW = "2026-11-22T10:00:00.123Z"

FACTS: dict[str, type] = {
    "BootNotification": BootNotification,
    "Heartbeat": Heartbeat,
    "Authorize": Authorize,
    "StatusNotification": StatusNotification,
    "StartTransaction": Started,
    "StopTransaction": Stopped,
    "MeterValues": MeterValues,
    "DataTransfer": DataTransfer,
}
OTHERS = {
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
}
SENT = sorted({*FACTS, *OTHERS})
"""What chargers send: 10 actions of the core document and 4 of the security whitepaper."""

VERDICTS: dict[type, list[Verdict]] = {
    BootNotification: [Registration(), Registration("Pending", 60), Registration("Rejected", 86_400)],
    Heartbeat: [None],
    Authorize: [Authorization(), Authorization("Blocked"), Authorization("Expired", NOW, "group")],
    StatusNotification: [None],
    Started: [Start(transaction_id=1), Start(Authorization("ConcurrentTx", NOW, "x" * 20), 2**31 - 1, provisional=True)],
    Stopped: [None, Authorization(), Authorization("Invalid", parent_tag="group")],
    MeterValues: [None],
    DataTransfer: [DataTransferResult(), DataTransferResult("UnknownVendorId", "data"), DataTransferResult("Rejected", "")],
    Other: [Answer()],
}
"""What a handler might decide."""

CODES = {
    "required": "ProtocolError",
    "additionalProperties": "FormationViolation",
    "type": "TypeConstraintViolation",
    "enum": "PropertyConstraintViolation",
    "maxLength": "PropertyConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
}
"""A schema's keyword -> the error code for its violation in OCPP-J 1.6 table 7."""


# which actions there are


def test_the_39_actions_are_split_by_who_sends_them() -> None:
    """28 actions of the core document and 11 of the security whitepaper; only DataTransfer goes both ways."""
    assert len(V16.schemas.actions) == 28 + 11
    assert set(V16.translations) == set(SENT)
    assert V16.csms_actions | set(V16.translations) == V16.schemas.actions
    assert V16.csms_actions & set(V16.translations) == {"DataTransfer"}
    assert len(SENT) == 14 and len(V16.csms_actions) == 26


def test_it_is_found_by_its_subprotocol() -> None:
    """C7."""
    assert enabled_versions(Settings())["ocpp1.6"] is V16 and V16.name == "1.6"


# what chargers send


# pytest-twisted wraps what hypothesis runs once for each parameter, so `given` does not go with `parametrize`


@given(st.sampled_from(SENT), st.data())
@settings(deadline=None, max_examples=150)
def test_every_valid_message_reads_to_a_fact_and_gets_a_valid_answer(action: str, data: st.DataObject) -> None:
    """T1, T2, S16, R19: no message is lost, and no answer is invalid."""
    payload = data.draw(valid(schema("v16", action)))
    assert V16.schemas.request(action, payload) == []
    translation = V16.translations[action]
    fact = translation.read(payload)
    assert type(fact) is FACTS.get(action, Other)
    assert msgspec.convert(msgspec.to_builtins(fact), type(fact)) == fact  # of the declared types
    for verdict in VERDICTS[type(fact)]:
        assert V16.schemas.answer(action, translation.answer(fact, verdict, NOW)) == []


@given(st.sampled_from(SENT), st.data())
@settings(deadline=None, max_examples=100)
def test_the_essential_members_suffice_to_read_a_message(action: str, data: st.DataObject) -> None:
    """FIELD 20: accepted with its violations, whatever else is missing, of another type, or unknown."""
    translation = V16.translations[action]
    properties = schema("v16", action)["properties"]
    good = {name: _example(type) for name, type in translation.essentials.items()}
    if action == "StartTransaction":  # any two of four tell it apart
        good = {"connectorId": 1, "idTag": "x"}
    odd = data.draw(st.dictionaries(st.sampled_from([*sorted(properties), "noSuchMember"]), json_values(), max_size=5))
    fact = translation.read(odd | good)
    assert type(fact) is FACTS.get(action, Other)
    if isinstance(fact, Stopped):  # its readings are unchanged
        fact = msgspec.structs.replace(fact, raw=[])
    assert msgspec.convert(msgspec.to_builtins(fact), type(fact)) == fact


def _example(type: type) -> Any:
    return {str: "x", int: 1, list: [{"timestamp": NOW, "sampledValue": []}]}[type]


def test_essentials_are_required_members_of_the_schema() -> None:
    """And of the type that the schema has."""
    types = {"string": str, "integer": int, "array": list}
    for action, translation in V16.translations.items():
        request = schema("v16", action)
        assert set(translation.essentials) <= set(request.get("required", ()))
        for name, type in translation.essentials.items():
            assert types[request["properties"][name]["type"]] is type


def read(action: str, payload: dict[str, Any]) -> Any:
    """The fact of a payload that is valid."""
    assert V16.schemas.request(action, payload) == []
    return V16.translations[action].read(payload)


def test_a_boot_notification_has_either_serial_number() -> None:
    """The deprecated chargeBoxSerialNumber is better than none."""
    named = {"chargePointVendor": "V", "chargePointModel": "M"}
    assert read("BootNotification", named) == BootNotification("V", "M")
    both = {"chargePointSerialNumber": "S1", "chargeBoxSerialNumber": "S2", "firmwareVersion": "1.0"}
    assert read("BootNotification", named | both) == BootNotification("V", "M", "S1", "1.0")
    assert read("BootNotification", named | {"chargeBoxSerialNumber": "S2"}) == BootNotification("V", "M", "S2")


def test_a_stop_without_a_reason_is_local() -> None:
    """R17, OCPP 1.6 §6.49."""
    stop = {"transactionId": -1, "meterStop": 5, "timestamp": NOW}
    assert read("StopTransaction", stop) == Stopped(-1, 5, NOW, "Local")
    assert read("StopTransaction", stop | {"reason": "PowerLoss", "idTag": "A"}) == Stopped(-1, 5, NOW, "PowerLoss", "A")


def test_messages_of_transactions_are_read_unchanged() -> None:
    """T1 to T3: ids and readings are not changed, not even -1 and 0."""
    start = {"connectorId": 0, "idTag": "A", "meterStart": -5, "timestamp": "x", "reservationId": 0}
    assert read("StartTransaction", start) == Started(0, "A", -5, "x", 0)
    values = [{"timestamp": "x", "sampledValue": [{"value": "1"}]}]
    assert read("MeterValues", {"connectorId": 0, "meterValue": values}) == MeterValues(0, None, values)
    assert read("MeterValues", {"connectorId": 2, "transactionId": -1, "meterValue": values}) == MeterValues(2, -1, values)


def test_a_status_notification_is_read_completely() -> None:
    """CONTRACT 1."""
    said = {"connectorId": 0, "status": "Faulted", "errorCode": "OtherError", "info": "i", "vendorErrorCode": "E1", "timestamp": "x"}
    assert read("StatusNotification", said | {"vendorId": "v"}) == StatusNotification(0, "Faulted", "OtherError", "i", "E1", "x")


def test_another_action_is_passed_on_completely() -> None:
    """DESIGN: nothing is swallowed."""
    assert read("FirmwareStatusNotification", {"status": "Idle"}) == Other("FirmwareStatusNotification", {"status": "Idle"})


def answer(action: str, verdict: Verdict) -> dict[str, Any]:
    """What the charger is answered."""
    translation = V16.translations[action]
    return translation.answer(translation.read(fullest(schema("v16", action))), verdict, NOW)


def test_the_answers_are_those_of_the_specification() -> None:
    """B1, R17: the interval is an integer; R15: what is empty is left out."""
    assert answer("BootNotification", Registration("Pending", 60)) == {"status": "Pending", "currentTime": NOW, "interval": 60}
    assert answer("Heartbeat", None) == {"currentTime": NOW}
    assert answer("Authorize", Authorization("Blocked")) == {"idTagInfo": {"status": "Blocked"}}
    assert answer("StartTransaction", Start(transaction_id=7)) == {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
    assert answer("StopTransaction", None) == answer("StatusNotification", None) == answer("MeterValues", None) == {}
    assert answer("DataTransfer", DataTransferResult()) == {"status": "Accepted"}


def test_a_tags_group_and_expiry_are_in_the_answer_when_known() -> None:
    """T14."""
    told = {"status": "Accepted", "expiryDate": NOW, "parentIdTag": "group"}
    verdict = Authorization("Accepted", NOW, "group")
    assert answer("Authorize", verdict)["idTagInfo"] == answer("StopTransaction", verdict)["idTagInfo"] == told
    assert answer("StartTransaction", Start(verdict, 1))["idTagInfo"] == told


def test_sign_certificate_is_rejected_without_a_handler() -> None:
    """S9."""
    assert answer("SignCertificate", Answer()) == {"status": "Rejected"}
    assert answer("SignCertificate", Answer({"status": "Accepted"})) == {"status": "Accepted"}
    assert answer("SecurityEventNotification", Answer()) == {}


def test_an_answer_does_not_change_the_next_one() -> None:
    """The defaults are shared by all chargers."""
    answer("SignCertificate", Answer({"status": "Accepted"}))["more"] = 1
    assert answer("SignCertificate", Answer()) == {"status": "Rejected"}


# error codes


@pytest.mark.parametrize("action", sorted(V16.schemas.actions))
def test_every_single_fault_has_the_code_of_1_6(action: str) -> None:
    """R9, R11: one fault at a time, in messages of either direction."""
    for fault in broken(schema("v16", action)):
        (violation,) = V16.schemas.request(action, fault.payload)
        assert V16.code(violation.rule) == CODES[fault.rule], str(fault)


def test_the_codes_are_spelled_as_1_6_spells_them() -> None:
    """R9: Occurence with one r, Formation; "do not fix" (errata 5.1, 5.2)."""
    table = {"NotImplemented", "NotSupported", "InternalError", "ProtocolError", "SecurityError", "FormationViolation"}
    table |= {"PropertyConstraintViolation", "OccurenceConstraintViolation", "TypeConstraintViolation", "GenericError"}
    assert set(V16.codes.values()) <= table
    assert V16.code("syntax") == V16.code("structure") == "FormationViolation"
    assert (V16.code("unknown"), V16.code("unsupported"), V16.code("security")) == ("NotImplemented", "NotSupported", "SecurityError")
    assert V16.code("internal") == "InternalError"
    assert V16.code("a keyword of tomorrow") in table


# commands to chargers


def neutral(command: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a neutral command becomes."""
    return V16.neutral[command](data)


def test_every_action_of_the_csms_is_a_command() -> None:
    """CONTRACT 2: in snake_case."""
    assert set(V16.neutral) == {snake_case(action) for action in V16.csms_actions}


@given(st.sampled_from(sorted(V16.csms_actions)), st.data())
@settings(deadline=None, max_examples=150)
def test_a_neutral_command_with_ocpps_own_payload_is_sent_as_it_is(action: str, data: st.DataObject) -> None:
    """CONTRACT 2: no member is renamed, added or dropped, and their order is kept."""
    payload = data.draw(valid(schema("v16", action)))
    asked, sent = neutral(snake_case(action), payload)
    assert asked == action and V16.schemas.request(action, sent) == []
    if action == "GetConfiguration" and not payload.get("key"):
        assert sent == {}  # R15: an empty list is left out
    else:
        assert sent == payload
    if action != "ChangeConfiguration":  # which is built anew, for values that are not strings
        assert list(sent) == [name for name in payload if name in sent]


@pytest.mark.parametrize(
    ("command", "data", "action", "payload"),
    [
        (
            *("remote_start_transaction", {"tag": "RFID-12345", "connector_id": 1}),
            *("RemoteStartTransaction", {"connectorId": 1, "idTag": "RFID-12345"}),
        ),
        ("remote_start_transaction", {"tag": "RFID-12345"}, "RemoteStartTransaction", {"idTag": "RFID-12345"}),
        ("remote_start_transaction", {"tag": "A", "connector_id": 0}, "RemoteStartTransaction", {"idTag": "A"}),
        ("remote_start_transaction", {"tag": "A", "connector_id": None}, "RemoteStartTransaction", {"idTag": "A"}),
        ("remote_stop_transaction", {"transaction_id": 123}, "RemoteStopTransaction", {"transactionId": 123}),
        ("remote_stop_transaction", {"transaction_id": 0}, "RemoteStopTransaction", {"transactionId": 0}),
        ("get_configuration", {}, "GetConfiguration", {}),
        ("get_configuration", {"key": []}, "GetConfiguration", {}),
        ("get_configuration", {"key": "HeartbeatInterval"}, "GetConfiguration", {"key": ["HeartbeatInterval"]}),
        ("get_configuration", {"key": ["A", "B"]}, "GetConfiguration", {"key": ["A", "B"]}),
        ("change_configuration", {"key": "A", "value": "1"}, "ChangeConfiguration", {"key": "A", "value": "1"}),
        ("change_configuration", {"key": "A", "value": 60}, "ChangeConfiguration", {"key": "A", "value": "60"}),
        ("change_configuration", {"key": "A", "value": True}, "ChangeConfiguration", {"key": "A", "value": "true"}),
        ("change_configuration", {"key": "A", "value": ""}, "ChangeConfiguration", {"key": "A", "value": ""}),
        ("clear_cache", {}, "ClearCache", {}),
        ("reset", {"type": "Soft"}, "Reset", {"type": "Soft"}),
        ("trigger_message", {"requestedMessage": "Heartbeat"}, "TriggerMessage", {"requestedMessage": "Heartbeat"}),
    ],
)
def test_a_neutral_command_becomes_the_action_and_payload(command: str, data: Any, action: str, payload: Any) -> None:
    """CONTRACT 2, the seed's commands first; a connector that was not named, or is 0, is never sent (FIELD 30)."""
    asked, sent = neutral(command, data)
    assert (asked, sent, list(sent)) == (action, payload, list(payload))
    assert V16.schemas.request(asked, sent) == []


def test_a_remote_start_may_have_a_charging_profile() -> None:
    """OCPP 1.6 §5.16.2."""
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]}
    profile = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Relative"}
    profile["chargingSchedule"] = schedule
    action, sent = neutral("remote_start_transaction", {"tag": "A", "charging_profile": profile})
    assert sent == {"idTag": "A", "chargingProfile": profile} and V16.schemas.request(action, sent) == []


@pytest.mark.parametrize(
    ("command", "data"),
    [
        ("remote_start_transaction", {}),
        ("remote_start_transaction", {"tag": 7}),
        ("remote_start_transaction", {"tag": "A", "connector_id": "1"}),
        ("remote_start_transaction", {"tag": "A", "connector_id": True}),
        ("remote_start_transaction", {"tag": "x" * 21}),
        ("remote_stop_transaction", {}),
        ("remote_stop_transaction", {"transaction_id": "123"}),
        ("get_configuration", {"key": 7}),
        ("get_configuration", {"key": [7]}),
        ("change_configuration", {"key": "A"}),
        ("change_configuration", {"value": "1"}),
        ("change_configuration", {"key": "A", "value": None}),
        ("change_configuration", {"key": "A", "value": ["B"]}),
        ("get_configuration", {"key": {"A": 1}}),
    ],
)
def test_invalid_data_is_refused_or_violates_the_schema(command: str, data: dict[str, Any]) -> None:
    """A23: so it ends as `invalid`, and nothing is sent."""
    try:
        action, sent = neutral(command, data)
    except (KeyError, TypeError, ValueError):
        return
    assert V16.schemas.request(action, sent) != []


@given(
    st.sampled_from(sorted(V16.neutral)),
    st.dictionaries(st.sampled_from(["tag", "key", "value", "transaction_id", "connector_id"]), json_values()),
)
@settings(deadline=None)
def test_any_data_is_a_command_or_refused(command: str, data: dict[str, Any]) -> None:
    """F32: no other exception, whatever a backend sends."""
    try:
        action, sent = neutral(command, data)
    except (KeyError, TypeError, ValueError):
        return
    V16.schemas.request(action, sent)


def test_starts_and_stops_are_not_sent_to_a_pending_charger() -> None:
    """B4, OCPP 1.6 §4.2."""
    assert V16.start_actions == {"RemoteStartTransaction", "RemoteStopTransaction"} and V16.start_actions <= V16.csms_actions
