"""HTTP about the fleet at a glance.

Knows neither gateways nor what is in it.
"""

from __future__ import annotations

from typing import Any

from twisted.web.iweb import IRequest

from ..monitoring.fleet_view import FleetView
from .answering import HttpAnswer, json_answer, klein_app, run
from .described import described


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
            return json_answer(request, 200, await self._view.overview())

        return run(request, answer())
