"""What `ocpp_tw.operators.session_resource` takes and answers, for OpenAPI: beside it, since the front of several workers, which has it, is to
stay small, without klein.

Knows no session.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from .described import Description, Documented
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
    path, answer = SESSION.decode(), Description({200: SessionAnswer})
    begin = "Begin a session with the token of the header Authorization: 200 with a cookie that is good in its place."
    return [
        Documented("GET", path, "session", "Tell who asks, and what that one may do.", answer),
        Documented("POST", path, "begin_session", begin, answer),
        Documented(
            "DELETE", path, "end_session", "End the session of the cookie, and what streams it has opened.", Description({200: SessionEnd})
        ),
    ]
