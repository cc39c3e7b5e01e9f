"""Newcomers that may not unseat a connection which another gateway of the fleet has: that gateway is asked whether it is alive.

Knows neither the roster, which has said who has the charger, nor how a newcomer becomes the charger. A gateway asks with
``{"probe": charger, "connection", "asker"}`` and is answered ``{"probed": charger, "connection", "address"}``; no address, no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..core.entries import Held, PeerMessage
from .charger import Charger
from .probes import ALIVE_FOR, PROBE_TIMEOUT
from .publisher import Publisher
from .unseating import may_unseat

ANSWER_TIMEOUT = PROBE_TIMEOUT + 2.0
"""Seconds that the other gateway has to answer. One that does not is in trouble, and its trouble must keep no charger out."""

MAX_KNOWN = 1000
"""Most connections elsewhere of which it is remembered that they are alive, for `ALIVE_FOR`; then all are forgotten."""


class Question:
    """A newcomer waits for another gateway's answer."""

    __slots__ = ("charger", "held", "timer")

    def __init__(self, charger: Charger, held: Held, timer: IDelayedCall) -> None:
        self.charger, self.held, self.timer = charger, held, timer


class Elsewhere:
    """One for a gateway. ``arrive`` is called with a newcomer and the connection that is dead, ``refuse`` with one and the address of the
    connection that is alive, ``drop`` with one that a newer one of its address waits in place of.
    """

    def __init__(
        self,
        clock: IReactorTime,
        publisher: Publisher,
        arrive: Callable[[Charger, str], None],
        refuse: Callable[[Charger, str], None],
        drop: Callable[[Charger], None],
    ) -> None:
        self._clock = clock
        self._publisher = publisher
        self._arrive = arrive
        self._refuse = refuse
        self._drop = drop
        self._questions: dict[str, Question] = {}
        self._alive: dict[str, tuple[str, str, float]] = {}  # charger -> connection, address, when it was alive

    def held(self, charger: Charger, held: Held) -> None:
        """The roster has said that another gateway has this charger, on a connection that it may not unseat."""
        connection, address, at = self._alive.get(charger.id, ("", "", 0.0))
        waiting = self._questions.get(charger.id)
        if connection == held.connection and self._clock.seconds() - at < ALIVE_FOR:
            self._refuse(charger, address)
        elif waiting is None:
            self._questions[charger.id] = Question(charger, held, self._clock.callLater(ANSWER_TIMEOUT, self._unanswered, charger.id))
            question = {"probe": charger.id, "connection": held.connection, "asker": self._publisher.gateway}
            self._send(held.gateway, question)
        elif may_unseat(charger, waiting.charger):
            before, waiting.charger = waiting.charger, charger  # the question is the same
            self._drop(before)
        else:
            self._refuse(charger, waiting.charger.address)

    def answered(self, message: dict[str, Any]) -> None:
        """Another gateway has answered."""
        id, connection, address = message["probed"], message["connection"], message["address"]
        if address is not None:
            if len(self._alive) >= MAX_KNOWN:
                self._alive.clear()
            self._alive[id] = connection, address, self._clock.seconds()
        question = self._questions.get(id)
        if question is None or question.held.connection != connection:
            return
        self._end(id)
        if address is None:
            self._arrive(question.charger, connection)
        else:
            self._refuse(question.charger, address)

    def answer(self, message: dict[str, Any], address: str | None) -> None:
        """Answer another gateway's question: where the connection is from, if it is alive."""
        self._send(message["asker"], {"probed": message["probe"], "connection": message["connection"], "address": address})

    def departed(self, charger: Charger) -> None:
        """Its connection has ended."""
        question = self._questions.get(charger.id)
        if question is not None and question.charger is charger:
            self._end(charger.id)

    def arrived(self, charger: Charger) -> None:
        """Another connection has become the charger here: the one that waits may not unseat that either, or has."""
        question = self._questions.get(charger.id)
        if question is not None:
            self._end(charger.id)
            self._refuse(question.charger, charger.address)

    def _unanswered(self, id: str) -> None:
        question = self._questions.pop(id)
        self._arrive(question.charger, question.held.connection)

    def _end(self, id: str) -> None:
        self._questions.pop(id).timer.cancel()

    def _send(self, gateway: str, message: dict[str, Any]) -> None:
        self._publisher.carry_out("", (PeerMessage(gateway, msgspec.json.encode(message)),))
