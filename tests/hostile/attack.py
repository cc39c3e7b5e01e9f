"""The table of attacks, and what an attack is given: a gateway's ports, and a time that begins and ends.

Knows nothing of how a gateway is started, nor of what is measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Target:
    """The gateway, as its attacker sees it. ``token`` is that of operators' HTTP, ``certificate`` the file that chargers trust, "" without TLS."""

    port: int
    http: int
    token: str
    certificate: str
    seconds: float
    counts: Counter[str] = field(default_factory=Counter, init=False)
    """What the attacker did and saw, for the report."""
    ends: float = field(default=0.0, init=False)

    def __str__(self) -> str:
        """As an argument of a process; `read` reads it."""
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self) if each.init})

    @classmethod
    def read(cls, argument: str) -> Target:
        return cls(**json.loads(argument))

    def begin(self) -> None:
        """Everything is prepared: wait for the word, from which on the time counts."""
        print("ready", flush=True)
        sys.stdin.readline()
        self.ends = time.monotonic() + self.seconds

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self.ends

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        time.sleep(max(0.0, min(seconds, self.ends - time.monotonic())))


Run = Callable[[Target], None]

MESSAGE_LIMIT = 1 << 20
"""The longest message that the gateway accepts, in bytes (``--max-message``)."""

NEAR_LIMIT = MESSAGE_LIMIT - 4096
"""The length of a member with which a message is just accepted, in bytes."""

FLOOD = 64.0
"""MB that floods of messages at the size limit may take, in all."""


@dataclass(frozen=True)
class Attack:
    """``number`` is its row in the list of attacks or faults, ``how`` what the attacker does; the rest is how the gateway is run and what it may cost."""

    name: str
    number: str
    how: str
    run: Run
    seconds: float = 5.0
    options: tuple[str, ...] = ()
    tls: bool = False
    descriptors: int = 0
    """RLIMIT_NOFILE of the gateway; 0: as it is."""
    hung_backend: bool = False
    """Whether the gateway has a backend, which accepts connections and never answers."""
    memory: float = 5.0
    """MB by which the gateway may grow meanwhile."""
    redis: float = 1.0
    """MB that may be left in Redis once the events are consumed."""
    events: float | None = None
    """MB of events that the attacker may cause; None: as many as it has messages accepted."""

    @property
    def gateway(self) -> dict[str, Any]:
        """How the gateway is run."""
        return {name: getattr(self, name) for name in ("options", "tls", "descriptors", "hung_backend")}


ATTACKS: dict[str, Attack] = {}


def attack(name: str, number: str, how: str, **more: Any) -> Callable[[Run], Run]:
    """Enter the decorated function into the table."""

    def enter(run: Run) -> Run:
        ATTACKS[name] = Attack(name, number, how, run, **more)
        return run

    return enter


@attack("no attack", "-", "the same measurements while nothing happens", seconds=3)
def nothing(target: Target) -> None:
    target.begin()
    target.pause(target.seconds)
