"""From a charger's CALL to the fact that it states: checked against its schema, repaired where that is tolerated, and read.

Knows neither verdicts nor events.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec

from ..core.stamps import Stamps
from ..facts import Fact
from ..ocpp import checks
from ..ocpp.frames import Call, Frame, Payload, Send, parse
from ..ocpp.malformed import Malformed
from ..ocpp.payload_json import decode
from ..ocpp.schemas import Violation
from ..ocpp.tolerance.evidence import Evidence
from ..ocpp.tolerance.expected import request_type
from ..ocpp.tolerance.repair import EXTRA_COMMA, missing_essential, repaired, with_utc_timestamps, without_extra_commas
from ..ocpp.tolerance.rules import Tolerance
from ..ocpp.version import Translation
from .charger import Charger


class Unreadable(Exception):
    """The CALL cannot be served: the schema's rule that it breaks, a description for the charger and the backend, and all violations."""

    def __init__(self, rule: str, description: str, violations: list[Violation] | None) -> None:
        super().__init__(description)
        self.rule, self.description, self.violations = rule, description, violations


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
        payload: Any = call.payload if call.fact is None else decode(call.raw)
        violations: list[Violation] | None = None
        beside_schema = checks.found(payload, any_unit=version.signed_messages)
        if call.repaired or beside_schema or not version.schemas.valid_request[call.action](payload):
            violations, payload = self._repaired(charger, call, payload, beside_schema, translation)
        if self.has_zones:
            zone = self.tolerance.decide(charger.id, *charger.model[:2], call.action).zone
            payload = payload if zone is None else with_utc_timestamps(payload, request_type(version.name, call.action), zone)
        try:
            return translation.read(payload), violations
        except ValueError as why:  # a discriminating word that no version knows; the schema has reported it already
            raise Unreadable("enum", str(why), violations) from None
        except KeyError as why:  # members of which one at least must be there
            raise Unreadable(violations[0].rule if violations else "required", f"required: {why.args[0]}", violations) from None

    def _repaired(
        self, charger: Charger, call: Call | Send, payload: Payload, beside_schema: list[Violation], translation: Translation
    ) -> tuple[list[Violation], Payload]:
        """The violations, and the payload as it was meant."""
        version, decision = charger.version, self.tolerance.decide(charger.id, *charger.model[:2], call.action)
        violations = [*([EXTRA_COMMA] if call.repaired else []), *version.schemas.request(call.action, payload), *beside_schema]
        charger.violations += 1
        fatal = None
        if decision.mode == "strict":
            fatal = next((each for each in violations if each.rule != checks.UNIT), None)
        else:
            payload = repaired(payload, violations, request_type(version.name, call.action), decision.zone or UTC)
            unreadable = missing_essential(payload, translation.essentials)
            if unreadable is not None:
                fatal = _violation_at(unreadable, violations)
        self.evidence.record(charger.model, call.action, violations, self._stamps.now(), refused=fatal is not None)
        if fatal is not None:
            raise Unreadable(fatal.rule, f"{'/'.join(map(str, fatal.path))}: {fatal.message}", violations)
        return violations, payload

    def repaired_frame(self, charger: Charger, text: bytes) -> Frame | None:
        """The frame in a text that would be JSON but for superfluous commas, if the charger's violations are tolerated."""
        if self.tolerance.mode(charger.id, *charger.model[:2], "*") == "strict":
            return None
        better = without_extra_commas(text)
        try:
            frame = None if better is None else parse(better)
        except Malformed:
            return None
        return msgspec.structs.replace(frame, repaired=True) if isinstance(frame, Call | Send) else frame


def _violation_at(member: str, violations: list[Violation]) -> Violation:
    """The violation that makes the member unreadable."""
    path = tuple(member.split("/"))
    return next((each for each in violations if each.path[: len(path)] == path or path[-1] in each.names), violations[0])
