"""What a backend asks: both forms are read, everything else is Invalid with a reason its developer can use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.core.commands import MAX_TIMEOUT, MAX_TTL, OUTCOMES, Command, Invalid, Outcome, parse, render
from ocpp_tw.ocpp.frames import MAX_DEPTH
from payloads import json_objects, json_values

SEED = b'{"CpID": "charger-001", "data": [2, "unique-id", "RemoteStartTransaction", {"connectorId": 1, "idTag": "RFID-12345"}]}'
NEUTRAL = (
    b'{"cp_id": "charger-001", "command": "remote_start_transaction", "data": {"tag": "RFID-12345", "connector_id": 1}, "id": "unique-id"}'
)


def element(**changed: Any) -> bytes:
    """The seed's element with other members."""
    return json.dumps({**json.loads(SEED), **changed}).encode()


def refused(element: bytes) -> Invalid:
    """Why this is no command."""
    with pytest.raises(Invalid) as caught:
        parse(element)
    return caught.value


# the two forms


def test_the_seeds_form_is_a_raw_call() -> None:
    """CONTRACT 2."""
    command = parse(SEED)
    assert (command.charger, command.id, command.action, command.neutral) == ("charger-001", "unique-id", "RemoteStartTransaction", "")
    assert command.payload == {"connectorId": 1, "idTag": "RFID-12345"} and command.raw == b'{"connectorId":1,"idTag":"RFID-12345"}'
    assert (command.timeout, command.ttl, command.reply_to, command.element) == (None, 0.0, None, SEED)
    assert command.name == "RemoteStartTransaction"


def test_the_neutral_form_names_a_command() -> None:
    """CONTRACT 2: the body of the seed's HTTP request."""
    command = parse(NEUTRAL)
    assert (command.charger, command.id, command.action, command.neutral) == ("charger-001", "unique-id", "", "remote_start_transaction")
    assert command.payload == {"tag": "RFID-12345", "connector_id": 1} and command.name == "remote_start_transaction"


def test_the_charger_may_be_named_either_way_in_either_form() -> None:
    """A backend need not know which form takes which."""
    assert parse(SEED.replace(b"CpID", b"cp_id")).charger == parse(NEUTRAL.replace(b"cp_id", b"CpID")).charger == "charger-001"


def test_neutral_commands_may_leave_out_the_data() -> None:
    """`clear_cache` has none."""
    assert parse(b'{"cp_id":"1","command":"clear_cache","id":"x"}').payload == {}


def test_an_id_is_made_for_who_asks_by_http_and_names_none() -> None:
    """By the list it is mandatory: nobody could tell the result from another's."""
    without = b'{"cp_id":"1","command":"clear_cache"}'
    assert parse(without, made_id="made").id == "made"
    assert parse(NEUTRAL, made_id="made").id == "unique-id"
    assert "`id`" in str(refused(without))


@pytest.mark.parametrize(("id", "read"), [("x", "x"), ("x" * 36, "x" * 36), (7, "7"), (0, "0"), ("ä b", "ä b")])
def test_an_id_is_a_short_string_or_a_number(id: object, read: str) -> None:
    """R4: what is sent is a string."""
    assert parse(element(data=[2, id, "Reset", {}])).id == read
    assert parse(json.dumps({"cp_id": "1", "command": "reset", "id": id}).encode()).id == read


@pytest.mark.parametrize("id", ["", "x" * 37, 10**36, None, True, 1.5, [], {}])
def test_any_other_id_is_refused(id: object) -> None:
    """R4: at most 36 characters; a backend that sends more has no answer to expect."""
    for each in (element(data=[2, id, "Reset", {}]), json.dumps({"cp_id": "1", "command": "reset", "id": id}).encode()):
        why = refused(each)
        assert "36 characters" in str(why) and why.id == "" and why.charger and why.name in ("Reset", "reset")


# the payload as the backend wrote it


def test_order_numbers_and_strings_are_kept_and_blanks_are_not() -> None:
    """CONTRACT 2, and FIELD 27: strings byte for byte."""
    wrote = b'{ "z": 1.0, "a": 1E5, "b": 1.10, "c": -0, "d": "\\u00e9\\/x", "e": "\xc3\xa9 ", "f": [ 1 , {"y": 1, "b": 2} ], "a": null }'
    kept = b'{"z":1.0,"a":1E5,"b":1.10,"c":-0,"d":"\\u00e9\\/x","e":"\xc3\xa9 ","f":[1,{"y":1,"b":2}],"a":null}'
    assert parse(b'{"CpID":"1","data":[2,"x","DataTransfer", ' + wrote + b" ]}").raw == kept
    assert parse(b'{"cp_id":"1","id":"x","command":"data_transfer","data": ' + wrote + b"}").raw == kept


