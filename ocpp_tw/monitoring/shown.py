"""Frames and events as they are shown to operators: as JSON, without secrets, and without tags if that is asked for.

Knows neither the tap nor who asks.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..concealed import HIDDEN, concealed, id_told, piece_concealed
from ..interfaces import IN
from ..ocpp.signed import SUFFIX, secrets_sent, signed_payload
from ..repeated_secrets import MOST, hidden
from .tags import tags_blanked, violations_blanked
from .tap import Frame

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6

MAX_PAIRED = 2000
"""Most CALLs whose answers are waited for; the oldest are forgotten."""

MAX_SHOWN = 128 << 10
"""Longest frame that is shown as a whole, in bytes."""

MAX_TEXT = 1000
"""Longest piece that is shown of a longer one, or of a text that is no frame, in characters."""

_decode = msgspec.json.Decoder().decode


class FrameView:
    """Shows frames in the order in which they were recorded, since an answer is shown by what its CALL was: it may repeat a secret, and it
    has no action of its own. ``blank``: without tags.
    """

    def __init__(self, gateway: str, *, blank: bool = False) -> None:
        self._gateway = gateway
        self._blank = blank
        self._calls: OrderedDict[tuple[str, int, str], tuple[str, list[str]]] = OrderedDict()

    def read(self, record: Frame) -> tuple[list[Any] | None, str, list[str]]:
        """The frame (None if it is none), its action or that of the CALL that it answers ("" if that is not known), and the secrets that it
        may have repeated. To be called once for each record, in their order.
        """
        _, charger, direction, text = record
        try:
            frame = _decode(text) if len(text) <= MAX_SHOWN else None
        except (ValueError, RecursionError):  # also msgspec's
            frame = None
        if not isinstance(frame, list) or len(frame) < 3 or not isinstance(frame[1], str | int):
            return None, "", self._secrets_of(charger)
        kind, id = frame[0], str(frame[1])
        if kind in (CALL, SEND) and len(frame) > 3:
            action, payload = str(frame[2]), frame[3]
            secrets = secrets_sent(action, payload)
            if kind == CALL:
                self._calls[charger, direction, id] = (action, secrets)
                if len(self._calls) > MAX_PAIRED:
                    self._calls.popitem(last=False)
            return frame, action, secrets
        other = 1 - direction if kind in (RESULT, ERROR) else direction
        known = self._calls.get((charger, other, id))
        return (frame, "", self._secrets_of(charger)) if known is None else (frame, *known)

    def _secrets_of(self, charger: str) -> list[str]:
        """Those of all CALLs that are remembered: nobody knows which of them is answered by what is no frame, or has another's id."""
        return [each for (of, _, _), (_, secrets) in self._calls.items() if secrets and of == charger for each in secrets][:MOST]

    def rendered(self, record: Frame, frame: list[Any] | None, action: str, secrets: list[str]) -> dict[str, Any]:
        """What has been read of the record, as JSON."""
        shown: dict[str, Any] = {"time": moment(record[0]), "charger": record[1], "direction": "in" if record[2] == IN else "out"}
        shown["frame"] = None if frame is None else self._told(frame, action, secrets)
        shown["action"] = action or None
        shown["gateway"] = self._gateway
        if frame is None:
            text = record[3][: 4 * MAX_TEXT].decode(errors="replace")[:MAX_TEXT]
            shown["text"] = HIDDEN if self._blank else piece_concealed(hidden(text, secrets))
            shown["length"] = len(record[3])
        return shown

    def _told(self, frame: list[Any], action: str, secrets: list[str]) -> list[Any]:
        kind = frame[0]
        if kind in (CALL, SEND) and str(frame[2]).endswith(SUFFIX) and isinstance(frame[3], dict):
            inside = signed_payload(frame[3].get("payload"))
            if inside is not None and (concealed(inside) is not inside or (self._blank and tags_blanked(inside) != inside)):
                frame = [*frame[:3], {**frame[3], "payload": HIDDEN}, *frame[4:]]
        own = frame[2:3] if kind in (CALL, SEND) else []  # the action
        told = [*concealed(own), *hidden(concealed(frame[2 + len(own) :]), secrets)]
        id = frame[1] if action else hidden(frame[1], secrets)  # the id of a CALL that is known is no secret's, though a PIN may be in it
        return [frame[0], _id_told(id), *(tags_blanked(told) if self._blank else told)]


def _id_told(id: str | int) -> str | int:
    return id_told(id) if isinstance(id, str) else id


def event_shown(event: bytes, number: int | None, *, blank: bool = False) -> dict[str, Any]:
    """An event as JSON, with its number if that is known."""
    told: dict[str, Any] = _decode(event)
    told["seq"] = number
    if not blank:
        return told
    if told["event"] == "message_refused" and told["data"].get("text"):
        told["data"]["text"] = HIDDEN  # what could not be read may have been anything
    blanked: dict[str, Any] = tags_blanked(told)
    for before, after in ((told, blanked), (told["data"], blanked["data"])):
        if before.get("violations"):
            after["violations"] = violations_blanked(before["violations"])
    return blanked


def moment(time: float) -> str:
    """Unix time as ISO 8601 in UTC, with microseconds."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
