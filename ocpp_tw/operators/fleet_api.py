"""HTTP about the chargers of the whole fleet: a page of them, and all about one.

Knows neither gateways nor what is kept of chargers.
"""

from __future__ import annotations

from typing import Any

from twisted.web.iweb import IRequest

from ..monitoring.fleet_view import FleetView
from .answering import answer_json
from .chargers_query import of_query
from .described import Refusal, described
from .serving import HttpAnswer, Query, Refused, from_store, klein_app, run


class FleetApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/fleet/chargers",)

    def __init__(self, view: FleetView) -> None:
        self._view = view

    @app.route("/api/fleet/chargers", methods=["GET"])
    @described({200: dict[str, Any]})
    def chargers(self, request: IRequest) -> HttpAnswer:
        """A page of chargers: searched, filtered and sorted."""

        async def answer() -> bytes:
            return answer_json(request, 200, await self._view.chargers(of_query(Query(request))))

        return run(request, answer())

    @app.route("/api/fleet/chargers/<path:id>", methods=["GET"])
    @described({200: dict[str, Any], 404: Refusal})
    def charger(self, request: IRequest, id: str) -> HttpAnswer:
        """All about one charger, connected or not; 404 if nothing is known of it."""

        async def answer() -> bytes:
            found = await from_store(self._view.charger(id))
            if found is None:
                raise Refused(404, "Nothing is known of this charger")
            return answer_json(request, 200, found)

        return run(request, answer())
