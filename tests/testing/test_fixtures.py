"""The fixtures of `ocpp_tw.testing.plugin`, used as by a backend's author: a gateway process, its Valkey, and chargers."""

from __future__ import annotations

import json
import ssl
import urllib.request

import hiredis
import pytest

from certificates import Made
from ocpp_tw.testing import events
from ocpp_tw.testing.connection import CallError, HandshakeRefused
from ocpp_tw.testing.valkey import ValkeyLine

pytestmark = pytest.mark.live

VERSIONS = ["1.6", "2.0.1", "2.1"]


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_a_session_is_charged_step_by_step_and_its_events_are_typed(ocpp_gateway, ocpp_charger, ocpp):
    charger = ocpp_charger("charger-1", ocpp)
    assert charger.authorize("TAG") == "Accepted"
    charger.status("Preparing" if ocpp == "1.6" else "Occupied")
    session = charger.start("TAG", meter=1000)
    session.meter_values(3500, power_w=11_000, soc=42)
    session.stop(6000, tag="TAG")
    charger.disconnect()

    started = ocpp_gateway.wait_for(events.StartTransaction)
    assert (started.data.transaction_id, started.data.tag, started.data.meter_start) == (session.id, "TAG", 1000)
    values = [event.data for event in ocpp_gateway.events("meter_value")]
    read = {value.measurand: value.value for data in values for value in data.values if value.context == "Sample.Periodic"}
    assert {name: float(value) for name, value in read.items()} == {
        "Energy.Active.Import.Register": 3500,
        "Power.Active.Import": 11_000,
        "SoC": 42,
    }
    stopped = ocpp_gateway.wait_for(events.StopTransaction, charger="charger-1")
    assert (stopped.data.energy_wh, stopped.data.match, stopped.ocpp) == (5000, "exact", ocpp)
    ocpp_gateway.wait_for("disconnect_charger", code=1000)
    everything = ocpp_gateway.events(charger="charger-1")
    assert [event.seq for event in everything] == list(range(1, len(everything) + 1))
    assert all(isinstance(event.data, events.NAMES[event.event]) for event in everything)
    assert not any(event.violations for event in everything)


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_a_charger_answers_commands_as_it_is_told(ocpp_gateway, ocpp_charger, ocpp):
    charger = ocpp_charger(ocpp=ocpp)
    first = ocpp_gateway.send_command("charger-1", "reset", {"type": "Soft"})
    assert ocpp_gateway.wait_for("command_result", id=first).data.status == "Accepted"
    charger.answer("Reset", lambda payload: {"status": "Rejected"})
    second = ocpp_gateway.send_command("charger-1", "reset", {"type": "Hard"})
    assert ocpp_gateway.wait_for("command_result", id=second).data.status == "Rejected"
    charger.refuse("Reset", "InternalError", "later")
    third = ocpp_gateway.send_command("charger-1", "reset", {"type": "Soft"})
    assert ocpp_gateway.wait_for("command_result", id=third).data.error["code"] == "InternalError"
    charger.ignore("Reset")
    fourth = ocpp_gateway.send_command("charger-1", "reset", {"type": "Soft"}, timeout=0.2)
    assert ocpp_gateway.wait_for("command_result", id=fourth).data.outcome == "timeout"
    assert [command.action for command in charger.commands] == ["Reset"] * 4
    kinds = {"1.6": ["Soft", "Hard"]}.get(ocpp, ["OnIdle", "Immediate"])
    assert [charger.wait_for("Reset")["type"] for _ in kinds] == kinds


def test_what_a_charger_was_not_told_to_answer_and_cannot_accept_is_not_supported(ocpp_gateway, ocpp_charger):
    ocpp_charger()
    id = ocpp_gateway.send_command("charger-1", "get_configuration")
    assert ocpp_gateway.wait_for("command_result", id=id).data.error["code"] == "NotSupported"


def test_an_answer_that_fails_is_told_to_the_gateway(ocpp_gateway, ocpp_charger):
    ocpp_charger().answer("Reset", lambda payload: payload["no such member"])
    id = ocpp_gateway.send_command("charger-1", "reset", {"type": "Soft"})
    assert ocpp_gateway.wait_for("command_result", id=id).data.error["description"] == "KeyError: 'no such member'"


def test_events_that_a_backend_has_taken_are_shown_all_the_same(ocpp_gateway, ocpp_charger):
    charger = ocpp_charger()
    backend = ValkeyLine(int(ocpp_gateway.redis.rpartition(":")[2]))
    odd = 'ö "quoted" \\ \n\t\x7f'
    charger.call("DataTransfer", {"vendorId": "V", "data": odd})
    taken = [json.loads(backend("LPOP", "events")) for _ in range(3)]
    backend.close()
    assert [event.event for event in ocpp_gateway.events()] == [each["event"] for each in taken]
    assert ocpp_gateway.events("data_transfer")[0].data.data == odd


