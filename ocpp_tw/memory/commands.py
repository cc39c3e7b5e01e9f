"""The in-memory twin of the commands driver: for its methods see `ICommands`.

Knows no network; nothing outlives the process.
"""

from __future__ import annotations

import time
from collections import deque

import msgspec
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.commands import Claim, Command, DeadLetter, Taken, digest
from ..interfaces import ICommands
from .store import MemoryStore


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

    def forward(self, element: bytes, gateway: str, handed_on: bytes) -> Deferred[None]:
        if self._store.settle(self._gateway, element):
            self._store.push(handed_on, gateway)
        return succeed(None)

    def dead_letter(self, element: bytes, reason: str) -> Deferred[None]:
        if self._store.settle(self._gateway, element):
            self._store.dead.append(msgspec.json.encode(DeadLetter.of(element, reason, time.time())))
        return succeed(None)
