"""What a token may be used for: the roles, and which one each route of operators' HTTP needs.

Knows neither tokens nor what the routes do.
"""

from __future__ import annotations

from enum import IntEnum

HEALTH = (b"/healthz", b"/readyz")
"""Paths that are served to everybody."""

COMMANDS = (b"/command", b"/command/")


class Role(IntEnum):
    """Each may do what those before it may."""

    read = 1
    command = 2
    admin = 3


def needed(method: bytes, path: bytes) -> Role:
    """The role that a request needs, by its path as it was sent: what is not known here needs the most, a route that is new or spelled oddly."""
    if method in (b"GET", b"HEAD"):
        return Role.read
    return Role.command if method == b"POST" and path in COMMANDS else Role.admin
