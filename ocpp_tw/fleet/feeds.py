"""Feeds: what happens at this gateway, for those who follow it here and on other gateways, as long as they do.

Knows neither what is fed nor how messages get to other gateways. A follower's interest is a lease: one that has ended leaves nothing behind.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from ..interfaces import IFollowing, Received, Send, TooManyFollowers
from ..log import Logger
from .messages import Disinterest, Interest, Items, decode, encode
from .questions import Bus

log = Logger()

INTEREST_TTL = 10.0
"""Seconds for which a follower is fed without saying again that it follows."""

RENEW_INTERVAL = 3.0
"""Seconds between two times that it says so; after as long it is fed by a gateway that has just started."""

CHECK_INTERVAL = 1.0
"""Seconds between looks for those whose interest has expired."""

FLUSH_INTERVAL = 0.1
"""Seconds for which items are collected before they are sent."""

MAX_FOLLOWING = 64
"""Most followers on one gateway."""

MAX_FED = 256
"""Most followers, here and on other gateways, that are fed by one gateway; further ones are not."""

ITEMS_PER_SECOND, BYTES_PER_SECOND = 500, 256 << 10
"""What a gateway sends to one follower, and in one second at most at once; the rest is left out and counted."""

ALL_ITEMS_PER_SECOND, ALL_BYTES_PER_SECOND = 2000, 1 << 20
"""What it sends to all of them together."""

Feeder = Callable[[dict[str, Any], Send], Callable[[], None]]


class _Budget:
    """So many items and bytes a second; a second's worth at once. An item may cost more bytes than are there, which come later then."""

    def __init__(self, items: float, size: float, now: float) -> None:
        self._rates = self._items, self._bytes = float(items), float(size)
        self._since = now

    def room(self, now: float) -> bool:
        passed, self._since = max(0.0, now - self._since), now
        self._items = min(self._rates[0], self._items + passed * self._rates[0])
        self._bytes = min(self._rates[1], self._bytes + passed * self._rates[1])
        return self._items >= 1 and self._bytes > 0

    def take(self, size: int) -> None:
        self._items -= 1
        self._bytes -= size


