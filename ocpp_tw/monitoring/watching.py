"""Views that somebody watches: looked at every two seconds, once for all who watch the same, who are told only what has changed.

Knows neither what is in a view nor how its watchers are told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from ..interfaces import TooManyFollowers
from ..log import Logger
from ..waiting import cancelled, pause

log = Logger()

INTERVAL = 2.0
"""Seconds between two looks."""

MAX_VIEWS = 32
"""Most different views that are watched at once; whoever wants to watch one more is refused."""

Look = Callable[[], Awaitable[Mapping[str, Any]]]
Difference = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any] | None]
"""From what a view was and what it is to what is told; None: nothing."""
Tell = Callable[[str, Mapping[str, Any]], None]
"""Called with ``snapshot`` and all of it first, then with ``changes``."""


class View:
    """What is watched by at least one."""

    def __init__(self, look: Look, difference: Difference) -> None:
        self.look, self.difference = look, difference
        self.latest: Mapping[str, Any] | None = None
        self.watchers: list[Tell] = []
        self.task: Deferred[None] | None = None

    def tell(self, latest: Mapping[str, Any]) -> None:
        before, self.latest = self.latest, latest
        if before is None:
            event, told = "snapshot", latest
        else:
            changes = self.difference(before, latest)
            if changes is None:
                return
            event, told = "changes", changes
        for each in list(self.watchers):
            each(event, told)


class Watching:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._views: dict[str, View] = {}

    @property
    def views(self) -> int:
        """How many different views are watched."""
        return len(self._views)

    def watch(self, name: str, look: Look, difference: Difference, tell: Tell) -> Callable[[], None]:
        """``tell`` is told of the view of that name until what is returned is called. Raises `TooManyFollowers`."""
        view = self._views.get(name)
        if view is None:
            if len(self._views) >= MAX_VIEWS:
                raise TooManyFollowers(f"{MAX_VIEWS} different views are watched already")
            view = self._views[name] = View(look, difference)
            view.task = Deferred.fromCoroutine(self._keep_looking(view)).addErrback(cancelled)
        view.watchers.append(tell)
        if view.latest is not None:
            tell("snapshot", view.latest)

        def stop() -> None:
            if tell in view.watchers:
                view.watchers.remove(tell)
            if not view.watchers and self._views.get(name) is view:
                del self._views[name]
                if view.task is not None:
                    view.task.cancel()

        return stop

    def stop(self) -> None:
        """Look at nothing any more."""
        for view in list(self._views.values()):
            view.watchers.clear()
            if view.task is not None:
                view.task.cancel()
        self._views.clear()

    async def _keep_looking(self, view: View) -> None:
        await pause(0, self._clock)
        while True:
            try:
                view.tell(await view.look())
            except CancelledError:
                raise
            except Exception:
                log.failure("a view that is watched cannot be looked at")
            await pause(INTERVAL, self._clock)


def changed_members(before: Mapping[str, Any], latest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The members that are different, but not if only the time is."""
    changes = {name: value for name, value in latest.items() if before.get(name) != value}
    return changes if changes.keys() - {"time"} else None


def changed_rows(before: Mapping[str, Any], latest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of a page: the rows that are new or different, the order of all, and what else is different; `total` and `states` always."""
    if before == latest:
        return None
    known = {row["id"]: row for row in before["rows"]}
    rows = [row for row in latest["rows"] if known.get(row["id"]) != row]
    others = {name: value for name, value in latest.items() if name != "rows" and before.get(name) != value}
    order = [row["id"] for row in latest["rows"]]
    return {**others, "rows": rows, "order": order, "total": latest["total"], "states": latest["states"]}
