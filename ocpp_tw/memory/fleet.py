"""The members of a fleet in one process: the twin of the driver over Redis's PUBLISH and SUBSCRIBE.

Knows nothing of what they say.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from ..fleet.member import Member
from .store import MemoryStore


class MemoryPubSub(Member):
    """A member that hears at once what is said. A test sets ``away`` for a store that cannot be reached, and ``deaf`` for a gateway that hears nothing."""

    def __init__(self, store: MemoryStore, gateway: str, clock: IReactorTime) -> None:
        super().__init__(gateway, clock)
        self.away = self.deaf = False
        self._store = store
        store.members.append(self)

    @property
    def trouble(self) -> str:
        """See `IFleet`."""
        return "the store cannot be reached" if self.away else ""

    def publish(self, address: str, message: bytes) -> None:
        """See `ocpp_tw.fleet.questions.Bus`."""
        if not self.away:
            for each in list(self._store.members):
                if address in ("", each.address):
                    each.hear(message)

    def living(self) -> Deferred[list[str]]:
        """See `ocpp_tw.fleet.questions.Bus`."""
        return succeed(sorted(self._store.living))

    def hear(self, message: bytes) -> None:
        """A message came."""
        if not (self.away or self.deaf):
            self.heard(message)

    def stop(self) -> None:
        """It is a member no more."""
        self.leave()
        if self in self._store.members:
            self._store.members.remove(self)
