"""The operators' HTTP: commands, chargers, health (docs/contract.md).

Knows nothing of chargers' connections beyond what the gateway tells; never served on the chargers' port.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from twisted.web.server import Site

from ..core.commands import Invalid
from ..dispatch.dispatcher import Dispatcher
from ..gateway.charger import Charger
from ..gateway.decisions import summary
from ..gateway.gateway import Gateway
from ..gateway.verdicts import Verdicts
from ..waiting import deferred

log = Logger()

MAX_BODY = 256 * 1024
"""The longest body taken, in bytes."""

LONGEST_RETRY = 86_400
"""The longest retry interval that an operator may decide on, in seconds."""

HttpAnswer = bytes | Deferred[bytes]


class BadRequest(Exception):
    """What an operator sent makes no sense: the HTTP status and the text are for the answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class StoreHealth(Protocol):
    """What readiness is judged by."""

    async def ping(self) -> bool:
        """Whether Redis takes events."""

    def spooled(self) -> dict[str, Any]:
        """What waits on the disk, and whether the disk takes more; {} without a spool."""


class ViolationReport(Protocol):
    """What has been seen of messages that break their schemas."""

    def report(self) -> list[Any]:
        """All of it, for an operator."""


class OperatorsApi:
    """The routes. ``token`` is the bearer token that every request but health must show; "" when none is asked for."""

    app = Klein()

    def __init__(
        self,
        gateway: Gateway,
        dispatch: Dispatcher,
        desk: Verdicts,
        health: StoreHealth,
        token: str,
        evidence: ViolationReport | None = None,
    ) -> None:
        self._gateway = gateway
        self._dispatch = dispatch
        self._desk = desk
        self._health = health
        self._token = token
        self._evidence = evidence

    def site(self) -> Site:
        """What a port serves."""
        site = Site(self.app.resource(), timeout=60)
        site.noisy = False
        site.displayTracebacks = False
        site.log = lambda request: None  # type: ignore[method-assign]  # a URL may name a tag; what matters is logged where it happens
        return site

    @app.route("/command/", methods=["POST"])
    def command(self, request: IRequest) -> HttpAnswer:
        """A command; 200 with the charger's answer, else 400 with `detail`."""
        return self._guarded(request, lambda: self._command(request))

    @app.route("/api/chargers", methods=["GET"])
    def chargers(self, request: IRequest) -> HttpAnswer:
        """The chargers connected to this gateway."""

        async def answer() -> bytes:
            return _json(request, 200, [_told(charger) for charger in self._gateway.chargers.values()])

        return self._guarded(request, answer)

    @app.route("/api/chargers/<path:id>", methods=["GET"])
    def charger(self, request: IRequest, id: str) -> HttpAnswer:
        """One charger: connected here, with what is thought of it and its open transactions, or what is remembered of it."""

        async def answer() -> bytes:
            charger = self._gateway.chargers.get(id)
            if charger is not None:
                ledger = await self._desk.ledger(charger)
                running = [msgspec.to_builtins(each) for each in ledger.running]
                judged = self._gateway.liveness.summary(charger)
                told = {"connected": True, **summary(charger.record), **_told(charger), **judged, "transactions": running}
                return _json(request, 200, told)
            remembered = await self._gateway.decisions.recorded(id)
            if remembered is None:
                return _json(request, 404, {"detail": "Charger not connected to this gateway, and nothing is remembered of it"})
            return _json(request, 200, {"connected": False, "id": id, **remembered})

        return self._guarded(request, answer)

    @app.route("/api/chargers/<path:id>", methods=["PUT"])
    def decide(self, request: IRequest, id: str) -> HttpAnswer:
        """Decide about a charger, whether or not it is here or has ever been: 200 with what now stands."""

        async def answer() -> bytes:
            if len(id) > self._gateway.settings.max_identity or not id.isprintable():
                raise BadRequest(400, "No charger can have this identity")
            changes = self._changes(_body(request))
            return _json(request, 200, {"id": id, **await self._gateway.decisions.decide(id, changes)})

        return self._guarded(request, answer)

    @app.route("/api/violations", methods=["GET"])
    def violations(self, request: IRequest) -> HttpAnswer:
        """What chargers sent that breaks its schema."""

        async def answer() -> bytes:
            return _json(request, 200, self._evidence.report() if self._evidence else [])

        return self._guarded(request, answer)

    @app.route("/healthz", methods=["GET"])
    def healthz(self, request: IRequest) -> HttpAnswer:
        """Whether the process does its work at all."""
        return _json(request, 200, {"status": "ok", "chargers": len(self._gateway.chargers)})

    @app.route("/readyz", methods=["GET"])
    def readyz(self, request: IRequest) -> HttpAnswer:
        """Whether it should be given work: Redis answers, and it is not stopping."""

        async def answer() -> bytes:
            redis, spool = await self._health.ping(), self._health.spooled()
            safe = redis or (bool(spool) and not spool["trouble"])
            ready = safe and not self._gateway.stopping
            told = {"ready": ready, "redis": redis, "spool": spool or None, "stopping": self._gateway.stopping}
            return _json(request, 200 if ready else 503, told)

        return self._run(request, answer())

    async def _command(self, request: IRequest) -> bytes:
        try:
            result = await self._dispatch.ask(_body(request))
        except Invalid as why:
            return _json(request, 400, {"detail": str(why), "outcome": "invalid"})
        if result["outcome"] == "result":
            return _json(request, 200, result["payload"])
        if result["outcome"] == "offline":
            detail = "Charger not connected"  # the words that backends know
        else:
            detail = (result["error"] or {}).get("description") or result["outcome"]
        return _json(request, 400, {"detail": detail, "outcome": result["outcome"], "error": result["error"], "id": result["id"]})

    def _changes(self, body: bytes) -> dict[str, Any]:
        """What an operator decides; a member that is null takes an earlier decision back."""
        known: dict[str, tuple[Callable[[Any], bool], str]] = {
            "boot_status": (lambda value: value in ("Accepted", "Pending", "Rejected"), "Accepted, Pending or Rejected"),
            "retry_interval": (
                lambda value: type(value) is int and 1 <= value <= LONGEST_RETRY,
                f"a whole number of seconds from 1 to {LONGEST_RETRY}",
            ),
            "version": (lambda value: value in self._gateway.settings.versions, " or ".join(self._gateway.settings.versions)),
        }
        try:
            changes = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise BadRequest(400, "The body is not JSON") from None
        if not isinstance(changes, dict) or not changes:
            raise BadRequest(400, f"The body must be a JSON object with any of {', '.join(known)}")
        for name, value in changes.items():
            if name not in known:
                raise BadRequest(400, f"Unknown member {name[:50]!r}; there are {', '.join(known)}")
            fits, said = known[name]
            if value is not None and not fits(value):
                raise BadRequest(400, f"{name} must be {said}, or null to take it back")
        return changes

    def _guarded(self, request: IRequest, answer: Callable[[], Awaitable[bytes]]) -> HttpAnswer:
        if self._token:
            shown = (request.getHeader("authorization") or "").encode()
            if not hmac.compare_digest(shown, b"Bearer " + self._token.encode()):
                request.setHeader("www-authenticate", 'Bearer realm="ocpp"')
                return _json(request, 401, {"detail": "A bearer token is needed: Authorization: Bearer TOKEN"})
        return self._run(request, answer())

    def _run(self, request: IRequest, answer: Awaitable[bytes]) -> Deferred[bytes]:
        answering = deferred(answer)
        request.notifyFinish().addErrback(lambda _: answering.cancel())  # type: ignore[attr-defined]

        def failed(failure: Any) -> bytes:
            if failure.check(BadRequest):
                return _json(request, failure.value.status, {"detail": str(failure.value)})
            if failure.check(CancelledError) is None:
                log.failure("a request of an operator's failed", failure)
            return _json(request, 500, {"detail": "Internal error, see the log"})

        return answering.addErrback(failed)


def _body(request: IRequest) -> bytes:
    body: bytes = request.content.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise BadRequest(413, f"The body is longer than {MAX_BODY} bytes")
    return body


def _told(charger: Charger) -> dict[str, Any]:
    return {
        "id": charger.id,
        "ocpp": charger.ocpp,
        "domain": charger.domain,
        "remote_address": charger.address,
        "connection": charger.connection,
        "registration": charger.registration or None,
        "received": charger.received,
        "sent": charger.sent,
        "violations": charger.violations,
    }


def _json(request: IRequest, status: int, body: Any) -> bytes:
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json")
    return msgspec.json.encode(body) + b"\n"
