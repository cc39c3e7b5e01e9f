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


def test_a_message_that_is_not_served_tells_no_secret():
    here, client = connected("1.6")
    client.send_call("AcmeKeys", {"key": "AuthorizationKey", "value": SECRET})
    client.send_text(f'[2,"9","GetConfiguration",{{"key":"AuthorizationKey","value":"{SECRET}"')
    assert [each["event"] for each in here.published()].count("message_refused") == 2 and SECRET not in everything(here)


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
