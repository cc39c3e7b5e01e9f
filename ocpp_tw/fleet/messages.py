"""What gateways of a fleet say to each other about questions and feeds, and how it is encoded.

Knows neither how a message gets to another gateway nor what is asked. A gateway of another release may say what this one does not know.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

MAX_MESSAGE = 4 << 20
"""Longest message, in bytes: some 8,000 rows of a table. A longer answer is not sent: its gateway counts as one that has not answered."""

encode = msgspec.json.Encoder().encode


class Question(msgspec.Struct, tag_field="kind", tag="question", gc=False):
    """To all: answer within ``seconds``. ``sender`` is the address of the run of a gateway that asks."""

    id: str
    sender: str
    topic: str
    query: dict[str, Any]
    seconds: float


class Answer(msgspec.Struct, tag_field="kind", tag="answer", gc=False):
    """To whoever has asked; ``failed``: this gateway has no answer."""

    id: str
    gateway: str
    value: Any = None
    failed: bool = False


class Interest(msgspec.Struct, tag_field="kind", tag="interest", gc=False):
    """To all, and again as long as somebody follows: feed this follower."""

    id: str
    sender: str
    topic: str
    query: dict[str, Any]


class Disinterest(msgspec.Struct, tag_field="kind", tag="disinterest", gc=False):
    """To all: the follower is there no more."""

    id: str
    sender: str


class Items(msgspec.Struct, tag_field="kind", tag="items", gc=False):
    """To a follower; ``left_out`` is how many items before the last of these were too many."""

    id: str
    gateway: str
    items: list[Any]
    left_out: int = 0


Message: TypeAlias = Question | Answer | Interest | Disinterest | Items
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def decode(message: bytes) -> Message | None:
    """The message; None if it is none that is known here."""
    try:
        return _decoder.decode(message)
    except (ValueError, RecursionError):  # also msgspec's
        return None
