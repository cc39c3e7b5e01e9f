"""The tap shows what was said, by whom and when, of one charger or all, on all gateways; without secrets, and without tags on request."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from in_memory import START_1, in_memory
from ocpp_tw.memory import MemoryStore
from ocpp_tw.monitoring.fleet_tap import Events, FleetTap, Frames
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

SECRET = "00112233445566778899aabbccddeeff"


def result(here: InMemoryGateway, asked: Any) -> Any:
    """What a question comes to; the clock of the gateway goes on."""
    done: list[Any] = []
    Deferred.fromCoroutine(asked).addCallback(done.append)
    for _ in range(300):
        if done:
            return done[0]
        here.clock.advance(0.01)
    raise AssertionError("no answer")


def frames(here: InMemoryGateway, charger: str = "cp1", limit: int = 100, **more: Any) -> list[dict[str, Any]]:
    found: Frames = result(here, FleetTap(here.fleet).frames(charger, limit, **more))
    assert (found.missing, found.trouble) == ([], "")
    return found.frames


def events(here: InMemoryGateway, charger: str = "cp1", limit: int = 100, **more: Any) -> Events:
    found: Events = result(here, FleetTap(here.fleet).events(charger, limit, **more))
    return found


# frames


def test_frames_of_both_directions_are_there_in_order_with_their_times():
    here = in_memory()
    charger, other = here.connect(), here.connect("cp2")
    charger.call("Heartbeat", {})
    here.clock.advance(1.25)
    charger.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    other.call("Heartbeat")
    shown = frames(here)
    assert [(each["direction"], each["action"], each["frame"][0]) for each in shown] == [
        ("in", "Heartbeat", 2), ("out", "Heartbeat", 3), ("in", "BootNotification", 2), ("out", "BootNotification", 3),
    ]  # fmt: skip
    assert shown[2]["frame"] == [2, charger_id(shown), "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]
    assert shown[0]["time"] == "2026-09-21T14:13:20.000000Z" and shown[2]["time"] == "2026-09-21T14:13:21.250000Z"
    assert {(each["charger"], each["gateway"]) for each in shown} == {("cp1", "gw")}
    assert frames(here, "nobody") == []


def charger_id(shown: list[dict[str, Any]]) -> Any:
    return shown[2]["frame"][1]


def test_a_command_and_its_answer_are_there():
    here = in_memory()
    client = here.connect()
    client.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    client.charger.call("Reset", {"type": "Soft"})
    client.answer({"status": "Accepted"})
    sent, answer = frames(here)[-2:]
    assert (sent["direction"], sent["frame"][2:]) == ("out", ["Reset", {"type": "Soft"}])
    assert (answer["direction"], answer["action"], answer["frame"][2]) == ("in", "Reset", {"status": "Accepted"})


def test_an_answer_that_is_sent_again_is_there_twice():
    here = in_memory()
    client = here.connect()
    for _ in range(2):
        client.call("Heartbeat", {}, id="same")
    assert [each["direction"] for each in frames(here)] == ["in", "out"] * 2


def test_only_those_of_an_action_with_their_answers():
    here = in_memory()
    client = here.connect()
    for _ in range(3):
        client.call("Heartbeat")
        client.call("StartTransaction", START_1)
    assert [each["action"] for each in frames(here, action="heartbeat")] == ["Heartbeat"] * 6


def test_pages_go_back_in_time():
    here = in_memory()
    client = here.connect()
    for number in range(50):
        here.clock.advance(0.5)
        client.call("Heartbeat", {}, id=f"id-{number}")
    everything = frames(here)
    assert len(everything) == 100
    latest = frames(here, limit=4)
    assert latest == everything[-4:]
    start = unix(latest[0]["time"])
    assert frames(here, limit=4, before=start) == everything[-8:-4]


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("text", [b"[2,", b"hello \xff\x00", b"{}", b"[]", b'[2,{},"Heartbeat"]', b"[" * 5000])
def test_what_is_no_frame_is_shown_as_a_text(text):
    here = in_memory()
    client = here.connect()
    client.send_text(text)
    shown = frames(here)[0]
    assert shown["frame"] is None and shown["length"] == len(text)
    assert shown["text"] == text.decode(errors="replace")[:1000]
    json.dumps(shown)


def test_a_message_that_is_not_utf8_is_shown_although_it_ends_the_connection():
    here = in_memory()
    client = here.connect()
    client.charger.unreadable(f'[2,"1","X",{{"password":"{SECRET}"'.encode() + b"\xff")
    client.charger.unreadable(b'[2,"2","Heartb\xffeat",{}]')
    assert [(each["frame"], each["text"], each["length"]) for each in frames(here)][1:] == [(None, '[2,"2","Heartb\ufffdeat",{}]', 23)]
    assert len(frames(here)) == 2 and SECRET not in str(frames(here))


def test_of_a_long_frame_a_piece_is_shown():
    here = in_memory()
    client = here.connect()
    text = json.dumps([2, "1", "DataTransfer", {"vendorId": "V", "data": "x" * 200_000}])
    client.send_text(text)
    shown = frames(here)[0]
    assert (shown["frame"], shown["length"], shown["text"]) == (None, len(text), text[:1000])


def test_no_more_is_kept_than_the_setting_says():
    here = in_memory(tap=1)
    client = here.connect()
    for number in range(4000):
        client.call("DataTransfer", {"vendorId": "V", "data": "x" * 300}, id=str(number))
        if not number % 100:
            here.application.tap.sweep()
    here.application.tap.sweep()
    kept = frames(here, limit=5000)
    assert kept[-1]["frame"][1] == "3999" and 500 < len(kept) < 4000
    assert here.application.tap.frames.bytes + here.application.tap.events.bytes <= 1 << 20


def test_nothing_is_kept_if_the_setting_says_so():
    here = in_memory(tap=0)
    here.connect().call("Heartbeat")
    assert here.application.tap is None
    found = result(here, FleetTap(here.fleet).frames("cp1", 10))
    assert found.frames == []


def test_the_frames_of_all_gateways_are_there():
    """A charger that has come from one to the other."""
    store, clock = MemoryStore(), Clock()
    first, second = (InMemoryGateway(replace(Settings(), name=name), store, clock) for name in ("gw-1", "gw-2"))
    for number, here in enumerate([first, second, first]):
        clock.advance(1)
        here.connect().call("Heartbeat", {}, id=f"id-{number}")
    for here in (first, second):
        shown = frames(here)
        assert [each["gateway"] for each in shown] == ["gw-1"] * 2 + ["gw-2"] * 2 + ["gw-1"] * 2
        assert [each["frame"][1] for each in shown] == ["id-0"] * 2 + ["id-1"] * 2 + ["id-2"] * 2


# secrets


def told(here: InMemoryGateway, **more: Any) -> str:
    return json.dumps(frames(here, **more))


def test_a_password_is_shown_nowhere_not_even_in_the_answer_that_repeats_it():
    here = in_memory()
    client = here.connect()
    client.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    client.charger.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET})
    id = client.frames()[-1][1]
    client.send_text(json.dumps([4, id, "InternalError", f"cannot set {SECRET}", {"text": SECRET}]))
    client.charger.call("GetConfiguration", {"key": ["AuthorizationKey"]})
    client.answer({"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}]})
    client.send_call("DataTransfer", {"vendorId": "V", "data": f"password={SECRET}"})
    client.send_text(f'[2,"9","DataTransfer",{{"data":"password={SECRET}')
    assert SECRET not in told(here) and told(here).count("***") >= 5
    assert '"cannot set ***"' in told(here)
    assert SECRET in str(here.application.tap.frames.since(0)), "it is taken out when it is read"


def test_a_password_is_not_shown_although_its_call_is_not_among_those_that_are_shown():
    here = in_memory()
    client = here.connect()
    client.charger.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET})
    id = client.frames()[-1][1]
    client.send_text(json.dumps([4, id, "InternalError", SECRET, {}]))
    [last] = frames(here, limit=1)
    assert last["frame"] == [4, id, "InternalError", "***", {}] and last["action"] == "ChangeConfiguration"


@pytest.mark.parametrize("signed", [False, True])
def test_a_secret_of_a_request_is_not_shown_in_its_answer(signed):
    here = in_memory()
    client = here.connect(ocpp="2.0.1")
    names = (
        {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "basicauthPASSWORD"}},
        {"component": {"name": "C"}, "variable": {"name": "V"}},
    )
    payload: Any = {"setVariableData": [{"attributeValue": value, **each} for value, each in zip((SECRET, "1"), names, strict=True)]}
    action = "SetVariables"
    if signed:
        inside = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
        action, payload = "SetVariables-Signed", {"payload": inside, "signatures": [{"header": {}, "protected": "e30", "signature": "eA"}]}
    client.charger.call(action, payload)
    id = client.frames()[-1][1]
    client.answer({"setVariableResult": [{"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "x", "additionalInfo": f"with {SECRET}"}, **each} for each in names]}, id)  # fmt: skip
    client.send_text(f'[3,"{id}",{{"note":"{SECRET}"')
    shown = frames(here)
    assert SECRET not in str(shown) and shown[1]["frame"][2]["setVariableResult"][1]["attributeStatusInfo"]["additionalInfo"] in (
        "***",
        "with ***",
    )
    assert [each["action"] for each in shown[:2]] == [action, action]
    client.charger.call("DataTransfer", {"vendorId": "V", "data": {"connectionData": {"apn": {"simPin": 4711}}}})
    client.answer({"status": "Rejected", "data": "4711 is wrong"})
    assert frames(here)[-1]["frame"][2]["data"] == "*** is wrong"


def test_a_secret_in_the_id_of_a_message_is_not_shown():
    here = in_memory()
    client = here.connect()
    client.send_text(json.dumps([2, f"password={SECRET}", "Heartbeat", {}]))
    assert [each["frame"][1] for each in frames(here)] == ["password=***"] * 2


@pytest.mark.parametrize("what", ["frames", "events"])
@pytest.mark.parametrize("validation", ["tolerant", "strict"])
def test_tags_are_blanked_where_they_are_wrong(validation, what):
    """Whatever a tag's member has, and in the violations that tell of it."""
    here = in_memory(validation=validation)
    client, modern = here.connect(), here.connect("cp2", ocpp="2.0.1")
    tag = "TAG-OF-BOB"
    for wrong in (tag * 5, {"tag of": tag, tag: 1}, [tag, [tag]], {"idTag": {"value": tag}}):
        client.send_call("Authorize", {"idTag": wrong})
        client.send_call("StartTransaction", {**START_1, "idTag": wrong})
        for inside in (wrong, {"idToken": wrong, "type": "ISO14443"}, {"idToken": tag, "type": wrong}, {tag: wrong, "type": "Local"}):
            modern.send_call("Authorize", {"idToken": inside})
            modern.send_call("CostUpdated", {"idToken": inside})
    read = frames if what == "frames" else lambda *of, **more: events(*of, **more).events
    for id in ("cp1", "cp2"):
        assert tag in str(read(here, id, limit=500)) and tag not in str(read(here, id, limit=500, blank=True))
        assert len(read(here, id, limit=500)) == len(read(here, id, limit=500, blank=True))
    assert what == "frames" or (
        "violations" in str(read(here, "cp2", blank=True)) and "maxLength" in str(read(here, "cp1", limit=500, blank=True))
    )


