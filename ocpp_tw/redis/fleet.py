"""The members of a fleet reach each other by Redis's PUBLISH and SUBSCRIBE.

Knows nothing of what they say. Who listens needs a connection for nothing else; nobody hears what is said while Redis is away.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..fleet.member import Member
from ..interfaces import StoreUnavailable
from ..log import Logger
from ..waiting import cancelled
from .connection import Connection
from .keys import Keys
from .lease_health import LeaseHealth
from .protocol import RedisClient, RedisError, ResponseError
from .scripts.leases import LIVING


class Subscriber(RedisClient):
    """A connection that listens. ``heard`` is called with each message."""

    def __init__(self, reactor: Any, reply_timeout: float) -> None:
        super().__init__(reactor, reply_timeout)
        self.heard = lambda message: None

    def replyReceived(self, reply: Any) -> None:
        if isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message":
            self.heard(reply[2])
        else:
            super().replyReceived(reply)


class PubSub(Member, Service):
    """A member over one connection that listens, whose clients are `Subscriber`, and the ordinary one; it starts or stops neither."""

    _log = Logger()

    def __init__(self, listening: Connection, ordinary: Connection, keys: Keys, health: LeaseHealth, db: int) -> None:
        super().__init__(keys.gateway, ordinary.reactor)
        self._listening = listening
        self._ordinary = ordinary
        self._keys = keys
        self._health = health
        self._db = db
        self._subscribed = False
        self._refused = ""
        self._task: Deferred[None] | None = None
        listening.watch(self._changed)

    @property
    def trouble(self) -> str:
        """See `IFleet`."""
        for connection in (self._listening, self._ordinary):
            if connection.client is None:
                return f"Redis cannot be reached: {connection.trouble}"
        if not self._refused and not self._subscribed:
            return "Redis was not asked yet to tell what other gateways say"
        return self._refused or self._health.trouble

    def publish(self, address: str, message: bytes) -> None:
        """See `ocpp_tw.fleet.questions.Bus`."""
        client = self._ordinary.client
        if client is not None:  # not waited for: Redis may hang
            client.send("PUBLISH", self._keys.channel(self._db, address), message).addErrback(self._failed)

    async def living(self) -> list[str]:
        """See `ocpp_tw.fleet.questions.Bus`."""
        client = self._ordinary.client
        if client is None:
            raise StoreUnavailable(self.trouble)
        try:
            names = await LIVING.run(client, (self._keys.gateways,), self._keys.lease(" ")[:-1])
        except RedisError as why:
            raise StoreUnavailable(str(why)) from None
        return [name.decode(errors="replace") for name in names]

    def _changed(self) -> None:
        """The connection that listens was opened or lost."""
        self._subscribed = False
        if self._task is not None:
            self._task.cancel()
            self._task = None
        client = self._listening.client
        if isinstance(client, Subscriber):
            client.heard = self.heard
            self._task = Deferred.fromCoroutine(self._subscribe(client)).addErrback(cancelled)

    async def _subscribe(self, client: Subscriber) -> None:
        attempt = 0
        while self._listening.client is client:
            try:
                for address in ("", self.address):
                    await client.send("SUBSCRIBE", self._keys.channel(self._db, address))
            except RedisError as why:
                self._failed(Failure(why))
                await self._listening.pause(attempt)
                attempt += 1
            else:
                self._subscribed, self._refused = True, ""
                return

    def _failed(self, why: Failure) -> None:
        why.trap(RedisError)
        if why.check(ResponseError) and why.getErrorMessage() != self._refused:
            self._refused = why.getErrorMessage()
            self._log.error("gateways of the fleet cannot be asked: Redis refuses PUBLISH or SUBSCRIBE: {why}", why=self._refused)

    def stopService(self) -> None:
        super().stopService()
        self.leave()
        if self._task is not None:
            self._task.cancel()
