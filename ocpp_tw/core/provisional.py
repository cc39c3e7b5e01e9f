"""What the backend is asked about one start: the same question, under the same key, whenever and by whomever it is asked.

Knows neither policy nor connections. A start that cannot be asked about now is kept as it is and asked about later (`ocpp_tw.gateway.reconcile`).
"""

from __future__ import annotations

import hashlib

import msgspec
from twisted.internet.defer import succeed

from ..backend.http import BackendFailed
from ..facts import Authorisation, Started
from ..interfaces import IBackend
from ..waiting import both


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """``conn`` is where it starts, ``asked`` the EVSE that the tag was presented at (None: the message names none), ``kind`` the tag's type."""

    charger: str
    tag: str
    conn: int
    key: str
    asked: int | None = None
    kind: str = ""

    @classmethod
    def of(cls, charger: str, start: Started) -> Question | None:
        """The question; None when there is nobody to ask about.

        In 2.x a transaction may begin before anybody presents a tag, or with a button (C02.FR.02).
        """
        step = start.step
        kind = step.kind if step else ""
        if kind == "NoAuthorization" or (start.transaction_id is not None and not start.tag):
            return None
        return cls(charger, start.tag, start.conn, key(charger, start), step.conn if step else start.conn, kind)


class Said(msgspec.Struct, frozen=True):
    """What the backend says of a start; the failure in the place of what it does not say."""

    authorisation: Authorisation | BackendFailed
    id: int | BackendFailed | None


def key(charger: str, start: Started) -> str:
    """What the same start has wherever it is told again: of a charger's own id in 2.x, else of what tells starts apart in 1.6."""
    told = [start.transaction_id] if start.transaction_id is not None else [start.conn, start.tag, start.timestamp, start.meter_start]
    return hashlib.sha256(msgspec.json.encode([charger, *told])).hexdigest()[:32]


async def ask(backend: IBackend, question: Question, verify: bool) -> Said:
    """Ask for its transaction, and with ``verify`` about its tag as well: both at once, so that it takes no longer than one of them.

    The tag must be looked up even when the charger has let it in already (OCPP 1.6 §4.8, E01.FR.11).
    """
    known = backend.authorise(question.tag, question.charger, question.asked, question.kind) if verify else succeed(Authorisation())
    asked = backend.transaction(question.tag, question.charger, question.conn, question.key)
    authorisation, id = await both(known, asked, BackendFailed)
    if id is None and not (isinstance(authorisation, Authorisation) and authorisation.status != "Accepted"):
        authorisation = Authorisation("Invalid")  # a tag without a transaction; anything worse that was said of it stands
    return Said(authorisation, id)
