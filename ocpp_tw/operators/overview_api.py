"""HTTP about the fleet at a glance.

Knows neither gateways nor what is in it.
"""

from __future__ import annotations

from twisted.web.iweb import IRequest

from ..monitoring.fleet_overview import FleetOverview
from ..monitoring.told import Overview
from .answering import answer_json
from .described import described
from .parameters import NoQuery, query_of
from .serving import HttpAnswer, klein_app, run


class OverviewApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/overview",)

    def __init__(self, overview: FleetOverview) -> None:
        self._overview = overview

    @app.route("/api/overview", methods=["GET"])
    @described({200: Overview}, query=NoQuery)
    def overview(self, request: IRequest) -> HttpAnswer:
        """The fleet at a glance."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            return answer_json(request, 200, await self._overview.overview())

        return run(request, answer())
