"""Attacks before the handshake is over: slow, half-open, too many, malformed, too long; TCP and TLS.

Knows nothing of WebSocket frames.
"""

from __future__ import annotations

import random
import socket
import ssl
import time
from contextlib import suppress
from itertools import count

from hostile.attack import Target, attack
from hostile.wire import connect, request


def crowd(target: Target, most: int) -> list[socket.socket]:
    """That many connections, or as many as there is time for."""
    connections = []
    while target.lasts and len(connections) < most:
        try:
            connections.append(connect(target.port, timeout=1))
        except OSError:
            target.counts["refused"] += 1
            target.pause(0.05)
    target.counts["connections"] += len(connections)
    return connections


def drip(target: Target, connections: list[socket.socket], text: bytes) -> None:
    """A byte of the text on each connection, ten times a second, as long as the gateway takes them."""
    for each in connections:
        each.setblocking(False)
    for at in count():
        due = time.monotonic() + 0.1
        for each in list(connections):
            try:
                each.send(text[at % len(text) : at % len(text) + 1])
            except BlockingIOError:
                pass
            except OSError:
                connections.remove(each)
                target.counts["closed"] += 1
        if not target.lasts:
            return
        target.pause(due - time.monotonic())


@attack("slow handshakes", "A10, F23", "1,500, ten bytes a second", seconds=8)
def slow_handshakes(target: Target) -> None:
    text = request("hostile", more="X-More: " + "x" * 4000 + "\r\n")
    target.begin()
    drip(target, crowd(target, 1500), text)


@attack("half-open connections", "A10, F17", "4,000 that send nothing", seconds=8)
def half_open(target: Target) -> None:
    target.begin()
    connections = crowd(target, 4000)
    target.pause(target.seconds)
    for each in connections:
        each.close()


@attack("connections that hang up", "A10", "connected and closed as fast as it goes")
def hang_up(target: Target) -> None:
    target.begin()
    while target.lasts:
        with suppress(OSError):
            connect(target.port, timeout=1).close()
            target.counts["connections"] += 1


@attack("header bombs", "A10", "a header without end, then 1,500 headers, in turn")
def header_bombs(target: Target) -> None:
    line = b"X-Hostile: " + b"x" * 65536
    many = b"".join(b"X-Hostile-%d: x\r\n" % number for number in range(1500))
    target.begin()
    while target.lasts:
        for data in (line, line + line, many):
            with suppress(OSError), connect(target.port, timeout=1) as connection:
                target.counts["connections"] += 1
                connection.sendall(b"GET /hostile HTTP/1.1\r\n" + data)
                for _ in range(50):
                    connection.sendall(data)


@attack("malformed handshakes", "A12", "valid ones with one to four bytes changed, cut or doubled")
def malformed_handshakes(target: Target) -> None:
    rng = random.Random(7)
    heads = []
    for number in range(2000):
        head = bytearray(request(f"hostile-{number % 50}"))
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(head) - 4)
            match rng.randrange(3):
                case 0:
                    head[at] = rng.randrange(256)
                case 1:
                    del head[at : at + rng.randrange(1, 30)]
                case 2:
                    head[at:at] = head[at : at + rng.randrange(1, 30)]
        heads.append(bytes(head))
    target.begin()
    while target.lasts:
        with suppress(OSError), connect(target.port, timeout=0.01) as connection:
            target.counts["connections"] += 1
            connection.sendall(heads[target.counts["connections"] % len(heads)])
            connection.recv(4096)


@attack("descriptors used up", "A21, F17", "600 connections to a gateway that may have 300 descriptors", descriptors=300)
def descriptors_used_up(target: Target) -> None:
    target.begin()
    connections = crowd(target, 600)
    target.pause(target.seconds)
    for each in connections:
        each.close()


@attack("half TLS handshakes", "F23", "1,500 that end after the ClientHello", tls=True, seconds=8)
def half_tls(target: Target) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    hello = outgoing.read()
    target.begin()
    connections = crowd(target, 1500)
    for each in connections:
        with suppress(OSError):
            each.sendall(hello)
    target.pause(target.seconds)


@attack("TLS handshakes", "-", "completed and closed as fast as it goes", tls=True)
def tls_handshakes(target: Target) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    target.begin()
    while target.lasts:
        with suppress(OSError):
            context.wrap_socket(connect(target.port, timeout=1)).close()
            target.counts["connections"] += 1