class _Feed:
    """What one follower is fed; ``deliver`` takes the encoded messages."""

    def __init__(self, id: str, gateway: str, clock: IReactorTime, all_of_them: _Budget, deliver: Callable[[bytes], None]) -> None:
        self.until = clock.seconds() + INTEREST_TTL
        self.stopped: Callable[[], None] = lambda: None
        self._message = Items(id, gateway, [])
        self._clock = clock
        self._budgets = (_Budget(ITEMS_PER_SECOND, BYTES_PER_SECOND, clock.seconds()), all_of_them)
        self._deliver = deliver
        self._flushing: IDelayedCall | None = None
        self._ended = False

    def send(self, items: Sequence[Any], left_out: int = 0) -> None:
        if self._ended or not (items or left_out):
            return
        now, message = self._clock.seconds(), self._message
        message.left_out += left_out
        for item in items:
            if all(budget.room(now) for budget in self._budgets):
                raw = encode(item() if callable(item) else item)
                for budget in self._budgets:
                    budget.take(len(raw))
                message.items.append(msgspec.Raw(raw))
            else:
                message.left_out += 1
        if self._flushing is None:
            self._flushing = self._clock.callLater(FLUSH_INTERVAL, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        encoded = encode(self._message)
        self._message.items, self._message.left_out = [], 0
        self._deliver(encoded)

    def stop(self) -> None:
        self._ended = True
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        try:
            self.stopped()
        except Exception:
            log.failure("feed could not be stopped")


@implementer(IFollowing)
class Following:
    """One who follows a feed on all gateways, until `stop`."""

    def __init__(self, id: str, topic: str, query: dict[str, Any], received: Received, ended: Callable[[Following], None]) -> None:
        self.id, self.topic, self.query, self.received = id, topic, query, received
        self._ended: Callable[[Following], None] | None = ended

    def stop(self) -> None:
        """Follow no more; nothing is received after that."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self)


class Feeds:
    """One for a gateway, whose name is ``gateway``."""

    def __init__(self, gateway: str, clock: IReactorTime, bus: Bus) -> None:
        self._gateway = gateway
        self._clock = clock
        self._bus = bus
        self._feeders: dict[str, Feeder] = {}
        self._followed: dict[str, Following] = {}
        self._fed: dict[tuple[str, str], _Feed] = {}
        self._budget = _Budget(ALL_ITEMS_PER_SECOND, ALL_BYTES_PER_SECOND, clock.seconds())
        self._renewing: IDelayedCall | None = None
        self._checking: IDelayedCall | None = None

    def feed(self, topic: str, feeder: Feeder) -> None:
        """See `IFleet`."""
        self._feeders[topic] = feeder

    def follow(self, topic: str, query: dict[str, Any], received: Received) -> Following:
        """See `IFleet`."""
        if len(self._followed) >= MAX_FOLLOWING:
            raise TooManyFollowers(f"there are {MAX_FOLLOWING} followers already")
        followed = Following(secrets.token_hex(8), topic, query, received, self._unfollow)
        self._followed[followed.id] = followed
        self._begin(followed.id, "", topic, query)
        self._express(followed)
        if self._renewing is None:
            self._renewing = self._clock.callLater(RENEW_INTERVAL, self._renew)
        return followed

    def _unfollow(self, followed: Following) -> None:
        del self._followed[followed.id]
        self._end("", followed.id)
        self._bus.publish("", encode(Disinterest(followed.id, self._bus.address)))

    def _express(self, followed: Following) -> None:
        self._bus.publish("", encode(Interest(followed.id, self._bus.address, followed.topic, followed.query)))

    def _renew(self) -> None:
        self._renewing = None
        for followed in self._followed.values():
            self._express(followed)
        if self._followed:
            self._renewing = self._clock.callLater(RENEW_INTERVAL, self._renew)

    def interested(self, interest: Interest) -> None:
        """Another gateway follows, or still does."""
        fed = self._fed.get((interest.sender, interest.id))
        if fed is not None:
            fed.until = self._clock.seconds() + INTEREST_TTL
        else:
            self._begin(interest.id, interest.sender, interest.topic, interest.query)

    def uninterested(self, told: Disinterest) -> None:
        """Another gateway follows no more."""
        self._end(told.sender, told.id)

    def _begin(self, id: str, sender: str, topic: str, query: dict[str, Any]) -> None:
        """Feed a follower; ``sender`` is "" for one of our own."""
        feeder = self._feeders.get(topic)
        if feeder is None or len(self._fed) >= MAX_FED:
            return

        def deliver(message: bytes) -> None:
            if sender:
                self._bus.publish(sender, message)
            elif isinstance(items := decode(message), Items):
                self.received(items)

        feed = _Feed(id, self._gateway, self._clock, self._budget, deliver)
        try:
            feed.stopped = feeder(query, feed.send)
        except Exception:
            log.failure("feed could not begin: {topic}", topic=topic)
            feed.stop()
            return
        self._fed[sender, id] = feed
        if sender and self._checking is None:
            self._checking = self._clock.callLater(CHECK_INTERVAL, self._check)

    def _end(self, sender: str, id: str) -> None:
        feed = self._fed.pop((sender, id), None)
        if feed is not None:
            feed.stop()

    def _check(self) -> None:
        self._checking = None
        now = self._clock.seconds()
        for sender, id in [key for key, feed in self._fed.items() if key[0] and feed.until < now]:
            self._end(sender, id)
        if any(sender for sender, _ in self._fed):
            self._checking = self._clock.callLater(CHECK_INTERVAL, self._check)

    def received(self, items: Items) -> None:
        """Items came, from another gateway or from this one."""
        followed = self._followed.get(items.id)
        if followed is None:
            return
        try:
            followed.received(items.gateway, items.items, items.left_out)
        except Exception:
            log.failure("feed could not be received: {topic}", topic=followed.topic)

    def stop(self) -> None:
        """Feed and follow no more."""
        for followed in list(self._followed.values()):
            followed.stop()
        for sender, id in list(self._fed):
            self._end(sender, id)
        for timer in (self._renewing, self._checking):
            if timer is not None:
                timer.cancel()
        self._renewing = self._checking = None
