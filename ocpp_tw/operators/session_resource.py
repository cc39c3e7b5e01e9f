"""Logging in and out with a browser: `/api/session` exchanges a token for a cookie.

Knows neither pages nor chargers. The token comes in the header Authorization, as in any request, so that `Guard` limits who tries several before anything of
the request is read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.web.resource import Resource

from .guard import Guard
from .request import OperatorsRequest


class SessionResource(Resource):
    """GET: who asks, and what that one may do. POST: the same, and a cookie. DELETE: ends the session."""

    isLeaf = True

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def render(self, request: OperatorsRequest) -> Any:
        """Serve it, unless it has parameters, of which there are none."""
        unknown = next(iter(request.args or {}), None)
        if unknown is None:
            return super().render(request)
        request.setResponseCode(400)
        return msgspec.json.encode({"detail": f"There is no parameter {unknown.decode(errors='replace')!r} here: there are none"}) + b"\n"

    def render_GET(self, request: OperatorsRequest) -> bytes:
        token = self._guard.token(request.requestHeaders)
        role = token.role.name if token else "admin"
        request.setHeader(b"cache-control", b"no-store")
        return msgspec.json.encode({"name": request.operator.name, "role": role, "login": self._guard.required}) + b"\n"

    def render_POST(self, request: OperatorsRequest) -> bytes:
        token = self._guard.token(request.requestHeaders)
        if token:
            request.responseHeaders.addRawHeader(b"set-cookie", self._guard.session(token, request.requestHeaders))
        return self.render_GET(request)

    def render_DELETE(self, request: OperatorsRequest) -> bytes:
        for header in self._guard.sessions.close(request.getHeader(b"cookie") or b""):
            request.responseHeaders.addRawHeader(b"set-cookie", header)
        return b"{}\n"
