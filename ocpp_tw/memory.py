"""In-memory twins of the drivers, for tests; `ocpp_tw.testing` is a whole gateway on them. For the methods see `interfaces`.

Knows no network; nothing outlives the process. Several gateways are a fleet when they are given the same `MemoryStore`.
"""

from __future__ import annotations

import base64
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from .core.commands import PEER_MESSAGES, Claim, Command, Taken, digest
from .core.entries import Acknowledged, Entry, IdReleased, PeerMessage, Put, Record, Reply, numbered
from .interfaces import ICommands, IEvents, IRecords, IRoster, IWire

FIRST_ID = 1_000_000_001
"""First of the gateway's own range of transaction ids."""

MAX_CLOSE_REASON = 123
"""Longest reason of a close, in bytes (RFC 6455 §5.5); a longer one is cut."""


@dataclass(slots=True)
class MemoryStore:
    """What a fleet has in Redis. Tests may read and write all of it."""

    events: list[bytes] = field(default_factory=list)
    seq: Counter[str] = field(default_factory=Counter)
    tables: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    replies: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    owners: dict[str, tuple[str, str]] = field(default_factory=dict)
    living: set[str] = field(default_factory=set)
    commands: deque[bytes] = field(default_factory=deque)
    own: dict[str, deque[bytes]] = field(default_factory=lambda: defaultdict(deque))
    processing: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    done: set[tuple[str, str]] = field(default_factory=set)
    dead: list[bytes] = field(default_factory=list)
    left: dict[str, deque[Taken]] = field(default_factory=lambda: defaultdict(deque))
    reclaimed: set[str] = field(default_factory=set)
    leased: int = 0
    takers: list[Callable[[], bool]] = field(default_factory=list)

    def push(self, element: bytes, gateway: str = "") -> None:
        """What a backend does with a command; with a gateway's name, into the list that is its own."""
        (self.own[gateway] if gateway else self.commands).append(element)
        self.serve()

    def serve(self) -> None:
        """Give waiting elements to waiting takers."""
        while any(taker() for taker in list(self.takers)):
            pass

    def left_over(self, gateway: str, silent: float) -> list[Taken]:
        """What a gateway has in flight, as the next to take it over will get it."""
        marks = self.tables["sent", gateway]
        left: list[Taken] = []
        for element in self.processing[gateway]:
            sent = digest(element) in marks and not any(each.sent and each.element == element for each in left)
            left.append(Taken(element, silent, sent))
        return left

    def reclaim(self, gone: str, gateway: str, silent: float = 60.0) -> None:
        """A gateway takes over from one whose lease has expired."""
        left = [each for each in self.left_over(gone, silent) if not each.element.startswith(PEER_MESSAGES)]
        own = [each for each in self.own.pop(gone, ()) if not each.startswith(PEER_MESSAGES)]
        for shelf in ("sent", "provisional"):
            self.tables[shelf, gateway] |= self.tables.pop((shelf, gone), {})
        self.processing.pop(gone, None)
        self.reclaimed.add(gone)
        self.processing[gateway] += [each.element for each in left]
        self.left[gateway] += left
        self.commands.extendleft(reversed(own))
        self.serve()

    def settle(self, gateway: str, element: bytes) -> bool:
        """Remove an element from those the gateway has in flight; whether it was among them."""
        found = element in self.processing[gateway]
        if found:
            self.processing[gateway].remove(element)
        return found


