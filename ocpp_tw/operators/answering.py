"""How operators' HTTP answers: JSON, also about what there is not.

Knows no route.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import NotFound
from werkzeug.routing import RequestRedirect


def answer_json(request: IRequest, status: int, body: Any) -> bytes:
    """The body of the answer; status and content type are set."""
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json")
    return msgspec.json.encode(body) + b"\n"


def no_such_route(request: IRequest, failure: Failure) -> bytes:
    """The answer about a route or a method that there is not; klein's would be a page of HTML."""
    why: Any = NotFound() if failure.check(RequestRedirect) else failure.value
    for name, value in why.get_headers():
        if name == "Allow":
            request.setHeader(name, value)
    return answer_json(request, why.code or 500, {"detail": why.name})
