"""HTTP that tells what changes in a view, as server-sent events: all of it first, then the differences.

Knows neither what is in a view nor how often it is looked at.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from ..monitoring.fleet_view import FleetView
from ..monitoring.watching import Difference, Look, Watching, changed_members, changed_rows
from .chargers_query import of_query
from .described import described
from .request import OperatorsRequest
from .server_sent import EventStream
from .serving import HttpAnswer, Query, klein_app, run


class WatchApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/watch/",)

    def __init__(self, view: FleetView, watching: Watching, clock: IReactorTime) -> None:
        self._view = view
        self._watching = watching
        self._clock = clock

    @app.route("/api/watch/overview", methods=["GET"])
    @described({200: None}, media="text/event-stream")
    def overview(self, request: IRequest) -> HttpAnswer:
        """What `GET /api/overview` tells, and which of its members change."""
        return run(request, self._watch(request, "overview", self._view.overview, changed_members))

    @app.route("/api/watch/chargers", methods=["GET"])
    @described({200: None}, media="text/event-stream")
    def chargers(self, request: IRequest) -> HttpAnswer:
        """What `GET /api/fleet/chargers` tells, and which of its rows change."""

        async def answer() -> bytes:
            query = of_query(Query(request))
            name = msgspec.json.encode(query).decode()
            return await self._watch(request, name, lambda: self._view.chargers(query), changed_rows)

        return run(request, answer())

    async def _watch(self, request: IRequest, name: str, look: Look, difference: Difference) -> bytes:
        stream: EventStream | None = None
        waiting: list[tuple[str, dict[str, Any]]] = []

        def tell(event: str, told: dict[str, Any]) -> None:
            if stream is None:
                waiting.append((event, told))
            elif not stream.send(told, event):
                stream.finish()  # it does not keep up, and would go on with differences to what it has never seen; it may ask again

        stop = self._watching.watch(name, look, difference, tell)  # which may refuse, as long as nothing is written
        try:
            stream = EventStream(cast(OperatorsRequest, request), self._clock)
            for event, told in waiting:
                tell(event, told)
            await stream.ended
        finally:
            stop()
        return b""
