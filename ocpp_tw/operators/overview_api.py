"""HTTP about the fleet at a glance.

Knows neither gateways nor what is in it.
"""

from __future__ import annotations

from typing import Any

from twisted.web.iweb import IRequest

from ..monitoring.fleet_view import FleetView
from .answering import answer_json
from .described import described
from .serving import HttpAnswer, klein_app, run


class OverviewApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/overview",)

    def __init__(self, view: FleetView) -> None:
        self._view = view

    @app.route("/api/overview", methods=["GET"])
    @described({200: dict[str, Any]})
    def overview(self, request: IRequest) -> HttpAnswer:
        """The fleet at a glance."""

        async def answer() -> bytes:
            return answer_json(request, 200, await self._view.overview())

        return run(request, answer())
