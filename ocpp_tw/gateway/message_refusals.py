"""What a message that is not served comes to: its answer, and the event and the log line that tell of it, no more than somebody would read.

Knows neither why it is refused nor how an event becomes durable. The answer is sent in any case.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
from twisted.internet.interfaces import IReactorTime

from ..concealed import id_concealed, id_told, mentioned, payload_concealed, text_concealed
from ..core import gateway_events
from ..core.entries import Entry
from ..core.event import Event, encode
from ..core.history import troubles
from ..core.rate_limit import Rate, RateLimit, RateLimits
from ..core.stamps import Stamps
from ..interfaces import IEvents
from ..log import Logger
from ..ocpp.conversation import Conversation
from ..ocpp.frames import MAX_HEARD, Call, Error, ResultError, Send, render
from ..ocpp.malformed import Malformed, TooMuch, UnknownType
from ..ocpp.payload_json import decode
from ..ocpp.schemas import Violation, told
from ..ocpp.signed import secrets_sent
from ..ocpp.version import Version
from ..repeated_secrets import hidden
from ..settings import Settings
from ..words import shown
from .counts import Counts

log = Logger()

MAX_ACTION = 50
"""Longest name of an action that is told of a message that is refused, in characters; OCPP's longest has half as many."""

RATE = Rate(100, 10 / 60)
"""Refused messages of one charger, over all of its connections, that are told; the next one that is told counts those that were left out."""


LOGGED = Rate(300, 2)
"""Lines about messages of all chargers together, refused ones and answers of no use; the next line counts those that were left out."""


class Charger(Protocol):
    """What has to be known of the charger."""

    id: str
    domain: str
    ocpp: str
    version: Version
    conversation: Conversation

    def send_answer(self, id_and_text: tuple[str | int, bytes]) -> None: ...


class MessageRefusals:
    """One for a gateway, which has ``counts``."""

    def __init__(self, settings: Settings, clock: IReactorTime, stamps: Stamps, store: IEvents, counts: Counts) -> None:
        self._counts = counts
        self._settings = settings
        self._clock = clock
        self._stamps = stamps
        self._events = store
        self._limits = RateLimits(RATE)
        self._logged = RateLimit(LOGGED, clock.seconds())

    def refuse(self, charger: Charger, call: Call | Send, rule: str, description: str, violations: list[Violation] | None = None) -> None:
        """Answer a CALLERROR, with the code for a rule."""
        code = charger.version.code(rule)
        answer = b"" if type(call) is Send else render(Error(call.id, code, description))
        data = gateway_events.MessageRefused(charger.id, code, description)
        self._tell(charger, data, (call.id, answer), description, call.action, call.id, call.raw, violations)

    def malformed(self, charger: Charger, malformed: Malformed) -> None:
        """Answer a text that is no frame, where that is owed an answer.

        A CALLERROR needs an id to answer to (OCPP-J 1.6 §4.2.3), which may be "-1" in 2.x (part 4 §4.2.3); 1.6 ignores unknown message types
        (§4.1.3), and an answer is never answered.
        """
        version, id, description = charger.version, malformed.owed, "not a CALL of the form [2, id, action, payload]"
        code, owed = version.code("syntax" if malformed.syntax else "structure"), True
        if isinstance(malformed, TooMuch):
            code, description = version.code("maxItems"), malformed.limit
        if isinstance(malformed, UnknownType):
            code, owed, description = version.unknown_type or code, bool(version.unknown_type), "message types are 2, 3 and 4"
        if id is None and version.answers_without_id and malformed.kind not in (3, 4, 5, 6):
            id, code, owed = "-1", "RpcFrameworkError", True
        answer = b"" if id is None or not owed else render(Error(id, code, description))
        piece = malformed.excerpt if self._settings.event_payload else None
        data = gateway_events.MessageRefused(charger.id, code, description, piece)
        action = None if malformed.action is None else text_concealed(malformed.action)[:MAX_ACTION]
        self._tell(charger, data, (id or "", answer), str(malformed), action, malformed.id)

    def result_error(self, charger: Charger, frame: ResultError) -> None:
        """2.1: the charger could not process a CALLRESULT of ours."""
        data = gateway_events.MessageRefused(
            charger.id, frame.code, f"our answer to {shown(id_concealed(frame.id))}: {shown(text_concealed(frame.description), MAX_HEARD)}"
        )
        self._tell(charger, data, None, "it could not process our answer")  # its own words may quote a value

    def warn(self, text: str, left_out: int, **fields: str) -> None:
        """Log a line about a message, unless there are too many about all chargers; ``left_out`` are those of this one charger that were."""
        others = self._logged.next(self._clock.seconds())
        if others is not None:
            log.warn(text, left_out=left_out, left_out_in_all=others, **fields)

    def _tell(
        self,
        charger: Charger,
        data: gateway_events.MessageRefused,
        answer: tuple[str | int, bytes] | None,
        why: str,
        action: str | None = None,
        id: str | int | None = None,
        raw: bytes = b"",
        violations: list[Violation] | None = None,
    ) -> None:
        left_out = self._limits.next(charger.id, self._clock.seconds())
        if left_out is None:
            return self._publish(charger, Entry(charger.id), answer)
        data.left_out = left_out
        secrets = [
            each for call in charger.conversation.unanswered for each in secrets_sent(call.action, call.payload)
        ]  # it may be an answer
        data.code, data.text = hidden(data.code, secrets), hidden(data.text, secrets)
        data.description, why = hidden(text_concealed(data.description), secrets), hidden(why, secrets)
        action = None if action is None else hidden(text_concealed(action), secrets)
        self.warn(
            "message of {charger} refused: {action}: {why}", left_out, charger=charger.id, action=shown(action or "?", MAX_ACTION), why=why
        )
        now = self._stamps.now()
        self._counts.events["message_refused"] += 1
        event = Event(
            "message_refused",
            charger.domain,
            data,
            self._stamps.id(),
            now,
            self._settings.name,
            charger.ocpp,
            action,
            None if id is None else hidden(id_told(id), secrets),
            msgspec.Raw(_told(raw)) if raw and self._settings.event_payload else None,
            None if violations is None else told(violations),
        )
        effects = troubles("message_refused", data, now, self._settings.name)
        return self._publish(charger, Entry(charger.id, encode(event), effects), answer)

    def _publish(self, charger: Charger, entry: Entry, answer: tuple[str | int, bytes] | None) -> None:
        """``answer``: None where the message was one itself."""
        if answer is None:
            self._events.publish(entry)
        else:
            self._events.publish(entry, charger.send_answer, answer)


def _told(raw: bytes) -> bytes:
    """The payload without its secrets, whatever action it is of: one that nobody knows may have any."""
    return payload_concealed(decode(raw), raw) if mentioned(raw) else raw
