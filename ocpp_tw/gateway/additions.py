"""What the backend adds to the gateway's own answers to Authorize and to the messages of transactions, where `--backend-actions` names them.

Knows no HTTP: it is the handlers' `other` that asks. Without an answer, or with one that breaks the schema, the gateway's own stands.
"""

from __future__ import annotations

import operator
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..complaints import Complaints
from ..facts import Answer, Authorization, Fact, Other, Start
from ..interfaces import IHandlers, Maybe
from ..log import Logger
from ..ocpp.actions import OWN_ANSWERS
from ..ocpp.common import STATUS_BY_CERTIFICATE
from ..ocpp.frames import Payload
from ..settings import Settings
from ..waiting import in_time
from .charger import Charger

log = Logger()

V = TypeVar("V")

ADDED_IN_TIME = 20.0
"""Seconds that the handlers have for it, beside the verdict; it is less than `ocpp_tw.gateway.incoming.HANDLER_TIMEOUT`."""

NOTHING_ADDED: Payload = {}

TOKEN_INFO = ("idTokenInfo", "idTagInfo")
"""The member about the tag, in 2.x and in 1.6: it is in an answer only if the gateway's own has it."""

STATUSES = frozenset(
    ["Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid", "NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime", "Unknown"]
)  # fmt: skip


class Additions:
    """One for a gateway. ``actions`` are those that the backend is asked about."""

    def __init__(self, settings: Settings, handlers: IHandlers, clock: IReactorTime) -> None:
        self.actions = OWN_ANSWERS.intersection(settings.backend_actions)
        self._handlers = handlers
        self._clock = clock
        self.complaints = Complaints(clock.seconds)

    def ask(self, charger: Charger, action: str, payload: Payload) -> Deferred[Payload]:
        """The members that the backend adds to the answer; never fails."""
        return Deferred.fromCoroutine(self._ask(charger, action, payload))

    async def _ask(self, charger: Charger, action: str, payload: Payload) -> Payload:
        try:
            answer: Maybe[Answer] = self._handlers.other(charger, Other(action, payload))
            if not isinstance(answer, Answer):
                answer = await in_time(answer, ADDED_IN_TIME, self._clock)
            return answer.members
        except Exception:
            log.failure("additions to the answer to {action} of {charger} failed", action=action, charger=charger.id)
            return {}


def decided(charger: Charger, action: str, fact: Fact, verdict: V, members: Payload) -> V:
    """The verdict with the tag's status that the backend says, so that event and answer say the same; a bad certificate decides it.

    Without an idToken in the message there is no status in the answer, and so none to decide.
    """
    own = charger.version.translations[action].answer(fact, verdict, "") if members else NOTHING_ADDED
    return _with_status(verdict, members) if any(name in own for name in TOKEN_INFO) else verdict


def _with_status(verdict: V, members: Payload) -> V:
    info: Payload = next((members[name] for name in TOKEN_INFO if isinstance(members.get(name), dict)), {})
    status = STATUS_BY_CERTIFICATE.get(str(members.get("certificateStatus")), info.get("status"))
    if not isinstance(status, str) or status not in STATUSES:
        return verdict
    if isinstance(verdict, Start):
        return msgspec.structs.replace(verdict, authorization=_with_status(verdict.authorization, members))
    return msgspec.structs.replace(verdict, status=status) if isinstance(verdict, Authorization) else verdict


def answer_to(charger: Charger, action: str, fact: Fact, verdict: Any, members: Payload, now: str, complaints: Complaints) -> Payload:
    """The answer to a CALL, with what the backend adds, or says in the place of the gateway; without that if it breaks the schema."""
    # what is meant for a SEND may come as a CALL all the same; OCPP has no answer to it, and so only the empty one is valid
    translation, valid = charger.version.translations[action], charger.version.schemas.valid_answer.get(action, operator.not_)
    answer = translation.answer(fact, verdict, now)
    if type(verdict) is Answer and verdict.members and not valid(answer):
        complaints.warn("backend's answer to {action} of {charger} violates its schema and is left out", action=action, charger=charger.id)
        return translation.answer(fact, Answer(), now)
    if members and not valid(more := _added(answer, members)):
        complaints.warn(
            "backend's additions to {action} of {charger} violate its schema and are left out", action=action, charger=charger.id
        )
        return answer
    return more if members else answer


def _added(own: Payload, members: Payload) -> Payload:
    """Those about the tag stand beside the gateway's own, of which the status stays (see `decided`); the transaction's id stays as well."""
    answer = own | {name: value for name, value in members.items() if name not in (*TOKEN_INFO, "transactionId")}
    for name in TOKEN_INFO:
        if name in own and isinstance(members.get(name), dict):
            answer[name] = own[name] | members[name] | {"status": own[name]["status"]}
    return answer
