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
    """The backend's answer on a start; a failure in place of each part that it did not give."""

    authorization: Authorization | BackendFailed
    transaction_id: int | BackendFailed | None


async def ask(backend: IBackend, query: StartQuery, verify: bool) -> StartAnswer:
    """Ask for its transaction, and with ``verify`` about its tag as well: both at once, so that the two take no longer than one.

    The tag must be looked up even when the charger has let it in already (OCPP 1.6 §4.8, E01.FR.11).
    """
    authorization = backend.authorize(query.tag, query.charger, query.evse, query.tag_type) if verify else succeed(Authorization())
    transaction = backend.transaction(query.tag, query.charger, query.conn, query.key)
    verified, id = await both(authorization, transaction, BackendFailed)
    if id is None and not (isinstance(verified, Authorization) and verified.status != "Accepted"):
        verified = Authorization("Invalid")  # a tag without a transaction; a refusal of the tag stands as it is
    return StartAnswer(verified, id)
