"""Charging profiles: the neutral one in the words of 1.6 and of 2.x."""

from __future__ import annotations

from ..frames import Payload
from .common import camel_case, renamed
from .shapes import ID, NUMBER, CannotMean, Shape

PROFILE = Shape(
    {"id": int, "stack_level": int, "purpose": str, "kind": str, "unit": str, "periods": list},
    {"transaction_id": ID, "valid_from": str, "valid_to": str, "starts_at": str, "duration": int, "recurrency": str, "min_rate": NUMBER},
)
"""A charging profile."""

PERIOD = Shape({"start": int, "limit": NUMBER}, {"phases": int, "phase_to_use": int})
"""One element of a profile's ``periods``."""


NO_PURPOSE16 = {"ChargingStationExternalConstraints", "PriorityCharging", "LocalGeneration"}


def profile16(given: Payload) -> Payload:
    """The profile of 1.6; one that OCPP's own words are used in is taken as it is."""
    if camel_case(given):
        if isinstance(given.get("chargingSchedule"), list):
            raise CannotMean("the charging profile is written as OCPP 2.x writes it, and this charger speaks 1.6: use the neutral form")
        return given
    said, periods = _read(given)
    if said["kind"] == "Dynamic":
        raise CannotMean("OCPP 1.6 has no Dynamic charging profiles: use Absolute, and set it again when it changes")
    if any("phase_to_use" in each for each in periods):
        raise CannotMean("which phase is used is for the charger to say in OCPP 1.6: leave out phase_to_use")
    profile = renamed(said, chargingProfileId="id")
    if "transaction_id" in said:
        profile["transactionId"] = transaction16(said["transaction_id"])
    profile |= _head(said, purpose16(said["purpose"]))
    return profile | {"chargingSchedule": _schedule(said, periods)}


def profile2(given: Payload) -> Payload:
    """The profile of 2.x; one that OCPP's own words are used in is taken as it is."""
    if camel_case(given):
        if "chargingProfileId" in given:
            raise CannotMean("the charging profile is written as OCPP 1.6 writes it, and this charger speaks 2.x: use the neutral form")
        return given
    said, periods = _read(given)
    profile = renamed(said, id="id") | _head(said, purpose2(said["purpose"]))
    # a schedule has an id of its own in 2.x: the only one of its profile may have the same
    profile["chargingSchedule"] = [{"id": said["id"]} | _schedule(said, periods)]
    if "transaction_id" in said:
        profile["transactionId"] = str(said["transaction_id"])
    return profile


def _read(given: Payload) -> tuple[Payload, list[Payload]]:
    said = PROFILE.read(given, "profile.")
    return said, [PERIOD.read(each, f"profile.periods[{at}].") for at, each in enumerate(said["periods"])]


def _head(said: Payload, purpose: str) -> Payload:
    head = {"stackLevel": said["stack_level"], "chargingProfilePurpose": purpose, "chargingProfileKind": said["kind"]}
    return head | renamed(said, recurrencyKind="recurrency", validFrom="valid_from", validTo="valid_to")


def _schedule(said: Payload, periods: list[Payload]) -> Payload:
    schedule = renamed(said, duration="duration", startSchedule="starts_at", chargingRateUnit="unit")
    names = {"startPeriod": "start", "limit": "limit", "numberPhases": "phases", "phaseToUse": "phase_to_use"}
    schedule["chargingSchedulePeriod"] = [renamed(each, **names) for each in periods]
    return schedule | renamed(said, minChargingRate="min_rate")


def purpose16(purpose: str) -> str:
    """In 1.6's words."""
    if purpose in NO_PURPOSE16:
        raise CannotMean(f"OCPP 1.6 has no profiles for {purpose}: use ChargePointMaxProfile, TxDefaultProfile or TxProfile")
    return "ChargePointMaxProfile" if purpose == "ChargingStationMaxProfile" else purpose


def purpose2(purpose: str) -> str:
    """In 2.x's words."""
    return "ChargingStationMaxProfile" if purpose == "ChargePointMaxProfile" else purpose


def transaction16(id: int | str) -> int:
    """A transaction's id, which the gateway gives out in 1.6."""
    if isinstance(id, str):
        raise CannotMean(
            "a transaction's id is a whole number in OCPP 1.6, as start_transaction told it: give transaction_id without quotes"
        )
    return id
