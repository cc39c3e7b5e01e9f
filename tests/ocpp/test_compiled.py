"""The compiled modules read bytes: whatever these are, they come to the same as without them. Where they are not built, this says how to build them."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiled_cases import CASES, EVENT, IN_1_6, NOW
from fuzz.sanitized import NO_SANITIZER, ROOT
from ocpp_tw.ocpp import compiled
from ocpp_tw.ocpp.frames import Call, parse
from ocpp_tw.ocpp.malformed import Malformed
from ocpp_tw.ocpp.payload_json import decode
from ocpp_tw.ocpp.v16 import V16
from same_values import assert_same_values

pytestmark = pytest.mark.skipif(
    not compiled.IS_USED,
    reason=f"without compiled modules ({compiled.WHY_NOT}): where they are not switched off, install gcc and Python's headers, and make -B install",
)

versions = pytest.mark.parametrize("name", CASES)


def comes_to(name: str, text: bytes) -> bool:
    """Whether the compiled reader reads the payload; then what it says has to be what a reading by dictionary says."""
    version, action, _, read_without, read = CASES[name]
    fact = read(text)
    if fact is None:
        assert read_without(text) is None
        return False
    payload = decode(text)
    assert version.schemas.request(action, payload) == []
    other = version.translations[action].read(payload)
    assert_same_values(fact.values, payload["meterValue"])
    assert fact.readings == payload["meterValue"]
    assert msgspec.structs.replace(fact, raw=[], values=None) == msgspec.structs.replace(other, raw=[], values=None)
    return True


@versions
@pytest.mark.parametrize(
    "layout",
    [{"separators": (",", ":")}, {}, {"indent": 2}, {"sort_keys": True}, {"indent": "\t", "separators": (" , ", " : ")}],
    ids=str,
)
def test_members_may_come_in_any_order_and_with_any_space(name: str, layout: dict[str, Any]) -> None:
    """FIELD 25: some libraries sort the members of an object, some write each on a line of its own."""
    payload = CASES[name][2]
    assert comes_to(name, json.dumps(payload, **layout).encode())
    backwards = json.loads(json.dumps(payload), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert comes_to(name, json.dumps(backwards, **layout).encode())


def test_units_of_1_6_are_converted_too() -> None:
    """So that a charger that counts in kWh costs no more than one that counts in Wh."""
    [begin, *_] = compiled_fact(IN_1_6).values.looked_at
    assert (begin.measurand, begin.value, begin.unit, begin.context) == (
        "Energy.Active.Import.Register",
        "18312",
        "Wh",
        "Transaction.Begin",
    )
    assert CASES["1.6"][3](json.dumps(IN_1_6).encode()) is None


def compiled_fact(payload: Any) -> Any:
    fact = CASES["1.6"][4](json.dumps(payload).encode())
    assert fact is not None
    return fact


def test_of_one_reading_the_last_value_that_says_the_same_is_looked_at() -> None:
    """Without phase and with one, at the outlet and unsaid: what is not the same stays, in the order of the last."""
    samples = [
        {"value": "1"}, {"value": "2", "location": "Outlet"}, {"value": "3"}, {"value": "4", "measurand": "Voltage"},
        {"value": "5", "measurand": "SoC"}, {"value": "6", "phase": "L1", "measurand": "Power.Active.Import"}, {"value": "7", "location": "Outlet"},
    ]  # fmt: skip
    payload = {
        "connectorId": 1,
        "meterValue": [{"timestamp": NOW, "sampledValue": samples}, {"timestamp": NOW, "sampledValue": samples[:1]}],
    }
    assert [each.value for each in compiled_fact(payload).values.looked_at] == ["3", "5", "6", "7", "1"]
    assert comes_to("1.6", json.dumps(payload).encode())


@pytest.mark.parametrize(
    ("measurand", "values"),
    [
        ("SoC", ["50", "101"]), ("SoC", ["50", "100", "100.5"]), ("SoC", ["101", "99"]), ("Power.Active.Import", ["7000", "200000000"]),
        ("Power.Active.Import", ["7000", "100000000"]), ("Power.Active.Import", ["99999999.5", "0100000001", "3"]),
        ("Energy.Active.Import.Register", ["5", "99999999999999999999"]), ("Energy.Active.Import.Register", ["5", "-7"]),
        ("Power.Active.Import", ["7000", "-1"]), ("SoC", ["5", "-1.0"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("phase", [{}, {"phase": "L1"}], ids=["", "L1"])
def test_a_value_that_is_not_believed_hides_none_that_is(measurand: str, values: list[str], phase: dict[str, str]) -> None:
    """What makes no sense counts as not said (`monitoring.readings`)."""
    samples = [{"value": value, "measurand": measurand} | phase for value in values]
    assert comes_to("1.6", json.dumps({"connectorId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": samples}]}).encode())


plain = st.from_regex(r"-?(0|[1-9][0-9]{0,7})(\.[0-9]{1,6})?", fullmatch=True)


@settings(deadline=None, max_examples=500)
@given(plain, st.integers(-12, 12), st.sampled_from(["Wh", "kWh", "kvarh"]))
def test_a_number_is_read_as_in_python(number: str, multiplier: int, unit: str) -> None:
    sample = f'{{"value":{number},"unitOfMeasure":{{"unit":"{unit}","multiplier":{multiplier}}}}}'
    text = json.dumps(EVENT | {"meterValue": [{"timestamp": NOW, "sampledValue": ["SAMPLE"]}]}).replace('"SAMPLE"', sample)
    minus_zero, exponent = float(number) == 0 and number[0] == "-", 0 < abs(float(number)) < 0.001
    assert comes_to("2.0.1", text.encode()) is not (minus_zero or exponent)
    sample = f'{{"value":"{number}","unit":"{unit}"}}'
    text = json.dumps(IN_1_6 | {"meterValue": [{"timestamp": NOW, "sampledValue": ["SAMPLE"]}]}).replace('"SAMPLE"', sample)
    assert comes_to("1.6", text.encode()) is not minus_zero


@versions
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"meterValue"', b'"meter\\u0056alue"'),
        lambda text: text[:-1] + b',"meterValue":[]}',
        lambda text: text[:-1] + b',"meterValue":0}',
        lambda text: text[:-1] + b',"meter\\u0056alue":0}',
        lambda text: text.replace(b'"meterValue":[', b'"meterValue":[],"meterValue":[', 1),
        lambda text: text.replace(b'"sampledValue":', b'"sampledValue":[],"sampledValue":', 1),
        lambda text: text.replace(b'"timestamp":"', b'"timestamp":"x","timestamp":"'),
        lambda text: text.replace(b'"SoC"', b'"So\\u0043"'),
        lambda text: text.replace(b"EV", b"E\x00V"),
        lambda text: text.replace(NOW.encode(), b"\xc3\xa4"),
        lambda text: text.replace(NOW.encode(), b"x" * 65),
        lambda text: text.replace(b"}]", b"},]"),
        lambda text: text + b"}",
        lambda text: text[:-1],
        lambda text: b'{"customData":{"vendorId":"x","meterValue":[]},' + text[1:],
        lambda text: b"[" + text + b"]",
        lambda text: b"",
        lambda text: b'"meterValue"',
        lambda text: b'{"meterValue":',
        lambda text: b'{"meterValue":[{"sampledValue":[',
    ],
)
def test_what_is_odd_comes_to_the_same(name: str, change: Callable[[bytes], bytes]) -> None:
    """A member twice, of which the latter counts; names that are written otherwise; what is cut off, or no JSON."""
    comes_to(name, change(json.dumps(CASES[name][2], separators=(",", ":")).encode()))


marks = st.sampled_from(
    [b"", b" ", b'"', b"\\", b",", b":", b"[", b"]", b"{", b"}", b"0", b"-", b".", b"e", b"\x00", b"\xff", b"value", b'"unit":"V",']
)
changes = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), marks), min_size=1, max_size=3)


@settings(deadline=None, max_examples=2_000)
@given(st.sampled_from(sorted(CASES)), changes)
def test_whatever_the_bytes_are_they_come_to_the_same(name: str, changes: Any) -> None:
    """C3: pieces of a message cut out, and marks put in."""
    text = json.dumps(CASES[name][2], separators=(",", ":")).encode()
    for place, cut, mark in changes:
        at = int(place * len(text))
        text = text[:at] + mark + text[at + cut :]
    comes_to(name, text)


heads = st.sampled_from([b"[2", b"[ 2", b"[02", b"[2.0", b'["2"', b"[22", b"[3", b"[", b""])
ids = st.sampled_from([b'"1"', b'""', b'"\\u0031"', b'"\xc3\xa4"', b'"\x01"', b"1", b'"%b"' % (b"x" * 65), b'"%b"' % (b"x" * 300), b"null"])
rests = st.sampled_from([b"{}", b" {} ", b"{},1", b"{", b"}", b"null", b"", b'{"a":[1,2]}', b"{}]", b"[{}]", b"{}\n"])
ends = st.sampled_from([b"]", b" ]", b"] ", b"", b"]\x00"])


@settings(deadline=None, max_examples=2_000)
@given(heads, ids, st.sampled_from([b'"Heartbeat"', b'"MeterValues"', b'"Heart\\u0062eat"', b'"X"', b"5"]), rests, ends)
def test_the_head_of_a_call_is_taken_off_as_it_is_decoded(head: bytes, id: bytes, action: bytes, rest: bytes, end: bytes) -> None:
    text = b",".join([head, id, action, rest]) + end

    def outcome(split: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr("ocpp_tw.ocpp.frames.split_call", split)
        try:
            return parse(text, V16.quick_readers)
        except Malformed as why:
            return str(why), why.kind, why.id, why.action

    with pytest.MonkeyPatch.context() as monkeypatch:
        assert outcome(compiled.split_call, monkeypatch) == outcome(None, monkeypatch)


def test_an_ordinary_call_is_split() -> None:
    assert compiled.split_call is not None
    assert compiled.split_call(b'[2,"19223201","Heartbeat",{}]') == ("19223201", "Heartbeat", b"{}")
    assert compiled.split_call(b' [ 2 , "1" , "A" , {"b":[]}  \n]') == ("1", "A", b'{"b":[]}')
    frame = parse(b'[2,"1","Heartbeat", {} ]', V16.quick_readers)
    assert isinstance(frame, Call) and frame.fact is not None and frame.raw == b"{}"


@versions
def test_reading_leaves_no_memory_behind(name: str) -> None:
    """Neither what is read nor what is given up halfway."""
    texts = [json.dumps(CASES[name][2]).encode()]
    chance = random.Random(5)
    texts += [texts[0][: chance.randrange(len(texts[0]))] for _ in range(50)]
    reader = CASES[name][4]

    def blocks() -> int:
        for text in texts:
            reader(text)
        gc.collect()
        return sys.getallocatedblocks()

    blocks()
    before = blocks()
    for _ in range(100):
        after = blocks()
    assert after - before < 50


def test_modules_of_other_sources_are_not_used(tmp_path: Path) -> None:
    """As after an update of a checkout, before they are built anew: what they are given may be something else by now."""
    shutil.copytree(ROOT / "ocpp_tw", tmp_path / "ocpp_tw", ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [
        sys.executable,
        "-c",
        "from ocpp_tw.ocpp import compiled, frames; print(compiled.WHY_NOT, frames.split_call is None, sep='|')",
    ]

    def why_not() -> str:
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert why_not() == "|False"
    source = tmp_path / "ocpp_tw/ocpp/compiled/names.pxi"
    source.write_text(source.read_text() + "\n")
    assert why_not() == "they were built of other sources|True"
    (source.parent / ".#names.pxi").symlink_to("nowhere")  # as an editor has it
    source.write_text(source.read_text()[:-1])
    assert why_not() == "|False"
    for each in source.parent.glob("frames.*.so"):
        each.write_bytes(b"no module")
    assert why_not().endswith("|True") and "frames" in why_not()


def test_a_gateway_can_do_without() -> None:
    """The variable that switches them off is heard of before anything is read."""
    script = "from ocpp_tw.ocpp import compiled, frames; print(compiled.WHY_NOT, frames.split_call, sep='|')"
    environment = {**os.environ, compiled.WITHOUT: "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{compiled.WITHOUT} is set|None\n"


def test_no_byte_is_touched_that_is_not_theirs() -> None:
    """Built again with the address sanitizer, they are given mutated messages: a read or a write out of bounds ends the process."""
    command = [sys.executable, "-m", "fuzz.sanitized", "--seed", "7", "--inputs", "20000"]
    done = subprocess.run(command, cwd=ROOT / "tests", env={**os.environ, "PYTHONPATH": "..:.:support"}, capture_output=True, text=True)
    if done.returncode == NO_SANITIZER:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "20000 inputs" in done.stdout
