"""What the routes of operators' HTTP have in common: how a request is read, and what is answered when it cannot be served.

Knows no route.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from klein import Klein
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from ..core.security import Operator
from ..interfaces import StoreUnavailable, TooManyFollowers
from ..log import Logger
from ..waiting import deferred
from .answering import answer_json, no_such_route
from .streams import TooManyStreams

log = Logger()

T = TypeVar("T")
HttpAnswer = bytes | Deferred[bytes]


class Refused(Exception):
    """A request that is invalid or cannot be served now; the HTTP status and the text are sent in the answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def klein_app() -> Klein:
    """The routes of one class, as its attribute ``app``; what there is none for is answered in JSON."""
    app = Klein()
    app.url_map.merge_slashes = False  # or klein redirects, as it does for a missing slash at the end

    @app.handle_errors(HTTPException)
    def unknown(self: Any, request: IRequest, failure: Failure) -> bytes:
        """A route or a method that there is not."""
        return no_such_route(request, failure)

    return app


def run(request: IRequest, answer: Awaitable[T]) -> Deferred[T | bytes]:
    """The answer, later; cancelled when the client disconnects. `Refused` is an answer as well, and what fails is logged and answered 500."""
    pending = deferred(answer)
    request.notifyFinish().addErrback(lambda _: pending.cancel())  # type: ignore[attr-defined]

    def failed(failure: Any) -> bytes:
        if failure.check(Refused):
            return answer_json(request, failure.value.status, {"detail": str(failure.value)})
        if failure.check(TooManyStreams, TooManyFollowers):
            request.setHeader("retry-after", "5")
            return answer_json(request, 503, {"detail": str(failure.value)})
        if failure.check(CancelledError) is None:
            log.failure("operator request failed", failure)
        return answer_json(request, 500, {"detail": "Internal error, see the log"})

    return pending.addErrback(failed)


def operator_of(request: IRequest) -> Operator:
    """Who asks."""
    operator: Operator = request.operator  # type: ignore[attr-defined]
    return operator


def body_of(request: IRequest) -> bytes:
    """The request's body."""
    body: bytes = request.content.read()
    return body


async def from_store(awaitable: Awaitable[T]) -> T:
    """What depends on the store, which may be away at the moment: then the answer is 503."""
    try:
        return await awaitable
    except (TimeoutError, StoreUnavailable):
        raise Refused(503, "Redis does not answer at the moment: try again") from None
