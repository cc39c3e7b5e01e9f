"""OCPP-J frames: any text is a frame or Malformed; what we send is compact JSON in UTF-8."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocpp_tw.ocpp.frames import MAX_DEPTH, MAX_DESCRIPTION, Call, Error, Frame, Result, ResultError, Send, parse, render
from ocpp_tw.ocpp.malformed import MAX_EXCERPT, MAX_ID, Malformed, UnknownType
from payloads import json_objects, json_values

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40) | st.integers(1 - MAX_ID, MAX_ID - 1)
words = st.text(st.characters(codec="utf-8"), max_size=20)
frames = (
    st.builds(Call, ids, words, json_objects())
    | st.builds(Result, ids, json_objects())
    | st.builds(Error, ids, words, words, json_objects())
)


def refused(text: bytes) -> Malformed:
    """Why this is not a frame."""
    with pytest.raises(Malformed) as caught:
        parse(text)
    return caught.value


def nested(depth: int, way_in: bytes = b'{"a":', way_out: bytes = b"}") -> bytes:
    """A JSON value of that many nested containers, the innermost empty."""
    return way_in * (depth - 1) + b"{}" + way_out * (depth - 1)


# the three frames (R1)


def test_a_call_is_read_with_its_payload_as_bytes_too() -> None:
    """R1. The event carries the charger's own bytes, white space included."""
    frame = parse(b'[2, "19223201", "BootNotification", {"chargePointVendor": "V", "n": 1.50}]')
    assert frame == Call("19223201", "BootNotification", {"chargePointVendor": "V", "n": 1.5}, b'{"chargePointVendor": "V", "n": 1.50}')


def test_a_callresult_and_a_callerror_are_read() -> None:
    """R1."""
    assert parse(b'[3,"7",{"status":"Accepted"}]') == Result("7", {"status": "Accepted"})
    assert parse(b'[4,"7","NotSupported","no",{"a":1}]') == Error("7", "NotSupported", "no", {"a": 1})


@given(frames)
@settings(deadline=None)
def test_a_rendered_frame_is_parsed_back(frame: Frame) -> None:
    """For any frame; a CALL of our own only gains ``raw``. A number such as 2.0 is read as the integer that it is to JSON Schema."""
    again = parse(render(frame))
    assert (msgspec.structs.replace(again, raw=b"") if isinstance(again, Call) else again) == frame
    assert render(parse(render(again))) == render(again)


def test_rendered_frames_are_compact_and_keep_the_order_of_members() -> None:
    """R2: JSON in UTF-8, without escapes."""
    assert render(Call("1", "Reset", {"type": "Soft", "a": "é"})) == '[2,"1","Reset",{"type":"Soft","a":"é"}]'.encode()
    assert render(Result(7, {})) == b"[3,7,{}]"
    assert render(Error("1", "GenericError")) == b'[4,"1","GenericError","",{}]'


def test_a_call_with_raw_json_is_sent_as_that_json() -> None:
    """CONTRACT 2: what a backend wrote is sent unchanged, even the notation of its numbers."""
    call = Call("1", "SetChargingProfile", {"limit": 16.0}, b'{"limit":16.00,"b":1E1}')
    assert render(call) == b'[2,"1","SetChargingProfile",{"limit":16.00,"b":1E1}]'


def test_a_long_description_is_truncated() -> None:
    """R12: at most 255 characters (not bytes)."""
    sent = json.loads(render(Error("1", "GenericError", "é" * 300)))
    assert sent[3] == "é" * MAX_DESCRIPTION and MAX_DESCRIPTION == 255


# message ids (FIELD 7)


@pytest.mark.parametrize("id", ["x", "x" * 37, "x" * 255, 'quo"te', "ä☃", 3, 0, -1, 10**30])
def test_any_id_is_echoed_unchanged(id: str | int) -> None:
    """FIELD 7: too long ones and numbers are accepted, and echoed in the same JSON type."""
    frame = parse(json.dumps([2, id, "Heartbeat", {}]).encode())
    assert isinstance(frame, Call) and frame.id == id and type(frame.id) is type(id)
    assert json.loads(render(Result(frame.id, {})))[1] == id