@given(json_objects(), st.sampled_from([None, 0, 3]), st.booleans())
@settings(deadline=None, max_examples=50)
def test_any_payload_is_kept_compact_in_its_order(payload: dict[str, Any], indent: int | None, escaped: bool) -> None:
    """CONTRACT 2: however the backend spaced it; pairs are compared, since a dict forgets nothing but their order."""
    wrote = json.dumps({"CpID": "1", "data": [2, "x", "DataTransfer", payload]}, indent=indent, ensure_ascii=escaped).encode()
    command = parse(wrote)
    assert command.raw == json.dumps(payload, separators=(",", ":"), ensure_ascii=escaped).encode()
    assert command.payload == payload and list(command.payload) == list(payload)


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True))
@settings(deadline=None)
def test_numbers_are_spelled_as_the_backend_spelled_them(number: str) -> None:
    """CONTRACT 2: a limit of 16.0 is not 16 to every charger."""
    assert parse(b'{"CpID":"1","data":[2,"x","DataTransfer",{"n":%s}]}' % number.encode()).raw == b'{"n":%s}' % number.encode()


# beside either form


@pytest.mark.parametrize("form", [SEED, NEUTRAL])
def test_timeout_ttl_and_reply_to_stand_beside_either_form(form: bytes) -> None:
    """CONTRACT 2."""
    command = parse(form[:-1] + b', "timeout": 5, "ttl": 60.5, "reply_to": "replies:1"}')
    assert (command.timeout, command.ttl, command.reply_to) == (5.0, 60.5, "replies:1")


@pytest.mark.parametrize("said", [{"timeout": None, "ttl": None, "reply_to": None}, {"timeout": 0, "ttl": 0}, {}])
def test_null_and_zero_mean_the_default(said: dict[str, Any]) -> None:
    """What backends send when they have nothing to say."""
    command = parse(element(**said))
    assert (command.timeout, command.ttl, command.reply_to) == (None, 0.0, None)


@pytest.mark.parametrize("name", ["timeout", "ttl"])
@pytest.mark.parametrize("value", [-1, 1e9, "5", True, [], {}, 10**400])
def test_a_time_that_makes_no_sense_is_refused_and_the_command_known(name: str, value: Any) -> None:
    """Somebody is told of it: charger, id, action and where to reply are read."""
    why = refused(element(**{name: value, "reply_to": "list"}))
    assert f"`{name}`" in str(why)
    assert (why.charger, why.id, why.name, why.reply_to) == ("charger-001", "unique-id", "RemoteStartTransaction", "list")


def test_times_have_an_upper_bound() -> None:
    """A ttl of a day, as long as ids are remembered."""
    assert parse(element(timeout=MAX_TIMEOUT, ttl=MAX_TTL)).ttl == MAX_TTL
    refused(element(timeout=MAX_TIMEOUT + 1))
    refused(element(ttl=MAX_TTL + 1))


@pytest.mark.parametrize("reply_to", ["", 7, [], {}, True, "x" * 513])
def test_reply_to_names_a_list(reply_to: Any) -> None:
    """A16: of a bounded length."""
    assert "`reply_to`" in str(refused(element(reply_to=reply_to)))


# what is no command


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"[]", b"7", b"null", b"\xff", b"{", b"[" * 100_000, b'{"a":' * 100_000, b'{"a":"\\ud800"}']
)
def test_what_is_no_json_object_is_nobodys_command(text: bytes) -> None:
    """A13, F32: nobody can be told, so it goes to the dead ones."""
    why = refused(text)
    assert (why.charger, why.id) == ("", "") and "JSON object" in str(why)


@pytest.mark.parametrize("charger", [None, "", 7, [], {}, True])
def test_a_command_must_name_its_charger(charger: Any) -> None:
    """F32."""
    assert "`CpID`" in str(refused(element(CpID=charger)))


@pytest.mark.parametrize(
    "data",
    [
        *(None, {}, [], "x", 7, [2], [2, "x"], [2, "x", "Reset"], [2, "x", "Reset", {}, 1], [3, "x", "Reset", {}]),
        *([True, "x", "Reset", {}], [2.0, "x", "Reset", {}], ["2", "x", "Reset", {}], [2, "x", 7, {}], [2, "x", "", {}]),
        *([2, "x", "A b", {}], [2, "x", "Reset\n", {}], [2, "x", "R" * 65, {}]),
        *([2, "x", "Reset", []], [2, "x", "Reset", None], [2, "x", "Reset", "{}"]),
    ],
    ids=repr,
)
def test_what_is_no_call_is_refused(data: Any) -> None:
    """F32, A23; its id is read where there is one, for the backend to be told."""
    why = refused(element(data=data))
    assert "CALL" in str(why) and why.charger == "charger-001"
    assert why.id == ("x" if isinstance(data, list) and len(data) > 1 else "")