def test_what_is_in_a_signed_message_is_not_shown_if_it_is_secret():
    here = in_memory()
    client = here.connect(ocpp="2.0.1")
    for value in (SECRET, ""):
        inside = {"customData": {"vendorId": "V", "password": value}}
        encoded = base64.urlsafe_b64encode(json.dumps(inside).encode()).decode().rstrip("=")
        client.send_call("Heartbeat-Signed", {"payload": encoded, "protected": "e30", "signature": "c2ln"})
    shown = [each["frame"][3]["payload"] for each in frames(here) if each["direction"] == "in"]
    assert shown[0] == "***" and len(shown[1]) > 20


def test_tags_are_blanked_on_request():
    here = in_memory()
    client = here.connect()
    client.call("Authorize", {"idTag": "TAG-OF-BOB"})
    client.call("StartTransaction", {**START_1, "idTag": "TAG-OF-BOB"})
    client.charger.call("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "TAG-OF-BOB", "idTagInfo": {"status": "Accepted", "parentIdTag": "TAG-OF-BOB"}}]})  # fmt: skip
    client.send_text('[2,"9","Authorize",{"idTag":"TAG-OF-BOB"')
    assert told(here).count("TAG-OF-BOB") == 5
    assert "TAG-OF-BOB" not in told(here, blank=True)
    assert [each["action"] for each in frames(here, blank=True)] == [each["action"] for each in frames(here)]
    modern = here.connect("cp2", ocpp="2.0.1")
    modern.call("Authorize", {"idToken": {"idToken": "TAG-OF-ANN", "type": "ISO14443", "additionalInfo": [{"additionalIdToken": "TAG-OF-ANN", "type": "x"}]}})  # fmt: skip
    blank = json.dumps(frames(here, "cp2", blank=True))
    assert "TAG-OF-ANN" not in blank and "ISO14443" in blank
    assert all("TAG-OF" in str(events(here, each)) and "TAG-OF" not in str(events(here, each, blank=True)) for each in ("cp1", "cp2"))


def data_of(shown):
    """The data of a DataTransfer or its answer, as a frame tells it."""
    return shown["frame"][-1].get("data")


JSON_TEXTS = [
    ('{"idToken":"TAG-OF-BOB"}', '{"idToken":"***"}'),
    ('{ "seq": 1.5, "idTag": "TAG-OF-BOB", "name": "\u00fc" }', '{"seq":1.5,"idTag":"***","name":"\u00fc"}'),
    (' \r\n[{"id_tag":"TAG-OF-BOB"},null]', '[{"id_tag":"***"},null]'),
    ('{"\\u0069dTag":"TAG-OF-BOB"}', '{"idTag":"***"}'),
    ('{"idToken":{"idToken":"TAG-OF-BOB","type":"eMAID"}}', '{"idToken":{"idToken":"***","type":"eMAID"}}'),
    (json.dumps({"a": [json.dumps({"idTag": "TAG-OF-BOB"})]}), '{"a":["{\\"idTag\\":\\"***\\"}"]}'),
    (json.dumps(json.dumps({"idTag": "TAG-OF-BOB"})), '"{\\"idTag\\":\\"***\\"}"'),
    ('{"idTag":"TAG-OF-BOB","idTag":""}', '{"idTag":""}'),
    ('{"a":{"idTag":"TAG-OF-BOB"},"a":1}', '{"a":1}'),
    ('{"idTag":"TAG-OF-BOB"', "***"),
    ("{'idTag': 'TAG-OF-BOB'}", "***"),
    ("[" * 50_000 + '{"idTag":"TAG-OF-BOB"}' + "]" * 50_000, "***"),
    ('{"idTag":"TAG-OF-BOB","more":' + "[" * 900 + "]" * 900 + "}", "***"),
]
"""Texts with a tag, and what is told of them."""


@pytest.mark.parametrize(("text", "told"), JSON_TEXTS, ids=range(len(JSON_TEXTS)))
@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
def test_tags_are_blanked_in_a_text_that_is_json(ocpp, text, told):
    """Of any vendor, from the charger and in a command for it, in its answer too."""
    here = in_memory()
    client = here.connect(ocpp=ocpp)
    client.call("DataTransfer", {"vendorId": "V", "messageId": "Authorize", "data": text})
    client.charger.call("DataTransfer", {"vendorId": "V", "data": text})
    client.answer({"status": "Accepted", "data": text})
    plain = frames(here)
    assert [data_of(each) for each in plain] == [text if "data" in str(each["frame"]) else None for each in plain] and len(plain) == 4
    assert [data_of(each) for each in frames(here, blank=True)] == [None if data_of(each) is None else told for each in plain]
    assert all(each["data"]["data"] == told for each in events(here, blank=True).events if each["event"] == "data_transfer")


def test_the_contract_of_a_driver_is_blanked_where_1_6_has_plug_and_charge():
    here = in_memory()
    text = '{"idToken":"DEEMAID0001"}'
    here.connect().call("DataTransfer", {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "Authorize", "data": text})
    assert "DEEMAID0001" in told(here) and "DEEMAID0001" in str(events(here))
    assert "DEEMAID0001" not in told(here, blank=True) and "DEEMAID0001" not in str(events(here, blank=True))
    assert len(events(here, blank=True).events) == len(events(here).events)


@pytest.mark.parametrize("text", ['{ "voltage": 230.10 }', '{"stage":"\\u00fc"}', "[not JSON", "the idTag is X", '"said" she', "{}", ""])
def test_a_text_without_a_tag_is_told_as_it_is(text):
    here = in_memory()
    here.connect().call("DataTransfer", {"vendorId": "V", "data": text})
    assert data_of(frames(here, blank=True)[0]) == text


# events


def test_events_after_a_number_and_whether_none_is_missing():
    here = in_memory()
    client = here.connect()
    for _ in range(5):
        client.call("DataTransfer", {"vendorId": "V"})
    published = [each for each in here.published() if each["data"]["charger"] == "cp1"]
    assert len(published) >= 6
    assert events(here, since=0) == Events(published, True)
    assert events(here) == Events(published, True)
    assert events(here, since=3) == Events(published[3:], True)
    assert events(here, since=3, limit=2) == Events(published[3:5], True)
    assert events(here, limit=2) == Events(published[-2:], True)
    assert events(here, "nobody", since=3) == Events([], False)


def test_events_that_are_not_remembered_any_more_are_told_to_be_missing():
    here = in_memory(tap=1)
    client = here.connect()
    for number in range(3000):
        client.call("DataTransfer", {"vendorId": "V", "data": "x" * 200}, id=str(number))
        here.application.tap.sweep()
    found = events(here, since=1, limit=5000)
    assert not found.complete and found.events[0]["seq"] > 100
    assert events(here, since=found.events[0]["seq"] - 1, limit=5000).complete


def test_the_events_of_all_gateways_are_put_together_by_their_numbers():
    store, clock = MemoryStore(), Clock()
    first, second = (InMemoryGateway(replace(Settings(), name=name), store, clock) for name in ("gw-1", "gw-2"))
    for here in (first, second, first):
        here.connect().call("DataTransfer", {"vendorId": "V"})
    found = events(second, since=0)
    assert [each["seq"] for each in found.events] == list(range(1, len(found.events) + 1)) and found.complete
    second.fleet.away = True
    assert not events(first, since=0).complete


def test_events_without_a_number_are_where_their_time_puts_them():
    here = in_memory()
    client = here.connect()
    here.clock.advance(1)
    published = here.events.tap
    here.events.tap = lambda entries, numbers: published(entries, [])  # as in an outage
    client.call("DataTransfer", {"vendorId": "outage"})
    here.events.tap = published
    here.clock.advance(1)
    client.call("DataTransfer", {"vendorId": "V"})
    found = events(here)
    times = [each["time"] for each in found.events]
    assert times == sorted(times) and not found.complete
    at = [each["seq"] for each in found.events].index(None)
    assert 0 < at < len(times) - 1
    assert events(here, limit=2).events == found.events[-2:]
    assert [each["seq"] for each in events(here, since=0, limit=len(times) - 1).events].count(None) == 0  # who goes on by numbers gets on


# live


class Follower:
    """Follows the tap of a fleet."""

    def __init__(self, here: InMemoryGateway, **more: Any) -> None:
        self.here, self.items = here, list[Any]()
        self.left_out = 0
        self.following = FleetTap(here.fleet).follow(self.received, **more)

    def received(self, gateway: str, items: list[Any], left_out: int) -> None:
        self.items += items
        self.left_out += left_out

    def taken(self) -> list[Any]:
        """What has come since the last call."""
        for _ in range(4):
            self.here.clock.advance(0.1)
        items, self.items = self.items, []
        return items


def test_frames_and_events_come_as_they_happen():
    here = in_memory()
    client = here.connect()
    client.call("Heartbeat")
    follower = Follower(here)
    assert follower.taken() == []
    client.call("DataTransfer", {"vendorId": "V"})
    taken = follower.taken()
    assert [(each["kind"], each.get("direction"), each.get("event")) for each in taken] == [
        ("frame", "in", None), ("frame", "out", None), ("event", None, "data_transfer"),
    ]  # fmt: skip
    assert [{"kind": "frame", **each} for each in frames(here)[-2:]] == taken[:2]
    follower.following.stop()
    client.call("Heartbeat")
    assert follower.taken() == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"what": ["frames"]}, ["in cp1", "out cp1", "in cp2", "out cp2", "in cp1", "out cp1"]),
        ({"what": ["events"]}, ["data_transfer cp1", "data_transfer cp2", "authorize cp1"]),
        ({"what": ["frames"], "chargers": ["cp2", "cp3"]}, ["in cp2", "out cp2"]),
        ({"chargers": ["cp2"]}, ["in cp2", "out cp2", "data_transfer cp2"]),
        ({"action": "authorize", "what": ["frames"]}, ["in cp1", "out cp1"]),
        ({"event": "authorize", "what": ["events"]}, ["authorize cp1"]),
    ],
)
def test_one_may_follow_a_part_of_it(query, expected):
    here = in_memory()
    one, two = here.connect(), here.connect("cp2")
    follower = Follower(here, **query)
    one.call("DataTransfer", {"vendorId": "V"})
    two.call("DataTransfer", {"vendorId": "V"})
    one.call("Authorize", {"idTag": "T"})
    taken = follower.taken()
    told = [
        f"{each['direction']} {each['charger']}" if each["kind"] == "frame" else f"{each['event']} {each['data']['charger']}"
        for each in taken
    ]
    assert told == expected
    follower.following.stop()


