"""Questions to all gateways of a fleet, this one included: who answers them here, and which of our own are under way.

Knows neither what is asked nor how messages get to other gateways.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..interfaces import Answers, Maybe, StoreUnavailable
from ..log import Logger
from ..waiting import both, cancelled, deferred, in_time
from .messages import MAX_MESSAGE, Answer, Question, encode

log = Logger()

MAX_ASKING = 64
"""Most questions of this gateway that are under way to others; a further one has only this gateway's own answer."""

MAX_ANSWERING = 64
"""Most questions of other gateways that are being answered here; a further one is not."""

Handler = Callable[[dict[str, Any]], Maybe[Any]]


class NotAnswered(Exception):
    """This gateway has no answer."""


class Bus(Protocol):
    """The way to the other gateways."""

    address: str
    """Of this run of this gateway."""

    @property
    def trouble(self) -> str:
        """Why the others cannot be reached at the moment; "" if they can."""

    def publish(self, address: str, message: bytes) -> None:
        """Send a message to one gateway, "" to all, if that is possible at the moment."""

    def living(self) -> Awaitable[list[str]]:
        """The names of the gateways that have a lease; fails with `StoreUnavailable`."""


class _Asked:
    """A question that is under way; ``expected`` are the gateways it waits for, None until they are known."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.failed: set[str] = set()
        self.expected: set[str] | None = None
        self.complete: Deferred[None] = Deferred()

    def missing(self) -> set[str]:
        return (self.expected or set()) - self.answers.keys()

    def check(self) -> None:
        if self.expected is not None and not self.missing() - self.failed and not self.complete.called:
            self.complete.callback(None)


class Questions:
    """One for a gateway, whose name is ``gateway``."""

    def __init__(self, gateway: str, clock: IReactorTime, bus: Bus) -> None:
        self._gateway = gateway
        self._clock = clock
        self._bus = bus
        self._handlers: dict[str, Handler] = {}
        self._asked: dict[str, _Asked] = {}
        self._answering: set[Deferred[None]] = set()

    def handle(self, topic: str, handler: Handler) -> None:
        """See `IFleet.answer`."""
        self._handlers[topic] = handler

    async def ask(self, topic: str, query: dict[str, Any], within: float) -> Answers:
        """See `IFleet`."""
        own, others = await both(self._own(topic, query, within), self._ask_others(topic, query, within), NotAnswered)
        assert isinstance(others, Answers)
        if isinstance(own, NotAnswered):
            return Answers(others.answers, [self._gateway, *others.missing], others.trouble)
        return Answers({self._gateway: own} | others.answers, others.missing, others.trouble)

    async def _own(self, topic: str, query: dict[str, Any], within: float) -> Any:
        """This gateway's answer. Raises `NotAnswered`."""
        handler = self._handlers.get(topic)
        if handler is None:
            raise NotAnswered
        try:
            answer = handler(query)
            return await in_time(answer, within, self._clock) if isinstance(answer, Awaitable) else answer
        except (CancelledError, NotAnswered):
            raise
        except (TimeoutError, StoreUnavailable):
            raise NotAnswered from None
        except Exception:
            log.failure("question to the fleet could not be answered: {topic}", topic=topic)
            raise NotAnswered from None

    async def _ask_others(self, topic: str, query: dict[str, Any], within: float) -> Answers:
        trouble = self._bus.trouble or ("too many questions to the fleet are under way" if len(self._asked) >= MAX_ASKING else "")
        if trouble:
            return Answers({}, [], trouble)
        id, asked, end = secrets.token_hex(8), _Asked(), self._clock.seconds() + within
        self._asked[id] = asked
        try:
            self._bus.publish("", encode(Question(id, self._bus.address, topic, query, within)))
            asked.expected = set(await in_time(deferred(self._bus.living()), within, self._clock)) - {self._gateway}
            asked.check()
            await in_time(asked.complete, max(0.0, end - self._clock.seconds()), self._clock)
        except TimeoutError:
            trouble = "Redis does not answer" if asked.expected is None else ""
        except StoreUnavailable as why:
            trouble = str(why)
        finally:
            del self._asked[id]
        return Answers(asked.answers, sorted(asked.missing()), trouble or self._bus.trouble)  # which may have been found out meanwhile

    def questioned(self, question: Question) -> None:
        """Another gateway asks."""

        async def answer() -> None:
            try:
                value = await self._own(question.topic, question.query, question.seconds)
                message = encode(Answer(question.id, self._gateway, value))
            except NotAnswered:
                message = b""
            if len(message) > MAX_MESSAGE:
                log.warn("answer to the fleet is too long: {topic}, {length} bytes", topic=question.topic, length=len(message))
                message = b""
            self._bus.publish(question.sender, message or encode(Answer(question.id, self._gateway, failed=True)))

        if len(self._answering) >= MAX_ANSWERING:
            self._bus.publish(question.sender, encode(Answer(question.id, self._gateway, failed=True)))
            return
        answering = Deferred.fromCoroutine(answer())
        self._answering.add(answering)
        answering.addErrback(cancelled)
        answering.addErrback(lambda why: log.failure("question of another gateway could not be answered", why))
        answering.addBoth(lambda _: self._answering.discard(answering))

    def answered(self, answer: Answer) -> None:
        """Another gateway has answered."""
        asked = self._asked.get(answer.id)
        if asked is None:
            return  # too late
        if answer.failed:
            asked.failed.add(answer.gateway)
        else:
            asked.answers[answer.gateway] = answer.value
        asked.check()

    def stop(self) -> None:
        """Answer nobody any more, and wait for nobody."""
        for answering in list(self._answering):
            answering.cancel()
        for asked in self._asked.values():
            asked.expected = set()
            asked.check()
