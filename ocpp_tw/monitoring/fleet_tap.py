"""The tap of the whole fleet: asks every gateway for its frames and events, and puts the answers together.

Knows neither how a gateway keeps them nor how an operator asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from operator import itemgetter
from typing import Any, NamedTuple

from ..interfaces import IFleet, IFollowing, Received
from .tap_answers import EVENTS, FRAMES, LIVE


class Frames(NamedTuple):
    """Frames, the oldest first; ``missing`` are gateways that have not answered, ``trouble`` says why others could not be asked."""

    frames: list[dict[str, Any]]
    missing: list[str]
    trouble: str


class Events(NamedTuple):
    """Events, the oldest first; ``complete``: there was none between them that is not among them, and none after the number asked for."""

    events: list[dict[str, Any]]
    complete: bool


class FleetTap:
    """One for a gateway."""

    def __init__(self, fleet: IFleet) -> None:
        self._fleet = fleet

    @property
    def trouble(self) -> str:
        """Why other gateways cannot be asked at the moment; "" if they can."""
        return str(self._fleet.trouble)

    async def frames(self, charger: str, limit: int, before: float | None = None, action: str = "", *, blank: bool = False) -> Frames:
        """The latest frames of a charger: at most ``limit``, before a time (Unix, seconds), and only those of an action and its answers."""
        query = {"charger": charger, "limit": limit, "before": before, "action": action, "blank": blank}
        answers = await self._fleet.ask(FRAMES, query)
        frames = sorted((frame for answer in answers.answers.values() for frame in answer), key=lambda frame: frame["time"])
        return Frames(frames[-limit:], answers.missing, answers.trouble)

    async def events(self, charger: str, limit: int, since: int | None = None, *, blank: bool = False) -> Events:
        """The latest events about a charger; or those after the number ``since``, ``limit`` of them at most.

        Events that went to a spool have no number as long as the gateway that published them runs; their time puts them among the others. Of
        those after a number, the ones that have one are told first, if not all can be: else who goes on from the last number would not get on.
        """
        query = {"charger": charger, "limit": limit, "since": since, "blank": blank}
        answers = await self._fleet.ask(EVENTS, query)
        everything = [event for answer in answers.answers.values() for event in answer]
        known = sorted((event for event in everything if event["seq"] is not None), key=lambda event: event["seq"])
        unknown = sorted((event for event in everything if event["seq"] is None), key=lambda event: event["time"])
        first_ones = (known, unknown) if since is None else (known[:limit], unknown[: max(0, limit - len(known))])
        events = _in_order(*first_ones)[-limit:]
        numbers = [event["seq"] for event in known]
        first = since if since is not None else numbers[0] - 1 if numbers else 0
        gapless = bool(numbers or since is None) and numbers == list(range(first + 1, first + 1 + len(numbers)))
        return Events(events, gapless and not (unknown or answers.missing or answers.trouble))

    def follow(
        self,
        received: Received,
        what: Sequence[str] = ("frames", "events"),
        chargers: Sequence[str] = (),
        action: str = "",
        event: str = "",
        *,
        blank: bool = False,
    ) -> IFollowing:
        """Frames and events from now on; see `IFleet.follow`."""
        query = {"what": list(what), "chargers": list(chargers), "action": action, "event": event, "blank": blank}
        return self._fleet.follow(LIVE, query, received)


def _in_order(numbered: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both by their times, the oldest first; those with numbers stay in the order of these, whatever the clocks of their gateways say."""
    return list(merge(numbered, others, key=itemgetter("time")))