@implementer(IEvents)
class MemoryEvents:
    """Events that are durable at once, unless it is paused.

    ``paused = True`` stands for an outage: nothing is appended and nobody is called until `resume`.
    """

    _log = Logger()

    def __init__(self, store: MemoryStore, gateway: str = "gw") -> None:
        self.paused = self.overloaded = False
        self._store, self._gateway = store, gateway
        self._writing = False
        self._held: deque[tuple[Entry, Callable[[Any], None] | None, Any]] = deque()
        self._settling: list[Deferred[None]] = []

    @property
    def waiting(self) -> int:
        """How many entries are not durable yet."""
        return len(self._held)

    def publish(self, entry: Entry, then: Callable[[Any], None] | None = None, value: Any = None) -> None:
        """See `IEvents`. ``then`` is called before this returns, unless it is paused."""
        self._held.append((entry, then, value))
        self._write()

    def resume(self) -> None:
        """The outage is over: all that waits becomes durable."""
        self.paused = False
        self._write()

    def flushed(self) -> Deferred[None]:
        """Fires once all entries published so far are durable."""
        if not self._held:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._settling.append(waiting)
        return waiting

    def _write(self) -> None:
        # What ``then`` publishes is written by the loop that called it.
        if self._writing:
            return
        self._writing = True
        while self._held and not self.paused:
            entry, then, value = self._held.popleft()
            self._append(entry)
            if then is not None:
                try:
                    then(value)
                except Exception:
                    self._log.failure("events: callback of an event failed")
        self._writing = False
        while self._settling and not self._held:
            self._settling.pop(0).callback(None)

    def _append(self, entry: Entry) -> None:
        store = self._store
        settled = [effect.element for effect in entry.effects if isinstance(effect, Acknowledged)]
        if self._gateway in store.reclaimed and any(each not in store.processing[self._gateway] for each in settled):
            return  # another gateway has taken it over, and publishes its result
        if entry.event:
            store.seq[entry.charger] += 1
            store.events.append(numbered(entry.event, store.seq[entry.charger]))
        for effect in entry.effects:
            match effect:
                case Put(shelf, name, None, of):
                    store.tables[shelf, entry.charger if of is None else of].pop(name, None)
                case Put(shelf, name, bytes() as value, of):
                    store.tables[shelf, entry.charger if of is None else of][name] = value
                case Acknowledged(element):
                    store.settle(self._gateway, element)
                case IdReleased(charger, id):
                    store.done.discard((charger, id))
                case PeerMessage(gateway, element):
                    store.push(element, gateway)
                case Reply(list, value):
                    store.replies[list].append(value)


@implementer(IRoster)
class MemoryRoster:
    """The roster; its gateway has a lease until a test takes it out of ``store.living``."""

    def __init__(self, store: MemoryStore, gateway: str = "gw") -> None:
        self._store, self._gateway = store, gateway
        store.living.add(gateway)

    def arrive(self, charger: str, connection: str) -> Deferred[Record]:
        store = self._store
        gateway, old = store.owners.get(charger, (self._gateway, ""))
        store.owners[charger] = (self._gateway, connection)
        if gateway != self._gateway and gateway in store.living:
            store.push(msgspec.json.encode({"evict": charger, "connection": old}), gateway)
        kept = store.tables["record", charger]
        return succeed(Record(*[kept.get(name, b"").decode() for name in Record.__struct_fields__]))

    def leave(self, charger: str, connection: str) -> Deferred[bool]:
        if self._store.owners.get(charger) != (self._gateway, connection):
            return succeed(False)
        del self._store.owners[charger]
        return succeed(True)

    def locate(self, charger: str) -> Deferred[str | None]:
        gateway, _ = self._store.owners.get(charger, ("", ""))
        return succeed(gateway if gateway in self._store.living else None)


