"""What one message may cost is bounded, far above what any charger has to say."""

from __future__ import annotations

import json
from contextlib import suppress
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_tw.ocpp import bounds
from ocpp_tw.ocpp.bounds import MAX_CONTAINERS, MAX_SAMPLES, MAX_VALUES, Beginning, depth, too_many_samples, too_many_values
from ocpp_tw.ocpp.frames import MAX_DEPTH, MAX_ELEMENTS, Call, Result, parse
from ocpp_tw.ocpp.malformed import Malformed, TooMuch
from ocpp_tw.ocpp.schemas import source
from ocpp_tw.ocpp.v2 import V21, V201
from ocpp_tw.ocpp.v16 import V16
from ocpp_tw.words import MAX_KEPT


def call(payload: str, id: str = "1", action: str = "DataTransfer") -> bytes:
    return f'[2,"{id}","{action}",{payload}]'.encode()


def refused(text: bytes) -> TooMuch:
    with pytest.raises(TooMuch) as caught:
        parse(text)
    return caught.value


SLOW = "1e300"
"""A number that msgspec reads in eight microseconds, a hundred times as long as others."""


def cost(text: bytes) -> float:
    """CPU time that it takes to parse a text, the least of several."""

    def once() -> float:
        begun = process_time()
        with suppress(Malformed):
            parse(text)
        return process_time() - begun

    return min(once() for _ in range(5))


@pytest.mark.parametrize(
    "head", ['[2,"9",{},{{}}]', '[2,{},"Heartbeat",{{}}]', '[{},"9","Heartbeat",{{}}]', "[9,{}]", '[4,{},"GenericError"]']
)
def test_numbers_where_there_should_be_none_are_not_read_more_slowly_than_others(head: str) -> None:
    numbers = f"[{','.join([SLOW] * 5_000)}]"
    assert cost(head.format(numbers).encode()) < 4 * cost(call(f'{{"data":{numbers}}}'))


@pytest.mark.parametrize("value", ["1", "[]", "{}", '""', '"a"', "-1.5", "2e3", "null", "true", "false"])
def test_a_message_has_at_most_two_hundred_thousand_values(value: str) -> None:
    most = MAX_VALUES - 6  # the frame, its three other elements, the payload and the list
    count = most // (2 if value[0] in "[{-" else 4 if value[0] == "2" else 1)
    assert isinstance(parse(call('{{"data":[{}]}}'.format(",".join([value] * count)))), Call)
    why = refused(call('{{"data":[{}]}}'.format(",".join([value] * (MAX_VALUES + 1)))))
    limit = "more than 100000 objects and arrays" if value[0] in "[{" else "more than 200000 values"
    assert (why.kind, why.id, why.action, why.limit) == (2, "1", "DataTransfer", limit)


@pytest.mark.parametrize(("value", "containers"), [("[[]]", 2), ("[1]", 1), ('{"":[]}', 2), ('{"[":{"{":"["}}', 2)])
def test_at_most_half_of_them_are_objects_and_arrays(value: str, containers: int) -> None:
    count = (MAX_CONTAINERS - 3) // containers  # the frame, the payload and the list
    assert isinstance(parse(call('{{"data":[{}]}}'.format(",".join([value] * count)))), Call)
    why = refused(call('{{"data":[{}]}}'.format(",".join([value] * (count + 1)))))
    assert (why.kind, why.id, why.action, why.limit) == (2, "1", "DataTransfer", "more than 100000 objects and arrays")


def test_commas_and_brackets_within_strings_are_no_values() -> None:
    text = "".join(r"[{,\"" for _ in range(MAX_VALUES))
    frame = parse(call(f'{{"data":"{text}"}}'))
    assert isinstance(frame, Call) and frame.payload["data"] == text.replace('\\"', '"')


SCALARS = st.none() | st.booleans() | st.integers() | st.just(1.5) | st.just(1e-30) | st.text(st.sampled_from(',[{"\\a].e1'))


@given(st.recursive(SCALARS, st.lists, max_leaves=30))
def test_the_values_of_a_text_are_counted_exactly(value: Any) -> None:
    """An empty array counts as two, and so does a number with a point; one with an exponent as four."""

    def count(value: Any) -> int:
        if isinstance(value, list):
            return 1 + (sum(map(count, value)) or 1)
        return 1 + (("." in repr(value)) + 3 * ("e" in repr(value)) if isinstance(value, float) else 0)

    head = [1] * (MAX_VALUES - count(value))
    assert not too_many_values(json.dumps([*head, value]).encode())
    assert too_many_values(json.dumps([1, *head, value]).encode())


