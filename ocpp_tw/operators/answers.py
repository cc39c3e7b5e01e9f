"""The JSON that operators' HTTP answers, as far as it is made here (docs/contract.md). Field names are part of the contract.

Knows neither routes nor where the values come from.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

from ..core.commands import OUTCOMES
from ..core.event import one_of
from ..gateway.decisions import RegisteredCharger
from ..gateway.last_refusals import LastRefusal
from ..monitoring.told import OfCharger, Spool
from .described import Refusal

PAGE, MAX_PAGE = 100, 1000
"""Chargers in a page of the list of registered ones: by default, and at most, since Redis does nothing else meanwhile."""


class LastRefused(TypedDict):
    """Why a charger was not let in."""

    last_refusal: LastRefusal | None
    """its last handshake that this gateway refused; null when none is remembered"""


class UnknownCharger(Refusal):
    """A charger that is not connected to this gateway, and of which nothing is stored."""

    last_refusal: NotRequired[LastRefusal]
    """its last handshake that this gateway refused, if one is remembered"""


class PageQuery(msgspec.Struct, frozen=True):
    """Which page of the list of registered chargers."""

    after: str = ""
    """`next` of the page before"""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = PAGE
    """at most so many chargers"""


class RegisteredPage(TypedDict):
    """A page of the chargers that operators have decided about."""

    chargers: list[RegisteredCharger]
    """the chargers, in the order of their identities' bytes"""
    next: str | None
    """what to give as `after` for those behind them; null at the end"""


class KeyId(TypedDict):
    """Which key the fleet's passwords are stored under from now on."""

    id: str
    """the id of this gateway's key"""


class Shown(TypedDict):
    """What is shown once."""

    password: NotRequired[str | bool]
    """the password that was made, where `generate` was asked for; otherwise whether there is one"""


class Ordered(OfCharger):
    """What came of a command that the gateway has made."""

    status: str | None
    """the status of the charger's answer"""
    command: str
    """the id of its `command_result`"""


class CommandRefusal(TypedDict):
    """Why a command has no result."""

    detail: str
    """the reason, in words"""
    outcome: NotRequired[Annotated[str, one_of(OUTCOMES)]]
    """the outcome; left out where it is not known yet, and for what is no command"""
    error: NotRequired[dict[str, Any] | None]
    """code, description, details"""
    id: NotRequired[str]
    """the command's id"""


class Health(TypedDict):
    """The process works."""

    status: Literal["ok"]
    """that it does"""
    chargers: int
    """how many are connected"""
    workers: NotRequired[dict[str, int]]
    """only with `--workers`: how many are connected to each"""


class Readiness(TypedDict):
    """Whether events can be made durable."""

    ready: bool
    """whether they can, and the gateway is not stopping"""
    redis: bool
    """whether Redis takes events"""
    unread: int | None
    """how many events wait in Redis for the backend; null when that is not known"""
    spool: Spool | None
    """what waits on disk; null without a spool"""
    stopping: bool
    """whether the gateway is stopping"""
    credentials_key: Literal["missing", "wrong"] | None
    """whether this gateway lacks the key that the fleet's passwords are stored under: missing, it has none; wrong, it has another"""
    open: list[str]
    """what anybody may do who reaches the gateway, and nobody has asked for by name"""
    workers: NotRequired[dict[str, bool]]
    """only with `--workers`: whether each is ready"""