@pytest.mark.parametrize("id", ['""', "null", "true", "1.5", "{}", "[]"])
def test_a_call_with_an_invalid_id_is_not_answered(id: str) -> None:
    """R13, FIELD 7: an empty id crashed other servers; in 1.6 such a CALL gets no answer."""
    assert refused(f'[2,{id},"Heartbeat",{{}}]'.encode()).id is None


# tolerance


@pytest.mark.parametrize("text", [b'[2,"1","Heartbeat",null]', b'[2,1,"Heartbeat",null]'])
def test_a_null_payload_is_an_empty_one(text: bytes) -> None:
    """R15; the event then shows an empty object."""
    frame = parse(text)
    assert isinstance(frame, Call) and frame.payload == {} and frame.raw == b"{}"
    assert parse(b'[3,"1",null]') == Result("1", {})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b'[4,"1","GenericError"]', Error("1", "GenericError")),
        (b'[4,"1","GenericError","why"]', Error("1", "GenericError", "why")),
        (b'[4,"1","GenericError",null,null]', Error("1", "GenericError")),
        (b'[4,"1","InternalError","why","a string for details"]', Error("1", "InternalError", "why", "a string for details")),
        (b'[4,"1","FormatViolation",{"a":1},"swapped"]', Error("1", "FormatViolation", "swapped", {"a": 1})),
        (b'[4,"-1","GenericError","",[]]', Error("-1", "GenericError")),
        (b'[4,"1","Made up","",{},"more"]', Error("1", "Made up")),
        (b'[4,"1","","",{}]', Error("1", "")),
    ],
)
def test_a_callerror_is_read_in_every_form(text: bytes, error: Error) -> None:
    """R10, R12, and FIELD's wire notes 7 and 8: SAP sends a string for details, others leave elements out, any code is accepted."""
    assert parse(text) == error


@pytest.mark.parametrize("more", [b"{}", b"null", b'"", {}', b'"","x",[7]'])
@pytest.mark.parametrize("payload", [b"{}", b"null"])
def test_further_elements_of_a_call_are_ignored_and_marked(payload: bytes, more: bytes) -> None:
    """As those of an answer are; a message is not lost for them."""
    assert parse(b'[2,"1","Heartbeat",%b,%b]' % (payload, more)) == Call("1", "Heartbeat", {}, b"{}", "structure")
    assert parse(b'[6,7,"A",%b,%b]' % (payload, more)) == Send(7, "A", {}, b"{}", "structure")


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("before", [b"", b" ", b"\0", BOM, b"\0\0 " + BOM])
@pytest.mark.parametrize("after", [b"", b"\0\r\n", BOM, BOM + b"\0", b" " + BOM])
def test_padding_around_a_frame_does_not_matter(before: bytes, after: bytes) -> None:
    """A parser may ignore a byte order mark (RFC 8259 §8.1)."""
    assert parse(before + b'[2,"1","Heartbeat",{}]' + after) == Call("1", "Heartbeat", {}, b"{}")
    assert parse(before + b'[3,"1",{}]' + after) == Result("1", {})
    bad = refused(before + b'[2,"1","Heartbeat",{"a":}]' + after)
    assert (bad.id, bad.action, bad.syntax) == ("1", "Heartbeat", True)


def test_a_long_padding_costs_no_more_than_its_length() -> None:
    assert refused(BOM * 300_000).id is None and refused(BOM * 300_000 + b"x" + b"\0 " * 300_000).id is None


def test_blanks_between_elements_do_not_matter() -> None:
    """It is JSON."""
    assert parse(b' [ 2 ,\n"1" , "Heartbeat" , { } ]\r\n') == Call("1", "Heartbeat", {}, b"{ }")


def test_of_a_repeated_member_the_last_one_counts() -> None:
    """A13: as in every parser; the event still has both."""
    frame = parse(b'[2,"1","Heartbeat",{"a":1,"a":2}]')
    assert isinstance(frame, Call) and frame.payload == {"a": 2} and frame.raw == b'{"a":1,"a":2}'