def test_live_frames_have_no_secrets_and_no_tags_on_request():
    here = in_memory()
    client = here.connect()
    client.charger.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET})
    id = client.frames()[-1][1]
    follower, blank = Follower(here), Follower(here, blank=True)
    client.send_text(json.dumps([4, id, "InternalError", SECRET, {}]))  # of a CALL that nobody has followed
    client.call("Authorize", {"idTag": "TAG-OF-BOB"})
    taken, blanked = follower.taken(), blank.taken() or blank.items
    assert SECRET not in str(taken) and "TAG-OF-BOB" in str(taken)
    assert blanked and SECRET not in str(blanked) and "TAG-OF-BOB" not in str(blanked)
    for each in (follower, blank):
        each.following.stop()


def test_a_flood_is_left_out_and_counted():
    here = in_memory()
    client = here.connect()
    follower = Follower(here, what=["frames"])
    for number in range(5000):
        client.call("Heartbeat", {}, id=str(number))
    taken = follower.taken()
    assert len(taken) + follower.left_out == 10_000 and len(taken) <= 500
    follower.following.stop()


def test_nobody_looks_while_nobody_follows():
    here = in_memory()
    follower = Follower(here)
    assert here.clock.getDelayedCalls()
    follower.following.stop()
    here.clock.advance(5)
    assert here.clock.getDelayedCalls() == []
