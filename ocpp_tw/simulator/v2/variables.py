"""The variables of a 2.x charger's controllers, as a table, each with the configuration key that holds it.

Knows no message; the keys that the behaviour reads have the same names as in 1.6, as far as 1.6 has them.
"""

from __future__ import annotations

from typing import NamedTuple

from ..configuration import Key
from ..own_certificates import MAX_CHAIN

ENERGY = "Energy.Active.Import.Register"
SAMPLED = f"{ENERGY},Power.Active.Import,Current.Import,Voltage,SoC"


class Row(NamedTuple):
    """A variable of a controller and the configuration key that holds it."""

    component: str
    name: str
    key: Key
    instance: str | None = None
    unit: str | None = None


def _row(component: str, name: str, value: str, kind: type = str, key: str = "", instance: str | None = None, **more: bool | str) -> Row:
    unit = more.pop("unit", None)
    flags = {flag: bool(each) for flag, each in more.items()}
    return Row(
        component,
        name,
        Key(key or ".".join(filter(None, (component, name, instance))), value, kind=kind, **flags),
        instance,
        str(unit) if unit else None,
    )


ROWS = (
    _row("AlignedDataCtrlr", "Enabled", "false", bool, readonly=True),
    _row("AlignedDataCtrlr", "Interval", "0", int, unit="s"),
    _row("AlignedDataCtrlr", "Measurands", ENERGY),
    _row("AlignedDataCtrlr", "TxEndedInterval", "0", int, unit="s"),
    _row("AlignedDataCtrlr", "TxEndedMeasurands", ""),
    _row("AuthCacheCtrlr", "Enabled", "true", bool),
    _row("AuthCtrlr", "AuthorizeRemoteStart", "false", bool, "AuthorizeRemoteTxRequests"),
    _row("AuthCtrlr", "Enabled", "true", bool, readonly=True),
    _row("AuthCtrlr", "LocalAuthorizeOffline", "true", bool),
    _row("AuthCtrlr", "LocalPreAuthorize", "false", bool),
    _row("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true", bool, "AllowOfflineTxForUnknownId"),
    _row("ClockCtrlr", "TimeSource", "Heartbeat"),
    _row("DeviceDataCtrlr", "BytesPerMessage", "65536", int, instance="GetReport", readonly=True),
    _row("DeviceDataCtrlr", "BytesPerMessage", "65536", int, instance="GetVariables", readonly=True),
    _row("DeviceDataCtrlr", "BytesPerMessage", "65536", int, instance="SetVariables", readonly=True),
    _row("DeviceDataCtrlr", "ItemsPerMessage", "16", int, "ItemsPerGetReport", "GetReport", readonly=True),
    _row("DeviceDataCtrlr", "ItemsPerMessage", "16", int, "ItemsPerGetVariables", "GetVariables", readonly=True),
    _row("DeviceDataCtrlr", "ItemsPerMessage", "16", int, "ItemsPerSetVariables", "SetVariables", readonly=True),
    _row("LocalAuthListCtrlr", "Enabled", "true", bool),
    _row("LocalAuthListCtrlr", "ItemsPerMessage", "1000", int, readonly=True),
    _row("MonitoringCtrlr", "Enabled", "true", bool, readonly=True),
    _row("MonitoringCtrlr", "ItemsPerMessage", "16", int, "ItemsPerSetVariableMonitoring", "SetVariableMonitoring", readonly=True),
    _row("OCPPCommCtrlr", "FileTransferProtocols", "HTTPS", readonly=True),
    _row("OCPPCommCtrlr", "HeartbeatInterval", "300", int, "HeartbeatInterval", unit="s"),
    _row("OCPPCommCtrlr", "MessageAttemptInterval", "60", int, "TransactionMessageRetryInterval", "TransactionEvent", unit="s"),
    _row("OCPPCommCtrlr", "MessageAttempts", "3", int, "TransactionMessageAttempts", "TransactionEvent"),
    _row("OCPPCommCtrlr", "MessageTimeout", "30", int, instance="Default", unit="s", readonly=True),
    _row("OCPPCommCtrlr", "NetworkConfigurationPriority", "0", key="NetworkConfigurationPriority"),
    _row("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", "3", int, "NetworkProfileConnectionAttempts"),
    _row("OCPPCommCtrlr", "OfflineThreshold", "60", int, unit="s"),
    _row("OCPPCommCtrlr", "ResetRetries", "0", int),
    _row("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", "true", bool, readonly=True),
    _row("SampledDataCtrlr", "Enabled", "true", bool, readonly=True),
    _row("SampledDataCtrlr", "TxEndedInterval", "0", int, unit="s"),
    _row("SampledDataCtrlr", "TxEndedMeasurands", ENERGY, key="TxEndedMeasurands"),
    _row("SampledDataCtrlr", "TxStartedMeasurands", ENERGY, key="TxStartedMeasurands"),
    _row("SampledDataCtrlr", "TxUpdatedInterval", "60", int, "MeterValueSampleInterval", unit="s"),
    _row("SampledDataCtrlr", "TxUpdatedMeasurands", SAMPLED, key="MeterValuesSampledData"),
    _row("SecurityCtrlr", "AdditionalRootCertificateCheck", "false", bool, readonly=True),
    _row("SecurityCtrlr", "BasicAuthPassword", "", key="BasicAuthPassword", hidden=True),
    _row("SecurityCtrlr", "CertSigningRepeatTimes", "3", int, "CertSigningRepeatTimes"),
    _row("SecurityCtrlr", "CertSigningWaitMinimum", "300", int, "CertSigningWaitMinimum", unit="s"),
    _row("SecurityCtrlr", "MaxCertificateChainSize", str(MAX_CHAIN), int, readonly=True),
    _row("SecurityCtrlr", "OrganizationName", "ocpp_tw", key="CpoName"),
    _row("SecurityCtrlr", "SecurityProfile", "0", int, "SecurityProfile", readonly=True),
    _row("SmartChargingCtrlr", "Enabled", "true", bool, readonly=True),
    _row("SmartChargingCtrlr", "RateUnit", "A,W", readonly=True),
    _row("TxCtrlr", "EVConnectionTimeOut", "120", int, "EVConnectionTimeOut", unit="s"),
    _row("TxCtrlr", "StopTxOnEVSideDisconnect", "true", bool, readonly=True),
    _row("TxCtrlr", "StopTxOnInvalidId", "true", bool, "StopTransactionOnInvalidId"),
    _row("TxCtrlr", "TxStartPoint", "Authorized,EVConnected", readonly=True),
    _row("TxCtrlr", "TxStopPoint", "Authorized,EVConnected", readonly=True),
)

KEYS = (*(row.key for row in ROWS), Key("NumberOfConnectors", "1", readonly=True, kind=int))
