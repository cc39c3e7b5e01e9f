"""Of what every gateway of the fleet may see, one tells: for each name at most once a minute, as the register says.

Knows neither what is told nor what becomes of what is not.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.python.failure import Failure

from ..interfaces import IRegister, StoreUnavailable
from ..waiting import deferred

IN_FLEET = 55
"""Seconds for which no other gateway tells of the same name: a little less than a minute, so that whoever has told is in time to tell
again. While the store does not answer each gateway tells for itself."""


class OnceInFleet:
    """One for each of those who tell."""

    def __init__(self, register: IRegister) -> None:
        self._register = register

    def ask(self, name: str, answer: Callable[[bool], None]) -> None:
        """``answer`` is called with whether it is this gateway that tells: at once, or as soon as the store has answered."""
        try:
            first = self._register.once(name, IN_FLEET)
        except StoreUnavailable:
            first = True
        if isinstance(first, bool):
            answer(first)
        else:
            deferred(first).addErrback(_alone).addCallback(answer)


def _alone(why: Failure) -> bool:
    """The store does not answer: it is told here."""
    why.trap(StoreUnavailable)  # type: ignore[no-untyped-call]
    return True
