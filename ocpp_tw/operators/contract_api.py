"""The contract for machines, by HTTP: OpenAPI of this HTTP, AsyncAPI of the lists in Redis.

Knows none of the documents: whoever makes them is given.
"""

from __future__ import annotations

from collections.abc import Callable

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from ..log import Logger
from .answering import answer_json, no_such_route
from .described import described

log = Logger()

OPENAPI, BACKEND, ASYNCAPI = "openapi", "backend", "asyncapi"
"""The names of the documents."""


class ContractApi:
    """The routes. ``document`` returns a document's JSON by its name."""

    app = Klein()
    app.url_map.merge_slashes = False
    prefixes: tuple[bytes, ...] = (b"/api/openapi.json", b"/api/backend.json", b"/api/asyncapi.json")

    def __init__(self, document: Callable[[str], Deferred[bytes]]) -> None:
        self._document = document

    @app.handle_errors(HTTPException)
    def unknown(self, request: IRequest, failure: Failure) -> bytes:
        """A route or a method that there is not."""
        return no_such_route(request, failure)

    @app.route("/api/openapi.json", methods=["GET"])
    @described({200: None})
    def openapi(self, request: IRequest) -> Deferred[bytes]:
        """This document: the routes of operators' HTTP, in OpenAPI 3.1."""
        return self._answer(request, OPENAPI)

    @app.route("/api/backend.json", methods=["GET"])
    @described({200: None})
    def backend(self, request: IRequest) -> Deferred[bytes]:
        """What the gateway asks of a backend, in OpenAPI 3.1: the server's side is the backend's."""
        return self._answer(request, BACKEND)

    @app.route("/api/asyncapi.json", methods=["GET"])
    @described({200: None})
    def asyncapi(self, request: IRequest) -> Deferred[bytes]:
        """The lists in Redis: events, commands, dead letters and replies, in AsyncAPI 3."""
        return self._answer(request, ASYNCAPI)

    def _answer(self, request: IRequest, name: str) -> Deferred[bytes]:
        request.setHeader("content-type", "application/json")

        def failed(failure: Failure) -> bytes:
            log.failure("the contract cannot be told: {name}", failure, name=name)
            return answer_json(request, 500, {"detail": "Internal error, see the log"})

        return self._document(name).addErrback(failed)