def test_a_nul_character_is_accepted() -> None:
    """A14: it is no reason to lose a message."""
    frame = parse(b'[2,"1","DataTransfer",{"vendorId":"a\\u0000b"}]')
    assert isinstance(frame, Call) and frame.payload == {"vendorId": "a\0b"} and b"\\u0000" in frame.raw


# malformed frames (F28)


@pytest.mark.parametrize("kind", [0, 1, 7, 9, -2, 22, 10**25])
def test_an_unknown_message_type_is_reported_with_its_id(kind: int) -> None:
    """R3: some versions ignore it, 2.0.1 answers under its id."""
    bad = refused(json.dumps([kind, "1", "Heartbeat", {}]).encode())
    assert isinstance(bad, UnknownType) and bad.id == "1"


def test_the_frames_of_2_1_are_read_and_rendered() -> None:
    """R1, R14."""
    for frame in (Send("s", "NotifyPeriodicEventStream", {"id": 1}), ResultError("r", "FormatViolation", "what?", {"a": 1})):
        again = parse(render(frame))
        assert type(again) is type(frame) and again.id == frame.id and render(again) == render(frame)
    assert parse(b'[5,"r","X"]') == ResultError("r", "X")
    assert parse(b'[6,7,"A",{}]') == Send(7, "A", {}, b"{}")


@pytest.mark.parametrize("kind", ["2.5", "true", '""', '"two"', '"1,234"', '"0x2"', "null", "[2]", "{}", "1e30", '"' + "2" * 1000 + '"'])
def test_a_message_type_must_be_a_whole_number(kind: str) -> None:
    """A13: parsers that compare loosely take true for a message type."""
    bad = refused(f'[{kind},"1","Heartbeat",{{}}]'.encode())
    assert not isinstance(bad, UnknownType) and bad.id is None


ODD_TYPES = pytest.mark.parametrize("odd", ["%d.0", '"%d"', '"%d.0"', "%de0", '" %d "'])


@ODD_TYPES
def test_a_message_type_means_the_same_however_it_is_written(odd: str) -> None:
    """As any number does; of a CALL and a SEND that is marked."""

    def frame(kind: int, rest: str) -> Frame:
        return parse(f"[{odd % kind},{rest}]".encode())

    assert frame(2, '"1","Heartbeat",{}') == Call("1", "Heartbeat", {}, b"{}", "type")
    assert frame(2, '"1","Heartbeat",{},{}') == Call("1", "Heartbeat", {}, b"{}", "structure")
    assert frame(6, '"1","A",{}') == Send("1", "A", {}, b"{}", "type")
    assert frame(3, '"1",{"a":1}') == Result("1", {"a": 1})
    assert frame(4, '"1","GenericError","",{}') == Error("1", "GenericError")
    assert frame(5, '"1","FormatViolation","",{}') == ResultError("1", "FormatViolation")


@ODD_TYPES
def test_an_unknown_message_type_is_unknown_however_it_is_written(odd: str) -> None:
    bad = refused(f'[{odd % 9},"1","Heartbeat",{{}}]'.encode())
    assert isinstance(bad, UnknownType) and (bad.kind, bad.id) == (9, "1")


@pytest.mark.parametrize("kind", ["3.0", '"3"', '"3.0"'])
def test_it_is_read_at_the_beginning_of_a_broken_text_too(kind: str) -> None:
    """So that a broken answer ends its command."""
    assert refused(f'[{kind},"1",{{"a":}}]'.encode()).answered == "1"
    assert refused(f'[{kind},"1",{{"a"'.encode()).answered == "1"


