"""What a token may be used for: the roles, and which one each route of operators' HTTP needs.

Knows neither tokens nor what the routes do; of a command no more than its name.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

HEALTH = (b"/healthz", b"/readyz")
"""Paths that are served to everybody."""

METRICS = b"/metrics"
"""The path that a token is good for which whatever watches the gateway has: it shows no charger."""

PAGES = b"/pages/"
"""What paths of pages begin with, but for `/`."""

SESSION = b"/api/session"
"""Where a token is exchanged for a cookie."""

COMMANDS = (b"/command", b"/command/", b"/api/commands", b"/api/batches")

CREDENTIAL_COMMANDS = frozenset({"rotate_password", "set_security_profile"})
"""Commands that change what a charger comes in with: as much as an operator's decision, by whichever path they are sent."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""As `ocpp_tw.core.commands` reads them: of two with one name the last counts, to both."""

_decode = msgspec.json.Decoder().decode


class Role(IntEnum):
    """Each may do what those before it may."""

    metrics = 0
    read = 1
    command = 2
    admin = 3


def needed(method: bytes, path: bytes) -> Role:
    """The role that a request needs, by its path as it was sent: what is not known here needs the most, a route that is new or spelled oddly."""
    if method in (b"GET", b"HEAD"):
        return Role.metrics if path == METRICS else Role.read
    if path == SESSION and method in (b"POST", b"DELETE"):
        return Role.read
    return Role.command if method == b"POST" and path in COMMANDS else Role.admin


def needed_for(path: bytes, body: bytes) -> tuple[Role, str]:
    """The role that a POST needs that `needed` has let pass, now that its body is there, and the command it is about."""
    if path not in COMMANDS:
        return Role.read, ""
    try:
        name = _decode(_members(body).get("command", b"null"))
    except (ValueError, RecursionError):  # it is no command, which whoever is to run it says
        return Role.command, ""
    if isinstance(name, dict):  # of a batch
        name = name.get("command")
    return (Role.admin, name) if isinstance(name, str) and name in CREDENTIAL_COMMANDS else (Role.command, "")


def of_a_page(method: bytes, path: bytes) -> bool:
    """Whether that is a file of the pages, which are the same for everybody and have no secrets: they ask for a token themselves."""
    return method in (b"GET", b"HEAD") and (path == b"/" or path.startswith(PAGES))
