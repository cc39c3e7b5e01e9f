"""Events of the gateway have no secrets of chargers, and handlers, vendors and the backend get the messages as they came."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from twisted.logger import formatEvent

from ocpp_tw.handlers import Handlers
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

SECRET = "00112233445566778899aabbccddeeff"
COMPONENT = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
REPORT = {
    "requestId": 1,
    "generatedAt": "2026-11-22T10:00:00Z",
    "seqNo": 0,
    "reportData": [{**COMPONENT, "variableAttribute": [{"value": SECRET, "mutability": "WriteOnly"}]}],
}


def everything(here: InMemoryGateway) -> str:
    return b"".join(here.store.events).decode() + str(here.application.reader.evidence.report())


def connected(ocpp: str = "2.0.1", **more: Any) -> tuple[InMemoryGateway, Any]:
    here = InMemoryGateway(Settings(name="gw", **more))
    here.application.start()
    client = here.connect(ocpp=ocpp)
    client.frames()
    return here, client


def test_a_report_is_told_without_a_password():
    here, client = connected()
    assert client.call("NotifyReport", REPORT) == {}
    (event,) = [each for each in here.published() if each["event"] == "notify_report"]
    assert event["payload"]["reportData"][0]["variableAttribute"] == [{"value": "***", "mutability": "WriteOnly"}]
    assert event["payload"]["generatedAt"] == REPORT["generatedAt"] and SECRET not in everything(here)


@pytest.mark.parametrize("validation", ["tolerant", "strict"])
def test_neither_violations_nor_their_counts_tell_a_secret(validation):
    here, client = connected(validation=validation)
    wrong = {**REPORT, "reportData": [{**REPORT["reportData"][0], "variableAttribute": [{"value": [SECRET], "mutability": "Some"}]}]}
    client.send_call("NotifyReport", wrong)
    assert any(each.get("violations") for each in here.published()) and here.application.reader.evidence.report()
    assert SECRET not in everything(here)


PEM = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----"
NOW = "2026-11-22T10:00:00Z"
FREE = [
    ("1.6", "StatusNotification", {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "info": f"password={SECRET}"}),
    (
        "1.6",
        "StatusNotification",
        {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "vendorErrorCode": f"passwd: {SECRET}"},
    ),
    ("1.6", "StatusNotification", {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "vendorId": f"//u:{SECRET}@x"}),
    ("1.6", "SecurityEventNotification", {"type": "SettingSystemTime", "timestamp": NOW, "techInfo": f"Authorization: Basic {SECRET}"}),
    ("1.6", "SignCertificate", {"csr": PEM}),
    ("1.6", "BootNotification", {"chargePointVendor": "v", "chargePointModel": "m", "firmwareVersion": f"secret={SECRET}"}),
    (
        "2.0.1",
        "SecurityEventNotification",
        {"type": "ReconfigurationOfSecurityParameters", "timestamp": NOW, "techInfo": json.dumps({"password": SECRET})},
    ),
    ("2.0.1", "SecurityEventNotification", {"type": f"apiToken={SECRET}", "timestamp": NOW}),
    ("2.0.1", "SignCertificate", {"csr": PEM}),
    ("2.0.1", "LogStatusNotification", {"status": "Uploaded", "statusInfo": {"reasonCode": "x", "additionalInfo": f"ftp://a:{SECRET}@b"}}),
    (
        "2.0.1",
        "NotifyMonitoringReport",
        {"requestId": 1, "seqNo": 0, "generatedAt": NOW, "customData": {"vendorId": "v", "privateKey": SECRET}},
    ),
    ("2.0.1", "FirmwareStatusNotification", {"status": "Installed", "customData": {"vendorId": "v", "password": SECRET}}),
    ("2.0.1", "NotifyCustomerInformation", {"data": f"passphrase: {SECRET}", "seqNo": 0, "generatedAt": NOW, "requestId": 1}),
]


@pytest.mark.parametrize(("ocpp", "action", "payload"), FREE)
def test_a_secret_in_a_free_text_of_any_message_is_not_told(ocpp, action, payload):
    """Nor one that is written with escapes."""
    for escape in (False, True):
        here, client = connected(ocpp)
        text = json.dumps([2, "m1", action, payload])
        if escape:
            for word in ("passw", "passphrase", "PRIVATE", "secret", "Authorization", "apiToken", "privateKey"):
                text = text.replace(word, f"\\u{ord(word[0]):04x}{word[1:]}")
        client.send_text(text)
        told = everything(here)
        assert action in told and "***" in told and SECRET not in told


def test_what_a_status_notification_says_of_no_secret_is_told_as_it_came():
    here, client = connected("1.6")
    payload = {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "info": "door open, private use", "vendorErrorCode": "E@7"}
    client.call("StatusNotification", payload)
    (event,) = [each for each in here.published() if each.get("action") == "StatusNotification"]
    assert event["payload"] == payload


@pytest.mark.parametrize("validation", ["tolerant", "strict"])
def test_a_violation_in_a_free_text_tells_no_secret(validation):
    here, client = connected("1.6", validation=validation)
    client.send_call(
        "StatusNotification", {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "info": f"password={SECRET}" * 9}
    )
    client.send_call("SignCertificate", {"csr": PEM * 99})
    assert SECRET not in everything(here) and here.application.reader.evidence.report()


@pytest.mark.parametrize(
    ("ocpp", "action", "payload"),
    [("1.6", "Reset", {"type": "Soft"}), ("2.0.1", "InstallCertificate", {"certificateType": "V2GRootCertificate", "certificate": "x"})],
)
def test_a_result_of_any_command_is_told_without_a_secret_in_its_texts(ocpp, action, payload):
    here, client = connected(ocpp)
    here.push_command(CpID="cp1", data=[2, "c1", action, payload], reply_to="mine")
    client.answer({"status": "Rejected", "statusInfo": {"reasonCode": "x", "additionalInfo": f"password={SECRET}"}})
    assert here.command_result()["outcome"] == "result" and SECRET not in everything(here) + str(here.store.replies)


@pytest.mark.parametrize("id", [SECRET, "a word that was set as password", "gw-1", "6b1b0c9e-7f4f-4a43-9d9a-0d8f4f4cb6f1"])
def test_an_id_that_may_be_a_password_is_in_no_line_of_the_log(said, id):
    here, client = connected("2.1")
    client.send_text(json.dumps([3, id, {}]))
    client.send_text(json.dumps([4, id, "InternalError", "", {}]))
    client.send_text(json.dumps([5, id, "InternalError", "", {}]))
    lines = [each for each in said if "no CALL has the message id" in each]
    assert lines and (id in lines[0]) == (len(id) < 16)
    assert len(id) < 16 or (f"{id[:4]}…" in lines[0] and f"{len(id)} characters" in lines[0])
    assert not any(SECRET in each or "set as password" in each for each in said) and SECRET not in everything(here)


def test_a_message_that_is_not_served_tells_no_secret():
    here, client = connected("1.6")
    client.send_call("AcmeKeys", {"key": "AuthorizationKey", "value": SECRET})
    client.send_text(f'[2,"9","GetConfiguration",{{"key":"AuthorizationKey","value":"{SECRET}"')
    assert [each["event"] for each in here.published()].count("message_refused") == 2 and SECRET not in everything(here)


@pytest.mark.parametrize(
    "text", ["ftp://u:{}@h/f", "Authorization: Basic {}", "password={}", "-----BEGIN PRIVATE KEY-----{}", '{{"apiToken": "{}"}}']
)
@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_what_a_charger_says_that_it_is_is_kept_without_a_secret(ocpp, text):
    """In its record, in what is told of it, and in the counts of violations."""
    here, client = connected(ocpp)
    said = text.format(SECRET[:9])
    if ocpp == "1.6":
        client.call(
            "BootNotification", dict.fromkeys(("chargePointVendor", "chargePointModel", "firmwareVersion", "chargePointSerialNumber"), said)
        )
    else:
        station = dict.fromkeys(("vendorName", "model", "firmwareVersion", "serialNumber"), said)
        client.call("BootNotification", {"reason": "PowerUp", "chargingStation": station})
    client.send_call("StatusNotification", {"connectorId": 1, "status": "Available", "extra": 1})
    record = await here.gateway.decisions.record("cp1")
    assert all("***" in each for each in (record.vendor, record.model, record.firmware, record.serial))
    assert here.application.reader.evidence.report()
    assert SECRET[:9] not in everything(here) + str(here.store) + str(client.charger.model) + client.charger.serial


@pytest.mark.parametrize("action", ["Heartbeat", "DataTransfer", "AcmeKeys"])
@pytest.mark.parametrize("text", ["https://u:{}@h/", "Authorization: Basic {}", "password={}"])
def test_a_secret_in_a_message_id_is_not_told(action, text):
    here, client = connected("1.6")
    for id in (text.format(SECRET[:9]), "6b1b0c9e-7f4f-4a43-9d9a-0d8f4f4cb6f1"):
        client.send_text(json.dumps([2, id, action, {"vendorId": "v"} if action == "DataTransfer" else {}]))
        assert client.frames()[-1][1] == id
    ids = [each["message_id"] for each in here.published() if "message_id" in each]
    assert "***" in ids[0] and ids[1] == "6b1b0c9e-7f4f-4a43-9d9a-0d8f4f4cb6f1" and SECRET[:9] not in everything(here)


@pytest.mark.parametrize("fill", ["", "x" * 40])
@pytest.mark.parametrize("text", ["https://u:{}@h/", "Authorization: Basic {}", "password={}", "-----BEGIN PRIVATE KEY-----{}"])
def test_a_secret_in_the_name_of_an_action_is_not_told(said, text, fill):
    here, client = connected("2.1")
    action = fill + text.format(SECRET)
    client.send_text(json.dumps([2, "1", action, {}]))
    client.send_text(json.dumps([2, action, "Heartbeat", []]))
    client.send_text(json.dumps([2, "3", action, []]))
    client.send_text(json.dumps([2, "4", action, {}])[:-1])
    client.send_text(json.dumps([9, action, action, {}]))
    assert here.published_names().count("message_refused") == 5
    assert SECRET[:9] not in everything(here) + "".join(said)


def test_a_signed_report_is_told_without_a_password():
    here, client = connected()
    inside = base64.urlsafe_b64encode(json.dumps(REPORT).encode()).decode().rstrip("=")
    client.send_call("NotifyReport-Signed", {"payload": inside, "signatures": [{"header": {}, "protected": "e30", "signature": "eA"}]})
    told = everything(here)
    assert "notify_report" in told and SECRET not in told and inside not in told


class Listening(Handlers):
    heard: Any = None

    def data_transfer(self, charger: Any, fact: Any) -> Any:
        Listening.heard = fact.data
        return super().data_transfer(charger, fact)


def test_handlers_get_what_an_event_does_not_tell():
    settings = Settings(name="gw")
    here = InMemoryGateway(settings, handlers=Listening(settings, None))
    data = json.dumps({"AuthorizationKey": SECRET})
    here.connect().call("DataTransfer", {"vendorId": "acme", "data": data})
    assert Listening.heard == data
    (event,) = [each for each in here.published() if each["event"] == "data_transfer"]
    assert event["data"]["data"] == event["payload"]["data"] == '{"AuthorizationKey":"***"}'


class Failing(Handlers):
    def data_transfer(self, charger: Any, fact: Any) -> Any:
        raise ValueError(fact)


async def test_an_exception_that_quotes_a_message_tells_no_secret(tidy):
    settings = Settings(name="gw")
    here = InMemoryGateway(settings, handlers=Failing(settings, None))
    here.connect().send_call("DataTransfer", {"vendorId": "acme", "data": json.dumps({"key": "AuthorizationKey", "value": SECRET})})
    told = "".join(f"{formatEvent(event)} {event['log_failure'].getTraceback()}" for event in tidy)
    tidy.clear()
    assert "ValueError: ***" in told and SECRET not in told


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("GetConfiguration", {"key": ["AuthorizationKey"]}, {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}]}),
        ("ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}, {"status": "Accepted"}),
    ],
)  # fmt: skip
def test_a_result_has_its_shape_without_the_secret(action, payload, answer):
    here, client = connected("1.6")
    here.push_command(CpID="cp1", data=[2, "c1", action, payload], reply_to="mine")
    assert client.frames()[0][3] == payload
    client.answer(answer)
    data = here.command_result()
    assert data["outcome"] == "result" and data["payload"].keys() == answer.keys()
    assert SECRET not in everything(here) + str(here.store.replies)


def test_neither_a_refusal_nor_a_late_answer_tells_the_secret():
    here, client = connected("1.6")
    here.push_command(CpID="cp1", data=[2, "c1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}])
    client.send_text(json.dumps([4, "c1", "InternalError", f"AuthorizationKey={SECRET}", {"key": "AuthorizationKey", "value": SECRET}]))
    error = here.command_result()["error"]
    assert error["code"] == "InternalError" and error["details"] == {"key": "AuthorizationKey", "value": "***"}
    here.push_command(CpID="cp1", data=[2, "c2", "GetConfiguration", {}])
    here.clock.advance(31)
    client.answer({"configurationKey": [{"key": "AuthorizationKey", "readonly": True, "value": SECRET}]}, "c2")
    assert "late_response" in here.published_names() and SECRET not in everything(here)


WIFI = {"key": "WifiPassword", "value": "MARKWIFIPW"}
VARIABLES = {
    "setVariableData": [
        {"attributeValue": "MARKWIFIPW", "component": {"name": "SecurityCtrlr"}, "variable": {"name": "basicauthPASSPHRASE"}},
        {"attributeValue": "60", "component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}},
    ]
}
REPEATED = [
    ("1.6", "ChangeConfiguration", WIFI),
    ("1.6", "ChangeConfiguration", {**WIFI, "key": "VendorAdminPassword"}),
    ("1.6", "UpdateFirmware", {"location": "ftp://user:MARKWIFIPW@example.com/f", "retrieveDate": NOW}),
    ("1.6", "DataTransfer", {"vendorId": "v", "data": json.dumps({"wifi": {"password": "MARKWIFIPW"}})}),
    ("2.0.1", "SetVariables", VARIABLES),
    ("2.1", "DataTransfer", {"vendorId": "v", "data": {"apiToken": "MARKWIFIPW"}}),
]


@pytest.mark.parametrize(("ocpp", "action", "payload"), REPEATED)
def test_what_is_secret_in_a_request_is_not_told_of_its_answer_either(said, ocpp, action, payload):
    """Wherever the charger repeats it; it is sent as it is."""
    here, client = connected(ocpp)
    here.push_command(CpID="cp1", data=[2, "c1", action, payload], reply_to="mine")
    sent = client.frames()[0]
    if sent[2] == "GetVariables":  # how many there may be in one message, which the charger need not know
        client.send_text(json.dumps([4, sent[1], "NotSupported", "", {}]))
        sent = client.frames()[0]
    assert sent[3] == payload
    client.send_text(json.dumps([4, "c1", "MARKWIFIPW", "cannot set MARKWIFIPW", {"why": ["is MARKWIFIPW", {"MARKWIFIPW": 1}]}]))
    error = here.command_result()["error"]
    assert (error["description"], error["details"]) == ("cannot set ***", {"why": ["is ***", {"***": 1}]})
    here.push_command(CpID="cp1", data=[2, "c2", action, payload], reply_to="mine")
    answer = {"status": "Rejected", "vendor": {"note": "not MARKWIFIPW"}}
    if action == "SetVariables":
        named = [{name: each[name] for name in ("component", "variable")} for each in VARIABLES["setVariableData"]]
        told = {"reasonCode": "No", "additionalInfo": "nor with MARKWIFIPW"}
        answer = {"setVariableResult": [{"attributeStatus": "Rejected", "attributeStatusInfo": told, **each} for each in named]}
    client.answer(answer, "c2")
    assert here.command_result()["outcome"] == "result"
    here.push_command(CpID="cp1", data=[2, "c3", action, payload], reply_to="mine")
    here.clock.advance(31)
    client.send_text(json.dumps([4, "c3", "MARKWIFIPW", "cannot set MARKWIFIPW", {}]))
    assert "late_response" in here.published_names()
    assert "MARKWIFIPW" not in everything(here) + str(here.store.replies) + "".join(said)


def test_a_refused_password_is_not_told_by_the_code_that_repeats_it():
    here, client = connected("1.6")
    here.push_command(CpID="cp1", data=[2, "c1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}])
    client.send_text(json.dumps([4, "c1", SECRET, "", {}]))
    assert "password_refused" in everything(here) and SECRET not in everything(here)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "text", ['[9,"c1",{"status":"MARK"}]', '[3,"MARK",{}', "MARK", '{"a":"MARK"}', '[5,"c1","MARK","MARK",{}]', '[2,"MARK","MARK",[]]']
)
def test_what_is_refused_tells_no_secret_of_a_request_that_it_may_answer(said, text, late):
    here, client = connected("2.1")
    here.push_command(CpID="cp1", data=[2, "c1", "DataTransfer", {"vendorId": "v", "data": {"apiToken": "MARK"}}])
    if late:
        here.clock.advance(31)
    client.send_text(text)
    assert "message_refused" in here.published_names() and "MARK" not in everything(here) + "".join(said)