@pytest.mark.parametrize(
    "text",
    [
        *(b'[2,"1"]', b'[2,"1","Heartbeat"]', b'[2,"1","Heartbeat",[],{}]', b'[2,"1",{},"Heartbeat"]', b'[2,"1",7,{}]', b'[2,"1",null,{}]'),
        *(b'[2,"1","Heartbeat",[]]', b'[2,"1","Heartbeat","{}"]', b'[2,"1","Heartbeat",7]', b'[2,"1","Heartbeat",false]'),
    ],
)
def test_a_call_with_the_wrong_elements_is_owed_an_error(text: bytes) -> None:
    """F28: its id could be read (R11: in 1.6 a FormationViolation, for the structure)."""
    bad = refused(text)
    assert bad.id == "1" and not bad.syntax


@pytest.mark.parametrize("payload", [b'{"a":1e400}', b'{"a":"\xff"}', b'{"a":' + b"9" * 5000 + b"}", b'{"\xc3\x28":1}'])
def test_a_call_whose_payload_alone_is_unreadable_is_owed_an_error(payload: bytes) -> None:
    """A13, F28: numbers beyond all bounds, and bytes that are not UTF-8."""
    bad = refused(b'[2,"1","Heartbeat",' + payload + b"]")
    assert bad.id == "1" and bad.syntax


@pytest.mark.parametrize(
    "text",
    [
        *(
            b"",
            b" ",
            b"hello",
            b"\xff\xfe",
            b"\xef\xbb\xbf[2",
            b'[2,"1","Heartbeat",{}',
            b'[2,"1","Heartbeat",{}]]',
            b"{}",
            b"null",
            b'"2"',
            b"2",
        ),
        *(b'[2,"1","Heartbeat",{"a":NaN}]', b'[2,"1","Heartbeat",{"a":-Infinity}]', b'[2,"1","Heartbeat",{"a":007}]'),
        *(b'[2,"1","Heartbeat",{"a":"\n"}]', b'[2,"1","Heartbeat",{"a":"\\ud800"}]', b'[2,"1","MeterValues",{"sampledValue":[,{}]}]'),
        *(b"[" * 40_000, b'[2,"1","Heartbeat",' + nested(40_000) + b"]"),
    ],
    ids=lambda text: repr(text[:40]),
)
def test_anything_but_a_json_array_is_a_syntax_error(text: bytes) -> None:
    """A13, F28: no NaN, no raw control characters, no lone surrogates (Redis would lose them), no depth of 40,000."""
    assert refused(text).syntax


@pytest.mark.parametrize(
    "text",
    [b"[]", b"[2]", b"[3]", b"[4]", b'[3,"1",[]]', b'[3,"1","Accepted"]', b'[4,"1",{}]', b"[3,null,{}]", b'[3,"",{}]', b'[3,"1",{"a":,}]'],
)
def test_a_malformed_answer_is_owed_no_error(text: bytes) -> None:
    """R14: neither a CALLRESULT nor a CALLERROR is ever answered; but the CALL that it answers is known where its id can be read."""
    bad = refused(text)
    assert bad.owed is None and bad.answered == ("1" if b'"1"' in text else None)


@pytest.mark.parametrize("head", [b'[2,"1","DataTransfer",', b'[2,1,"DataTransfer",', b'[3,"1",', b'[4,"1","GenericError","",'])
@pytest.mark.parametrize(("way_in", "way_out"), [(b'{"a":', b"}"), (b'{"a":[', b"]}")])
def test_a_payload_may_have_100_levels_and_no_more(head: bytes, way_in: bytes, way_out: bytes) -> None:
    """A13: beyond that, validators and encoders have limits, each with an exception of its own."""
    step = len(way_in.replace(b'"a":', b""))
    fits = MAX_DEPTH // step
    parse(head + nested(fits, way_in, way_out) + b"]")
    bad = refused(head + nested(fits + 2, way_in, way_out) + b"]")
    assert not bad.syntax and (bad.owed is None) == (head[1:2] != b"2")


def test_a_wide_payload_is_not_too_deep() -> None:
    """A NotifyReport has hundreds of objects side by side."""
    assert parse(render(Call("1", "X", {"list": [{"a": [1]}] * 1000})))


