"""Commands come from a list of the fleet's and one of this gateway's own, each element moved to the list of those in hand.

Knows nothing of what an element says, but that word from another gateway (see `Note`) is for nobody else; nor who lives.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import base64
import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredQueue
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from ..core.commands import Claim, Command, Taken, digest
from ..interfaces import ICommands
from .connection import Connection
from .keys import Keys
from .protocol import RedisError, ResponseError, encode
from .scripts.claims import CLAIM, GIVE_BACK, LISTED, MOVE

BLOCK_SECONDS = 5
"""Seconds that one BLMOVE waits at the server: as long may an element go to a client that has been lost."""
BLOCK_GRACE = 3.0
"""Seconds that a server may be late with BLMOVE's end before it is taken for hung."""
PREFETCH = 100
"""How many elements are pulled before they are taken; the rest waits in Redis, where another gateway can have it."""
CLAIM_TTL = 86_400
"""Seconds for which an id is remembered."""
CLAIM_FRESH = 5.0
"""Seconds after which a claim's answer is asked for again: whoever was suspended meanwhile may have lost what it had."""


@implementer(ICommands)
class RedisCommands(Service):
    """Commands over an ordinary connection and two for waiting, which it does not start or stop. Nothing is taken before `begin`.

    The methods wait while Redis is of no use, and end in a CancelledError when the connection is stopped.
    """

    _log = Logger()

    def __init__(self, connection: Connection, shared: Connection, own: Connection, names: Keys, block: int = BLOCK_SECONDS) -> None:
        self._connection = connection
        self._clock = connection.reactor
        self._sources = ((shared, names.commands), (own, names.own_commands()))
        self._names = names
        self._block = block
        self._in_flight: Counter[bytes] = Counter()
        self._claimed: set[str] = set()
        self._queue: DeferredQueue[Taken] = DeferredQueue()
        self._room: list[Deferred[None]] = []
        self._tasks: list[Deferred[None]] = []
        self._begun = self._checking = False
        self._complaint = ""

    def take(self) -> Deferred[Taken]:
        """See `ICommands`."""
        taken = self._queue.get()
        if len(self._queue.pending) < PREFETCH:
            waiting, self._room = self._room, []
            for each in waiting:
                each.callback(None)
        return taken

    async def claim(self, command: Command, connection: str) -> Claim:
        """See `ICommands`."""
        names, token, mark = self._names, secrets.token_hex(8), digest(command.element)
        done, sent = names.claimed_id(command.charger, command.id), names.table("sent", names.gateway)
        keys = (done, names.owners, names.reclaimed(), names.gateways, names.processing, sent)
        whose = (encode(command.charger), names.gateway, connection, names.lease(" ")[:-1], names.incarnation, mark, command.element)
        while True:
            began = self._clock.seconds()
            kind, gateway = await self._connection.ask(lambda line, _: CLAIM.run(line, keys, token, CLAIM_TTL, *whose))
            if 0 <= self._clock.seconds() - began < CLAIM_FRESH:
                break
        if kind == b"new" and command.element:
            self._claimed.add(mark)
        return Claim(kind.decode(), gateway.decode(errors="replace"))

    async def forward(self, element: bytes, gateway: str) -> None:
        """See `ICommands`."""
        await self._move(element, self._names.own_commands(gateway), element)

    async def dead_letter(self, element: bytes, reason: str) -> None:
        """See `ICommands`. What is buried is ``{"element", "reason", "time"}``, and ``base64`` of what is not UTF-8."""
        grave = {"element": element.decode(errors="replace"), "reason": reason}
        grave["time"] = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if grave["element"].encode() != element:
            grave["base64"] = base64.b64encode(element).decode()
        await self._move(element, self._names.dead_letters, msgspec.json.encode(grave))

    async def _move(self, element: bytes, target: str, value: bytes) -> None:
        keys = (self._names.processing, target)
        await self._connection.ask(lambda line, _: MOVE.run(line, keys, element, value))
        self.acknowledged(element)

    def acknowledged(self, element: bytes) -> None:
        """The element is in hand no more."""
        self._in_flight[element] -= 1
        if self._in_flight[element] <= 0:
            del self._in_flight[element]
            self._claimed.discard(digest(element))

    def begin(self, left: list[Taken]) -> None:
        """Take commands from now on; first what an earlier run has left over."""
        self.inherit(left)
        if self.running:
            self._begun = True
            for blocking, source in self._sources:
                self._spawn(self._pull(blocking, source))
            self.check_in_flight()

    def inherit(self, left: list[Taken]) -> None:
        """These are in our hands now, and nobody else will see to them."""
        for taken in left:
            self._arrived(taken)

    async def forget(self) -> None:
        """Another gateway has taken over what we had in hand: what nobody has taken here yet is not ours any more."""
        listed = Counter((await self._listed())[0])
        known = self._in_flight.elements()
        self._in_flight = Counter(each for each in list(known) if _took(listed, each))
        ours = self._in_flight.copy()
        self._queue.pending = [taken for taken in self._queue.pending if _took(ours, taken.element)]
        self.check_in_flight()

    def stopService(self) -> Deferred[None]:
        """Pull no more; what nobody took goes back to the front of the fleet's list."""
        super().stopService()
        tasks, self._tasks, self._room = self._tasks, [], []
        for task in tasks:
            task.cancel()
        untaken, self._queue.pending = self._queue.pending, []
        for taken in untaken:
            self.acknowledged(taken.element)
        return Deferred.fromCoroutine(self._give_back())

    async def _give_back(self) -> None:
        line = self._connection.client
        if line is None or not self._begun:
            return
        for blocking, _ in self._sources:
            if blocking.client:
                # Who still waits at the server would be given at once what is given back.
                blocking.client.abort()
                line.send("CLIENT", "UNBLOCK", blocking.client.number).addErrback(lambda _: None)
        names = self._names
        keys = (names.processing, names.commands, names.table("sent", names.gateway))
        given = GIVE_BACK.run(line, keys, *self._in_flight.elements())
        await given.addTimeout(1.0, self._clock).addErrback(lambda _: None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        def ended(why: Any) -> None:
            if not why.check(CancelledError):
                self._log.failure("commands: this should never end", why)

        task = Deferred.fromCoroutine(work)
        self._tasks = [each for each in self._tasks if not each.called]
        self._tasks.append(task.addErrback(ended))

    async def _unknown_in_flight(self) -> list[Taken]:
        """What Redis has in our hands and we know nothing of."""
        known = Counter(self._in_flight)
        listed, marks = await self._listed()
        claimed = {each.decode() for each in marks} - self._claimed
        strange = []
        for element in [each for each in listed if not _took(known, each)]:
            strange.append(Taken(element, 0.0, digest(element) in claimed))
            claimed.discard(digest(element))
        return strange

    async def _listed(self) -> tuple[list[bytes], list[bytes]]:
        """What Redis has in our hands, and the marks of what was claimed."""
        keys, attempt = (self._names.processing, self._names.table("sent", self._names.gateway)), 0
        while True:
            try:
                listed, marks = await self._connection.ask(lambda line, _: LISTED.run(line, keys))
                return listed, marks
            except RedisError as why:
                self._complain(why)
                await self._connection.pause(attempt)
                attempt += 1

    def check_in_flight(self) -> None:
        """An element may have been moved while nobody listened any more; look for it, once it is certain that none is on its way."""
        if not self._checking:
            self._checking = True
            self._spawn(self._check())

    async def _check(self) -> None:
        try:
            # A client that Redis believes to be there still may be given elements for as long as it asked to wait.
            await deferLater(self._clock, self._block + 1.0)
            if first := Counter(each.element for each in await self._unknown_in_flight()):
                # What was just then on its way, hither or out of the list, is not strange for two looks in a row.
                await deferLater(self._clock, 1.0)
                for taken in await self._unknown_in_flight():
                    if _took(first, taken.element):
                        self._arrived(taken)
        finally:
            self._checking = False

    async def _pull(self, blocking: Connection, source: str) -> None:
        attempt = 0
        # Who takes an element may stop us before we are back here, and what runs cannot be cancelled.
        while self.running:
            if len(self._queue.pending) >= PREFETCH:
                room: Deferred[None] = Deferred()
                self._room.append(room)
                await room
            line = await blocking.ready()
            try:
                move = ("BLMOVE", source, self._names.processing, "LEFT", "RIGHT", self._block)
                element = await line.send(*move, wait=self._block + BLOCK_GRACE)
            except RedisError as why:
                self._complain(why)
                if not isinstance(why, ResponseError):
                    self.check_in_flight()
                await self._connection.pause(attempt)
                attempt += 1
                continue
            attempt, self._complaint = 0, ""
            if element is not None:
                self._arrived(Taken(element))

    def _arrived(self, taken: Taken) -> None:
        self._in_flight[taken.element] += 1
        self._queue.put(taken)

    def _complain(self, why: Exception) -> None:
        """Log what the server has against it, once; that it is not there is told by those who miss it more."""
        if isinstance(why, ResponseError) and str(why) != self._complaint:
            self._complaint = str(why)
            self._log.error("commands cannot be taken: {why}", why=str(why))


def _took(counted: Counter[bytes], element: bytes) -> bool:
    """Whether there was one of it; there is one less now."""
    if counted[element] <= 0:
        return False
    counted[element] -= 1
    return True
