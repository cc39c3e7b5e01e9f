"""Every event that a gateway has appended to the events list, whether or not a backend has taken it from there meanwhile.

Knows of a gateway only the list's name. It listens to what the server executes (MONITOR), which costs the server as much again: for tests only.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from . import events
from .valkey import ValkeyLine

_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"\\": b"\\", b'"': b'"'}


class Published:
    """The events that gateways have appended to the list ``name`` since this was made."""

    def __init__(self, port: int, name: str) -> None:
        self._asking, self._listening = ValkeyLine(port), ValkeyLine(port)
        self._listening("MONITOR")
        # The gateway appends events by a script; what somebody else appends is none of its events.
        self._append = re.compile(rb'^[0-9.]+ \[[0-9]+ lua\] "RPUSH" "%s" ' % re.escape(name.encode()), re.IGNORECASE)
        self._events: list[events.Event[Any]] = []

    def events(self) -> list[events.Event[Any]]:
        """All of them; one whose message a charger has been answered is among them."""
        # What the server executed before this word of ours is told before it.
        mark = secrets.token_hex(8)
        self._asking("ECHO", mark)
        while mark.encode() not in (told := self._listening.next()):
            told = told if isinstance(told, bytes) else told.encode()
            if found := self._append.match(told):
                self._events += [events.decode(_unescaped(each)) for each in re.findall(rb'"((?:[^"\\]|\\.)*)"', told[found.end() :])]
        return list(self._events)

    def close(self) -> None:
        """Stop listening."""
        self._asking.close()
        self._listening.close()


def _unescaped(text: bytes) -> bytes:
    """A word as the server was given it: told are quotes, backslashes and what cannot be printed as in C."""
    return re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda found: _ESCAPES.get(found[1]) or bytes.fromhex(found[1][1:].decode()), text)
