"""The in-memory twin of a connection to a charger: for its methods see `IWire`.

Knows no frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from zope.interface import implementer

from ..interfaces import IWire

MAX_CLOSE_REASON = 123
"""Longest reason of a close, in bytes (RFC 6455 §5.5); a longer one is cut."""


@implementer(IWire)
class MemoryWire:
    """A connection to a charger that only remembers: the messages ``sent`` before it was closed, the code and reason of the first close,
    whether it is ``held``, and the ``pings`` not answered yet.

    A test plays the charger with `receive`, which passes messages to ``deliver``, and with `leave`.
    """

    def __init__(self, deliver: Callable[[bytes], None] = lambda text: None) -> None:
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.held = False
        self.pings: list[Callable[[], None]] = []
        self._deliver = deliver
        self._received: deque[bytes] = deque()
        self._delivering = self._left = False

    def send(self, text: bytes) -> None:
        if self.closed is None and not self._left:
            self.sent.append(text)

    def close(self, code: int, reason: str) -> None:
        if self.closed is None and not self._left:
            self.closed = code, reason.encode()[:MAX_CLOSE_REASON].decode(errors="ignore")

    def ping(self, answered: Callable[[], None]) -> None:
        if not self._left:
            self.pings.append(answered)

    def hold(self, held: bool) -> None:
        self.held = held
        self._deliver_received()

    def receive(self, text: bytes) -> None:
        """The charger sends a message, which is a sign of life too."""
        if not self._left:
            self._received.append(text)
            self._deliver_received()

    def leave(self) -> None:
        """The charger disconnects: pings stay unanswered, and what was not delivered is lost."""
        self._left = True
        self.pings.clear()
        self._received.clear()

    def _deliver_received(self) -> None:
        if self._delivering:
            return  # the receiver of a message ended its hold
        self._delivering = True
        try:
            while self._received and not self.held:
                text = self._received.popleft()
                pings, self.pings = self.pings, []
                for answered in pings:
                    answered()
                if self.closed is None:
                    self._deliver(text)
        finally:
            self._delivering = False
