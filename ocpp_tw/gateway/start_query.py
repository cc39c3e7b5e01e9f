"""Asks the backend about one start: for its transaction, and about its tag.

Knows neither policy nor connections.
"""

from __future__ import annotations

import msgspec
from twisted.internet.defer import succeed

from ..core.provisional import StartQuery
from ..facts import Authorization
from ..interfaces import BackendFailed, IBackend
from ..waiting import both


class StartAnswer(msgspec.Struct, frozen=True):
    """What the backend says of a start; the failure in the place of what it does not say."""

    authorization: Authorization | BackendFailed
    transaction_id: int | BackendFailed | None


async def ask(backend: IBackend, question: StartQuery, verify: bool) -> StartAnswer:
    """Ask for its transaction, and with ``verify`` about its tag as well: both at once, so that it takes no longer than one of them.

    The tag must be looked up even when the charger has let it in already (OCPP 1.6 §4.8, E01.FR.11).
    """
    known = backend.authorize(question.tag, question.charger, question.evse, question.tag_type) if verify else succeed(Authorization())
    asked = backend.transaction(question.tag, question.charger, question.conn, question.key)
    authorization, id = await both(known, asked, BackendFailed)
    if id is None and not (isinstance(authorization, Authorization) and authorization.status != "Accepted"):
        authorization = Authorization("Invalid")  # a tag without a transaction; anything worse that was said of it stands
    return StartAnswer(authorization, id)
