"""A simulated charger of OCPP 2.x under command: what it does at each of the central system's actions, and whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from ocpp_tw.simulator.dialect import Dialect
from ocpp_tw.simulator.power import Car
from ocpp_tw.simulator.v2.dialect import V21, V201
from payloads import schema, valid
from simulator.central import FOLDERS, Central, certificate, events, gapless, stamp

ACTIONS = [
    "CancelReservation",
    "CertificateSigned",
    "ChangeAvailability",
    "ClearCache",
    "ClearChargingProfile",
    "ClearDisplayMessage",
    "ClearVariableMonitoring",
    "CostUpdated",
    "CustomerInformation",
    "DataTransfer",
    "DeleteCertificate",
    "GetBaseReport",
    "GetChargingProfiles",
    "GetCompositeSchedule",
    "GetDisplayMessages",
    "GetInstalledCertificateIds",
    "GetLocalListVersion",
    "GetLog",
    "GetMonitoringReport",
    "GetReport",
    "GetTransactionStatus",
    "GetVariables",
    "InstallCertificate",
    "PublishFirmware",
    "RequestStartTransaction",
    "RequestStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SetDisplayMessage",
    "SetMonitoringBase",
    "SetMonitoringLevel",
    "SetNetworkProfile",
    "SetVariableMonitoring",
    "SetVariables",
    "TriggerMessage",
    "UnlockConnector",
    "UnpublishFirmware",
    "UpdateFirmware",
]
MORE = [
    "AFRRSignal",
    "AdjustPeriodicEventStream",
    "ChangeTransactionTariff",
    "ClearDERControl",
    "ClearTariffs",
    "GetDERControl",
    "GetPeriodicEventStream",
    "GetTariffs",
    "NotifyAllowedEnergyTransfer",
    "NotifyWebPaymentStarted",
    "RequestBatterySwap",
    "SetDERControl",
    "SetDefaultTariff",
    "UpdateDynamicSchedule",
    "UsePriorityCharging",
]
COMMANDS = [(V201, action) for action in ACTIONS] + [(V21, action) for action in ACTIONS + MORE]
PLACES = {"evseId": 3, "connectorId": 1, "id": 3}
TOKEN = {"idToken": "ANNA", "type": "ISO14443"}


@pytest.fixture(params=[V201, V21], ids=lambda each: each.ocpp)
def central(request: Any) -> Iterator[Central]:
    it = Central(request.param, connectors=2).connect()
    it.names()
    yield it
    it.shut_down()


def item(component: str, name: str, value: str | None = None, instance: str | None = None, **more: Any) -> dict[str, Any]:
    variable = {"name": name} | ({"instance": instance} if instance else {})
    return {"component": {"name": component}, "variable": variable} | ({} if value is None else {"attributeValue": value}) | more


def profile(purpose: str, limit: float, **more: Any) -> dict[str, Any]:
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    head = {"id": 1, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Relative"}
    return head | {"chargingSchedule": [schedule]} | more


def charging(central: Central, number: int = 1) -> str:
    """A transaction is under way; its id."""
    evse = central.charger.connectors[number - 1]
    Deferred.fromCoroutine(central.charger.authorize_and_start("TAG", evse))
    central.run(0.1)
    evse.plug(Car())
    central.run(0.1)
    return str(evse.transaction.uid)  # type: ignore[union-attr]


# whatever is sent


def test_every_action_is_known() -> None:
    assert set(V201.commands) == set(ACTIONS) and set(V21.commands) == {*ACTIONS, *MORE} and (len(ACTIONS), len(MORE)) == (40, 15)


def sane(payload: Any) -> Any:
    """The same with EVSEs, connectors and ids that mostly exist."""
    if isinstance(payload, dict):
        return {name: each % PLACES[name] if name in PLACES and type(each) is int else sane(each) for name, each in payload.items()}
    return [sane(each) for each in payload] if isinstance(payload, list) else payload


@settings(max_examples=350, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_valid_command_gets_a_valid_answer(data: st.DataObject) -> None:
    """Idle, plugged in, and charging; and whatever follows from it is valid, too."""
    dialect, action = data.draw(st.sampled_from(COMMANDS))
    payload = sane(data.draw(valid(schema(FOLDERS[dialect.ocpp], action + "Request"))))
    state = data.draw(st.sampled_from(["idle", "plugged", "charging"]))
    central = Central(dialect, connectors=2, id_first=state != "plugged").connect()
    if state == "charging":
        id = charging(central)
        if "transactionId" in payload:
            payload["transactionId"] = id
    elif state == "plugged":
        central.charger.connectors[0].plug(Car())
    central.command(action, payload)
    central.run(30)
    assert gapless(events(central))
    central.shut_down()


def test_the_smallest_payload_of_each_action_gets_a_valid_answer() -> None:
    """None is left to chance."""
    for dialect, action in COMMANDS:
        central = Central(dialect, connectors=2).connect()
        example = minimal(schema(FOLDERS[dialect.ocpp], action + "Request"))
        central.command(action, example)
        central.run(6).shut_down()


def minimal(root: Any, part: Any = None) -> Any:
    """The smallest payload that the schema takes."""
    part = root if part is None else part
    while "$ref" in part:
        part = root["definitions"][part["$ref"].rpartition("/")[2]]
    if "enum" in part:
        return part["enum"][0]
    match part.get("type"):
        case "object":
            return {name: minimal(root, part["properties"][name]) for name in part.get("required", ())}
        case "array":
            return [minimal(root, part["items"])]
        case "string":
            return stamp(3600) if part.get("format") == "date-time" else "1"
        case "boolean":
            return True
    return 1


@pytest.mark.parametrize("dialect", [V201, V21], ids=lambda each: each.ocpp)
def test_a_command_that_lacks_something_is_refused_and_an_unknown_one_too(dialect: Dialect) -> None:
    central = Central(dialect).connect()
    assert central.raw("MakeCoffee", {})[2] == "NotImplemented"
    for action in dialect.commands:
        required = schema(FOLDERS[dialect.ocpp], action + "Request").get("required", [])
        answer = central.raw(action, {})
        assert answer[0] == 3 or (required and answer[2] == "OccurrenceConstraintViolation"), (action, answer)
    assert central.raw("GetLog", {"logType": 7, "requestId": 1})[2] == "TypeConstraintViolation"
    central.shut_down()


# transactions


def test_a_remote_start_names_itself_in_the_started_event(central: Central) -> None:
    request = {"idToken": TOKEN, "remoteStartId": 77, "evseId": 2}
    assert central.command("RequestStartTransaction", request) == {"status": "Accepted"}
    central.run(1)
    assert central.command("RequestStartTransaction", request) == {"status": "Rejected"}
    sent = events(central)
    assert [each["triggerReason"] for each in sent] == ["RemoteStart", "CablePluggedIn", "ChargingStateChanged"]
    assert sent[0]["transactionInfo"]["remoteStartId"] == 77 and sent[0]["idToken"] == TOKEN and sent[0]["evse"]["id"] == 2
    id = sent[0]["transactionInfo"]["transactionId"]
    assert central.command("GetTransactionStatus", {"transactionId": id}) == {"ongoingIndicator": True, "messagesInQueue": False}
    assert central.command("RequestStopTransaction", {"transactionId": "other"}) == {"status": "Rejected"}
    assert central.command("RequestStopTransaction", {"transactionId": id}) == {"status": "Accepted"}
    central.run(1)
    (end,) = events(central)
    assert end["triggerReason"] == "RemoteStop" and end["transactionInfo"]["stoppedReason"] == "Remote" and gapless([*sent, end])
    assert central.command("GetTransactionStatus", {"transactionId": id}) == {"ongoingIndicator": False, "messagesInQueue": False}


def test_a_remote_start_of_a_car_that_is_plugged_in_already(central: Central) -> None:
    central.charger.id_first = False
    central.charger.connectors[0].plug(Car())
    central.run(0.1)
    (start,) = events(central)
    id = start["transactionInfo"]["transactionId"]
    answer = central.command("RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 5})
    assert answer == {"status": "Accepted", "transactionId": id}
    central.run(0.1)
    sent = events(central)
    assert sent[0]["triggerReason"] == "RemoteStart" and sent[0]["transactionInfo"]["remoteStartId"] == 5 and gapless([start, *sent])


def test_a_remote_start_may_have_to_be_authorized(central: Central) -> None:
    central.command("SetVariables", {"setVariableData": [item("AuthCtrlr", "AuthorizeRemoteStart", "true")]})
    central.answers["Authorize"] = {"idTokenInfo": {"status": "Expired"}}
    central.command("RequestStartTransaction", {"idToken": TOKEN | {"type": "eMAID"}, "remoteStartId": 5})
    central.run(1)
    assert [frame[3] for frame in central.frames] == [{"idToken": TOKEN | {"type": "eMAID"}}]
    central.names()
    central.command("RequestStartTransaction", {"idToken": {"idToken": "", "type": "NoAuthorization"}, "remoteStartId": 6})
    central.run(1)
    assert events(central)[0]["idToken"] == {"idToken": "", "type": "NoAuthorization"}


def test_messages_wait_in_the_queue_while_none_is_answered(central: Central) -> None:
    central.answers["TransactionEvent"] = None
    id = charging(central)
    assert central.command("GetTransactionStatus", {"transactionId": id}) == {"ongoingIndicator": True, "messagesInQueue": True}
    assert central.command("GetTransactionStatus") == {"messagesInQueue": True}


@pytest.mark.parametrize("kind", ["Immediate", "OnIdle"])
def test_a_reset_is_immediate_or_waits_until_idle(central: Central, kind: str) -> None:
    charging(central)
    assert central.command("Reset", {"type": kind}) == {"status": "Accepted" if kind == "Immediate" else "Scheduled"}
    central.run(15)
    if kind == "OnIdle":
        assert central.closed is None
        central.charger.connectors[0].stop("Local")
        central.run(25)
    assert central.closed == (1000, "rebooting")
    central.connect()
    sent = [frame[3] for frame in central.frames if frame[2] == "BootNotification"]
    assert [each["reason"] for each in sent] == ["RemoteReset"]
    end = next(each for each in events(central) if each["eventType"] == "Ended")
    assert end["transactionInfo"]["stoppedReason"] == ("ImmediateReset" if kind == "Immediate" else "Local")


def test_a_reset_of_one_evse(central: Central) -> None:
    charging(central)
    assert central.command("Reset", {"type": "Immediate", "evseId": 9}) == {"status": "Rejected"}
    assert central.command("Reset", {"type": "Immediate", "evseId": 1}) == {"status": "Accepted"}
    central.run(1)
    assert central.closed is None and central.charger.connectors[0].status == "Available"


def test_unlocking_and_availability(central: Central) -> None:
    assert central.command("UnlockConnector", {"evseId": 1, "connectorId": 1}) == {"status": "Unlocked"}
    assert central.command("UnlockConnector", {"evseId": 1, "connectorId": 2}) == {"status": "UnknownConnector"}
    charging(central)
    assert central.command("UnlockConnector", {"evseId": 1, "connectorId": 1}) == {"status": "OngoingAuthorizedTransaction"}
    inoperative = {"operationalStatus": "Inoperative"}
    assert central.command("ChangeAvailability", inoperative | {"evse": {"id": 2}}) == {"status": "Accepted"}
    assert central.command("ChangeAvailability", inoperative) == {"status": "Scheduled"}
    central.names()
    central.charger.connectors[0].unplug()
    central.run(1)
    assert central.names()[-1] == "1:Unavailable"


def test_reservations_expire_and_are_for_their_token(central: Central) -> None:
    request = {"id": 3, "idToken": TOKEN, "expiryDateTime": stamp(60), "evseId": 1}
    assert central.command("ReserveNow", request) == {"status": "Accepted"}
    assert central.command("ReserveNow", request | {"id": 4}) == {"status": "Occupied"}
    central.run(1)
    assert central.names() == ["1:Reserved"]
    start = {"idToken": TOKEN | {"idToken": "BERT"}, "remoteStartId": 5, "evseId": 1}
    assert central.command("RequestStartTransaction", start) == {"status": "Rejected"}
    central.run(60)
    assert central.names() == ["ReservationStatusUpdate", "1:Available"]
    assert central.command("CancelReservation", {"reservationId": 3}) == {"status": "Rejected"}
    assert central.command("ReserveNow", request | {"expiryDateTime": stamp(600)}) == {"status": "Accepted"}
    central.command("RequestStartTransaction", start | {"idToken": TOKEN})
    central.run(1)
    assert events(central)[0]["reservationId"] == 3


def test_the_local_list(central: Central) -> None:
    entry = {"idToken": TOKEN, "idTokenInfo": {"status": "Accepted"}}
    request = {"versionNumber": 5, "updateType": "Full", "localAuthorizationList": [entry]}
    assert central.command("SendLocalList", request) == {"status": "Accepted"}
    assert central.command("GetLocalListVersion") == {"versionNumber": 5}
    assert central.command("SendLocalList", request | {"updateType": "Differential"}) == {"status": "VersionMismatch"}
    central.command("SendLocalList", {"versionNumber": 6, "updateType": "Differential", "localAuthorizationList": [{"idToken": TOKEN}]})
    assert central.charger.tags.local == {}


# the device model and what is sent in parts


def test_variables_are_read_set_and_take_effect(central: Central) -> None:
    asked = [
        item("OCPPCommCtrlr", "HeartbeatInterval"),
        item("DeviceDataCtrlr", "ItemsPerMessage", instance="GetVariables"),
        item("SecurityCtrlr", "BasicAuthPassword"),
        item("NoCtrlr", "x"),
        item("TxCtrlr", "x"),
        item("TxCtrlr", "TxStartPoint", attributeType="Target"),
        {"component": {"name": "EVSE", "evse": {"id": 2}}, "variable": {"name": "AvailabilityState"}},
    ]
    results = central.command("GetVariables", {"getVariableData": asked})["getVariableResult"]
    assert [(each["attributeStatus"], each.get("attributeValue")) for each in results] == [
        ("Accepted", "300"),
        ("Accepted", "16"),
        ("Rejected", None),
        ("UnknownComponent", None),
        ("UnknownVariable", None),
        ("NotSupportedAttributeType", None),
        ("Accepted", "Available"),
    ]
    assert central.raw("GetVariables", {"getVariableData": asked[:1] * 17})[2] == "OccurrenceConstraintViolation"
    wanted = [
        item("OCPPCommCtrlr", "HeartbeatInterval", "10"),
        item("SampledDataCtrlr", "TxUpdatedInterval", "5"),
        item("TxCtrlr", "TxStartPoint", "x"),
        item("OCPPCommCtrlr", "HeartbeatInterval", "soon"),
    ]
    results = central.command("SetVariables", {"setVariableData": wanted})["setVariableResult"]
    assert [each["attributeStatus"] for each in results] == ["Accepted", "Accepted", "Rejected", "Rejected"]
    charging(central)
    central.names()
    central.run(21)
    names = central.names()
    assert names.count("Heartbeat") == 2 and names.count("Updated MeterValuePeriodic Charging") == 4


@pytest.mark.parametrize("base", ["FullInventory", "ConfigurationInventory", "SummaryInventory"])
def test_a_report_comes_in_parts(central: Central, base: str) -> None:
    assert central.command("GetBaseReport", {"requestId": 42, "reportBase": base}) == {"status": "Accepted"}
    central.run(1)
    parts = central.payloads("NotifyReport")
    assert [each["seqNo"] for each in parts] == list(range(len(parts))) and {each["requestId"] for each in parts} == {42}
    assert [each["tbc"] for each in parts] == [True] * (len(parts) - 1) + [False]
    items = [each for part in parts for each in part["reportData"]]
    assert {"FullInventory": 64, "ConfigurationInventory": 29, "SummaryInventory": 5}[base] == len(items)


def test_a_report_of_some(central: Central) -> None:
    wanted = [{"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage"}}, {"component": {"name": "EVSE"}}]
    assert central.command("GetReport", {"requestId": 1, "componentVariable": wanted}) == {"status": "Accepted"}
    central.run(1)
    (part,) = central.payloads("NotifyReport")
    assert len(part["reportData"]) == 7 and part["tbc"] is False
    nothing = [{"component": {"name": "Toaster"}}]
    assert central.command("GetReport", {"requestId": 1, "componentVariable": nothing}) == {"status": "EmptyResultSet"}
    assert central.command("GetReport", {"requestId": 1, "componentCriteria": ["Problem"]}) == {"status": "EmptyResultSet"}


def test_monitors_are_set_reported_and_cleared(central: Central) -> None:
    head = {"value": 5.0, "severity": 3}
    heart = item("OCPPCommCtrlr", "HeartbeatInterval") | head
    wanted = [
        heart | {"type": "UpperThreshold"},
        heart | {"type": "UpperThreshold"},
        heart | {"type": "Delta", "severity": 11},
        item("OCPPCommCtrlr", "x") | head | {"type": "Delta"},
        heart | {"type": "Delta", "id": 99},
        item("TxCtrlr", "TxStartPoint") | head | {"type": "LowerThreshold"},
        heart | {"type": "Periodic"},
    ]
    results = central.command("SetVariableMonitoring", {"setMonitoringData": wanted})["setMonitoringResult"]
    assert [(each["status"], each.get("id")) for each in results] == [
        ("Accepted", 1),
        ("Duplicate", None),
        ("Rejected", None),
        ("UnknownVariable", None),
        ("Rejected", None),
        ("Rejected", None),
        ("Accepted", 2),
    ]
    assert central.command("GetMonitoringReport", {"requestId": 7, "monitoringCriteria": ["PeriodicMonitoring"]}) == {"status": "Accepted"}
    central.run(1)
    (part,) = central.payloads("NotifyMonitoringReport")
    assert part["monitor"][0]["variableMonitoring"][0]["id"] == 2 and part["requestId"] == 7
    assert central.command("SetMonitoringBase", {"monitoringBase": "FactoryDefault"}) == {"status": "Accepted"}
    assert central.command("GetMonitoringReport", {"requestId": 8}) == {"status": "EmptyResultSet"}
    assert central.command("SetMonitoringLevel", {"severity": 10}) == {"status": "Rejected"}


def test_customer_information(central: Central) -> None:
    charging(central)
    central.charger.tags.cache["ANNA" * 9] = central.charger.tags.cache["TAG"]
    request = {"requestId": 3, "report": True, "clear": True}
    assert central.command("CustomerInformation", request) == {"status": "Invalid"}
    assert central.command("CustomerInformation", request | {"idToken": {"idToken": "TAG", "type": "ISO14443"}}) == {"status": "Accepted"}
    central.run(1)
    (sent,) = central.payloads("NotifyCustomerInformation")
    assert sent["data"] == "TAG is Accepted in the cache" and sent["tbc"] is False and sent["seqNo"] == 0
    assert "TAG" not in central.charger.tags.cache
    central.command("CustomerInformation", request | {"customerIdentifier": "nobody"})
    central.run(1)
    assert central.payloads("NotifyCustomerInformation")[0]["data"] == ""


def test_charging_profiles_are_obeyed_reported_and_cleared(central: Central) -> None:
    id = charging(central)
    install = {"evseId": 1, "chargingProfile": profile("TxProfile", 4000, transactionId=id)}
    assert central.command("SetChargingProfile", install) == {"status": "Accepted"}
    assert central.command("SetChargingProfile", install | {"evseId": 2}) == {"status": "Rejected"}
    most = profile("ChargingStationMaxProfile", 9000, id=2)
    assert central.command("SetChargingProfile", {"evseId": 0, "chargingProfile": most}) == {"status": "Accepted"}
    assert central.command("SetChargingProfile", {"evseId": 1, "chargingProfile": most}) == {"status": "Rejected"}
    central.run(120)
    power = [each for each in events(central)[-1]["meterValue"][0]["sampledValue"] if each["measurand"] == "Power.Active.Import"]
    assert power[0]["value"] == 4000
    schedule = central.command("GetCompositeSchedule", {"evseId": 1, "duration": 600})["schedule"]
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 4000}]
    assert central.command("GetChargingProfiles", {"requestId": 9, "chargingProfile": {}}) == {"status": "Accepted"}
    central.run(1)
    one, two = central.payloads("ReportChargingProfiles")
    assert (one["evseId"], one["tbc"], two["evseId"], two["tbc"]) == (1, True, 0, False) and one["chargingProfile"] == [
        install["chargingProfile"]
    ]
    assert central.command("ClearChargingProfile", {"chargingProfileCriteria": {"evseId": 0}}) == {"status": "Accepted"}
    assert central.command("ClearChargingProfile", {"chargingProfileId": 77}) == {"status": "Unknown"}
    central.charger.connectors[0].stop()
    nothing = central.command("GetChargingProfiles", {"requestId": 9, "chargingProfile": {}})
    assert nothing == {"status": "NoProfiles"}


# the rest


def test_display_messages_and_costs(central: Central) -> None:
    id = charging(central)
    message = {"id": 5, "priority": "InFront", "message": {"format": "UTF8", "content": "hello"}}
    if central.charger.dialect is V21:
        message |= {"state": "Charging"}
    assert central.command("SetDisplayMessage", {"message": message}) == {"status": "Accepted"}
    assert central.command("SetDisplayMessage", {"message": message | {"transactionId": "x"}}) == {"status": "UnknownTransaction"}
    assert central.command("GetDisplayMessages", {"requestId": 1, "priority": "InFront"}) == {"status": "Accepted"}
    central.run(1)
    (sent,) = central.payloads("NotifyDisplayMessages")
    assert sent["messageInfo"] == [message] and sent["requestId"] == 1
    assert central.command("GetDisplayMessages", {"requestId": 1, "id": [6]}) == {"status": "Unknown"}
    assert [central.command("ClearDisplayMessage", {"id": 5})["status"] for _ in range(2)] == ["Accepted", "Unknown"]
    assert central.command("CostUpdated", {"totalCost": 1.5, "transactionId": id}) == {}
    assert central.charger.device.costs == {id: 1.5}


def test_firmware_and_logs_are_reported_stage_by_stage(central: Central) -> None:
    firmware = {"location": "https://example.com/f", "retrieveDateTime": stamp(5), "signature": "x"}
    assert central.command("UpdateFirmware", {"requestId": 1, "firmware": firmware}) == {"status": "Accepted"}
    central.run(12)
    assert central.command("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"}) == {"status": "Accepted"}
    central.run(40)
    sent = central.payloads("FirmwareStatusNotification")
    assert [each["status"] for each in sent] == [
        "Downloading",
        "Downloaded",
        "Downloaded",
        "SignatureVerified",
        "Installing",
        "Installed",
    ] and {each["requestId"] for each in sent} == {1}
    bad = {"requestId": 2, "firmware": firmware | {"signingCertificate": "x"}}
    assert central.command("UpdateFirmware", bad) == {"status": "InvalidCertificate"}
    log = {"logType": "SecurityLog", "requestId": 3, "log": {"remoteLocation": "https://example.com/"}}
    assert central.command("GetLog", log)["status"] == "Accepted"
    central.run(11)
    assert [(each["status"], each["requestId"]) for each in central.payloads("LogStatusNotification")] == [
        ("Uploading", 3),
        ("Uploaded", 3),
    ]
    central.command("TriggerMessage", {"requestedMessage": "LogStatusNotification"})
    central.run(1)
    assert central.payloads("LogStatusNotification") == [{"status": "Idle"}]


def test_certificates_are_installed_and_deleted(central: Central) -> None:
    assert central.command("GetInstalledCertificateIds") == {"status": "NotFound"}
    install = {"certificateType": "CSMSRootCertificate", "certificate": certificate()}
    assert central.command("InstallCertificate", install) == {"status": "Accepted"}
    assert central.command("InstallCertificate", install | {"certificate": "x"}) == {"status": "Rejected"}
    (known,) = central.command("GetInstalledCertificateIds")["certificateHashDataChain"]
    wanted = {"certificateHashData": known["certificateHashData"]}
    assert [central.command("DeleteCertificate", wanted)["status"] for _ in range(2)] == ["Accepted", "NotFound"]


def test_triggers(central: Central) -> None:
    def trigger(what: str, **more: Any) -> str:
        return str(central.command("TriggerMessage", {"requestedMessage": what} | more)["status"])

    assert trigger("TransactionEvent") == "Rejected" and trigger("BootNotification") == "Rejected"
    charging(central)
    central.names()
    assert trigger("TransactionEvent") == trigger("Heartbeat") == trigger("MeterValues", evse={"id": 1}) == "Accepted"
    assert trigger("StatusNotification", evse={"id": 2}) == "Accepted" and trigger("StatusNotification", evse={"id": 7}) == "Rejected"
    assert trigger("PublishFirmwareStatusNotification") == "NotImplemented"
    central.run(1)
    assert central.names() == ["Updated Trigger Charging", "Heartbeat", "MeterValues", "2:Available"]


def test_a_pending_charger_executes_triggers_and_starts_nothing() -> None:
    central = Central(V201)
    central.answers["BootNotification"] = {"status": "Pending", "currentTime": stamp(0), "interval": 600}
    central.connect()
    assert central.command("RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 1}) == {"status": "Rejected"}
    assert central.command("TriggerMessage", {"requestedMessage": "BootNotification"}) == {"status": "Accepted"}
    central.run(1)
    assert [each["reason"] for each in central.payloads("BootNotification")] == ["PowerUp", "Triggered"]
    central.shut_down()
