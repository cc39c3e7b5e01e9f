"""Configuration keys of 1.6 as variables of 2.x, and the notation in which a backend names a variable.

``Component.Variable``, or in full: ``Component[instance]@EVSE/CONNECTOR.Variable[instance]:Attribute``. Whether a charger has the variable
is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..frames import Payload
from .shapes import NotInVersion

VARIABLES: Mapping[str, str] = {
    "AdditionalRootCertificateCheck": "SecurityCtrlr.AdditionalRootCertificateCheck",
    "AllowOfflineTxForUnknownId": "AuthCtrlr.OfflineTxForUnknownIdEnabled",
    "AuthorizationCacheEnabled": "AuthCacheCtrlr.Enabled",
    "AuthorizeRemoteTxRequests": "AuthCtrlr.AuthorizeRemoteStart",
    "CertificateSignedMaxChainSize": "SecurityCtrlr.MaxCertificateChainSize",
    "ChargeProfileMaxStackLevel": "SmartChargingCtrlr.ProfileStackLevel",
    "ChargingScheduleAllowedChargingRateUnit": "SmartChargingCtrlr.RateUnit",
    "ChargingScheduleMaxPeriods": "SmartChargingCtrlr.PeriodsPerSchedule",
    "ClockAlignedDataInterval": "AlignedDataCtrlr.Interval",
    "ConnectionTimeOut": "TxCtrlr.EVConnectionTimeOut",
    "ConnectorSwitch3to1PhaseSupported": "SmartChargingCtrlr.Phases3to1",
    "CpoName": "SecurityCtrlr.OrganizationName",
    "GetConfigurationMaxKeys": "DeviceDataCtrlr.ItemsPerMessage[GetVariables]",
    "HeartbeatInterval": "OCPPCommCtrlr.HeartbeatInterval",
    "LocalAuthListEnabled": "LocalAuthListCtrlr.Enabled",
    "LocalAuthorizeOffline": "AuthCtrlr.LocalAuthorizeOffline",
    "LocalPreAuthorize": "AuthCtrlr.LocalPreAuthorize",
    "MaxEnergyOnInvalidId": "TxCtrlr.MaxEnergyOnInvalidId",
    "MeterValueSampleInterval": "SampledDataCtrlr.TxUpdatedInterval",
    "MeterValuesAlignedData": "AlignedDataCtrlr.Measurands",
    "MeterValuesSampledData": "SampledDataCtrlr.TxUpdatedMeasurands",
    "MinimumStatusDuration": "OCPPCommCtrlr.MinimumStatusDuration",
    "ReserveConnectorZeroSupported": "ReservationCtrlr.NonEvseSpecific",
    "ResetRetries": "OCPPCommCtrlr.ResetRetries",
    "SecurityProfile": "SecurityCtrlr.SecurityProfile",
    "SendLocalListMaxLength": "LocalAuthListCtrlr.ItemsPerMessage",
    "StopTransactionOnEVSideDisconnect": "TxCtrlr.StopTxOnEVSideDisconnect",
    "StopTransactionOnInvalidId": "TxCtrlr.StopTxOnInvalidId",
    "StopTxnAlignedData": "AlignedDataCtrlr.TxEndedMeasurands",
    "StopTxnSampledData": "SampledDataCtrlr.TxEndedMeasurands",
    "SupportedFileTransferProtocols": "OCPPCommCtrlr.FileTransferProtocols",
    "TransactionMessageAttempts": "OCPPCommCtrlr.MessageAttempts[TransactionEvent]",
    "TransactionMessageRetryInterval": "OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]",
    "UnlockConnectorOnEVSideDisconnect": "OCPPCommCtrlr.UnlockOnEVSideDisconnect",
    "WebSocketPingInterval": "OCPPCommCtrlr.WebSocketPingInterval",
}
"""1.6's keys that have a variable in 2.x (2.0.1 part 2 §2, referenced components and variables)."""

_LIMIT = "in 2.x it is the maxLimit of {}, which get_base_report tells"
NO_VARIABLE: Mapping[str, str] = {
    "AuthorizationKey": "it is hexadecimal in 1.6, and 2.x takes the password itself, in SecurityCtrlr.BasicAuthPassword",
    "BlinkRepeat": "2.x has no variable for it",
    "CertificateStoreMaxLength": _LIMIT.format("SecurityCtrlr.CertificateEntries"),
    "ConnectorPhaseRotation": "2.x has one for each component, such as Connector@1/1.PhaseRotation",
    "LightIntensity": "2.x has no variable for it",
    "LocalAuthListMaxLength": _LIMIT.format("LocalAuthListCtrlr.Entries"),
    "MaxChargingProfilesInstalled": _LIMIT.format("SmartChargingCtrlr.Entries[ChargingProfiles]"),
    "MeterValuesAlignedDataMaxLength": _LIMIT.format("AlignedDataCtrlr.Measurands"),
    "MeterValuesSampledDataMaxLength": _LIMIT.format("SampledDataCtrlr.TxUpdatedMeasurands"),
    "NumberOfConnectors": "2.x lists its EVSEs and their connectors as components, which get_base_report tells",
    "StopTxnAlignedDataMaxLength": _LIMIT.format("AlignedDataCtrlr.TxEndedMeasurands"),
    "StopTxnSampledDataMaxLength": _LIMIT.format("SampledDataCtrlr.TxEndedMeasurands"),
    "SupportedFeatureProfiles": "2.x tells each by a variable of its own, such as SmartChargingCtrlr.Available",
}
"""1.6's keys that have no single variable in 2.x, and what to use instead."""

READ_ONLY: Mapping[str, str] = {
    "SecurityProfile": "2.x raises it by set_network_profile and OCPPCommCtrlr.NetworkConfigurationPriority",
}
"""1.6's keys that can be read but not set in 2.x, and what to use instead."""

_FOLDED = {key.lower(): variable for key, variable in VARIABLES.items()}  # keys are case-insensitive (1.6: CiString50)
_NO_VARIABLE = {key.lower(): why for key, why in NO_VARIABLE.items()}
_READ_ONLY = {key.lower(): why for key, why in READ_ONLY.items()}

_NAME = r"([^.\[\]@:]+)(?:\[([^\[\]]+)\])?"
_VARIABLE = re.compile(rf"{_NAME}(?:@(\d{{1,9}})(?:/(\d{{1,9}}))?)?\.{_NAME}(?::(\w+))?", re.ASCII)


def variable(key: str, writing: bool = False) -> Payload:
    """The component, variable and attribute that a key names, as in GetVariables and SetVariables. Raises `NotInVersion`."""
    folded = key.lower()
    why = _NO_VARIABLE.get(folded) or (_READ_ONLY.get(folded) if writing else None)
    if why:
        raise NotInVersion(f"OCPP 2.x cannot mean the key {key}: {why}")
    parts = _VARIABLE.fullmatch(_FOLDED.get(folded, key))
    if not parts:
        raise NotInVersion(
            f"{key[:60]} is no key of OCPP 1.6 that 2.x has a variable for: give Component.Variable, such as OCPPCommCtrlr.HeartbeatInterval"
        )
    name, instance, evse, connector, variable, variable_instance, attribute = parts.groups()
    component: Payload = {"name": name} | ({"instance": instance} if instance else {})
    if evse:
        component["evse"] = {"id": int(evse)} | ({"connectorId": int(connector)} if connector else {})
    named: Payload = {"component": component, "variable": {"name": variable}}
    if variable_instance:
        named["variable"]["instance"] = variable_instance
    return named | ({"attributeType": attribute} if attribute else {})
