"""Random inputs by a seed: OCPP-J frames, answers and command elements, valid ones with a few mutations.

Knows the schemas; what a mutation does is local, so that most of an input is still read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import msgspec

from ocpp_tw.ocpp.actions import CHARGER_ACTIONS_V16, CHARGER_ACTIONS_V21, CHARGER_ACTIONS_V201, csms_actions, snake_case
from ocpp_tw.ocpp.neutral.shapes import SHAPES
from ocpp_tw.ocpp.schemas import load
from payloads import fullest, schema

COMMANDS = sorted(SHAPES)
VERSIONS = {"1.6": ("v16", ""), "2.0.1": ("v201", "Request"), "2.1": ("v21", "Request")}
CHARGER_ACTIONS = {"1.6": CHARGER_ACTIONS_V16, "2.0.1": CHARGER_ACTIONS_V201, "2.1": CHARGER_ACTIONS_V21}

INTEGERS = (0, -1, 1, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, 10**40, 10**300)
WORDS = (
    "",
    " ",
    "\0",
    "x" * 255,
    "x" * 256,
    "x" * 5000,
    "\u202e",
    "\x1b[2J",
    "\r\n",
    "é" * 40,
    "-1",
    "1e5",
    "NaN",
    "true",
    "null",
    "..",
    "/",
)
OTHERS = (None, True, False, 0.5, -1e300, [], {}, [[]], [None], {"a": 1}, [1] * 2000, {str(number): 1 for number in range(2000)})
PROFILE = {"id": 1, "stack_level": 0, "kind": "Absolute", "unit": "A", "periods": [{"start": 0, "limit": 16}]}
SAMPLES = {
    "type": ("Hard", "Immediate", "Operative", "Inoperative", "CSMSRootCertificate"),
    "message": ("BootNotification", "MeterValues"),
    "kind": ("diagnostics", "security"),
    "update_type": ("Full", "Differential"),
    "expiry_date": ("2026-11-22T10:00:00Z",),
    "list": ([{"tag": "T"}], [{"tag": "T", "status": "Accepted"}]),
    "charging_profile": (PROFILE | {"purpose": "TxProfile"},),
    "profile": (PROFILE | {"purpose": "TxDefaultProfile"}, PROFILE | {"purpose": "ChargingStationMaxProfile"}),
}
"""Data of neutral commands that is no text or number like any other."""
PIECES = (
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"1e400",
    b"-",
    b"0",
    b"\n",
)


@cache
def actions(ocpp: str) -> list[str]:
    return sorted(load(VERSIONS[ocpp][0]).actions)


@cache
def usual_actions(ocpp: str, of_chargers: bool) -> list[str]:
    return sorted(CHARGER_ACTIONS[ocpp] if of_chargers else csms_actions(frozenset(actions(ocpp)), CHARGER_ACTIONS[ocpp]))


def likely(random: Random, ocpp: str, of_chargers: bool) -> str:
    """An action that chargers send, or that they are sent; now and then it is one of the others."""
    return random.choice(usual_actions(ocpp, of_chargers) if random.random() < 0.9 else actions(ocpp))


@cache
def full(ocpp: str, action: str) -> bytes:
    """The JSON of a request with all members."""
    folder, suffix = VERSIONS[ocpp]
    try:
        return msgspec.json.encode(fullest(schema(folder, action + suffix)))
    except FileNotFoundError:  # a message that is never answered has no "Request" in its file's name
        return msgspec.json.encode(fullest(schema(folder, action)))


@cache
def full_answer(ocpp: str, action: str) -> bytes:
    """The JSON of a response with all members."""
    try:
        return msgspec.json.encode(fullest(schema(VERSIONS[ocpp][0], action + "Response")))
    except FileNotFoundError:  # a message that is never answered
        return b"{}"


def written(random: Random, it: Any) -> bytes:
    """A value as JSON, in one of the two ways of writing it: with and without escapes and spaces."""
    if random.random() < 0.7:
        try:
            return msgspec.json.encode(it)
        except (OverflowError, UnicodeEncodeError):  # numbers of more than 64 bits
            pass
    return json.dumps(it).encode()


def value(random: Random) -> Any:
    """Any JSON value, most likely at a bound of something; what is in a list or an object of it is never changed in place."""
    it: Any = random.choice(random.choice((INTEGERS, WORDS, OTHERS)))
    return it.copy() if isinstance(it, dict | list) else it


def mutated(random: Random, it: Any) -> Any:
    """A value with one change somewhere in it; changed in place where it can be."""
    if not isinstance(it, dict | list) or not it or random.random() < 0.1:
        return value(random)
    step = random.choice(list(it)) if isinstance(it, dict) else random.randrange(len(it))
    match random.randrange(6):
        case 0:
            del it[step]
        case 1 if isinstance(it, dict):
            it[random.choice(WORDS)] = value(random)
        case 1:
            it.extend(it[:3] * random.choice((1, 3, 3, 3, 300)))
        case _:
            it[step] = mutated(random, it[step])
    return it


def broken(random: Random, text: bytes) -> bytes:
    """A text with one change of its bytes."""
    at, to = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
    match random.randrange(5):
        case 0:
            return text[:at] + text[to:]
        case 1:
            return text[:at] + random.choice(PIECES) * random.choice((1, 1, 1, 2, 50, 5000)) + text[at:]
        case 2:
            return text[:at] + text[at:to] * 2 + text[to:]
        case 3:
            return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]
    return text[:at]


def several(random: Random, change: Callable[[Random, Any], Any], it: Any) -> Any:
    for _ in range(random.choice((0, 1, 1, 1, 2, 4))):
        it = change(random, it)
    return it


def frame(random: Random, ocpp: str) -> bytes:
    """A text message of a charger."""
    action = likely(random, ocpp, of_chargers=True)
    payload = several(random, mutated, msgspec.json.decode(full(ocpp, action)))
    id = f"i{random.randrange(random.choice((20, 10**9)))}"
    elements: Any = random.choice(([2, id, action, payload],) * 6 + ([3, id, payload], [4, id, "GenericError", "no", {}]))
    if random.random() < 0.1:
        elements = mutated(random, elements)
    text = written(random, elements)
    return several(random, broken, text) if random.random() < 0.2 else text


def answer(random: Random, ocpp: str, id: str, action: str) -> bytes:
    """What a charger may answer to a CALL."""
    if random.random() < 0.1:
        return written(random, [4, id, "NotSupported", "no", several(random, mutated, {"a": 1})])
    return written(random, [3, id, several(random, mutated, msgspec.json.decode(full_answer(ocpp, action)))])


def neutral_data(random: Random, command: str) -> dict[str, Any]:
    """Data that fits a neutral command more or less."""
    shape, data = SHAPES[command], {}
    for name, types in {**shape.required, **shape.optional}.items():
        if name in shape.required or random.random() < 0.5:
            kind = types[0] if isinstance(types, tuple) else types
            sample: Any = True if kind is bool else 1 if issubclass(kind, int | float) else "x"
            data[name] = deepcopy(random.choice(SAMPLES[name])) if name in SAMPLES else sample
    return data


def element(random: Random, ocpp: str) -> bytes:
    """A command, as a backend pushes it."""
    action, id = likely(random, ocpp, of_chargers=False), f"c{random.randrange(10**9)}"
    it: dict[str, Any] = {"ttl": 0, "timeout": 1} if random.random() < 0.5 else {}
    match random.randrange(4):
        case 0:
            it |= {"cp_id": f"fuzz-{ocpp}", "command": snake_case(action), "id": id}
            it |= {"data": several(random, mutated, msgspec.json.decode(full(ocpp, action)))}
        case 1 | 2:
            command = random.choice(COMMANDS)
            it |= {"cp_id": f"fuzz-{ocpp}", "command": command, "id": id}
            it |= {"data": several(random, mutated, neutral_data(random, command))}
        case _:
            payload = several(random, mutated, msgspec.json.decode(full(ocpp, action)))
            it |= {"CpID": f"fuzz-{ocpp}", "data": [2, id, action, payload]}
    if random.random() < 0.2:
        it = mutated(random, it)
    text = written(random, it)
    return several(random, broken, text) if random.random() < 0.1 else text
