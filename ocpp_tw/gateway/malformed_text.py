"""What a text that is no OCPP-J frame comes to: the event that tells of it, and the CALLERROR that it is owed.

Knows neither connections nor how an event becomes durable.
"""

from __future__ import annotations

from typing import Protocol

from ..core import gateway_events
from ..core.entries import Entry
from ..core.event import Event, encode
from ..core.stamps import Stamps
from ..ocpp.frames import Error, render
from ..ocpp.malformed import Malformed, UnknownType
from ..ocpp.version import Version
from ..settings import Settings

MAX_ACTION = 50
"""Longest name of an action that is told of a text that is no frame, in characters; OCPP's longest has half as many."""


class Charger(Protocol):
    """What has to be known of the charger."""

    id: str
    domain: str
    ocpp: str
    version: Version


def refused_text(charger: Charger, malformed: Malformed, stamps: Stamps, settings: Settings) -> tuple[Entry, tuple[str | int, bytes]]:
    """The entry with the `message_refused`, and the id and text of the answer, which is empty for a text that is owed none.

    A CALLERROR needs an id to answer to (OCPP-J 1.6 §4.2.3), which may be "-1" in 2.x (part 4 §4.2.3); 1.6 ignores unknown message types
    (§4.1.3), and an answer is never answered.
    """
    version, id, description = charger.version, malformed.owed, "not a CALL of the form [2, id, action, payload]"
    code, owed = version.code("syntax" if malformed.syntax else "structure"), True
    if isinstance(malformed, UnknownType):
        code, owed, description = version.unknown_type or code, bool(version.unknown_type), "message types are 2, 3 and 4"
    if id is None and version.answers_without_id and malformed.kind not in (3, 4, 5, 6):
        id, code, owed = "-1", "RpcFrameworkError", True
    piece = malformed.excerpt if settings.event_payload else None
    event = Event(
        "message_refused",
        charger.domain,
        gateway_events.MessageRefused(charger.id, code, description, piece),
        stamps.id(),
        stamps.now(),
        settings.name,
        charger.ocpp,
        None if malformed.action is None else malformed.action[:MAX_ACTION],
        None if malformed.id is None else str(malformed.id),
    )
    answer = b"" if id is None or not owed else render(Error(id, code, description))
    return Entry(charger.id, encode(event)), (id or "", answer)
