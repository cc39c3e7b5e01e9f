"""One request of operators' HTTP, as Twisted is to keep and to answer it.

Knows neither its connection nor why it is refused.
"""

from __future__ import annotations

from io import BytesIO

import msgspec
from twisted.web.server import Request

from ..core.security import Operator
from .guard import MAX_BODY, Head, Refusal


class BodyTooLong(Exception):
    """A body that did not say how long it is has become too long."""


class OperatorsRequest(Request):
    """A request whose body is in memory, or that is refused without one."""

    defaultContentType = b"application/json"
    refusal: Refusal | None = None
    operator = Operator()
    """Who asks."""
    head: Head | None = None
    """What was admitted."""

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()  # Twisted's would be a file, on a disk that may be full and with a descriptor that may be missing

    def handleContentChunk(self, data: bytes) -> None:
        assert self.content is not None
        if self.content.tell() + len(data) > MAX_BODY:
            raise BodyTooLong
        super().handleContentChunk(data)

    @property
    def body(self) -> bytes:
        """What has come of it."""
        return b"" if self.content is None else self.content.getvalue()

    def getRequestHostname(self) -> bytes:
        """A name that klein can make nothing wrong of: all names are the same to it, and `Guard` has looked at the real one."""
        return b"localhost"

    def process(self) -> None:
        self.setHeader(b"cache-control", b"no-store")  # unless who answers says otherwise
        self.setHeader(b"x-content-type-options", b"nosniff")
        if self.refusal is None:
            super().process()
            return
        self.setResponseCode(self.refusal.status)
        for name, value in self.refusal.headers:
            self.setHeader(name, value)
        body = msgspec.json.encode({"detail": self.refusal.detail}) + b"\n"
        self.setHeader(b"content-length", b"%d" % len(body))
        self.write(body)
        self.finish()
