"""From a charger's CALL to the fact that it states: checked against its schema, repaired where that is tolerated, and read.

Knows neither verdicts nor events.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec

from ..concealed import HIDDEN, carries
from ..core.stamps import Stamps
from ..facts import Fact
from ..ocpp import checks
from ..ocpp.bounds import LONG, MAX_MEMBERS, MAX_SAMPLES, SHORTEST_MEMBER, SHORTEST_SAMPLE, put_in_order, too_many_samples, wide_objects
from ..ocpp.frames import Call, Frame, Payload, Send, parse
from ..ocpp.malformed import Malformed
from ..ocpp.schemas import Violation
from ..ocpp.tolerance.evidence import Evidence
from ..ocpp.tolerance.expected import request_type
from ..ocpp.tolerance.repair import FRAME_FAULTS, missing_essential, repaired, too_long, with_utc_timestamps, without_extra_commas
from ..ocpp.tolerance.rules import Tolerance
from ..ocpp.version import Translation, UnreadablePayload
from .charger import Charger


class Unreadable(Exception):
    """The CALL cannot be served, for one of its violations: the rule, a description for the charger and the backend, and all violations.

    ``where`` is the path of the member that is at fault. No value is quoted, which may be a tag, a PIN or a key.
    """

    def __init__(self, fatal: Violation, where: str, violations: list[Violation]) -> None:
        super().__init__(f"{where}: {fatal.message}" if where else fatal.message)
        self.rule, self.description, self.violations = fatal.rule, str(self), violations


class CallReader:
    """One for all chargers of a gateway. ``has_zones``: some chargers' timestamps are read in a time zone of their own."""

    def __init__(self, tolerance: Tolerance, stamps: Stamps) -> None:
        self.tolerance = tolerance
        self.evidence = Evidence()
        self.has_zones = tolerance.has_zones
        self._stamps = stamps

    def read(self, charger: Charger, call: Call | Send, translation: Translation) -> tuple[Fact, list[Violation] | None]:
        """The fact, and the violations of the schema that were tolerated; None when there are none.

        Raises:
            Unreadable: the CALL is to be refused.
        """
        version = charger.version
        payload: Any = call.members
        if len(call.raw) > MAX_SAMPLES * SHORTEST_SAMPLE and too_many_samples(payload):
            raise Unreadable(checks.TOO_MANY_SAMPLES, "", [checks.TOO_MANY_SAMPLES])
        if len(call.raw) > (LONG if translation.digested else MAX_MEMBERS * SHORTEST_MEMBER):
            wide = wide_objects(payload)
            if any(len(each) > MAX_MEMBERS for each in wide):
                raise Unreadable(checks.TOO_WIDE, "", [checks.TOO_WIDE])
            if translation.digested:
                put_in_order(wide)
        beside_schema = checks.found(payload, any_unit=version.signed_messages)
        if call.fault or beside_schema or not version.schemas.valid_request[call.action](payload):
            return self._read_despite(charger, call, payload, beside_schema, translation)
        return translation.read(self._in_utc(charger, call, payload) if self.has_zones else payload), None

    def _read_despite(
        self, charger: Charger, call: Call | Send, payload: Payload, beside_schema: list[Violation], translation: Translation
    ) -> tuple[Fact, list[Violation]]:
        """The fact in a payload that violates its schema, if that is tolerated and leaves it readable; and the violations, which are counted."""
        violations = [
            *([FRAME_FAULTS[call.fault]] if call.fault else []),
            *charger.version.schemas.request(call.action, payload),
            *beside_schema,
        ]
        charger.violations += 1
        refused = True
        told = _concealed(call, violations)
        try:
            fact = self._fact(charger, call, payload, violations, translation)
            refused = False
        except Unreadable as why:
            why.violations = told
            raise
        finally:
            self.evidence.record(charger.model, call.action, told, self._stamps.now(), refused=refused)
        return fact, told

    def _fact(self, charger: Charger, call: Call | Send, payload: Payload, violations: list[Violation], translation: Translation) -> Fact:
        decision = self.tolerance.decide(charger.id, *charger.model[:2], call.action)
        if decision.mode == "strict":
            fatal = next((each for each in violations if each.rule != checks.UNIT), None)
            if fatal is not None:
                raise Unreadable(fatal, "/".join(map(str, fatal.path)), violations)
        else:
            payload = repaired(payload, violations, request_type(charger.version.name, call.action), decision.zone or UTC)
            missing = missing_essential(payload, translation.essentials) or too_long(payload, translation.kept)
            if missing is not None:
                raise _unreadable(missing, violations)
        try:
            return translation.read(self._in_utc(charger, call, payload))
        except UnreadablePayload as which:
            raise _unreadable(str(which), violations) from None

    def _in_utc(self, charger: Charger, call: Call | Send, payload: Payload) -> Payload:
        """The payload with its timestamps in UTC, where the charger's clock has a zone of its own."""
        zone = self.tolerance.decide(charger.id, *charger.model[:2], call.action).zone
        return payload if zone is None else with_utc_timestamps(payload, request_type(charger.version.name, call.action), zone)

    def repaired_frame(self, charger: Charger, text: bytes) -> Frame | None:
        """The frame in a text that would be JSON but for superfluous commas, if the charger's violations are tolerated."""
        if self.tolerance.mode(charger.id, *charger.model[:2], "*") == "strict":
            return None
        better = without_extra_commas(text)
        try:
            frame = None if better is None else parse(better)
        except Malformed:
            return None
        return msgspec.structs.replace(frame, fault="json") if isinstance(frame, Call | Send) else frame


def _concealed(call: Call | Send, violations: list[Violation]) -> list[Violation]:
    """The violations as they are told: without their values where one may be a secret, or have one in it."""
    if not carries(call.action, msgspec.json.encode(call.members)):
        return violations
    return [each if each.value is None else msgspec.structs.replace(each, value=HIDDEN) for each in violations]


def _unreadable(member: str, violations: list[Violation]) -> Unreadable:
    """The refusal of a message without a readable member: for the violation there, under the path of that."""
    path = tuple(member.split("/"))
    found = next((each for each in violations if each.path[: len(path)] == path or path[-1] in each.names), None)
    return Unreadable(found or violations[0], "/".join(map(str, found.path)) if found else member, violations)