@implementer(IRecords)
class MemoryRecords:
    """Records."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def transactions(self, charger: str) -> Deferred[list[bytes]]:
        return succeed(list(self._store.tables["transactions", charger].values()))

    def record(self, charger: str) -> Deferred[Record]:
        kept = self._store.tables["record", charger]
        return succeed(Record(*[kept.get(name, b"").decode() for name in Record.__struct_fields__]))

    def table(self, name: str, owner: str) -> Deferred[dict[str, bytes]]:
        return succeed(dict(self._store.tables[name, owner]))

    def lease(self, count: int) -> Deferred[int]:
        if count < 1:
            raise ValueError("at least one id must be leased")
        self._store.leased += count
        return succeed(FIRST_ID + self._store.leased - count)


@implementer(ICommands)
class MemoryCommands:
    """Commands; a second one for the same gateway stands for its restart."""

    def __init__(self, store: MemoryStore, gateway: str = "gw") -> None:
        self._store, self._gateway = store, gateway
        store.reclaimed.discard(gateway)
        store.left[gateway] = deque(store.left_over(gateway, 0.0))
        self._takers: deque[Deferred[Taken]] = deque()
        store.takers.append(self._serve)

    def stop(self) -> None:
        """Take nothing more."""
        self._store.takers.remove(self._serve)

    def take(self) -> Deferred[Taken]:
        taker: Deferred[Taken] = Deferred(self._takers.remove)
        self._takers.append(taker)
        self._serve()
        return taker

    def _serve(self) -> bool:
        """Give the next element to the next taker; whether there were both."""
        own, shared, left = self._store.own[self._gateway], self._store.commands, self._store.left[self._gateway]
        if not self._takers or not (left or own or shared):
            return False
        if left:
            taken = left.popleft()
        else:
            taken = Taken((own or shared).popleft())
            self._store.processing[self._gateway].append(taken.element)
        self._takers.popleft().callback(taken)
        return True

    def claim(self, command: Command, connection: str) -> Deferred[Claim]:
        """See `ICommands`; here an id is remembered as long as the store."""
        store, mine, key = self._store, self._gateway, (command.charger, command.id)
        if mine in store.reclaimed and command.element and command.element not in store.processing[mine]:
            return succeed(Claim("gone"))
        gateway, current = store.owners.get(command.charger, (mine, connection))
        if (gateway == mine and current != connection) or (gateway != mine and gateway in store.living):
            return succeed(Claim("elsewhere", gateway))
        if key in store.done:
            return succeed(Claim("duplicate"))
        store.done.add(key)
        if command.element:
            store.tables["sent", mine][digest(command.element)] = b"1"
        return succeed(Claim("new"))

    def forward(self, element: bytes, gateway: str) -> Deferred[None]:
        if self._store.settle(self._gateway, element):
            self._store.push(element, gateway)
        return succeed(None)

    def dead_letter(self, element: bytes, reason: str) -> Deferred[None]:
        grave = {"element": element.decode(errors="replace"), "reason": reason}
        if grave["element"].encode() != element:
            grave["base64"] = base64.b64encode(element).decode()
        if self._store.settle(self._gateway, element):
            self._store.dead.append(msgspec.json.encode(grave))
        return succeed(None)


@implementer(IWire)
class MemoryWire:
    """A connection to a charger that only remembers: the messages ``sent`` before it was closed, the code and reason of the first close,
    whether it is ``held``, and the ``pings`` not answered yet.

    A test plays the charger with `receive`, which passes messages to ``deliver``, and with `leave`.
    """

    def __init__(self, deliver: Callable[[bytes], None] = lambda text: None) -> None:
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.held = False
        self.pings: list[Callable[[], None]] = []
        self._deliver = deliver
        self._received: deque[bytes] = deque()
        self._delivering = self._left = False

    def send(self, text: bytes) -> None:
        if self.closed is None and not self._left:
            self.sent.append(text)

    def close(self, code: int, reason: str) -> None:
        if self.closed is None and not self._left:
            self.closed = code, reason.encode()[:MAX_CLOSE_REASON].decode(errors="ignore")

    def ping(self, answered: Callable[[], None]) -> None:
        if not self._left:
            self.pings.append(answered)

    def hold(self, held: bool) -> None:
        self.held = held
        self._deliver_received()

    def receive(self, text: bytes) -> None:
        """The charger sends a message, which is a sign of life too."""
        if not self._left:
            self._received.append(text)
            self._deliver_received()

    def leave(self) -> None:
        """The charger disconnects: pings stay unanswered, and what was not delivered is lost."""
        self._left = True
        self.pings.clear()
        self._received.clear()

    def _deliver_received(self) -> None:
        if self._delivering:
            return  # the receiver of a message ended its hold
        self._delivering = True
        try:
            while self._received and not self.held:
                text = self._received.popleft()
                pings, self.pings = self.pings, []
                for answered in pings:
                    answered()
                if self.closed is None:
                    self._deliver(text)
        finally:
            self._delivering = False
