"""The commands that 2.1 adds and this charger does not support: each is always answered with the same status.

Nothing is done or stored.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget


def refuse(status: str) -> Command:
    """A command that is always answered with this status."""
    return lambda charger, payload: {"status": status, "statusInfo": {"reasonCode": "UnsupportedRequest"}}


def clear_tariffs(charger: CommandTarget, payload: Payload) -> Payload:
    requested = [{"tariffId": each} for each in payload.get("tariffIds") or []] or [{}]
    return {"clearTariffsResult": [each | {"status": "NoTariff"} for each in requested]}


UNSUPPORTED: dict[str, Command] = {
    "AFRRSignal": refuse("Rejected"),
    "ChangeTransactionTariff": refuse("Rejected"),
    "ClearDERControl": refuse("NotSupported"),
    "ClearTariffs": clear_tariffs,
    "GetDERControl": refuse("NotSupported"),
    "GetTariffs": refuse("NoTariff"),
    "NotifyAllowedEnergyTransfer": refuse("Rejected"),
    "NotifyWebPaymentStarted": lambda charger, payload: {},
    "RequestBatterySwap": refuse("Rejected"),
    "SetDERControl": refuse("NotSupported"),
    "SetDefaultTariff": refuse("Rejected"),
    "UpdateDynamicSchedule": refuse("Rejected"),
    "UsePriorityCharging": refuse("NoProfile"),
}
"""Tariffs, distributed energy resources, battery swaps, dynamic schedules and web payments."""
