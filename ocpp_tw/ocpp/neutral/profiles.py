"""Charging profiles: from the neutral form to those of 1.6 and of 2.x.

Knows no commands; which of them carry a profile is in `neutral.v16` and `neutral.v2`.
"""

from __future__ import annotations

from ..frames import Payload
from .common import camel_case, renamed
from .shapes import ID, NUMBER, InvalidShape, Natural, NotInVersion, Shape

PROFILE = Shape(
    {"id": int, "stack_level": Natural, "purpose": str, "kind": str, "unit": str, "periods": list},
    {
        "transaction_id": ID,
        "valid_from": str,
        "valid_to": str,
        "starts_at": str,
        "duration": Natural,
        "recurrency": str,
        "min_rate": NUMBER,
    },
)
"""A charging profile."""

PERIOD = Shape({"start": Natural, "limit": NUMBER}, {"phases": Natural, "phase_to_use": Natural})
"""One element of a profile's ``periods``."""

NOT_IN_V16 = {"ChargingStationExternalConstraints", "PriorityCharging", "LocalGeneration"}
"""Purposes that 1.6 does not have."""

WHOLE_CHARGER = {"ChargePointMaxProfile", "ChargingStationMaxProfile"}
"""The purpose of profiles that limit a charger as a whole, as 1.6 and as 2.x name it."""


def profile16(given: Payload) -> Payload:
    """The profile in the form of 1.6; one that has it already is returned as it is."""
    if camel_case(given):
        if isinstance(given.get("chargingSchedule"), list):
            raise NotInVersion("the charging profile is written as OCPP 2.x writes it, and this charger speaks 1.6: use the neutral form")
        return given
    data, periods = _read(given)
    if data["kind"] == "Dynamic":
        raise NotInVersion("OCPP 1.6 has no Dynamic charging profiles: use Absolute, and set it again when it changes")
    if any("phase_to_use" in period for period in periods):
        raise NotInVersion("which phase is used is for the charger to say in OCPP 1.6: leave out phase_to_use")
    profile = renamed(data, chargingProfileId="id")
    if "transaction_id" in data:
        profile["transactionId"] = transaction16(data["transaction_id"])
    profile |= _head(data, purpose16(data["purpose"]))
    return profile | {"chargingSchedule": _schedule(data, periods)}


def profile2(given: Payload) -> Payload:
    """The profile in the form of 2.x; one that has it already is returned as it is."""
    if camel_case(given):
        if "chargingProfileId" in given:
            raise NotInVersion("the charging profile is written as OCPP 1.6 writes it, and this charger speaks 2.x: use the neutral form")
        return given
    data, periods = _read(given)
    profile = renamed(data, id="id") | _head(data, purpose2(data["purpose"]))
    # in 2.x a schedule has an id too: the only one of a profile may have the profile's
    profile["chargingSchedule"] = [{"id": data["id"]} | _schedule(data, periods)]
    if "transaction_id" in data:
        profile["transactionId"] = str(data["transaction_id"])
    return profile


def on_connector(profile: Payload, connector_id: int) -> Payload:
    """The profile (in OCPP's form), to be set on a connector or EVSE. Raises `InvalidShape` (1.6 §3.13.1; 2.x K01.FR.16)."""
    purpose = profile.get("chargingProfilePurpose")
    if purpose == "TxProfile" and connector_id == 0:
        raise InvalidShape(
            "a TxProfile limits one transaction: give the connector_id of that, or use TxDefaultProfile for the whole charger"
        )
    if purpose in WHOLE_CHARGER and connector_id != 0:
        raise InvalidShape(f"a {purpose} limits the whole charger: give connector_id 0, or use TxDefaultProfile for one connector")
    if purpose != "TxProfile" and "transactionId" in profile:
        raise InvalidShape("only a TxProfile is of one transaction: leave out its transaction_id")
    return _on_a_level(profile)


def naming_transaction(profile: Payload) -> Payload:
    """The profile in 2.x's form, to be set: one of a transaction says of which. Raises `InvalidShape` (K01.FR.03)."""
    if profile.get("chargingProfilePurpose") == "TxProfile" and "transactionId" not in profile:
        raise InvalidShape("a TxProfile limits one transaction: give its transaction_id, or use TxDefaultProfile")
    return profile


def of_transaction(profile: Payload) -> Payload:
    """The profile (in OCPP's form), to be sent with a remote start. Raises `InvalidShape` (1.6 §5.11; 2.x F01.FR.09, 11)."""
    if "chargingProfilePurpose" in profile and profile["chargingProfilePurpose"] != "TxProfile":
        raise InvalidShape("the charging profile of a remote start must be a TxProfile: set any other with set_charging_profile")
    if "transactionId" in profile:
        raise InvalidShape("the transaction that a remote start begins has no id yet: leave out its transaction_id")
    return _on_a_level(profile)


def _on_a_level(profile: Payload) -> Payload:
    """A profile in OCPP's own form has a level from 0 too (1.6 §7.8)."""
    level = profile.get("stackLevel")
    if isinstance(level, int) and level < 0:
        raise InvalidShape("stack_level must be a whole number from 0")
    return profile


def _read(given: Payload) -> tuple[Payload, list[Payload]]:
    data = PROFILE.read(given, "profile.")
    return data, [PERIOD.read(period, f"profile.periods[{index}].") for index, period in enumerate(data["periods"])]


def _head(data: Payload, purpose: str) -> Payload:
    head = {"stackLevel": data["stack_level"], "chargingProfilePurpose": purpose, "chargingProfileKind": data["kind"]}
    return head | renamed(data, recurrencyKind="recurrency", validFrom="valid_from", validTo="valid_to")


def _schedule(data: Payload, periods: list[Payload]) -> Payload:
    schedule = renamed(data, duration="duration", startSchedule="starts_at", chargingRateUnit="unit")
    names = {"startPeriod": "start", "limit": "limit", "numberPhases": "phases", "phaseToUse": "phase_to_use"}
    schedule["chargingSchedulePeriod"] = [renamed(period, **names) for period in periods]
    return schedule | renamed(data, minChargingRate="min_rate")


def purpose16(purpose: str) -> str:
    """The name of a purpose in 1.6."""
    if purpose in NOT_IN_V16:
        raise NotInVersion(f"OCPP 1.6 has no profiles for {purpose}: use ChargePointMaxProfile, TxDefaultProfile or TxProfile")
    return "ChargePointMaxProfile" if purpose == "ChargingStationMaxProfile" else purpose


def purpose2(purpose: str) -> str:
    """The name of a purpose in 2.x."""
    return "ChargingStationMaxProfile" if purpose == "ChargePointMaxProfile" else purpose


def transaction16(id: int | str) -> int:
    """A transaction's id; in 1.6 an integer, which the gateway allocates."""
    if isinstance(id, str):
        raise NotInVersion(
            "a transaction's id is a whole number in OCPP 1.6, as start_transaction told it: give transaction_id without quotes"
        )
    return id
