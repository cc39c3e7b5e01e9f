"""OCPP's actions: which of them a charger sends in each version, and what their events are called.

Knows names only, no payload.
"""

from __future__ import annotations

SENT16 = frozenset(
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
"""What a 1.6 charger sends, its security extension included. DataTransfer goes both ways, in every version."""

SENT201 = frozenset(
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

SENT21 = SENT201 | frozenset(
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
"""What a 2.1 charging station sends; NotifyPeriodicEventStream by SEND. NotifyWebPaymentStarted and NotifyAllowedEnergyTransfer are ours."""


def snake_case(action: str) -> str:
    """``SecurityEventNotification`` -> ``security_event_notification``, ``Get15118EVCertificate`` -> ``get_15118_ev_certificate``."""
    words = ""
    for before, letter, after in zip(" " + action, action, action[1:] + " ", strict=False):
        starts = letter.isupper() and (not before.isupper() or after.islower())
        starts = starts or (letter.isdigit() and before.isalpha())
        words += "_" + letter if words and starts else letter
    return words.lower()
