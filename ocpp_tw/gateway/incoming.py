"""Serves the CALLs that chargers send: read as a fact, decided, published as an event, and answered once that is durable.

Knows no transport and no database. Every message takes this path, so whatever can be done at once is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..concealed import UNSEEN, carries, concealed, id_told, payload_concealed, text_concealed
from ..core import gateway_events
from ..core.conclude import Conclusions
from ..core.conclusion import Conclusion
from ..core.entries import Entry
from ..core.event import Data, Event, encode
from ..core.stamps import Stamps
from ..facts import Fact, Other, Started, Stopped, Updated
from ..interfaces import IEvents
from ..log import Logger
from ..ocpp.frames import Call, Error, Frame, Payload, Result, ResultError, Send, render_result
from ..ocpp.malformed import Malformed
from ..ocpp.schemas import Violation, told
from ..ocpp.signed import secrets_sent, unwrapped
from ..repeated_secrets import hidden
from ..settings import Settings
from ..waiting import in_time
from ..words import shown
from .additions import NOTHING_ADDED, Additions, answer_to, decided
from .answer_times import AnswerTimes
from .charger import Charger
from .counts import OTHER
from .flow import Load
from .message_refusals import MessageRefusals
from .publisher import Publisher
from .reading import CallReader, Unreadable
from .verdicts import VERDICT_TYPES, ConnectionGone, NoVerdict, Verdicts

log = Logger()

HANDLER_TIMEOUT = 25.0
"""Seconds that a handler may take; chargers commonly give up after 30."""

NO_DATA = Data("")
OF_TRANSACTIONS = frozenset({Started, Updated, Stopped})

Message = Call | Send
"""A SEND is served as a CALL is, but never answered (2.1)."""


class IncomingCalls:
    """One for all chargers of a gateway. ``on_transaction`` is called with each fact about a transaction and its conclusion, while somebody
    is interested; ``observers`` with each fact of a type and its conclusion; ``on_late_response`` with each answer that came after its CALL had timed out. ``record`` is
    told of each frame: Unix time, charger, direction (`ocpp_tw.interfaces.IN`, `OUT`) and text; None for nobody. ``moment`` is the
    time of the latest, or that at which entries have become durable after it, and so of the answers that are sent then.
    """

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        stamps: Stamps,
        reader: CallReader,
        verdicts: Verdicts,
        conclusions: Conclusions,
        publisher: Publisher,
        store: IEvents,
        additions: Additions,
        refusals: MessageRefusals,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.publisher = publisher
        self.load = Load(store)
        self.unix = stamps.unix
        self.moment = 0.0
        self.record: Callable[[tuple[float, str, int, bytes]], None] | None = None
        self.answers = AnswerTimes(clock.seconds)
        self.on_transaction: Callable[[Charger, Any, Conclusion], None] | None = None
        self.on_late_response: Callable[[Charger, Call, Result | Error], None] = lambda charger, call, frame: None
        self.observers: dict[type[Fact], Callable[[Charger, Any, Conclusion], None]] = {}
        self._stamps = stamps
        self._reader = reader
        self._zoned = reader.has_zones
        self._verdicts = verdicts
        self._decide = verdicts.decide
        self._conclude = conclusions.of
        self._events = store
        self._additions = additions
        self._refusals = refusals
        self._received, self._told = publisher.counts.received, publisher.counts.events

    def serve(self, charger: Charger, call: Message) -> Deferred[None] | None:
        """Serve the CALL. None: it was, but for the durable event that the answer waits for; else it fires when it was, and never fails."""
        if self._events.overloaded:  # what is not acknowledged the charger keeps
            charger.close(1013, "events cannot be kept at the moment")
            return None
        version = charger.version
        translation = version.translations.get(call.action)
        if translation is None:
            call = unwrapped(version, call)
            translation = version.translations.get(call.action)
        if translation is None:
            known = call.action in version.schemas.actions
            self._received[call.action if known else OTHER] += 1
            if known:
                self._refusals.refuse(charger, call, "unsupported", f"{call.action} is not for chargers to send")
            else:
                self._refusals.refuse(
                    charger, call, "unknown", f"OCPP {version.name} has no action {shown(text_concealed(call.action), 50)}"
                )
            return None
        self._received[call.action] += 1
        if charger.registration_state.restricted and call.action != "BootNotification" and not charger.triggered(call):
            self._refusals.refuse(charger, call, "security", f"the charger's registration is {charger.registration}")
            return None
        if call.fact is not None and not self._zoned:
            return self._serve_fact(charger, call, call.fact, None)
        try:
            fact, violations = self._reader.read(charger, call, translation)
        except Unreadable as why:
            self._refusals.refuse(charger, call, why.rule, why.description, why.violations)
            return None
        return self._serve_fact(charger, call, fact, violations)

    def _serve_fact(self, charger: Charger, call: Message, fact: Fact, violations: list[Violation] | None) -> Deferred[None] | None:
        adding = self._additions.ask(charger, call.action, call.members) if call.action in self._additions.actions else None
        try:
            verdict = self._decide[type(fact)](charger, fact)
            if adding is None and type(verdict) in VERDICT_TYPES:
                self._finish(charger, call, fact, verdict, violations)
                return None
        except Exception:
            log.failure("{action} of {charger} failed", action=call.action, charger=charger.id)
            return Deferred.fromCoroutine(self._without_handler(charger, call, fact, violations))
        return Deferred.fromCoroutine(self._await_verdict(charger, call, fact, verdict, violations, adding))

    async def _await_verdict(
        self, charger: Charger, call: Message, fact: Fact, later: Any, violations: list[Violation] | None, adding: Deferred[Payload] | None
    ) -> None:
        """The handler returned something to await, or the backend is asked for additions to the answer."""
        try:
            verdict = later if type(later) in VERDICT_TYPES else await in_time(later, HANDLER_TIMEOUT, self.clock)
            if type(verdict) not in VERDICT_TYPES:
                raise TypeError(f"{type(verdict).__name__} is no verdict")
            members = NOTHING_ADDED if adding is None else await adding
            if _will_be_resent(charger, call, fact, at_once=adding is not None and not self._verdicts.deciding(charger)):
                return
            self._finish(charger, call, fact, decided(charger, call.action, fact, verdict, members), violations, members)
        except ConnectionGone:
            return
        except Exception:
            log.failure("{action} of {charger} failed", action=call.action, charger=charger.id)
            await self._without_handler(charger, call, fact, violations)
        finally:
            self._verdicts.concluded(charger)

    async def _without_handler(self, charger: Charger, call: Message, fact: Fact, violations: list[Violation] | None) -> None:
        """The handler has failed: what can be decided without it is, the rest is answered InternalError."""
        if _will_be_resent(charger, call, fact):
            return
        try:
            verdict: Any = self._verdicts.without_handler(charger, fact)
            if type(verdict) not in VERDICT_TYPES:
                verdict = await verdict  # an id that has to be leased first
            self._finish(charger, call, fact, verdict, violations)
        except Exception as why:
            if not isinstance(why, NoVerdict):
                log.failure("{action} of {charger} failed for good", action=call.action, charger=charger.id)
            self._refusals.refuse(charger, call, "internal", "")

    def _finish(
        self,
        charger: Charger,
        call: Message,
        fact: Fact,
        verdict: Any,
        violations: list[Violation] | None,
        members: Payload = NOTHING_ADDED,
    ) -> None:
        """Publish what it comes to; the answer is sent once that is durable."""
        conclusion = self._conclude[type(fact)](charger, fact, verdict if verdict is None else charger.version.told(verdict))
        if conclusion.gap is not None:
            charger.outgoing.ask_transaction_status(conclusion.gap)
        if self.on_transaction is not None and type(fact) in OF_TRANSACTIONS:
            self.on_transaction(charger, fact, conclusion)
        observe = self.observers.get(type(fact))
        if observe is not None:
            observe(charger, fact, conclusion)
        now = self._stamps.now()
        if type(call) is Send:
            then: tuple[str | int, bytes] = (call.id, b"")
        else:
            answer = answer_to(charger, call.action, fact, conclusion.verdict, members, now, self._additions.complaints)
            then = (call.id, render_result(call.id, answer))
        if not conclusion.events:  # a repeat: its events were published before
            return self._events.publish(Entry(charger.id), charger.send_answer, then)
        hides = call.action not in UNSEEN and carries(call.action, call.raw)
        event = self._envelope(charger, call, now, violations, conclusion, hides)
        for each in conclusion.events[:-1]:
            self._events.publish(Entry(charger.id, self._filled(event, each, hides)))
        last = self._filled(event, conclusion.events[-1], hides)
        self._events.publish(Entry(charger.id, last, conclusion.effects), charger.send_answer, then)
        if charger.reports is not None and type(fact) is Other:
            charger.reports.part(fact.action, fact.payload)
        return None

    def _envelope(
        self, charger: Charger, call: Message, now: str, violations: list[Violation] | None, conclusion: Conclusion, hides: bool
    ) -> Event:
        """What the events of a message have in common. ``hides``: there may be a secret in it."""
        raw = payload_concealed(call.members, call.raw) if hides else call.raw  # of a signed message the payload is what was signed
        return Event(
            "",
            charger.domain,
            NO_DATA,
            "",
            now,
            self.settings.name,
            charger.ocpp,
            call.action,
            id_told(call.id),
            msgspec.Raw(raw) if self.settings.event_payload else None,
            None if violations is None else told(violations),
            conclusion.duplicate,
            conclusion.offline,
            conclusion.provisional,
            conclusion.conflict,
        )

    def _filled(self, event: Event, each: tuple[str, Data], hides: bool) -> bytes:
        """The JSON of one of them."""
        event.event, data = each
        event.data = _concealed(data) if hides else data
        event.id = self._stamps.id()
        self._told[event.event] += 1
        return encode(event)

    # see `ports.Incoming`

    def malformed(self, charger: Charger, malformed: Malformed) -> None:
        """Answer a text that is no frame, where it is owed an answer, and publish `message_refused`."""
        if self._events.overloaded:
            return charger.close(1013, "events cannot be kept at the moment")
        return self._refusals.malformed(charger, malformed)

    def repaired_frame(self, charger: Charger, text: bytes) -> Frame | None:
        """The frame in a text that is not JSON, where that can be repaired and the charger's violations are tolerated."""
        return self._reader.repaired_frame(charger, text)

    def result_error(self, charger: Charger, frame: ResultError) -> None:
        """2.1: the charger could not process a CALLRESULT of ours."""
        self._refusals.result_error(charger, frame)

    def useless_answer(self, charger: Charger, problem: str, left_out: int) -> None:
        """Log it, unless there are too many such lines about all chargers."""
        self._refusals.warn("answer from {charger} is of no use: {problem}", left_out, charger=charger.id, problem=problem)

    def late_response(self, charger: Charger, call: Call, frame: Result | Error) -> None:
        """An answer arrived after its CALL had timed out (R8)."""
        failure = None if isinstance(frame, Result) else concealed({"code": frame.code, "description": frame.description})
        payload = concealed(frame.payload) if isinstance(frame, Result) else None
        secrets = secrets_sent(call.action, call.payload)
        payload, failure = hidden(payload, secrets), hidden(failure, secrets)
        data = gateway_events.LateResponse(charger.id, str(call.id), call.action, payload, failure)
        self.publisher.publish(charger, "late_response", data)
        self.on_late_response(charger, call, frame)


def _concealed(data: Data) -> Data:
    """The event's own fields without secrets in their texts."""
    told = {name: concealed(getattr(data, name)) for name in data.__struct_fields__ if name != "charger"}
    return msgspec.structs.replace(data, **told)


def _will_be_resent(charger: Charger, call: Message, fact: Fact, *, at_once: bool = False) -> bool:
    """Whether the connection has ended meanwhile, so that the charger still has the message and sends it again on its next connection:
    what it comes to there counts. A start that was not decided at once is finished all the same, since the backend may have given it a transaction; its repeat waits
    for that (`ocpp_tw.gateway.starts`).
    """
    return charger.gone and type(call) is Call and (at_once or type(fact) is not Started)
