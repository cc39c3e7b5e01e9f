"""What the gateway asks of a backend, and what that replies: paths, queries and bodies (docs/contract.md, section 3).

Knows neither how it is asked nor what becomes of a reply.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

from ..core.event import one_of

REFUSALS = (
    *("Blocked", "ConcurrentTx", "Expired", "Invalid"),
    *("NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime", "Unknown"),  # of 2.x; a version without them answers Invalid
)

MAX_PARENT_TAG_16, MAX_PARENT_TAG = 20, 36
"""Longest parent tag, in characters: an IdToken of OCPP 1.6 (§7.28), an idToken of 2.0.1. A reply with a longer one is invalid."""


TRANSACTION = "/api/transaction/tag/{tag}/"
AUTHORIZE = "/api/authorize/tag/{tag}/"
ADMISSION = "/api/charger/{charger}/"
ANSWER = "/api/ocpp/{action}/"
"""The paths, below the backend's address."""


class StartQuery(TypedDict):
    """What is said of a start."""

    charger: str
    """the charger's identity"""
    connector: int
    """the connector, in 2.x the EVSE"""


class AuthorizeQuery(TypedDict):
    """What is said of a tag that is presented."""

    charger: str
    """the charger's identity"""
    connector: NotRequired[int]
    """the connector, in 2.x the EVSE; left out where it is not known"""
    type: NotRequired[str]
    """2.x only: the type of the tag, e.g. ISO14443"""


class Question(msgspec.Struct):
    """A message of a charger's that the backend is to answer."""

    charger: str
    """the charger's identity"""
    ocpp: str
    """the OCPP version of the connection"""
    action: str
    """the OCPP action"""
    payload: msgspec.Raw
    """its request as it was sent"""


class Reply(msgspec.Struct):
    """The envelope of a reply on a tag."""

    status: bool
    """whether the tag may"""
    data: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    """more about it"""


class TransactionData(msgspec.Struct):
    """``data`` of a reply on a transaction; some backends send the id as text."""

    id: int | str
    """the transaction's id, from 1 to 2147483647; never assigned twice"""


class RefusalData(msgspec.Struct):
    """``data`` of a refusal."""

    status: Annotated[str, one_of(("Accepted", *REFUSALS))]
    """the authorization status; beyond those of 1.6 it is told to chargers of 2.x only"""


class AuthorizationData(RefusalData):
    """``data`` of an authorization, accepted or not."""

    expiry_date: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """until when it counts"""
    parent_tag: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_PARENT_TAG)] | None = None
    """the tag's group; of a tag of 1.6 at most 20 characters"""


class AdmissionReply(msgspec.Struct):
    """The reply on a charger."""

    verdict: Literal["accept", "pending", "refuse"]
    """whether it may connect; pending: it may, and its BootNotification is answered Pending"""
    security_profile: Annotated[int, msgspec.Meta(ge=0, le=3)] | None = None
    """the least security profile that it must have"""


class AnswerReply(msgspec.Struct):
    """The reply with an answer of the operator's own to a message."""

    payload: dict[str, Any]
    """the members to set in the charger's answer"""
