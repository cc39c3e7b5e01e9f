"""What one charger says, what it is answered, and what the backend is told of it."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from in_memory import START_1, in_memory, stop
from ocpp_tw.facts import Registration, Start
from ocpp_tw.handlers import Handlers
from ocpp_tw.interfaces import ICharger, IHandlers
from ocpp_tw.ocpp.tolerance.rules import Tolerance
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway


def test_a_charger_provides_what_handlers_see_of_it():
    verifyObject(ICharger, in_memory().connect().charger)
    verifyObject(IHandlers, Handlers(Settings()))


def test_boot_is_answered_with_time_and_interval_and_told():
    """B1, T16, R17: currentTime in UTC with Z, interval an integer."""
    here = in_memory(heartbeat_interval=120)
    cp = here.connect()
    answer = cp.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1"})
    assert answer == {"status": "Accepted", "currentTime": "2026-09-21T14:13:20.000Z", "interval": 120}
    connected, booted = here.published()
    assert connected["event"] == "connect_charger" and connected["data"]["charger"] == "cp1"
    assert booted["data"] == {"charger": "cp1", "vendor": "V", "model": "M", "serial": None, "firmware": "1", "status": "Accepted"}


def test_an_event_has_the_envelope_of_the_contract():
    here = in_memory()
    cp = here.connect()
    here.published()
    cp.send_text('[2,"m1","StatusNotification",{"connectorId":2, "errorCode":"NoError","status":"Available"}]')
    (event,) = here.published()
    id = event.pop("id")
    assert 20 <= len(id) <= 36
    assert event == {
        "event": "change_connector_status",
        "domain": "csms.example.com",
        "data": {
            "charger": "cp1", "conn": 2, "status": "Available", "error_code": "NoError",
            "info": None, "vendor_error_code": None, "timestamp": None,
        },
        "time": "2026-09-21T14:13:20.000Z",
        "gateway": "gw",
        "ocpp": "1.6",
        "action": "StatusNotification",
        "message_id": "m1",
        "payload": {"connectorId": 2, "errorCode": "NoError", "status": "Available"},
        "seq": 2,
    }  # fmt: skip


def test_the_payload_is_carried_byte_for_byte():
    """CONTRACT 1: as it was sent, numbers and all."""
    here = in_memory()
    cp = here.connect()
    cp.send_text('[2,"m1","DataTransfer",{"vendorId":"v", "data":"x\\u00e9", "messageId" : "1.50"}]')
    assert b'"payload":{"vendorId":"v", "data":"x\\u00e9", "messageId" : "1.50"}' in here.store.events[-1]


def test_the_payload_can_be_left_out():
    here = in_memory(event_payload=False)
    here.connect().send_call("Heartbeat")
    assert "payload" not in here.published()[-1]


def test_the_answer_waits_until_the_event_is_safe():
    """DESIGN 1: a crash at any instant makes the charger try again."""
    here = in_memory()
    cp = here.connect()
    here.events.paused = True
    cp.send_call("Heartbeat")
    assert cp.frames() == []
    here.events.resume()
    assert [frame[0] for frame in cp.frames()] == [3]


def test_a_repeated_message_is_answered_again_and_not_served_again():
    """R5, FIELD 7."""
    here = in_memory()
    cp = here.connect()
    first = cp.call("StartTransaction", START_1, id="a")
    here.published()
    assert cp.call("StartTransaction", START_1, id="a") == first
    assert here.published() == []


def test_a_copy_of_a_message_in_hand_gets_one_answer():
    """FIELD 7: in progress."""
    here = in_memory()
    cp = here.connect()
    here.events.paused = True
    cp.send_call("Heartbeat", id="a")
    cp.send_call("Heartbeat", id="a")
    here.events.resume()
    assert len(cp.frames()) == 1


def test_a_charger_that_gives_every_message_one_id_is_served_all_the_same():
    """FIELD 7: the id scope is not trusted once it was seen to be reused."""
    here = in_memory()
    cp = here.connect()
    cp.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}, id="1")
    cp.call("Heartbeat", id="1")
    here.published()
    for _ in range(3):
        cp.call("Heartbeat", id="1")
    assert here.published_names() == ["health"] * 3


def test_numeric_ids_come_back_as_numbers():
    """FIELD 7: the same JSON type."""
    cp = in_memory().connect()
    cp.send_text('[2,7,"Heartbeat",{}]')
    assert cp.frames()[0][:2] == [3, 7]


def test_null_for_an_empty_payload_is_taken():
    """R15."""
    cp = in_memory().connect()
    cp.send_text('[2,"7","Heartbeat",null]')
    assert cp.frames()[0][:2] == [3, "7"]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('[2,"1","NoSuchAction",{}]', "NotImplemented"),  # R11
        ('[2,"1","Reset",{"type":"Soft"}]', "NotSupported"),
        ('[2,"1","Heartbeat"]', "FormationViolation"),  # R9
        ('[2,"1","Heartbeat",[]]', "FormationViolation"),
        ('[2,"1","Heartbeat",{"a":1e999}]', "FormationViolation"),
        ('[2,"1","StartTransaction",{"connectorId":1}]', "ProtocolError"),
        ('[2,"1","StartTransaction",{"connectorId":"x","idTag":[],"meterStart":"?","timestamp":"t"}]', "TypeConstraintViolation"),
    ],
)
def test_what_cannot_be_served_gets_the_error_that_1_6_spells(frame, code):
    """R9, R11, R12."""
    cp = in_memory().connect()
    cp.send_text(frame)
    ((kind, id, said, description, details),) = cp.frames()
    assert (kind, id, said, details) == (4, "1", code, {}) and len(description) <= 255


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "[9,1]", '[2.5,"1","Heartbeat",{}]', "[true]", '[2,"","Heartbeat",{}]', "[" * 100_000, "nonsense"]
)
def test_what_nobody_can_be_answered_for_is_ignored(frame):
    """R3, R13: no answer, and the connection stays."""
    here = in_memory()
    cp = here.connect()
    cp.send_text(frame)
    assert cp.frames() == [] and cp.wire.closed is None
    cp.call("Heartbeat")


def test_a_refused_message_is_told_to_the_backend():
    """FIELD 21: nothing is swallowed."""
    here = in_memory()
    cp = here.connect()
    here.published()
    assert cp.call_error("VendorThing", {"x": 1}) == "NotImplemented"
    (event,) = here.published()
    assert event["event"] == "message_refused" and event["data"]["code"] == "NotImplemented" and event["payload"] == {"x": 1}


def test_a_message_that_breaks_its_schema_is_let_in_with_its_violations():
    """FIELD 20, R17."""
    here = in_memory()
    cp = here.connect()
    cp.call("StatusNotification", {"connectorId": 1, "errorCode": "Error", "status": "Available", "extra": 1})
    event = here.published()[-1]
    assert event["event"] == "change_connector_status" and event["data"]["error_code"] == "OtherError"  # what it plainly means
    assert event["payload"]["errorCode"] == "Error"  # as it came
    assert {(each["path"], each["rule"]) for each in event["violations"]} == {("errorCode", "enum"), ("", "additionalProperties")}


def test_in_strict_mode_it_is_refused():
    cp = in_memory(validation="strict").connect()
    assert (
        cp.call_error("StatusNotification", {"connectorId": 1, "errorCode": "Error", "status": "Available"})
        == "PropertyConstraintViolation"
    )


def test_every_other_action_is_an_event_named_after_it():
    """CONTRACT 1: any other action."""
    here = in_memory()
    cp = here.connect()
    here.published()
    assert cp.call("SecurityEventNotification", {"type": "FirmwareUpdated", "timestamp": "2026-11-23T08:00:00Z"}) == {}
    assert cp.call("FirmwareStatusNotification", {"status": "Installed"}) == {}
    assert cp.call("SignCertificate", {"csr": "-----BEGIN"}) == {"status": "Rejected"}  # S9
    assert here.published_names() == ["security_event_notification", "firmware_status_notification", "sign_certificate"]


def test_data_transfer_has_the_names_of_old_and_new():
    here = in_memory()
    assert here.connect().call("DataTransfer", {"vendorId": "v", "messageId": "m", "data": "d"}) == {"status": "Accepted"}
    data = here.published()[-1]["data"]
    assert data == {
        "charger": "cp1", "vendor_id": "v", "message_id": "m", "data": "d", "status": "Accepted", "vendorId": "v", "messageId": "m",
    }  # fmt: skip


def test_meter_values_are_told_raw_and_normalised():
    """FIELD 25."""
    here = in_memory()
    values = [
        {
            "timestamp": "2026-11-23T08:00:00Z",
            "sampledValue": [{"value": "1.5", "unit": "kWh"}, {"value": "16.0", "measurand": "Current.Import"}],
        }
    ]
    assert here.connect().call("MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": values}) == {}
    data = here.published()[-1]["data"]
    assert data["meter_value"] == values and data["transaction_id"] == 7 and data["conn"] == 1 and data["charger"] == "cp1"
    assert [(each["measurand"], each["value"], each["unit"]) for each in data["values"]] == [
        ("Energy.Active.Import.Register", "1500", "Wh"),
        ("Current.Import", "16.0", "A"),
    ]


def test_messages_sent_ahead_are_served_in_their_order():
    """R7: while the first waits for the backend, those behind it wait too."""
    waiting: Deferred[Start] = Deferred()

    class Slow(Handlers):
        def started(self, charger, fact):
            return waiting

    here = InMemoryGateway(handlers=Slow(Settings()))
    cp = here.connect()
    cp.send_call("StartTransaction", START_1, id="a")
    cp.send_call("Heartbeat", id="b")
    assert cp.frames() == []
    waiting.callback(Start(transaction_id=5))
    assert [frame[1] for frame in cp.frames()] == ["a", "b"]
    assert here.published_names() == ["connect_charger", "start_transaction", "health"]


def test_a_charger_that_sends_without_end_is_not_read_until_it_is_served():
    """R7: bounded."""
    waiting: Deferred[Start] = Deferred()

    class Slow(Handlers):
        def started(self, charger, fact):
            return waiting

    here = InMemoryGateway(handlers=Slow(Settings()))
    cp = here.connect()
    cp.send_call("StartTransaction", START_1)
    for _ in range(100):
        cp.send_call("Heartbeat")
    assert cp.wire.held
    waiting.callback(Start(transaction_id=5))
    assert not cp.wire.held and len(cp.frames()) == 101


def test_a_failing_handler_costs_nobody_his_charge(tidy):
    """CONTRACT 3: never a CALLERROR to a transaction message; T2."""

    class Broken(Handlers):
        def started(self, charger, fact):
            raise RuntimeError("bug")

        def stopped(self, charger, fact):
            raise RuntimeError("bug")

        def boot_notification(self, charger, fact):
            raise RuntimeError("bug")

    here = InMemoryGateway(handlers=Broken(Settings()))
    cp = here.connect()
    started = cp.call("StartTransaction", START_1)
    assert started["idTagInfo"]["status"] == "Accepted" and started["transactionId"] > 0
    assert here.published()[-1]["provisional"] is True
    assert cp.call("StopTransaction", stop(started["transactionId"])) == {}
    assert cp.call_error("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}) == "InternalError"
    assert "bug" not in b"".join(cp.wire.sent).decode()
    assert len(tidy) == 3
    tidy.clear()


def test_a_handler_that_never_answers_is_not_waited_for(tidy):
    class Stuck(Handlers):
        def started(self, charger, fact):
            return Deferred()

    here = InMemoryGateway(handlers=Stuck(Settings()))
    cp = here.connect()
    cp.send_call("StartTransaction", START_1)
    here.clock.advance(26)
    ((kind, _, answer),) = cp.frames()
    assert kind == 3 and answer["idTagInfo"]["status"] == "Accepted"
    tidy.clear()


def test_pending_is_remembered_over_connections_and_keeps_the_rest_out():
    """B2, B3, C14: and the charger may boot again at any time."""

    class Choosy(Handlers):
        verdict = Registration("Pending", 60)

        def boot_notification(self, charger, fact):
            return self.verdict

    handlers = Choosy(Settings())
    here = InMemoryGateway(handlers=handlers)
    cp = here.connect()
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    assert cp.call("BootNotification", boot)["status"] == "Pending"
    assert cp.call_error("Heartbeat") == "SecurityError"
    cp.disconnect()
    again = InMemoryGateway(store=here.store, handlers=handlers).connect()
    assert again.call_error("Heartbeat") == "SecurityError"
    handlers.verdict = Registration("Accepted", 60)
    assert again.call("BootNotification", boot)["status"] == "Accepted"
    again.call("Heartbeat")


def test_an_accepted_charger_needs_no_boot_after_a_restart():
    """C14, FIELD 22: warm reconnects."""
    here = in_memory()
    cp = here.connect()
    cp.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    again = InMemoryGateway(store=here.store).connect()
    assert again.charger.registration == "Accepted"
    again.call("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": "t", "sampledValue": [{"value": "1"}]}]})


def test_a_message_that_we_triggered_is_let_in_while_pending():
    """B2: messages we triggered."""

    class Choosy(Handlers):
        def boot_notification(self, charger, fact):
            return Registration("Pending", 60)

    here = InMemoryGateway(handlers=Choosy(Settings()))
    cp = here.connect()
    cp.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    cp.charger.call("TriggerMessage", {"requestedMessage": "StatusNotification"})
    cp.answer({"status": "Accepted"})
    cp.frames()
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    cp.call("StatusNotification", status)
    assert cp.call_error("StatusNotification", status) == "SecurityError"


def test_every_event_of_a_charger_is_numbered_without_a_gap():
    here = in_memory()
    cp = here.connect()
    for _ in range(5):
        cp.send_call("Heartbeat")
    cp.disconnect()
    assert [event["seq"] for event in here.published()] == list(range(1, 8))


def test_frames_before_the_welcome_are_kept_for_it():
    here = in_memory()
    cp = here.handshake()
    cp.send_call("Heartbeat")
    assert cp.frames() == []
    here.gateway.arrived(cp.charger)
    assert len(cp.frames()) == 1


def test_json_text_of_answers_is_compact():
    cp = in_memory().connect()
    cp.send_call("Heartbeat", id="a")
    assert cp.wire.sent[-1] == json.dumps([3, "a", {"currentTime": "2026-09-21T14:13:20.000Z"}], separators=(",", ":")).encode()


@pytest.mark.parametrize("meter", [4000.0, "4000", " 4000.4 ", 4000.2])
def test_a_number_that_is_plain_counts_whatever_its_type(meter):
    """T2, FIELD 20: a stop that was paid for is not lost over a decimal point."""
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1 | {"connectorId": "1", "idTag": 4711})["transactionId"]
    assert here.published()[-1]["data"]["tag"] == "4711"
    cp.call("StopTransaction", stop(str(id), meter=meter))
    event = here.published()[-1]
    assert event["data"]["energy_wh"] == 3000 and event["payload"]["meterStop"] == meter and event["violations"]


@pytest.mark.parametrize("meter", [None, True, "lots", [4000], 1e30, "NaN"])
def test_one_that_is_not_is_null(meter):
    """1.6 §4.8: a CALLERROR would make the charger throw the transaction away."""
    here = in_memory()
    here.connect().call("StopTransaction", stop(1, meter=meter))
    event = here.published()[-1]
    assert event["data"]["meter_stop"] is None and event["violations"]


def test_json_with_a_comma_too_many_is_read():
    """FIELD 20: ZJ Beny; and what was wrong is told."""
    here = in_memory()
    cp = here.connect()
    cp.send_text(
        '[2,"1","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2026-11-23T08:00:00Z","sampledValue":[,{"value":"7"}]}]}]'
    )
    assert cp.frames()[0][:2] == [3, "1"]
    event = here.published()[-1]
    assert event["data"]["values"][0]["value"] == "7" and event["violations"][0]["rule"] == "json"
    strict = in_memory(validation="strict").connect()
    strict.send_text('[2,"1","Heartbeat",{,}]')
    assert strict.frames()[0][:3] == [4, "1", "FormationViolation"]


def test_what_a_model_breaks_is_counted():
    """Item 7: `GET /api/violations`."""
    here = in_memory()
    cp = here.connect()
    cp.call("BootNotification", {"chargePointVendor": "ACME", "chargePointModel": "X1", "firmwareVersion": "2"})
    for _ in range(3):
        cp.call("StatusNotification", {"connectorId": 1, "errorCode": "Error", "status": "Available"})
    (model,) = here.application.reader.evidence.report()
    assert (model["vendor"], model["model"], model["firmware"], model["messages"]) == ("ACME", "X1", "2", 3)
    assert (model["breaches"][0]["path"], model["breaches"][0]["count"]) == ("errorCode", 3)


def test_a_model_can_be_held_to_its_schemas(tmp_path):
    """Item 7: also on its next connection, where it does not say who it is."""
    file = tmp_path / "tolerance.toml"
    file.write_text('[[rule]]\nvendor = "ACME*"\naction = "StatusNotification"\nmode = "strict"\n')
    here = InMemoryGateway(tolerance=Tolerance.from_file(file))
    broken = {"connectorId": 1, "errorCode": "Error", "status": "Available"}
    cp = here.connect()
    cp.call("StatusNotification", broken)
    cp.call("BootNotification", {"chargePointVendor": "acme inc", "chargePointModel": "X1"})
    assert cp.call_error("StatusNotification", broken) == "PropertyConstraintViolation"
    cp.disconnect()
    assert (
        InMemoryGateway(store=here.store, tolerance=Tolerance.from_file(file)).connect().call_error("StatusNotification", broken)
        == "PropertyConstraintViolation"
    )


def test_a_clock_without_a_zone_can_be_given_one(tmp_path):
    """FIELD 20: Growatt."""
    file = tmp_path / "tolerance.toml"
    file.write_text('timezone = "+03:00"\n')
    here = InMemoryGateway(tolerance=Tolerance.from_file(file))
    here.connect().call("StartTransaction", START_1 | {"timestamp": "2026-11-23T11:00:00"})
    event = here.published()[-1]
    assert event["data"]["timestamp"].startswith("2026-11-23T08:00:00") and event["payload"]["timestamp"] == "2026-11-23T11:00:00"


def test_a_1_6_boot_on_a_2_0_1_socket_is_understood():
    """FIELD 'wrong payloads from good clients': ocpp-ws-cli."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    assert cp.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})["status"] == "Accepted"
    event = here.published()[-1]
    assert (event["data"]["vendor"], event["data"]["model"]) == ("V", "M") and event["violations"]


def test_a_flood_of_nonsense_does_not_fill_the_log():
    """A20: the first are logged, and of the others some each minute; the counter has them all."""
    lines: list[object] = []

    def watch(event):
        if event.get("log_namespace") in ("ocpp_tw.gateway.charger", "ocpp_tw.gateway.message_refusals"):
            lines.append(event)

    cp = in_memory().connect()
    globalLogPublisher.addObserver(watch)
    for n in range(3000):
        cp.send_text("nonsense") if n % 2 else cp.send_call("NoSuchAction")
    globalLogPublisher.removeObserver(watch)
    assert len(lines) == 100 and cp.charger.violations == 1500
    cp.frames()
    cp.call("Heartbeat")
