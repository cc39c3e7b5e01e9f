"""Attacks with valid messages: too many, too large, or such that the gateway has to keep or to ask much.

Knows OCPP, nothing of frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, repeat

from hostile.attack import FLOOD, NEAR_LIMIT, Target, attack
from hostile.attacks_frames import heartbeats
from hostile.ocpp import HEARTBEAT, TIME, data_transfer, meter_values, opener, start, transaction_event
from hostile.wire import Refused, Sender, call, endlessly, flood, frame, packed


def over_and_over(chunks: Iterable[bytes]) -> Callable[[], Iterable[bytes]]:
    """The chunks of a sender that sends all these again and again."""
    chunks = list(chunks)
    return lambda: chain.from_iterable(repeat(chunks))


@attack("Heartbeats with one id", "A20", "as fast as they go")
def one_id(target: Target) -> None:
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(HEARTBEAT * 1500))])


@attack("Heartbeats with new ids", "A20", "as fast as they go")
def new_ids(target: Target) -> None:
    chunks = heartbeats(200_000)
    target.begin()
    flood(target, [Sender(target, opener(target), over_and_over(chunks))])


@attack("256 messages a connection", "-", "answered, then another connection, so that none of them sends much", seconds=15, events=6.0)
def reconnecting(target: Target) -> None:
    texts = [call("DataTransfer", {"vendorId": "hostile"}, f"r{number}") for number in range(100_000)]
    target.begin()
    while target.lasts:
        try:
            line = opener(target)()
            target.counts["connections"] += 1
            line.socket.settimeout(max(0.1, target.seconds))
            for _ in range(8):
                first = target.counts["messages"] % len(texts)
                line.socket.sendall(b"".join(map(frame, texts[first : first + 32])))
                for _ in range(32):
                    while not line.receive()[1].startswith(b"[3"):
                        pass
                target.counts["messages"] += 32
            line.close()
        except (OSError, Refused):
            target.counts["closed"] += 1


@attack("one id, ever different messages", "A20", "as fast as they go")
def different_messages(target: Target) -> None:
    chunks = packed(frame(meter_values("1", value=str(number))) for number in range(50_000))
    target.begin()
    flood(target, [Sender(target, opener(target), over_and_over(chunks))])


@attack("answers to nothing", "A20", "CALLRESULTs without a CALL, as fast as they go")
def answers_to_nothing(target: Target) -> None:
    chunks = packed(frame(b'[3,"a%d",{}]' % number) for number in range(100_000))
    target.begin()
    flood(target, [Sender(target, opener(target), over_and_over(chunks))])


@attack("starts without end", "A20", "StartTransactions as fast as they go")
def starts(target: Target) -> None:
    chunks = packed(frame(start(f"s{number}", meter=number)) for number in range(60_000))
    target.begin()
    flood(target, [Sender(target, opener(target), over_and_over(chunks))])


@attack("stops of others' transactions", "A6", "StopTransactions with made-up ids as fast as they go")
def foreign_stops(target: Target) -> None:
    stops = (
        call("StopTransaction", {"transactionId": 1_000_000_000 + number, "meterStop": 9, "timestamp": TIME}, f"t{number}")
        for number in range(60_000)
    )
    chunks = packed(map(frame, stops))
    target.begin()
    flood(target, [Sender(target, opener(target), over_and_over(chunks))])


def large_transfers(number: int = 20) -> list[bytes]:
    return [frame(data_transfer(f"d{each}", NEAR_LIMIT)) for each in range(number)]


@attack("messages of 1 MB", "A20, F2", "DataTransfers just below the limit, as fast as they go", memory=FLOOD)
def large_messages(target: Target) -> None:
    chunks = large_transfers()
    target.begin()
    flood(target, [Sender(target, opener(target), over_and_over(chunks))])


@attack("messages of 1 MB on 10 connections", "A20, F2", "the same on 10 connections", memory=FLOOD)
def large_messages_on_many(target: Target) -> None:
    chunks = large_transfers()
    target.begin()
    flood(target, [Sender(target, opener(target, f"hostile-{number}"), over_and_over(chunks)) for number in range(10)])


@attack("message ids of 1 MB", "A20, F8", "20 Heartbeats on each of 10 connections, which stay", memory=FLOOD)
def large_ids(target: Target) -> None:
    messages = [frame(call("Heartbeat", {}, f"{number}-" + "i" * NEAR_LIMIT)) for number in range(20)]
    target.begin()
    flood(target, [Sender(target, opener(target, f"hostile-{number}"), lambda: messages) for number in range(10)])


@attack("gaps in new transactions", "A20, F16", "2.0.1: a transaction with a gap with every message, as fast as they go")
def gaps(target: Target) -> None:
    chunks = packed(frame(transaction_event(f"g{number}", "Updated", f"gap-{number}", 7)) for number in range(60_000))
    target.begin()
    flood(target, [Sender(target, opener(target, protocol="ocpp2.0.1"), over_and_over(chunks))])


@attack("gaps, transaction ids of 100 kB", "A20, F8", "the same with long ids", memory=FLOOD)
def long_gaps(target: Target) -> None:
    chunks = [frame(transaction_event(f"g{number}", "Updated", f"{number}-" + "t" * 100_000, 7)) for number in range(300)]
    target.begin()
    flood(target, [Sender(target, opener(target, protocol="ocpp2.0.1"), over_and_over(chunks))])


@attack(
    "a backend that hangs", "A20, F5", "a start, then 93 messages of 0.8 MB, on 3 connections", memory=FLOOD, hung_backend=True, seconds=8
)
def hung_backend(target: Target) -> None:
    messages = [frame(start("s")), *(frame(data_transfer(f"d{number}", 800_000)) for number in range(93))]
    target.begin()
    flood(target, [Sender(target, opener(target, f"hostile-{number}"), lambda: messages) for number in range(3)])
