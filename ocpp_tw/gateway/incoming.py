"""What is done with one CALL of a charger's: checked, read as a fact, decided, published, and answered once that is safe.

Knows no transport and no database. Whatever can be done at once is: this is the path of every message.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..core import events
from ..core.conclusions import Conclusion
from ..core.entries import Effect, Entry
from ..core.events import Event
from ..core.stamps import Stamps
from ..facts import Answer, Fact, Other, Started
from ..interfaces import IEvents
from ..ocpp.frames import Call, Error, Frame, Malformed, Payload, Result, ResultError, Send, parse, render, render_result
from ..ocpp.schemas import Violation
from ..ocpp.signed import unwrapped
from ..ocpp.tolerance.evidence import Evidence
from ..ocpp.tolerance.expected import request_type
from ..ocpp.tolerance.repair import EXTRA_COMMA, missing_essential, repaired, with_utc_timestamps, without_extra_commas
from ..ocpp.tolerance.rules import Tolerance
from ..ocpp.version import Translation
from ..settings import Settings
from ..waiting import in_time
from .verdicts import VERDICT_TYPES, ConnectionGone, NoVerdict, Verdicts

if TYPE_CHECKING:
    from .charger import Charger

log = Logger()

HANDLER_TIMEOUT = 25.0
"""Seconds that a handler may take; chargers commonly give up after 30."""

NO_CONCLUSION = Conclusion(None, ())


def _about(member: str, violations: list[Violation]) -> Violation:
    """The breach that a member is unreadable for."""
    path = tuple(member.split("/"))
    return next((each for each in violations if each.path[: len(path)] == path or path[-1] in each.names), violations[0])


def _charger_resends(charger: Charger, call: Message, fact: Fact) -> bool:
    """Whether the connection has ended meanwhile, and the charger has the message still, to say it again on its next one: what it comes to
    there counts. A start goes on, for the backend may have given it a transaction; its repeat waits for it (`ocpp_tw.gateway.starts`).
    """
    return charger.gone and type(call) is Call and type(fact) is not Started


Message = Call | Send
"""What a charger says of its own accord; a SEND is served as a CALL is, but never answered (2.1)."""


class IncomingCalls:
    """One for all the chargers of a gateway."""

    def __init__(
        self, settings: Settings, clock: IReactorTime, stamps: Stamps, desk: Verdicts, store: IEvents, tolerance: Tolerance | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._stamps = stamps
        self.unix = stamps.unix
        self._desk = desk
        self._events = store
        self.tolerance = tolerance or Tolerance.from_settings(settings)
        self.evidence = Evidence()
        self._zoned = self.tolerance.has_zones
        self.on_late_response: Callable[[Charger, Call, Result | Error], None] = lambda charger, call, frame: None
        self.overhear = desk.overhear
        self.ledger = desk.ledger

    def serve(self, charger: Charger, call: Message) -> Deferred[None] | None:
        """Serve the CALL. None: all is done but to wait for the store; else a Deferred that fires when it is, and never fails."""
        if self._events.overloaded:  # what is not acknowledged the charger keeps
            charger.close(1013, "events cannot be kept at the moment")
            return None
        version = charger.version
        translation = version.translations.get(call.action)
        if translation is None:
            call = unwrapped(version, call)
            translation = version.translations.get(call.action)
        if translation is None:
            if call.action in version.schemas.actions:
                self._refuse(charger, call, "unsupported", f"{call.action} is not for chargers to send")
            else:
                self._refuse(charger, call, "unknown", f"OCPP {version.name} has no action {call.action[:50]}")
            return None
        if charger.restricted and call.action != "BootNotification" and not charger.triggered(call.action):
            self._refuse(charger, call, "security", f"the charger's registration is {charger.registration}")
            return None
        violations: list[Violation] | None = None
        fact: Any = call.fact
        if fact is not None and not self._zoned:
            return self._decide(charger, call, fact, None)
        payload = call.payload if fact is None else msgspec.json.decode(call.raw)
        if call.repaired or not version.schemas.valid_request[call.action](payload):
            violations, payload, fatal = self._repair(charger, call, translation)
            if fatal is not None:
                self._refuse(charger, call, fatal.rule, f"{'/'.join(map(str, fatal.path))}: {fatal.message}", violations)
                return None
        if self._zoned:
            zone = self.tolerance.decide(charger.id, *charger.model[:2], call.action).zone
            payload = payload if zone is None else with_utc_timestamps(payload, request_type(version.name, call.action), zone)
        try:
            fact = translation.read(payload)
        except ValueError as why:  # a word that tells messages apart is none that we know; the schema has said so
            self._refuse(charger, call, "enum", str(why), violations)
            return None
        return self._decide(charger, call, fact, violations)

    def _decide(self, charger: Charger, call: Message, fact: Fact, violations: list[Violation] | None) -> Deferred[None] | None:
        """What a message says is known: what it comes to."""
        try:
            verdict = self._desk.ask[type(fact)](charger, fact)
            if type(verdict) in VERDICT_TYPES:
                self._conclude(charger, call, fact, verdict, violations)
                return None
        except Exception:
            log.failure("{action} of {charger} failed", action=call.action, charger=charger.id)
            return Deferred.fromCoroutine(self._decide_without_handler(charger, call, fact, violations))
        return Deferred.fromCoroutine(self._decide_later(charger, call, fact, verdict, violations))

    async def _decide_later(self, charger: Charger, call: Message, fact: Fact, later: Any, violations: list[Violation] | None) -> None:
        """The handler takes its time."""
        try:
            verdict = await in_time(later, HANDLER_TIMEOUT, self.clock)
            if type(verdict) not in VERDICT_TYPES:
                raise TypeError(f"{verdict!r} is no verdict")
            if _charger_resends(charger, call, fact):
                return
            self._conclude(charger, call, fact, verdict, violations)
        except ConnectionGone:
            return
        except Exception:
            log.failure("{action} of {charger} failed", action=call.action, charger=charger.id)
            await self._decide_without_handler(charger, call, fact, violations)
        finally:
            self._desk.concluded(charger)

    async def _decide_without_handler(self, charger: Charger, call: Message, fact: Fact, violations: list[Violation] | None) -> None:
        """The handler has failed: what can go on without it does."""
        if _charger_resends(charger, call, fact):
            return
        try:
            verdict: Any = self._desk.without(charger, fact)
            if type(verdict) not in VERDICT_TYPES:
                verdict = await verdict  # an id that has to be leased first
            self._conclude(charger, call, fact, verdict, violations)
        except NoVerdict:
            self._refuse(charger, call, "internal", "")
        except Exception:
            log.failure("{action} of {charger} failed for good", action=call.action, charger=charger.id)
            self._refuse(charger, call, "internal", "")

    def _conclude(self, charger: Charger, call: Message, fact: Fact, verdict: Any, violations: list[Violation] | None) -> None:
        """Publish what it came to; the answer goes out when that is safe."""
        served = self._desk.tell[type(fact)](charger, fact, verdict)
        now = self._stamps.now()
        if type(call) is Send:
            then: tuple[str | int, bytes] = (call.id, b"")
        else:
            answer = charger.version.translations[call.action].answer(fact, served.verdict, now)
            if type(verdict) is Answer and verdict.members and not charger.version.schemas.valid_answer[call.action](answer):
                log.error("the backend's answer to {action} breaks its schema and is left out", action=call.action, charger=charger.id)
                answer = charger.version.translations[call.action].answer(fact, Answer(), now)
            then = (call.id, render_result(call.id, answer))
        if not served.events:  # a repeat: all there is to tell has been told
            return self._events.publish(Entry(charger.id), charger.send_answer, then)
        for name, data in served.events[:-1]:
            self._events.publish(self._entry(charger, call, name, data, now, violations, msgspec.structs.replace(served, effects=())))
        name, data = served.events[-1]
        self._events.publish(self._entry(charger, call, name, data, now, violations, served), charger.send_answer, then)
        if charger.reports is not None and type(fact) is Other:
            charger.reports.part(fact.action, fact.payload)
        return None

    def _entry(
        self,
        charger: Charger,
        call: Message,
        name: str,
        data: events.Data,
        now: str,
        violations: list[Violation] | None,
        served: Conclusion = NO_CONCLUSION,
    ) -> Entry:
        event = Event(
            name,
            charger.domain,
            data,
            self._stamps.id(),
            now,
            self.settings.name,
            charger.ocpp,
            call.action,
            str(call.id),
            msgspec.Raw(call.raw) if self.settings.event_payload else None,
            None if violations is None else [each.as_event() for each in violations],
            served.duplicate,
            served.offline,
            served.provisional,
        )
        return Entry(charger.id, events.encode(event), served.effects)

    def _repair(self, charger: Charger, call: Message, translation: Translation) -> tuple[list[Violation], Payload, Violation | None]:
        """A message that breaks its schema: how, what it plainly means, and the breach for which it cannot be let in, if any."""
        version, decision = charger.version, self.tolerance.decide(charger.id, *charger.model[:2], call.action)
        violations = [*([EXTRA_COMMA] if call.repaired else []), *version.schemas.request(call.action, call.payload)]
        charger.violations += 1
        payload, fatal = call.payload, None
        if decision.mode == "strict":
            fatal = violations[0]
        else:
            payload = repaired(payload, violations, request_type(version.name, call.action), decision.zone or UTC)
            lacking = missing_essential(payload, translation.essentials)
            if lacking is not None:
                fatal = _about(lacking, violations)
        self.evidence.record(charger.model, call.action, violations, self._stamps.now(), refused=fatal is not None)
        return violations, payload, fatal

    def repaired_frame(self, charger: Charger, text: bytes) -> Frame | None:
        """The frame in a text that is no JSON but for a comma too many, where the charger's breaches are put up with."""
        if self.tolerance.mode(charger.id, *charger.model[:2], "*") == "strict":
            return None
        better = without_extra_commas(text)
        try:
            frame = None if better is None else parse(better)
        except Malformed:
            return None
        return msgspec.structs.replace(frame, repaired=True) if isinstance(frame, Call | Send) else frame

    def _refuse(self, charger: Charger, call: Message, why: str, said: str, violations: list[Violation] | None = None) -> None:
        """Answer a CALLERROR; the backend sees what was not served, and why."""
        code = charger.version.code(why)
        if charger.may_log():
            log.warn("{charger} is answered {code} to {action}: {said}", charger=charger.id, code=code, action=call.action, said=said)
        data = events.MessageRefused(charger.id, code, said)
        entry = self._entry(charger, call, "message_refused", data, self._stamps.now(), violations)
        text = b"" if type(call) is Send else render(Error(call.id, code, said))
        self._events.publish(entry, charger.send_answer, (call.id, text))

    def result_error(self, charger: Charger, frame: ResultError) -> None:
        """2.1: the charger could not process an answer of ours; whoever looks for it finds it."""
        self.publish_event(
            charger, "message_refused", events.MessageRefused(charger.id, frame.code, f"our answer to {frame.id}: {frame.description}")
        )

    def late_response(self, charger: Charger, call: Call, frame: Result | Error) -> None:
        """An answer came after its command had ended (R8)."""
        failure = None if isinstance(frame, Result) else {"code": frame.code, "description": frame.description}
        payload = frame.payload if isinstance(frame, Result) else None
        self.publish_event(charger, "late_response", events.LateResponse(charger.id, str(call.id), call.action, payload, failure))
        self.on_late_response(charger, call, frame)

    @property
    def overloaded(self) -> bool:
        """Whether nothing more can be taken in."""
        return self._events.overloaded

    def publish_effects(self, entry: Entry, then: Callable[[Any], None]) -> None:
        """Carry out effects that belong to no event."""
        self._events.publish(entry, then)

    def publish_event(self, charger: Charger, name: str, data: events.Data, effects: tuple[Effect, ...] = ()) -> None:
        """Publish an event of the gateway's own about a charger."""
        self.publish_event_of(charger.id, charger.domain, name, data, charger.ocpp, effects)

    def publish_event_of(
        self,
        charger: str,
        domain: str,
        name: str,
        data: events.Data,
        ocpp: str | None = None,
        effects: tuple[Effect, ...] = (),
        then: Callable[[Any], None] | None = None,
    ) -> None:
        """The same about a charger that may not be connected; ``then`` is called when it is safe."""
        event = Event(name, domain, data, self._stamps.id(), self._stamps.now(), self.settings.name, ocpp)
        self._events.publish(Entry(charger, events.encode(event), effects), then)
