"""OCPP's actions: which of them a charger sends in each version, and what their events are called.

Knows names only, no payloads.
"""

from __future__ import annotations

from collections.abc import Set

CHARGER_ACTIONS_V16 = frozenset(
    [
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    ]
)
"""What a 1.6 charger sends, including the security extension. DataTransfer goes both ways, in every version."""

CHARGER_ACTIONS_V201 = frozenset(
    [
        "Authorize",
        "BootNotification",
        "ClearedChargingLimit",
        "DataTransfer",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "SignCertificate",
        "StatusNotification",
        "TransactionEvent",
    ]
)
"""What a 2.0.1 charging station sends."""

CHARGER_ACTIONS_V21 = CHARGER_ACTIONS_V201 | frozenset(
    [
        "BatterySwap",
        "ClosePeriodicEventStream",
        "GetCertificateChainStatus",
        "NotifyDERAlarm",
        "NotifyDERStartStop",
        "NotifyPeriodicEventStream",
        "NotifyPriorityCharging",
        "NotifySettlement",
        "OpenPeriodicEventStream",
        "PullDynamicScheduleUpdate",
        "ReportDERControl",
        "VatNumberValidation",
    ]
)
"""What a 2.1 charging station sends; NotifyPeriodicEventStream by SEND.

NotifyWebPaymentStarted and NotifyAllowedEnergyTransfer are the CSMS's, despite their names.
"""


OWN_ANSWERS = frozenset(["Authorize", "StartTransaction", "StopTransaction", "TransactionEvent"])
"""Actions that the gateway answers itself, and to whose answers a backend may add."""

FIXED_ANSWERS = frozenset(["BootNotification", "Heartbeat", "MeterValues", "StatusNotification"])
"""Actions that the gateway answers itself, and no backend has anything to add."""


def csms_actions(actions: Set[str], charger_actions: Set[str]) -> frozenset[str]:
    """Of all actions of a version, those that a CSMS sends: what chargers do not, and DataTransfer."""
    return frozenset(actions - charger_actions | {"DataTransfer"})


def snake_case(action: str) -> str:
    """``SecurityEventNotification`` -> ``security_event_notification``, ``Get15118EVCertificate`` -> ``get_15118_ev_certificate``."""
    name = ""
    for before, letter, after in zip(" " + action, action, action[1:] + " ", strict=False):
        starts_word = letter.isupper() and (not before.isupper() or after.islower())
        starts_word = starts_word or (letter.isdigit() and before.isalpha())
        name += "_" + letter if name and starts_word else letter
    return name.lower()
