"""Random inputs by a seed: OCPP-J frames, command elements, HTTP requests and handshakes, valid ones with a few mutations.

Knows the schemas; what a mutation does is local, so that most of an input is still read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

from ocpp_tw.ocpp.schemas import load
from payloads import fullest, schema

VERSIONS = {"1.6": ("v16", ""), "2.0.1": ("v201", "Request"), "2.1": ("v21", "Request")}

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
def full(ocpp: str, action: str) -> str:
    folder, suffix = VERSIONS[ocpp]
    try:
        return json.dumps(fullest(schema(folder, action + suffix)))
    except FileNotFoundError:  # a message that is never answered has no "Request" in its file's name
        return json.dumps(fullest(schema(folder, action)))


def value(random: Random) -> Any:
    """Any JSON value, most likely at a bound of something."""
    return deepcopy(random.choice(random.choice((INTEGERS, WORDS, OTHERS))))


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
            it.extend(it[:3] * random.choice((1, 3, 300)))
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
    action = random.choice(actions(ocpp))
    payload = several(random, mutated, json.loads(full(ocpp, action)))
    id = f"i{random.randrange(10**9)}"
    elements: Any = random.choice(([2, id, action, payload], [2, id, action, payload], [3, id, payload], [4, id, "GenericError", "no", {}]))
    if random.random() < 0.1:
        elements = mutated(random, elements)
    text = json.dumps(elements).encode()
    return several(random, broken, text) if random.random() < 0.2 else text


def element(random: Random, ocpp: str) -> bytes:
    """A command, as a backend pushes it."""
    action, id = random.choice(actions(ocpp)), f"c{random.randrange(10**9)}"
    payload = several(random, mutated, json.loads(full(ocpp, action)))
    neutral = {
        "cp_id": f"fuzz-{ocpp}",
        "command": random.choice(("remote_start_transaction", "reset", action.lower())),
        "id": id,
        "data": payload,
    }
    it: Any = random.choice((neutral, {"CpID": f"fuzz-{ocpp}", "data": [2, id, action, payload], "ttl": 0, "timeout": 1}))
    if random.random() < 0.2:
        it = mutated(random, it)
    text = json.dumps(it).encode()
    return several(random, broken, text) if random.random() < 0.1 else text


def request(random: Random, ocpp: str) -> bytes:
    """A request to operators' HTTP."""
    method, path = random.choice(
        (("POST", "/command/"), ("PUT", "/api/chargers/fuzz-1.6"), ("GET", "/api/chargers"), ("GET", "/api/violations"))
    )
    body = (
        element(random, ocpp)
        if method == "POST"
        else json.dumps(mutated(random, {"boot_status": "Accepted", "retry_interval": 5})).encode()
    )
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return (several(random, broken, head) if random.random() < 0.3 else head) + body


def handshake(random: Random, ocpp: str) -> bytes:
    """The head of a charger's HTTP request."""
    lines = [
        f"GET /ocpp/CP{random.randrange(100)} HTTP/1.1", "Host: csms.example.com", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Protocol: ocpp{ocpp}", "", "",
    ]  # fmt: skip
    return several(random, broken, "\r\n".join(lines).encode())
