"""A simulated charger under command: what it does at each of the central system's actions."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_tw.simulator.quirks import Effect, Quirk
from simulator.central import NOW, Central, certificate, stamp


def profile(purpose: str, limit: float, unit: str = "W", **more: Any) -> dict[str, Any]:
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    } | more


def test_a_remote_start_begins_a_transaction_and_a_remote_stop_ends_it(central: Central) -> None:
    central.connect().names()
    assert central.command("RemoteStartTransaction", {"idTag": "ANNA", "connectorId": 2}) == {"status": "Accepted"}
    assert central.command("RemoteStartTransaction", {"idTag": "BERT", "connectorId": 2}) == {"status": "Rejected"}
    central.run(1)
    assert central.frames[1][3] | {"timestamp": "", "meterStart": 0} == {
        "connectorId": 2,
        "idTag": "ANNA",
        "timestamp": "",
        "meterStart": 0,
    }
    assert central.names() == ["2:Preparing", "StartTransaction", "2:Charging"]
    assert central.command("RemoteStopTransaction", {"transactionId": 77}) == {"status": "Rejected"}
    assert central.command("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
    central.run(11)
    assert [frame[3].get("reason") for frame in central.frames if frame[2] == "StopTransaction"] == ["Remote"]
    assert central.names() == ["StopTransaction", "2:Finishing", "2:Available"]


def test_a_remote_start_may_have_to_be_authorized(central: Central) -> None:
    central.connect().command("ChangeConfiguration", {"key": "AuthorizeRemoteTxRequests", "value": "true"})
    central.answers["Authorize"] = {"idTagInfo": {"status": "Expired"}}
    assert central.command("RemoteStartTransaction", {"idTag": "ANNA"}) == {"status": "Accepted"}
    central.run(1)
    assert central.names()[-4:] == ["2:Available", "1:Preparing", "Authorize", "1:Available"]


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_a_reset_ends_the_transaction_closes_the_connection_and_boots(central: Central, kind: str) -> None:
    central.start_charging().names()
    assert central.command("Reset", {"type": kind}) == {"status": "Accepted"}
    central.run(11)
    assert central.closed == (1000, "rebooting") and central.charger.restarts.rebooting
    central.connect()
    actions = [frame[2] for frame in central.frames if frame[2] != "StatusNotification"]
    # a hard one does not wait for the answer to the stop, so that this is sent again
    again = ["StopTransaction"] if kind == "Hard" else []
    assert actions == ["StopTransaction", "BootNotification", *again]
    assert len({frame[1] for frame in central.frames if frame[2] == "StopTransaction"}) == 1


def test_availability_changes_at_once_or_after_the_transaction(central: Central) -> None:
    central.start_charging().names()
    assert central.command("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"}) == {"status": "Accepted"}
    assert central.command("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}) == {"status": "Scheduled"}
    assert central.command("RemoteStartTransaction", {"idTag": "T", "connectorId": 2}) == {"status": "Rejected"}
    central.run(0.1).charger.connectors[0].stop()
    central.run(11)
    assert central.names() == ["2:Unavailable", "StopTransaction", "1:Finishing", "1:Unavailable"]
    assert central.command("ChangeAvailability", {"connectorId": 0, "type": "Operative"}) == {"status": "Accepted"}
    assert central.command("ChangeAvailability", {"connectorId": 3, "type": "Operative"}) == {"status": "Rejected"}
    central.run(0.1)
    assert central.names() == ["1:Available", "2:Available"]


def test_intervals_take_effect_when_they_are_changed(central: Central) -> None:
    central.start_charging().command("ChangeConfiguration", {"key": "heartbeatInterval", "value": "20"})
    central.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "10"})
    central.names()
    central.run(60.5)
    names = central.names()
    assert names.count("Heartbeat") == 3 and names.count("MeterValues") == 6
    central.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "0"})
    assert "MeterValues" not in central.run(60).names()


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("HeartbeatInterval", "-1", "Rejected"),
        ("NumberOfConnectors", "9", "Rejected"),
        ("LocalPreAuthorize", "maybe", "Rejected"),
        ("Colour", "red", "NotSupported"),
    ],
)
def test_keys_that_cannot_be_changed(central: Central, key: str, value: str, status: str) -> None:
    assert central.connect().command("ChangeConfiguration", {"key": key, "value": value}) == {"status": status}


def test_keys_are_reported_but_no_password(central: Central) -> None:
    central.connect().charger.security.quirks["AuthorizationKey"] = Quirk(effect=Effect.NEXT_CONNECTION)
    central.command("ChangeConfiguration", {"key": "AuthorizationKey", "value": "a secret of mine"})
    answer = central.command("GetConfiguration", {"key": ["numberofconnectors", "Colour", "AuthorizationKey"]})
    assert answer == {
        "configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "2"}, {"key": "AuthorizationKey", "readonly": False}],
        "unknownKey": ["Colour"],
    }
    assert len(central.command("GetConfiguration")["configurationKey"]) > 30


@pytest.mark.parametrize(
    "what",
    ["BootNotification", "Heartbeat", "MeterValues", "StatusNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification"],
)
@pytest.mark.parametrize("action", ["TriggerMessage", "ExtendedTriggerMessage"])
def test_a_trigger_sends_the_message(central: Central, what: str, action: str) -> None:
    if (action, what) == ("ExtendedTriggerMessage", "DiagnosticsStatusNotification"):
        return  # not among its words
    central.connect().frames.clear()
    assert central.command(action, {"requestedMessage": what}) == {"status": "Accepted"}
    central.run(1)
    signed = "Signed" if (action, what) == ("ExtendedTriggerMessage", "FirmwareStatusNotification") else ""
    assert central.frames[0][2] == signed + what
    assert central.command(action, {"requestedMessage": "MeterValues", "connectorId": 9}) == {"status": "Rejected"}


def test_files_go_through_their_statuses(central: Central) -> None:
    central.connect().frames.clear()
    central.command("GetDiagnostics", {"location": "ftp://x"})
    central.command("UpdateFirmware", {"location": "ftp://x", "retrieveDate": stamp(20)})
    central.command("GetLog", {"logType": "SecurityLog", "requestId": 5, "log": {"remoteLocation": "ftp://x"}})
    firmware = {"location": "x", "retrieveDateTime": NOW, "signingCertificate": "c", "signature": "s"}
    assert central.command("SignedUpdateFirmware", {"requestId": 6, "firmware": firmware}) == {"status": "Accepted"}
    central.run(50)
    sent = {name: [frame[3]["status"] for frame in central.frames if frame[2] == name] for name in {frame[2] for frame in central.frames}}
    assert sent["DiagnosticsStatusNotification"] == ["Uploading", "Uploaded"] == sent["LogStatusNotification"]
    assert sent["FirmwareStatusNotification"] == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert all(frame[3]["requestId"] == 5 for frame in central.frames if frame[2] == "LogStatusNotification")


def test_a_reservation_keeps_a_connector_for_its_tag(central: Central) -> None:
    central.connect().names()
    wish = {"connectorId": 1, "expiryDate": stamp(600), "idTag": "ANNA", "reservationId": 3}
    assert central.command("ReserveNow", wish) == {"status": "Accepted"}
    assert central.command("ReserveNow", wish | {"reservationId": 4}) == {"status": "Occupied"}
    assert central.command("RemoteStartTransaction", {"idTag": "BERT", "connectorId": 1}) == {"status": "Rejected"}
    assert central.command("RemoteStartTransaction", {"idTag": "ANNA", "connectorId": 1}) == {"status": "Accepted"}
    central.run(1)
    assert central.payloads("StartTransaction")[0]["reservationId"] == 3
    assert central.command("ReserveNow", wish | {"connectorId": 2}) == {"status": "Accepted"}
    assert central.command("CancelReservation", {"reservationId": 3}) == {"status": "Accepted"}
    assert central.command("CancelReservation", {"reservationId": 3}) == {"status": "Rejected"}
    central.command("ReserveNow", wish | {"connectorId": 2, "expiryDate": stamp(30)})
    central.run(40)
    assert [name for name in central.names() if name.startswith("2:")] == ["2:Reserved", "2:Available", "2:Reserved", "2:Available"]


def test_unlocking_ends_the_transaction(central: Central) -> None:
    assert central.start_charging().command("UnlockConnector", {"connectorId": 1}) == {"status": "Unlocked"}
    assert central.command("UnlockConnector", {"connectorId": 5}) == {"status": "NotSupported"}
    central.run(1)
    assert central.payloads("StopTransaction")[0]["reason"] == "UnlockCommand"


def test_the_local_list_authorizes_offline(central: Central) -> None:
    listed = [{"idTag": "GOOD", "idTagInfo": {"status": "Accepted"}}, {"idTag": "BAD", "idTagInfo": {"status": "Blocked"}}]
    central.connect().command("SendLocalList", {"listVersion": 5, "updateType": "Full", "localAuthorizationList": listed})
    assert central.command("SendLocalList", {"listVersion": 5, "updateType": "Differential"}) == {"status": "VersionMismatch"}
    change = {"listVersion": 6, "updateType": "Differential", "localAuthorizationList": [{"idTag": "GONE"}]}
    assert central.command("SendLocalList", change) == {"status": "Accepted"}
    assert central.command("GetLocalListVersion") == {"listVersion": 6}
    central.command("ChangeConfiguration", {"key": "AllowOfflineTxForUnknownId", "value": "false"})
    central.disconnect()
    for tag, good in (("GOOD", True), ("BAD", False), ("UNKNOWN", False)):
        try:
            central.charger.tags.authorize(tag).send(None)
        except StopIteration as answer:
            assert answer.value is good


def test_profiles_bound_the_power(central: Central) -> None:
    central.start_charging()
    assert central.command("SetChargingProfile", {"connectorId": 2, "csChargingProfiles": profile("TxProfile", 1)}) == {
        "status": "Rejected"
    }
    assert central.command("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile("TxProfile", 7000)}) == {
        "status": "Accepted"
    }
    whole = profile("ChargePointMaxProfile", 16, "A", chargingProfileId=2, chargingProfileKind="Absolute", validTo=stamp(3600))
    assert central.command("SetChargingProfile", {"connectorId": 0, "csChargingProfiles": whole}) == {"status": "Accepted"}
    central.run(130)
    values = central.payloads("MeterValues")[-1]["meterValue"][0]["sampledValue"]
    assert next(each["value"] for each in values if each["measurand"] == "Power.Active.Import") == "7000.0"
    asked = central.command("GetCompositeSchedule", {"connectorId": 1, "duration": 600})
    assert asked["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 7000}]
    assert central.command("ClearChargingProfile", {"id": 1}) == {"status": "Accepted"}
    assert central.command("ClearChargingProfile", {"id": 1}) == {"status": "Unknown"}
    asked = central.command("GetCompositeSchedule", {"connectorId": 1, "duration": 600, "chargingRateUnit": "A"})
    assert asked["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 16}]


def test_certificates_are_installed_found_and_deleted(central: Central) -> None:
    pem, use = certificate(), "CentralSystemRootCertificate"
    assert central.connect().command("InstallCertificate", {"certificateType": use, "certificate": "x"}) == {"status": "Rejected"}
    assert central.command("InstallCertificate", {"certificateType": use, "certificate": pem}) == {"status": "Accepted"}
    found = central.command("GetInstalledCertificateIds", {"certificateType": use})["certificateHashData"]
    assert found[0]["serialNumber"] == "4d"
    assert central.command("DeleteCertificate", {"certificateHashData": found[0]}) == {"status": "Accepted"}
    assert central.command("DeleteCertificate", {"certificateHashData": found[0]}) == {"status": "NotFound"}
    assert central.command("GetInstalledCertificateIds", {"certificateType": use}) == {"status": "NotFound"}