@given(st.binary(max_size=80))
@example(b"[2")
@settings(deadline=None)
def test_any_bytes_are_a_frame_or_malformed(text: bytes) -> None:
    """F28: whatever a charger sends."""
    try:
        parse(text)
    except Malformed as bad:
        assert str(bad)


@given(json_values() | st.lists(json_values(), max_size=6).map(lambda rest: [2, *rest]))
@settings(deadline=None)
def test_any_json_is_a_frame_or_malformed(value: Any) -> None:
    """F28; and a frame can be rendered again."""
    try:
        frame = parse(json.dumps(value).encode())
    except Malformed:
        return
    render(frame)


@given(frames.map(render), st.data())
@settings(deadline=None)
def test_a_damaged_frame_is_a_frame_or_malformed(text: bytes, data: st.DataObject) -> None:
    """F28: one byte changed, or the end cut off."""
    at = data.draw(st.integers(0, len(text) - 1))
    for damaged in (text[:at], text[:at] + bytes([data.draw(st.integers(0, 255))]) + text[at + 1 :]):
        with suppress(Malformed):
            parse(damaged)


@pytest.mark.parametrize("text", [b"\x1b[31m\r\nfaked line SECRET", b'[2,"1","ChangeConfiguration",{"key":"PIN","value":"SECRET"'])
def test_a_malformed_text_is_not_quoted_in_the_log(text: bytes) -> None:
    """A15, issue 11 D.15: its length is; a piece of it goes to the backend, and is printable."""
    bad = refused(text)
    assert "SECRET" not in str(bad) and f"{len(text)} bytes" in str(bad)
    assert "SECRET" in bad.excerpt and bad.excerpt.isprintable()
    assert len(refused(text + b"\n" * 100_000).excerpt) <= MAX_EXCERPT


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b'[2,"q1","StopTransaction",{"transactionId":5,"meterStop":,"x":1}]', (2, "q1", "StopTransaction")),
        (b'[2,"q3","StopTransaction"]', (2, "q3", "StopTransaction")),
        (b'[2,"q4","Heartbeat",[]]', (2, "q4", "Heartbeat")),
        (b'[2,"q5",{"a":1},{}]', (2, "q5", None)),
        (b' [ 2 , 17 , "Boot', (2, 17, None)),
        (b'[2,"a\\"b","X",{', (2, 'a"b', "X")),
        (b'[3,"c1",{"status":', (3, "c1", None)),
        (b'[2,"never ends', (None, None, None)),
        (b"hello", (None, None, None)),
        (b'[2,"' + b'\\"' * 100_000, (None, None, None)),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_what_can_be_read_of_a_malformed_text_is(text: bytes, read: tuple[object, ...]) -> None:
    """Issue 11, B.9."""
    bad = refused(text)
    assert (bad.kind, bad.id, bad.action) == read


@pytest.mark.parametrize("after", [b"\0", b"\0\0\0", b" \r\n\0", b"\n", b"\t "])
@pytest.mark.parametrize("text", [b'[2,"1","Heartbeat",{}]', b'[3,"1",{"a":1}]', b'[4,"1","GenericError","",{}]'])
def test_a_frame_with_padding_is_that_frame(text: bytes, after: bytes) -> None:
    """Issue 11, B.9: the terminator of a C string, or its whole buffer."""
    assert parse(text + after) == parse(text)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (b'[3,7,{"a":1}]', Result(7, {"a": 1})),
        (b'[3,"1"]', Result("1", {})),
        (b'[3,"1",{"a":1},"",{}]', Result("1", {"a": 1})),
        (b'[3,"1","Reset",{"a":1}]', Result("1", {"a": 1})),
        (b'[4,"1"]', Error("1", "")),
        (b'[4,"1",7,"why",{}]', Error("1", "7", "why")),
        (b'[4,"","GenericError","why",{}]', Error("-1", "GenericError", "why")),
        (b'[4,null,"GenericError"]', Error("-1", "GenericError")),
    ],
)
def test_answers_in_odd_shape_are_read(text: bytes, frame: Frame) -> None:
    """Issue 11, B.10."""
    assert parse(text) == frame
