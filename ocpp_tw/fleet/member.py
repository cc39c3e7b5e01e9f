"""A gateway as a member of its fleet: `IFleet` over any way to send a message to one of the others or to all.

Knows no such way; a driver is a subclass that has one.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ..interfaces import Answers, IFleet, Received
from .feeds import Feeder, Feeds, Following
from .messages import Answer, Disinterest, Interest, Items, Question, decode
from .questions import Handler, Questions

ANSWER_TIMEOUT = 2.0
"""Seconds that gateways have to answer, unless whoever asks says otherwise."""


@implementer(IFleet)
class Member(ABC):
    """One for each run of a gateway, whose ``address`` is its own."""

    def __init__(self, gateway: str, clock: IReactorTime) -> None:
        self.address = secrets.token_hex(8)
        self._questions = Questions(gateway, clock, self)
        self._feeds = Feeds(gateway, clock, self)

    @property
    @abstractmethod
    def trouble(self) -> str:
        """See `IFleet`."""

    @abstractmethod
    def publish(self, address: str, message: bytes) -> None:
        """See `ocpp_tw.fleet.questions.Bus`."""

    @abstractmethod
    def living(self) -> Awaitable[list[str]]:
        """See `ocpp_tw.fleet.questions.Bus`."""

    def answer(self, topic: str, handler: Handler) -> None:
        """See `IFleet`."""
        self._questions.handle(topic, handler)

    def ask(self, topic: str, query: dict[str, Any], timeout: float = ANSWER_TIMEOUT) -> Awaitable[Answers]:
        """See `IFleet`."""
        return self._questions.ask(topic, query, timeout)

    def feed(self, topic: str, feeder: Feeder) -> None:
        """See `IFleet`."""
        self._feeds.feed(topic, feeder)

    def follow(self, topic: str, query: dict[str, Any], received: Received) -> Following:
        """See `IFleet`."""
        return self._feeds.follow(topic, query, received)

    def heard(self, message: bytes) -> None:
        """A message came, from another gateway or, since it was for all, from this one."""
        match decode(message):
            case Question(sender=sender) as question if sender != self.address:
                self._questions.questioned(question)
            case Answer() as answer:
                self._questions.answered(answer)
            case Interest(sender=sender) as interest if sender != self.address:
                self._feeds.interested(interest)
            case Disinterest(sender=sender) as told if sender != self.address:
                self._feeds.uninterested(told)
            case Items() as items:
                self._feeds.received(items)

    def leave(self) -> None:
        """Say and hear nothing any more."""
        self._questions.stop()
        self._feeds.stop()
