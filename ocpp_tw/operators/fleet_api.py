"""HTTP about the chargers of the whole fleet: a page of them, and all about one.

Knows neither gateways nor what is kept of chargers.
"""

from __future__ import annotations

from twisted.web.iweb import IRequest

from ..monitoring.fleet_chargers import FleetChargers, Unknown
from ..monitoring.query import ChargersPageQuery
from ..monitoring.told import AllOfCharger, ChargersAnswer, OfAbsent, OfConnected
from .answering import answer_json
from .described import Refusal, described
from .parameters import NoQuery, query_of
from .serving import HttpAnswer, Refused, from_store, klein_app, run


class FleetApi:
    """One for a gateway, or for a worker among several: each of them knows all."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/fleet/chargers",)

    def __init__(self, chargers: FleetChargers) -> None:
        self._chargers = chargers

    @app.route("/api/fleet/chargers", methods=["GET"])
    @described({200: ChargersAnswer}, query=ChargersPageQuery)
    def chargers(self, request: IRequest) -> HttpAnswer:
        """A page of chargers: searched, filtered and sorted."""

        async def answer() -> bytes:
            return answer_json(request, 200, await self._chargers.chargers(query_of(request, ChargersPageQuery)))

        return run(request, answer())

    @app.route("/api/fleet/chargers/<path:id>", methods=["GET"])
    @described({200: [(AllOfCharger, OfConnected), (AllOfCharger, OfAbsent)], 404: Refusal, 503: Refusal}, query=NoQuery)
    def charger(self, request: IRequest, id: str) -> HttpAnswer:
        """All about one charger, connected or not; 404 if nothing is known of it, 503 if that cannot be said at the moment."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            found = await from_store(self._chargers.charger(id))
            if isinstance(found, Unknown):
                if found.unasked:
                    raise Refused(503, f"Only part of the fleet could be asked, and this charger is not there ({found.unasked}): try again")
                raise Refused(404, "Nothing is known of this charger")
            return answer_json(request, 200, found)

        return run(request, answer())
