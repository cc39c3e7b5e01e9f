"""A start that was decided without the backend: what the backend is to be asked about it, and how it is kept until it can be.

Knows neither policy nor connections. The same start is the same query under the same key, however often and by whomever it is asked;
`ocpp_tw.gateway.reconcile` asks about those that are kept.
"""

from __future__ import annotations

import hashlib

import msgspec

from ..facts import Start, Started
from ..settings import Settings
from .entries import Effect, Put

TABLE = "provisional"
"""The gateway's table of starts to be reconciled: key of the query -> JSON of `Provisional`."""


class StartQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """``conn`` is where it starts, ``evse`` the EVSE the tag was presented at (None: the message names none), ``tag_type`` its type in 2.x."""

    charger: str
    tag: str
    conn: int
    key: str
    evse: int | None = msgspec.field(name="asked", default=None)  # both as they are spelled in records written earlier
    tag_type: str = msgspec.field(name="kind", default="")

    @classmethod
    def of(cls, charger: str, start: Started) -> StartQuery | None:
        """The query; None when there is nobody to ask about.

        In 2.x a transaction may begin before anybody presents a tag, or with a button (C02.FR.02).
        """
        info = start.event_info
        tag_type = info.tag_type if info else ""
        if tag_type == "NoAuthorization" or (start.transaction_id is not None and not start.tag):
            return None
        return cls(charger, start.tag, start.conn, start_key(charger, start), info.conn if info else start.conn, tag_type)


class Provisional(msgspec.Struct, frozen=True, omit_defaults=True):
    """A provisional start that is kept; ``since`` is Unix time and gives the order."""

    query: StartQuery = msgspec.field(name="question")  # as in records written earlier
    transaction_id: int | str
    domain: str
    ocpp: str
    since: float


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Provisional).decode


def start_key(charger: str, start: Started) -> str:
    """Equal for every repeat of a start: made of the charger's own id and the time in 2.x (a charger that has lost its memory may use
    an id again), else of what tells starts apart in 1.6."""
    parts = (
        [start.transaction_id, start.timestamp]
        if start.transaction_id is not None
        else [start.conn, start.tag, start.timestamp, start.meter_start]
    )
    return hashlib.sha256(msgspec.json.encode([charger, *parts])).hexdigest()[:32]


def keep_provisional(
    settings: Settings, charger: str, domain: str, ocpp: str, fact: Started, verdict: Start, now: float
) -> tuple[Effect, ...]:
    """The effects that keep a provisional start at Unix time ``now``; none for one that was denied, or with no backend to ask."""
    query = StartQuery.of(charger, fact)
    id = verdict.transaction_id if fact.transaction_id is None else fact.transaction_id
    if not settings.base_url or query is None or id is None or verdict.authorization.status != "Accepted":
        return ()
    return (Put(TABLE, query.key, encode(Provisional(query, id, domain, ocpp, now)), owner=settings.name),)
