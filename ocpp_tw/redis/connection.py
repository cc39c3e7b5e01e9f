"""A connection to Redis that is opened again whenever it is lost, and commands that are sent until they are answered.

Knows nothing of what the commands are for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from ..waiting import cancelled
from .address import RedisAddress
from .protocol import LostError, RedisClient, RedisError, is_transient
from .sentinel import master

REPLY_TIMEOUT = 5.0
"""Seconds after which a server that does not answer counts as hung: the connection is aborted."""


def backoff(attempt: int) -> float:
    """Seconds before the attempt after this one (they are counted from 0): 0.2 at first, 1 at last."""
    return float(min(1.0, 0.2 * 1.5 ** min(attempt, 10)))


class Connection(Service):
    """Keeps a `RedisClient`, of that ``kind``, connected as long as it runs.

    ``client`` is the usable one, None while there is none, and ``trouble`` then says why; ``attempted`` once there has been an attempt.
    """

    def __init__(
        self, reactor: Any, address: RedisAddress, reply_timeout: float = REPLY_TIMEOUT, kind: type[RedisClient] = RedisClient
    ) -> None:
        self.reactor = reactor
        self.address = address
        self.client: RedisClient | None = None
        self.trouble = "there was no connection yet"
        self.attempted = False
        self._reply_timeout = reply_timeout
        self._kind = kind
        self._latest: RedisClient | None = None
        self._ready: list[Deferred[RedisClient]] = []
        self._pauses: set[Deferred[None]] = set()
        self._watchers: list[Callable[[], None]] = []
        self._task: Deferred[None] | None = None
        self._stopped = False

    @property
    def silence(self) -> float:
        """Seconds for which the server has not answered what it was asked; 0 where it was not asked."""
        return 0.0 if self.client is None else self.client.silence

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever the connection was opened or lost, or could not be opened."""
        self._watchers.append(changed)

    def startService(self) -> None:
        super().startService()
        self._stopped = False
        self._task = Deferred.fromCoroutine(self._keep_open()).addErrback(cancelled)

    def stopService(self) -> Deferred[None]:
        """Abort the connection; whatever waits for it ends in a CancelledError."""
        super().stopService()
        self._stopped, self.client = True, None
        waiting = [*self._ready, *self._pauses, self._task]
        self._ready, self._task = [], None
        gone: Deferred[Any] = Deferred()
        if self._latest and self._latest.connected:
            gone = self._latest.whenDisconnected()
            self._latest.abort()
        else:
            gone.callback(None)
        for each in waiting:
            if each is not None:
                each.cancel()
        return gone.addCallback(lambda _: None)

    def ready(self) -> Deferred[RedisClient]:
        """The usable client, as soon as there is one."""
        waiting: Deferred[RedisClient] = Deferred(self._unready)
        if self.client is not None:
            waiting.callback(self.client)
        elif self._stopped:
            waiting.cancel()
        else:
            self._ready.append(waiting)
        return waiting

    def _unready(self, waiting: Deferred[RedisClient]) -> None:
        if waiting in self._ready:
            self._ready.remove(waiting)

    async def ask(self, send: Callable[[RedisClient, bool], Deferred[Any]]) -> Any:
        """The server's answer, however long it takes: what fails with a transient error is sent again.

        ``send`` gets a client, and whether the command may have been carried out before without an answer.

        Raises:
            RedisError: the server refuses the command itself.
            CancelledError: the connection was stopped, or the caller cancelled.
        """
        unknown, attempt = False, 0
        while True:
            client = await self.ready()
            try:
                return await send(client, unknown)
            except RedisError as why:
                if not is_transient(why):
                    raise
                unknown = unknown or isinstance(why, LostError)
            await self.pause(attempt)
            attempt += 1

    async def send(self, *args: Any) -> Any:
        """`ask` with a command that may be carried out twice without harm."""
        return await self.ask(lambda client, _: client.send(*args))

    async def pause(self, attempt: int) -> None:
        """Wait before the next attempt: 0.2 s at first, 1 s at last. Ends in a CancelledError when the connection is stopped."""
        waiting: Deferred[None] = deferLater(self.reactor, backoff(attempt))
        self._pauses.add(waiting)
        if self._stopped:
            waiting.cancel()
        try:
            await waiting
        finally:
            self._pauses.discard(waiting)

    async def _keep_open(self) -> None:
        failures = 0
        while not self._stopped:
            try:
                client = await self._open()
            except Exception as why:
                failures += 1
                self._changed(None, str(why) or type(why).__name__)
            else:
                failures = 0
                lost = client.whenDisconnected()
                self._changed(client, "")
                await lost
                self._changed(None, "the connection was lost")
            # A watcher may have stopped it, and a coroutine that runs cannot be cancelled.
            if not self._stopped:
                await deferLater(self.reactor, min(1.0, 0.1 * 1.6 ** min(failures, 10)))

    async def _open(self) -> RedisClient:
        factory = Factory.forProtocol(lambda: self._kind(self.reactor, self._reply_timeout))
        factory.noisy = False
        address = await master(self.reactor, self.address) if self.address.service else self.address
        self._latest = client = cast(RedisClient, await address.endpoint(self.reactor).connect(factory))
        try:
            await client.handshake(address)
            if self.address.service:
                await client.must_be_master()  # a Sentinel may not know yet that it is none any more
        except BaseException:
            client.abort()
            raise
        return client

    def _changed(self, client: RedisClient | None, trouble: str) -> None:
        if self._stopped:
            return
        self.client, self.trouble, self.attempted = client, trouble, True
        for watcher in self._watchers:  # what they send at once comes before what others have been waiting to send
            watcher()
        if client:
            waiting, self._ready = self._ready, []
            for each in waiting:
                if not each.called:
                    each.callback(client)
