"""Takes commands from the fleet's list and from this gateway's own, moving each element to the list of those in flight.

Knows neither what an element says, except that a peer message is for this gateway alone, nor which gateways have a lease.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredQueue
from twisted.internet.task import deferLater
from zope.interface import implementer

from ..core.commands import Claim, Command, DeadLetter, Taken, digest
from ..interfaces import ICommands
from ..log import Logger
from .connection import Connection
from .in_flight import InFlight, remove_one
from .keys import Keys
from .protocol import RedisClient, RedisError, ResponseError, encode
from .scripts.claims import CLAIM, GIVE_BACK, LIST, MOVE, UNDO_CLAIM

BLOCK_TIMEOUT = 5
"""Seconds that one BLMOVE waits at the server. As long may the server move an element for a connection that has been lost."""
BLOCK_GRACE = 3.0
"""Seconds beyond `BLOCK_TIMEOUT` after which a server that has not answered BLMOVE counts as hung: the connection is aborted."""
MAX_PREFETCHED = 100
"""Most elements that are pulled before they are taken; the rest waits in Redis, where another gateway can have it."""
CLAIM_TTL = 86_400
"""Seconds for which an id stays claimed."""
CLAIM_TIMEOUT = 5.0
"""Seconds after which the answer to a claim does not count and the claim is made again: a gateway that was suspended meanwhile may have been
taken over from."""


@implementer(ICommands)
class RedisCommands(Service):
    """Commands over an ordinary connection and two for waiting, which it does not start or stop. Nothing is taken before `begin`.

    The methods wait while Redis is unavailable, and end in a CancelledError when the connection is stopped.
    """

    _log = Logger()

    def __init__(self, connection: Connection, shared: Connection, own: Connection, keys: Keys) -> None:
        self.in_flight = InFlight()
        self._connection = connection
        self._clock = connection.reactor
        self._sources = ((shared, keys.commands), (own, keys.own_commands()))
        self._keys = keys
        self._queue: DeferredQueue[Taken] = DeferredQueue()
        self._room: list[Deferred[None]] = []
        self._tasks: list[Deferred[None]] = []
        self._undoing: dict[str, list[Deferred[None]]] = {}
        """By the key of a claimed id: claims of it that wait until a cancelled one has been undone."""
        self._begun = self._checking = self._left_over = False
        self._complaint = ""

    def take(self) -> Deferred[Taken]:
        """See `ICommands`."""
        taken = self._queue.get()
        if len(self._queue.pending) < MAX_PREFETCHED:
            waiting, self._room = self._room, []
            for each in waiting:
                each.callback(None)
        return taken

    async def claim(self, command: Command, connection: str) -> Claim:
        """See `ICommands`."""
        keys, token, mark = self._keys, secrets.token_hex(8), digest(command.element)
        claimed, sent = keys.claimed_id(command.charger, command.id), keys.table("sent", keys.gateway)
        script_keys = (claimed, keys.owners, keys.reclaimed(), keys.gateways, keys.processing, sent)
        args = (encode(command.charger), keys.gateway, connection, keys.lease(" ")[:-1], keys.incarnation, mark, command.element)
        asked = False
        while claimed in self._undoing:  # or the id would be found taken, by a claim that counts no more
            undone: Deferred[None] = Deferred()
            self._undoing[claimed].append(undone)
            await undone

        def ask(client: RedisClient, _: bool) -> Deferred[Any]:
            nonlocal asked
            asked = True
            return CLAIM.run(client, script_keys, token, CLAIM_TTL, *args)

        try:
            while True:
                began = self._clock.seconds()
                kind, gateway = await self._connection.ask(ask)
                if 0 <= self._clock.seconds() - began < CLAIM_TIMEOUT:
                    break
        except CancelledError:
            if asked:  # it may have been carried out
                self._undoing.setdefault(claimed, [])
                self._spawn(self._undo_claim((claimed, sent), token, mark))
            raise
        if kind == b"new" and command.element:
            self.in_flight.claim(mark)
        return Claim(kind.decode(), gateway.decode(errors="replace"))

    async def _undo_claim(self, script_keys: tuple[str, str], token: str, mark: str) -> None:
        try:
            await self._connection.ask(lambda client, _: UNDO_CLAIM.run(client, script_keys, token, mark))
        finally:
            for each in self._undoing.pop(script_keys[0], ()):
                if not each.called:
                    each.callback(None)

    async def forward(self, element: bytes, gateway: str, handed_on: bytes) -> None:
        """See `ICommands`."""
        await self._move(element, self._keys.own_commands(gateway), handed_on)

    async def dead_letter(self, element: bytes, reason: str) -> None:
        """See `ICommands`."""
        letter = msgspec.json.encode(DeadLetter.of(element, reason, time.time()))
        await self._move(element, self._keys.dead_letters, letter)

    async def _move(self, element: bytes, target: str, value: bytes) -> None:
        script_keys = (self._keys.processing, target)
        await self._connection.ask(lambda client, _: MOVE.run(client, script_keys, element, value))
        self.acknowledged(element)

    def acknowledged(self, element: bytes) -> None:
        """The element is not in flight any more."""
        self.in_flight.remove(element)

    def begin(self, elements: list[Taken]) -> None:
        """Take commands from now on; first the elements that the previous incarnation had in flight."""
        self.take_over(elements)
        if self.running:
            self._begun = True
            for blocking, source in self._sources:
                self._spawn(self._pull(blocking, source))
            self.check_in_flight(left_over=True)  # a BLMOVE of the previous incarnation may still have waited at the server

    def take_over(self, elements: list[Taken]) -> None:
        """Redis has moved these elements to our list."""
        for taken in elements:
            self._enqueue(taken)

    async def drop_reclaimed(self) -> None:
        """Another gateway has taken over from us: elements that were not taken here yet, and are not in our list, are not ours any more."""
        listed, _ = await self._listed()
        self._queue.pending = self.in_flight.keep(listed, self._queue.pending)
        self.check_in_flight()

    def stopService(self) -> Deferred[None]:
        """Pull no more; elements that were not taken go back to the front of the fleet's list."""
        super().stopService()
        tasks, self._tasks, self._room = self._tasks, [], []
        for task in tasks:
            task.cancel()
        untaken, self._queue.pending = self._queue.pending, []
        for taken in untaken:
            self.acknowledged(taken.element)
        return Deferred.fromCoroutine(self._give_back())

    async def _give_back(self) -> None:
        client = self._connection.client
        if client is None or not self._begun:
            return
        for blocking, _ in self._sources:
            if blocking.client:
                # A BLMOVE that still waits at the server would be given at once what is given back.
                blocking.client.abort()
                client.send("CLIENT", "UNBLOCK", blocking.client.number).addErrback(lambda _: None)
        keys = self._keys
        script_keys = (keys.processing, keys.commands, keys.table("sent", keys.gateway))
        given_back = GIVE_BACK.run(client, script_keys, *self.in_flight.elements.elements())
        await given_back.addTimeout(1.0, self._clock).addErrback(lambda _: None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        def ended(why: Any) -> None:
            if not why.check(CancelledError):
                self._log.failure("commands: a task that should never end has failed", why)

        task = Deferred.fromCoroutine(work)
        self._tasks = [each for each in self._tasks if not each.called]
        self._tasks.append(task.addErrback(ended))

    async def _unknown_in_flight(self) -> list[Taken]:
        """The elements in our list in Redis that are not known here. They count from now, for Redis does not say when it moved them."""
        return self.in_flight.unknown(*await self._listed(), 0.0 if self._left_over else None)

    async def _listed(self) -> tuple[list[bytes], list[bytes]]:
        """The elements in our list in Redis, and the marks of those that were claimed."""
        keys, attempt = self._keys, 0
        script_keys = (keys.processing, keys.table("sent", keys.gateway))
        while True:
            try:
                listed, marks = await self._connection.ask(lambda client, _: LIST.run(client, script_keys))
                return listed, marks
            except RedisError as why:
                self._complain(why)
                await self._connection.pause(attempt)
                attempt += 1

    def check_in_flight(self, *, left_over: bool = False) -> None:
        """An element may have been moved for a connection that was lost: look for it once it is certain that none is on its way.
        ``left_over``: it may be one that another run of a gateway had taken.
        """
        self._left_over = self._left_over or left_over
        if not self._checking:
            self._checking = True
            self._spawn(self._check())

    async def _check(self) -> None:
        try:
            # A connection that Redis believes to be open may be given elements for as long as it asked to wait.
            await deferLater(self._clock, BLOCK_TIMEOUT + 1.0)
            if first := Counter(each.element for each in await self._unknown_in_flight()):
                # An element that was just then on its way, to us or out of the list, is not unknown twice in a row.
                await deferLater(self._clock, 1.0)
                for taken in await self._unknown_in_flight():
                    if remove_one(first, taken.element):
                        self._enqueue(taken)
        finally:
            self._checking = self._left_over = False

    async def _pull(self, blocking: Connection, source: str) -> None:
        attempt = 0
        # Whoever takes an element may stop us before we are back here, and a coroutine that runs cannot be cancelled.
        while self.running:
            if len(self._queue.pending) >= MAX_PREFETCHED:
                room: Deferred[None] = Deferred()
                self._room.append(room)
                await room
            client = await blocking.ready()
            try:
                move = ("BLMOVE", source, self._keys.processing, "LEFT", "RIGHT", BLOCK_TIMEOUT)
                element = await client.send(*move, timeout=BLOCK_TIMEOUT + BLOCK_GRACE)
            except RedisError as why:
                self._complain(why)
                if not isinstance(why, ResponseError):
                    self.check_in_flight()
                await self._connection.pause(attempt)
                attempt += 1
                continue
            attempt, self._complaint = 0, ""
            if element is not None:
                self._enqueue(Taken(element))

    def _enqueue(self, taken: Taken) -> None:
        self.in_flight.add(taken.element)
        self._queue.put(taken)

    def _complain(self, why: Exception) -> None:
        """Log the server's refusal, once; that it is unavailable the writer logs."""
        if isinstance(why, ResponseError) and str(why) != self._complaint:
            self._complaint = str(why)
            self._log.error("commands cannot be taken: {why}", why=str(why))