def test_what_others_append_to_the_list_is_no_event_of_the_gateway(ocpp_gateway, ocpp_charger, ocpp_valkey):
    ocpp_valkey("RPUSH", "events", "no event", '"RPUSH" "events" "{}"')
    ocpp_charger()
    assert [event.event for event in ocpp_gateway.events()] == ["connect_charger", "boot_notification"]


def test_wait_for_returns_an_event_once_and_says_what_came_instead(ocpp_gateway, ocpp_charger):
    charger = ocpp_charger()
    for status in ("Available", "Preparing"):
        charger.status(status)
    assert ocpp_gateway.wait_for("change_connector_status", status="Preparing").data.conn == 1
    assert ocpp_gateway.wait_for("change_connector_status").data.status == "Available"
    with pytest.raises(TimeoutError, match=r"no event change_connector_status within 0\.1 s; those of this name: .*Preparing"):
        ocpp_gateway.wait_for("change_connector_status", timeout=0.1)


def test_the_test_before_has_left_nothing(ocpp_gateway):
    assert ocpp_gateway.events() == []


@pytest.mark.ocpp_gateway(heartbeat_interval=77, events="other", security_profile="1")
def test_settings_are_given_by_the_marker(ocpp_gateway, ocpp_charger):
    charger = ocpp_charger(connect=False, password="0123456789abcdef")
    with pytest.raises(HandshakeRefused, match="401"):
        charger.connect()
    decision = json.dumps({"password": "0123456789abcdef"}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{ocpp_gateway.http}/api/chargers/charger-1", decision, method="PUT")) as answer:
        assert answer.status == 200
    charger.connect()
    assert charger.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})["interval"] == 77
    assert ocpp_gateway.wait_for(events.BootNotification).data.vendor == "V"


def test_variables_of_the_environment_are_for_another_gateway(request, monkeypatch):
    monkeypatch.setenv("HEARTBEAT_INTERVAL", "1")
    monkeypatch.setenv("EVENTS_LIST", "elsewhere")
    charger = request.getfixturevalue("ocpp_charger")()
    assert charger.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})["interval"] == 300


@pytest.mark.parametrize("ocpp_gateway_settings", [{"no_such": 1}, {"port": 1}])
def test_a_setting_that_cannot_be_is_told(request, ocpp_gateway_settings):
    with pytest.raises(ValueError, match=r"there is no setting no_such|the setting port is the fixture's own"):
        request.getfixturevalue("ocpp_gateway")


@pytest.mark.parametrize("ocpp_gateway_settings", [{"call_timeout": "soon"}])
def test_a_gateway_that_does_not_start_shows_its_log(request, ocpp_gateway_settings):
    with pytest.raises(RuntimeError, match=r"does not start, with --call-timeout soon; its log ends:\n(.|\n)*call-timeout"):
        request.getfixturevalue("ocpp_gateway")


def test_a_gateway_can_be_ended_and_started_again(ocpp_gateway, ocpp_charger):
    charger = ocpp_charger()
    ocpp_gateway.stop(kill=True)
    with pytest.raises(ConnectionError):
        charger.heartbeat()
    ocpp_gateway.start()
    charger.connect()
    charger.heartbeat()
    assert ocpp_gateway.wait_for("health").seq > 2


def test_a_charger_whose_connection_is_cut_comes_back(ocpp_gateway, ocpp_charger):
    charger = ocpp_charger()
    charger.cut()
    assert not charger.connected
    ocpp_gateway.wait_for("disconnect_charger", code=1006)
    with pytest.raises(ConnectionError):
        charger.heartbeat()
    charger.connect()
    charger.heartbeat()


def test_a_charger_may_connect_while_its_former_connection_is_open(ocpp_gateway, ocpp_charger):
    charger = ocpp_charger()
    charger.connect()
    charger.heartbeat()
    former, latter = ocpp_gateway.events("connect_charger")
    assert former.data.previous is None and latter.data.takeover == "same_address"


def test_a_charger_connects_over_tls(request, tmp_path):
    made = Made()
    request.node.add_marker(pytest.mark.ocpp_gateway(tls=made.write(tmp_path / "tls.pem")))
    gateway, make = request.getfixturevalue("ocpp_gateway"), request.getfixturevalue("ocpp_charger")
    assert gateway.url.startswith("wss://")
    make(ssl_context=made.trust).heartbeat()
    with pytest.raises(ssl.SSLCertVerificationError):
        make("charger-2", ssl_context=Made().trust)


def test_a_refused_call_raises_its_error(ocpp_charger):
    with pytest.raises(CallError, match="NotImplemented"):
        ocpp_charger().call("NoSuchAction")


def test_a_version_or_an_event_that_there_is_not_is_told(ocpp_charger, ocpp_gateway):
    with pytest.raises(ValueError, match=r"it may be 1\.6, 2\.0\.1, 2\.1"):
        ocpp_charger(ocpp="3.0")
    with pytest.raises(ValueError, match="there is no event with the data Data"):
        ocpp_gateway.wait_for(events.Data)


def test_an_error_of_the_server_is_raised(ocpp_valkey):
    with pytest.raises(hiredis.ReplyError):
        ocpp_valkey("LPUSH", "alone")
