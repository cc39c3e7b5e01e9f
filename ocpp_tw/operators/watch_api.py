"""HTTP that tells what changes in a view, as server-sent events: all of it first, then the differences.

Knows neither what is in a view nor how often it is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from ..monitoring.fleet_chargers import FleetChargers
from ..monitoring.fleet_overview import FleetOverview
from ..monitoring.query import ChargersPageQuery
from ..monitoring.told import ChargersAnswer, ChargersChanges, Overview, OverviewChanges
from ..monitoring.watching import Difference, Look, Watching, changed_members, changed_rows
from .described import described
from .parameters import NoQuery, query_of
from .request import OperatorsRequest
from .server_sent import TYPE, EventStream
from .serving import HttpAnswer, klein_app, run


class WatchApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/watch/",)

    def __init__(self, overview: FleetOverview, chargers: FleetChargers, watching: Watching, clock: IReactorTime) -> None:
        self._overview = overview
        self._chargers = chargers
        self._watching = watching
        self._clock = clock

    @app.route("/api/watch/overview", methods=["GET"])
    @described({200: None}, query=NoQuery, media=TYPE.decode(), pieces={"snapshot": Overview, "changes": OverviewChanges})
    def overview(self, request: IRequest) -> HttpAnswer:
        """What `GET /api/overview` tells, and which of its members change."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            return await self._watch(request, "overview", self._overview.overview, changed_members)

        return run(request, answer())

    @app.route("/api/watch/chargers", methods=["GET"])
    @described({200: None}, query=ChargersPageQuery, media=TYPE.decode(), pieces={"snapshot": ChargersAnswer, "changes": ChargersChanges})
    def chargers(self, request: IRequest) -> HttpAnswer:
        """What `GET /api/fleet/chargers` tells, and which of its rows change."""

        async def answer() -> bytes:
            query = query_of(request, ChargersPageQuery)
            name = msgspec.json.encode(query).decode()
            return await self._watch(request, name, lambda: self._chargers.chargers(query), changed_rows)

        return run(request, answer())

    async def _watch(self, request: IRequest, name: str, look: Look, difference: Difference) -> bytes:
        stream: EventStream | None = None
        waiting: list[tuple[str, Mapping[str, Any]]] = []

        def tell(event: str, told: Mapping[str, Any]) -> None:
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
