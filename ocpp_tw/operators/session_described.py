"""What `ocpp_tw.operators.session_resource` takes and answers, for OpenAPI: beside it, since the front of several workers, which has it, is to
stay small, without klein.

Knows no session.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from .described import Description, Documented, Header
from .roles import SESSION


class SessionAnswer(TypedDict):
    """Who asks."""

    name: str
    """the name of the token; "" if it has none, or none is required"""
    role: Literal["metrics", "read", "command", "admin"]
    """what it may be used for"""
    login: bool
    """whether a token is required at all"""


class SessionEnd(TypedDict):
    """There is no session any more."""


def session_routes() -> list[Documented]:
    """Those of `SessionResource`."""
    path, answer = SESSION.decode(), {200: SessionAnswer}
    begin = "Begin a session with the token of the header Authorization: 200 with a cookie that is good in its place."
    end = "End the session of the cookie, and what streams it has opened."
    begun = {"Set-Cookie": Header("the session's cookie; none where no token is required")}
    ended = {"Set-Cookie": Header("makes the browser forget the cookie; there are two, of the one over TLS and of the other", always=True)}
    return [
        Documented("GET", path, "session", "Tell who asks, and what that one may do.", Description(answer)),
        Documented("POST", path, "begin_session", begin, Description(answer, headers=begun)),
        Documented("DELETE", path, "end_session", end, Description({200: SessionEnd}, headers=ended)),
    ]
