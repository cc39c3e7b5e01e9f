"""The HTTP API for operators: commands, chargers, health (docs/contract.md).

Knows nothing of chargers' connections beyond what the gateway reports; never served on the chargers' port.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from ..core.commands import Invalid
from ..dispatch.by_http import Busy, Unanswered
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.ended import UNAVAILABLE
from ..gateway.decisions import RecordSummary
from ..gateway.fleet_key import ForeignKey
from ..gateway.gateway import Gateway
from ..gateway.security import SecurityEvents
from ..gateway.verdicts import Verdicts
from ..log import Logger
from ..monitoring.details import connection, record_of
from ..monitoring.health import Backlog
from ..monitoring.told import ConnectedRecord, Connection, OfCharger, StoredRecord
from ..ocpp.tolerance.evidence import ModelReport
from .answering import answer_json as _json
from .answers import (
    CommandRefusal,
    Health,
    KeyId,
    LastRefused,
    Ordered,
    PageQuery,
    Readiness,
    RegisteredPage,
    Shown,
    UnknownCharger,
)
from .channel import OperatorsSite
from .decision_reader import BadDecision, Decision, DecisionQuery, DecisionReader
from .described import Refusal, described
from .guard import Admission
from .pages import with_pages
from .parameters import query_of
from .serving import HttpAnswer, Refused, body_of, from_store, klein_app, operator_of, run
from .together import Application, Together

log = Logger()

PING_HOLDS = 1.0
"""Seconds for which Redis that has answered is taken to answer: whoever may ask for readiness may do so often."""


class StoreHealth(Backlog, Protocol):
    """The store, as far as readiness depends on it."""

    async def ping(self) -> bool:
        """Whether Redis accepts events."""


class ViolationReport(Protocol):
    """The schema violations seen so far."""

    def report(self) -> list[ModelReport]:
        """All of them, as JSON for an operator."""


class OperatorsApi:
    """The routes. Who may ask, and how much, `OperatorsSite` has decided before one is taken."""

    app = klein_app()

    def __init__(
        self,
        gateway: Gateway,
        dispatcher: Dispatcher,
        verdicts: Verdicts,
        health: StoreHealth,
        evidence: ViolationReport | None = None,
        security: SecurityEvents | None = None,
    ) -> None:
        self._gateway = gateway
        self._dispatcher = dispatcher
        self._verdicts = verdicts
        self._health = health
        self._evidence = evidence
        self._security = security
        self._redis_until = 0.0
        """Until when Redis is taken to answer."""

    def site(
        self, guard: Admission, limit: int = 0, clock: IReactorTime | None = None, others: Iterable[Application] = ()
    ) -> OperatorsSite:
        """The site for a port to serve, see there, with the routes of ``others`` as well."""
        return OperatorsSite(with_pages(Together(self.app, others), guard), guard, limit, clock)

    @app.route("/command", methods=["POST"])
    @app.route("/command/", methods=["POST"])
    @described({200: dict[str, Any], 400: CommandRefusal, 503: CommandRefusal}, body="http_command")
    def command(self, request: IRequest) -> HttpAnswer:
        """Send a command; 200 with the charger's answer, else 400 with `detail`."""
        return run(request, self._command(request))

    @app.route("/api/chargers", methods=["GET"])
    @described({200: list[Connection]})
    def chargers(self, request: IRequest) -> HttpAnswer:
        """List the chargers connected to this gateway."""

        async def answer() -> bytes:
            return _json(request, 200, [connection(charger) for charger in self._gateway.chargers.values()])

        return run(request, answer())

    @app.route("/api/registered", methods=["GET"])
    @described({200: RegisteredPage}, query=PageQuery)
    def registered(self, request: IRequest) -> HttpAnswer:
        """A page of the registered chargers of the fleet, connected or not: those behind `after`, at most `limit`."""

        async def answer() -> bytes:
            query = query_of(request, PageQuery, others=True)
            chargers, cursor = await from_store(self._gateway.decisions.registered(query.after, query.limit))
            return _json(request, 200, {"chargers": chargers, "next": cursor})

        return run(request, answer())

    @app.route("/api/chargers/<path:id>", methods=["GET"])
    @described(
        {
            200: [(ConnectedRecord, LastRefused), (StoredRecord, LastRefused)],
            404: UnknownCharger,
        }
    )
    def charger(self, request: IRequest, id: str) -> HttpAnswer:
        """One charger: if connected here, with its liveness and open transactions, else its record."""

        async def answer() -> bytes:
            charger, last = self._gateway.chargers.get(id), self._gateway.refusals.of(id)
            refused = {"last_refusal": last}
            if charger is not None:
                ledger = await from_store(self._verdicts.ledger(charger))
                stored = await from_store(self._gateway.decisions.recorded(id))
                return _json(request, 200, {**record_of(self._gateway, charger, ledger.running, stored), **refused})
            record = await from_store(self._gateway.decisions.recorded(id))
            if record is None:
                detail = "Charger not connected to this gateway, and nothing is remembered of it"
                if last is None:
                    return _json(request, 404, {"detail": detail})
                detail += f" but that it was refused: {last['status']}, {last['reason']}, at {last['time']} from {last['remote_address']}"
                return _json(request, 404, {"detail": detail, **refused})
            return _json(request, 200, {"connected": False, "id": id, **record, **refused})

        return run(request, answer())

    @app.route("/api/chargers/<path:id>", methods=["PUT"])
    @described({200: (OfCharger, RecordSummary, Shown), 400: Refusal, 409: Refusal}, body=Decision, query=DecisionQuery)
    def decide(self, request: IRequest, id: str) -> HttpAnswer:
        """Set decisions on a charger, whether or not it is connected or known: 200 with the decisions now in force."""

        async def answer() -> bytes:
            if len(id) > self._gateway.settings.max_identity or not id.isprintable():
                raise Refused(400, "No charger can have this identity")
            unchanged = query_of(request, DecisionQuery, others=True).unchanged
            reader, decisions = DecisionReader(self._gateway.settings.versions, self._gateway.passwords), self._gateway.decisions
            try:
                given = reader.check(body_of(request))
            except BadDecision as why:
                raise Refused(400, str(why)) from None
            if given.get("password"):
                await self._require_key()
            repeated = {}
            if any(given.get(name) is not None for name in ("password", "certificate", "security_profile")):
                repeated = reader.repeated(given, await from_store(decisions.standing(id)), unchanged)
            changes, shown = reader.changes(given)
            self._decides(request, id, changes)
            return _json(request, 200, {"id": id, **await from_store(decisions.decide(id, changes, repeated)), **shown})

        return run(request, answer())

    @app.route("/api/chargers/<path:id>", methods=["DELETE"])
    @described({200: (OfCharger, RecordSummary), 404: Refusal})
    def unregister(self, request: IRequest, id: str) -> HttpAnswer:
        """Take back all that was decided about a charger, its credentials among it: 200 with what is still known of it."""

        async def answer() -> bytes:
            if await from_store(self._gateway.decisions.recorded(id)) is None:
                raise Refused(404, "Nothing is remembered of this charger")
            self._decides(request, id, ("unregistered",))
            return _json(request, 200, {"id": id, **await from_store(self._gateway.decisions.unregister(id))})

        return run(request, answer())

    @app.route("/api/chargers/<path:id>/rotate-password", methods=["POST"])
    @described({200: Ordered, 400: CommandRefusal, 503: CommandRefusal})
    def rotate_password(self, request: IRequest, id: str) -> HttpAnswer:
        """Send a charger a new password, which nobody is told: 200 with the status of its answer, else 400 with `detail`."""
        return run(request, self._order(request, id, "rotate_password", {}))

    @app.route("/api/chargers/<path:id>/security-profile", methods=["POST"])
    @described({200: Ordered, 400: CommandRefusal, 503: CommandRefusal}, body="set_security_profile_data")
    def set_security_profile(self, request: IRequest, id: str) -> HttpAnswer:
        """Raise a charger's security profile: 200 with the status of its answer, else 400 with `detail`."""

        async def answer() -> bytes:
            try:
                data = msgspec.json.decode(body_of(request), type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                raise Refused(400, "The body must be a JSON object with security_profile: 1, 2 or 3") from None
            return await self._order(request, id, "set_security_profile", data)

        return run(request, answer())

    @app.route("/api/credentials-key", methods=["POST"])
    @described({200: KeyId})
    def adopt_key(self, request: IRequest) -> HttpAnswer:
        """Have the fleet's passwords stored under this gateway's key from now on, whichever it was: 200 with its id."""

        async def answer() -> bytes:
            self._decides(request, "", ("credentials_key",))
            return _json(request, 200, {"id": await from_store(self._gateway.fleet_key.adopt())})

        return run(request, answer())

    @app.route("/api/violations", methods=["GET"])
    @described({200: list[ModelReport]})
    def violations(self, request: IRequest) -> HttpAnswer:
        """The schema violations in chargers' messages."""

        async def answer() -> bytes:
            return _json(request, 200, self._evidence.report() if self._evidence else [])

        return run(request, answer())

    @app.route("/healthz", methods=["GET"])
    @described({200: Health})
    def healthz(self, request: IRequest) -> HttpAnswer:
        """Liveness: the process answers."""
        return _json(request, 200, {"status": "ok", "chargers": len(self._gateway.chargers)})

    @app.route("/readyz", methods=["GET"])
    @described({200: Readiness, 503: Readiness})
    def readyz(self, request: IRequest) -> HttpAnswer:
        """Readiness: events can be made durable, by Redis or the spool, and the gateway is not stopping."""

        async def answer() -> bytes:
            redis, spool = await self._redis(), self._health.spooled()
            durable = redis or (bool(spool) and not spool["trouble"])
            ready = durable and not self._gateway.stopping
            unread, stopping = self._health.unread(), self._gateway.stopping
            body: dict[str, Any] = {"ready": ready, "redis": redis, "unread": unread, "spool": spool or None, "stopping": stopping}
            body["credentials_key"] = self._gateway.fleet_key.trouble
            body["open"] = self._gateway.settings.open_doors
            return _json(request, 200 if ready else 503, body)

        return run(request, answer())

    async def _require_key(self) -> None:
        try:
            await from_store(self._gateway.fleet_key.require())
        except ForeignKey as why:
            raise Refused(409, f"Nothing was changed: {why}") from None

    async def _redis(self) -> bool:
        if time.monotonic() < self._redis_until:
            return True
        answers = await self._health.ping()
        if answers:
            self._redis_until = time.monotonic() + PING_HOLDS
        return answers

    async def _command(self, request: IRequest) -> bytes:
        try:
            result = await self._ask(request, body_of(request))
        except Invalid as why:
            return _json(request, 400, {"detail": str(why), "outcome": "invalid"})
        return _json(request, 200, result["payload"]) if result["outcome"] == "result" else self._without_result(request, result)

    async def _order(self, request: IRequest, id: str, command: str, data: dict[str, Any]) -> bytes:
        """Send one charger a command of the gateway's own making."""
        try:
            result = await self._ask(request, msgspec.json.encode({"cp_id": id, "command": command, "data": data}))
        except Invalid as why:
            raise Refused(400, str(why)) from None
        if result["outcome"] != "result":
            return self._without_result(request, result)
        return _json(request, 200, {"id": id, "status": result["status"], "command": result["id"]})

    async def _ask(self, request: IRequest, body: bytes) -> dict[str, Any]:
        try:
            return await self._dispatcher.ask(body, operator_of(request))
        except Busy:
            request.setHeader("retry-after", "5")
            raise Refused(503, "Too many commands wait for their results: try again later") from None
        except Unanswered:
            raise Refused(503, "The gateway that has the charger has not told the result in time: its `command_result` will") from None

    def _without_result(self, request: IRequest, result: dict[str, Any]) -> bytes:
        """The answer about a command that has no result."""
        if result["outcome"] == "offline":
            detail = "Charger not connected"  # the text that backends expect
        else:
            detail = (result["error"] or {}).get("description") or result["outcome"]
        unavailable = not result["sent"] and (result["error"] or {}).get("code") == UNAVAILABLE
        return _json(
            request,
            503 if unavailable else 400,
            {"detail": detail, "outcome": result["outcome"], "error": result["error"], "id": result["id"]},
        )

    def _decides(self, request: IRequest, id: str, names: Iterable[str]) -> None:
        """Tell who decides what; ``names`` are those of the members that are set, whose values may be secret."""
        if self._security is not None:
            self._security.operator("decision", operator_of(request), id, ", ".join(names))