@pytest.mark.parametrize("command", [None, "", 7, "RemoteStartTransaction", "a b", "x" * 65, "reset\n", "../reset", []])
def test_a_neutral_command_is_a_name_in_snake_case(command: Any) -> None:
    """F32."""
    why = refused(json.dumps({"cp_id": "1", "command": command, "id": "x"}).encode())
    assert "snake_case" in str(why) and why.id == "x"


@pytest.mark.parametrize("data", [b"[]", b"null", b'"x"', b"7", b'{"a":1e999}'])
def test_a_neutral_commands_data_is_an_object(data: bytes) -> None:
    """F32."""
    why = refused(b'{"cp_id":"1","command":"reset","id":"x","data":' + data + b"}")
    assert "JSON object" in str(why) and (why.id, why.name) == ("x", "reset")


def test_a_payload_nested_too_deep_is_refused() -> None:
    """A13: or the validator would give up with an exception, and the command end without its result."""
    for depth, fits in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (900, False)):
        deep = b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)
        text = b'{"CpID":"1","data":[2,"x","DataTransfer",' + deep + b"]}"
        if fits:
            parse(text)
        else:
            assert "deeper" in str(refused(text)) and refused(text).id == "x"


def test_signed_actions_are_actions() -> None:
    """R18."""
    assert parse(element(data=[2, "x", "RequestStartTransaction-Signed", {}])).action == "RequestStartTransaction-Signed"


def check(text: bytes) -> Command | None:
    """A command, or Invalid with a reason; whatever else comes out fails the test."""
    try:
        return parse(text)
    except Invalid as why:
        assert str(why).isprintable() and isinstance(why.charger, str) and isinstance(why.id, str)
        return None


@given(st.binary(max_size=100), st.sampled_from([SEED, NEUTRAL]), st.data())
@settings(deadline=None)
def test_any_bytes_are_a_command_or_invalid(text: bytes, form: bytes, data: st.DataObject) -> None:
    """F32: malformed elements never stop the loop; the good forms with one byte changed, too."""
    check(text)
    at = data.draw(st.integers(0, len(form) - 1))
    check(form[:at] + bytes([data.draw(st.integers(0, 255))]) + form[at + 1 :])
    check(form[:at])


members = {
    "CpID": st.text(max_size=5) | json_values(),
    "cp_id": st.text(max_size=5) | json_values(),
    "command": st.sampled_from(["reset", "x y"]) | json_values(),
    "data": st.tuples(st.just(2) | json_values(), st.text(max_size=40) | json_values(), st.just("Reset"), json_objects()) | json_values(),
    "id": json_values(),
    "timeout": json_values(),
    "ttl": json_values(),
    "reply_to": json_values(),
    "asker": json_values(),
}


@given(json_values() | st.fixed_dictionaries({}, optional=members))
@settings(deadline=None)
def test_any_json_is_a_command_or_invalid(value: Any) -> None:
    """F32; and what is a command is one in full."""
    command = check(json.dumps(value).encode())
    if command is not None:
        assert command.charger and 0 < len(command.id) <= 36 and bool(command.action) != bool(command.neutral)


# outcomes


def test_the_status_of_an_outcome_is_that_of_the_chargers_answer() -> None:
    """CONTRACT 2; None where there is none, or none that is text."""
    assert Outcome("result", {"status": "Rejected"}).status == "Rejected"
    without: list[dict[str, Any] | None] = [None, {}, {"status": 7}, {"configurationKey": []}]
    assert [Outcome("result", payload).status for payload in without] == [None] * 4


def test_the_outcomes_are_those_of_the_contract() -> None:
    """CONTRACT 2 names nine."""
    assert set(OUTCOMES) == {
        *("result", "error", "timeout", "connection_lost", "offline"),
        *("expired", "invalid", "not_allowed", "duplicate"),
    }


@pytest.mark.parametrize(
    "element",
    [
        b'{"CpID":"cp1","data":[2,"u1","Reset",{ "type":"Soft" }],"timeout":5,"ttl":60,"reply_to":"r","first_taken":1790000000.5}',
        b'{"cp_id":"cp1","command":"get_configuration","data":{"key":["A"]},"id":"u1"}',
    ],
)
def test_a_command_that_is_handed_on_is_the_same_command(element: bytes) -> None:
    """FIELD 23: another gateway has the charger."""
    command = parse(element)
    again = parse(render(command, "gw-1"))
    assert again.asker == "gw-1"
    for name in ("charger", "id", "action", "neutral", "payload", "raw", "timeout", "ttl", "taken", "reply_to"):
        assert getattr(again, name) == getattr(command, name)