@pytest.mark.parametrize("piece", ["[", "{", ",", '{"a":', "[2,", '"",', '"'])
def test_no_text_is_too_much_to_look_at(piece: str) -> None:
    """Whatever is repeated in it: nothing here may take time that grows faster than the text."""
    with pytest.raises(Malformed):
        parse((piece * 1_000_000)[:1_000_000].encode())


def test_numbers_of_thousands_of_digits_are_too_much_together() -> None:
    assert "more than 400 digits" in refused(call('{"data":[' + ",".join(["9" * 4000] * 100) + "]}")).limit
    assert isinstance(parse(call('{"data":["' + "9" * 400_000 + '"]}')), Call)
    assert isinstance(parse(call('{"data":[' + ",".join(["9" * 400] * 1000) + "]}")), Call)


def test_a_frame_with_many_elements_is_too_much() -> None:
    assert refused(b'[2,"1","Heartbeat",{}' + b",{}" * MAX_ELEMENTS + b"]").limit == "more than 16 elements"
    assert refused(b'[3,"1"' + b",{}" * MAX_ELEMENTS + b"]").answered == "1"


def test_depth_is_bounded_beside_any_number_of_values() -> None:
    deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    wide = ",".join(["[[1]]"] * 10_000)
    assert isinstance(parse(call(f'{{"data":[{wide}]}}')), Call)
    assert "nested deeper" in refused(call(f'{{"data":[{wide},{deep}]}}')).limit


@given(
    st.recursive(st.text(st.sampled_from('[]{}"\\ ')), lambda inner: st.lists(inner) | st.dictionaries(st.just("["), inner)),
    st.integers(0, 30),
)
def test_the_depth_of_a_text_is_that_of_its_values(value: Any, around: int) -> None:
    """Whatever brackets and quotes its strings have."""

    def levels(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value
        return 0 if isinstance(value, str) else 1 + max(map(levels, inner), default=0)

    for _ in range(around):
        value = [{"[": value}, "]}", [value]] if around < 5 else [value]
    assert depth(json.dumps(value).encode()) == levels(value)


def test_an_id_and_an_action_have_at_most_255_characters() -> None:
    assert isinstance(parse(call("{}", "é" * MAX_KEPT, "a" * MAX_KEPT)), Call)
    assert isinstance(parse(b'[3,"%b",{}]' % (b"a" * MAX_KEPT)), Result)
    assert "message id longer" in refused(call("{}", "a" * (MAX_KEPT + 1))).limit
    assert "message id longer" in refused(b'[3,"%b",{}]' % (b"a" * (MAX_KEPT + 1))).limit
    why = refused(call("{}", "1", "a" * (MAX_KEPT + 1)))
    assert "action longer" in why.limit and why.owed == "1"


def test_the_samples_of_all_readings_are_counted() -> None:
    readings = [{"sampledValue": [{}] * 100}] * (MAX_SAMPLES // 100)
    assert not too_many_samples({"meterValue": readings, "connectorId": 1})
    assert too_many_samples({"meterValue": [*readings, {"sampledValue": [{}]}]})
    assert too_many_samples({"transactionData": [*readings, {"sampledValue": [{}]}]})
    assert too_many_samples({"meterValue": [{"sampledValue": []}, {}, 1] * (MAX_SAMPLES // 2)})  # a reading counts as one at least
    assert not too_many_samples({"meterValue": [1, None, {"sampledValue": 5}], "other": {"a": []}})
    assert not too_many_samples({"reportData": [{"variableAttribute": [{}] * 4}] * MAX_SAMPLES, "meterValue": {}})


def test_the_beginning_of_a_value_has_all_known_members_and_no_empty_array() -> None:
    value = {"a": [[1] * 1000, [2]], "known": {"known": 1, "other": 2}, "other": 3}
    beginning = Beginning(value, {"known", "a"})
    assert beginning.cut and beginning.value["known"] == {"known": 1} and "other" not in beginning.value
    assert len(beginning.value["a"][0]) < bounds.LOOKED_THROUGH and value["other"] == 3
    whole = Beginning({"a": [1, [2, 3]]}, set())
    assert not whole.cut and whole.value == {"a": [1, [2, 3]]}


@pytest.mark.parametrize(("version", "folder", "suffix"), [(V16, "v16", ""), (V201, "v201", "Request"), (V21, "v21", "Request")])
def test_no_valid_message_has_a_longer_word_that_is_kept(version: Any, folder: str, suffix: str) -> None:
    """So that only invalid ones have to be looked at: a timestamp is none if it is longer (`checks`)."""
    for action, translation in version.translations.items():
        for path in translation.kept:
            root = schema = source(folder, action + suffix)
            for name in path.split("/"):
                schema = schema["properties"][name]
                schema = root["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            assert schema.get("maxLength", 1000) <= MAX_KEPT or "enum" in schema or schema.get("format") == "date-time", (action, path)
