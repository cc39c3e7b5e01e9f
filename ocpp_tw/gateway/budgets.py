"""What a charger may send in the long run. One that sends more is read from more slowly; one that goes on with it is told of, and at last
disconnected.

A charger's debt grows with what it sends and shrinks by its budget every second. Up to a burst it is of no consequence: the queue of a
charger that was offline for days is served at full speed. One timer for all, once a second; a message costs an addition. Whoever connects
again goes on with the debt that it had.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..core import gateway_events
from ..log import Logger
from ..settings import Settings
from .charger import Charger
from .flow import BUDGET
from .publisher import Publisher

log = Logger()

BURST_MESSAGES, BURST_BYTES = 100, 64
"""Bursts, in seconds' worth of the budget."""

FLOODING_AFTER = 30
"""Seconds' worth of the budget beyond the burst at which a charger is flooding: one that waits for answers never gets there, since it is held."""

OVER_AFTER = 60.0
"""Seconds within its burst after which a charger is flooding no more."""

DISCONNECT_AFTER = 600.0
"""Seconds after the beginning of a flood from which the charger is disconnected each time that it is that far over its budget again."""


class Account:
    """One charger's debt, and what it has sent since it has any. Kept over its connections."""

    __slots__ = ("begun", "bytes", "domain", "flooding", "messages", "ocpp", "owed_bytes", "owed_messages", "within")

    def __init__(self, now: float) -> None:
        self.begun = now
        self.messages = self.bytes = self.owed_messages = self.owed_bytes = 0
        self.flooding: float | None = None  # when it began
        self.within = now  # since when the debt is within the burst
        self.domain = self.ocpp = ""


class Budgets:
    """One for the ``chargers`` that are connected to a gateway."""

    def __init__(self, settings: Settings, chargers: Mapping[str, Charger], clock: IReactorTime, publisher: Publisher) -> None:
        self._messages, self._bytes = settings.message_rate, settings.byte_rate
        self._chargers = chargers
        self._clock = clock
        self._publisher = publisher
        self._accounts: dict[str, Account] = {}
        self._timer = LoopingCall(self._check_all)
        self._timer.clock = clock

    def start(self) -> None:
        """Begin to count."""
        self._timer.start(1, now=False)

    def stop(self) -> None:
        """Count no more."""
        if self._timer.running:
            self._timer.stop()

    def flooding(self, id: str) -> bool:
        """Whether the charger sends far more than it may."""
        account = self._accounts.get(id)
        return account is not None and account.flooding is not None

    def arrived(self, charger: Charger) -> None:
        """The connection is its charger's from now on: held at once, if that is over its budget."""
        account = self._accounts.get(charger.id)
        if account is not None and self._is_over(account, 0):
            charger.flow.hold(charger, BUDGET, True)

    def departed(self, charger: Charger) -> None:
        """The connection has ended, or another has replaced it: what it has sent counts, however little, as there may be many like it.

        Not of one that never was served: whoever claims to be the charger and is turned away must not use up its budget.
        """
        if charger.serving and (charger.recent_bytes or charger.recent_messages) and (self._messages or self._bytes):
            self._accounts.setdefault(charger.id, Account(self._clock.seconds()))
            self._count(charger)

    def _check_all(self) -> None:
        for charger in self._chargers.values():
            if charger.serving and (charger.recent_bytes or charger.recent_messages):
                self._count(charger)
        for id, account in list(self._accounts.items()):
            try:
                self._check(id, account)
            except Exception:  # else the timer would stop, for all
                log.failure("budget check of {charger} failed", charger=id)

    def _count(self, charger: Charger) -> None:
        messages, bytes = charger.recent_messages, charger.recent_bytes
        charger.recent_messages = charger.recent_bytes = 0
        account = self._accounts.get(charger.id)
        if account is None:
            if not (self._messages and messages > self._messages) and not (self._bytes and bytes > self._bytes):
                return
            account = self._accounts[charger.id] = Account(self._clock.seconds())
        account.messages += messages
        account.bytes += bytes
        account.owed_messages += messages
        account.owed_bytes += bytes
        account.domain, account.ocpp = charger.domain, charger.ocpp

    def _check(self, id: str, account: Account) -> None:
        now, charger = self._clock.seconds(), self._chargers.get(id)
        account.owed_messages = max(0, account.owed_messages - self._messages) if self._messages else 0
        account.owed_bytes = max(0, account.owed_bytes - self._bytes) if self._bytes else 0
        over = self._is_over(account, 0)
        if charger is not None:
            charger.flow.hold(charger, BUDGET, over)
        if over:
            account.within = now
        if self._is_over(account, FLOODING_AFTER):
            if account.flooding is None:
                account.flooding = now
                self._publish(id, account, over=False)
                log.warn("{charger} floods: {messages} messages, {bytes} bytes", charger=id, messages=account.messages, bytes=account.bytes)
            elif charger is not None and now - account.flooding >= DISCONNECT_AFTER:
                charger.close(1008, "flooding")
        elif account.flooding is not None and now - account.within >= OVER_AFTER:
            account.flooding = None
            self._publish(id, account, over=True)
        if account.flooding is None and not account.owed_messages and not account.owed_bytes:
            del self._accounts[id]

    def _is_over(self, account: Account, seconds: int) -> bool:
        """Whether the debt is larger than the burst and so many seconds' worth of the budget."""
        return bool(
            (self._messages and account.owed_messages > (BURST_MESSAGES + seconds) * self._messages)
            or (self._bytes and account.owed_bytes > (BURST_BYTES + seconds) * self._bytes)
        )

    def _publish(self, id: str, account: Account, *, over: bool) -> None:
        seconds = round(self._clock.seconds() - account.begun)
        data = gateway_events.Flooding(id, account.messages, account.bytes, seconds, over=over)
        self._publisher.publish_about(id, account.domain, "flooding", data, account.ocpp)
