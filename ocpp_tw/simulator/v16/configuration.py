"""The configuration keys of OCPP 1.6, and the commands that report and change them.

Knows the payloads; when a value takes effect is the charger's business, and for those of its security `security_changes`'.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..certificates import MAX_INSTALLED
from ..command import Command, CommandTarget, accepted, need
from ..configuration import Key
from ..own_certificates import MAX_CHAIN
from ..security_changes import authorization_key, change, change_password

KEYS = (
    Key("AdditionalRootCertificateCheck", "false", readonly=True, kind=bool),
    Key("AllowOfflineTxForUnknownId", "true", kind=bool),
    Key("AuthorizationCacheEnabled", "true", kind=bool),
    Key("AuthorizationKey", "", hidden=True),
    Key("AuthorizeRemoteTxRequests", "false", kind=bool),
    Key("CertificateSignedMaxChainSize", str(MAX_CHAIN), readonly=True, kind=int),
    Key("CertificateStoreMaxLength", str(MAX_INSTALLED), readonly=True, kind=int),
    Key("ChargeProfileMaxStackLevel", "10", readonly=True, kind=int),
    Key("ChargingScheduleAllowedChargingRateUnit", "Current,Power", readonly=True),
    Key("ChargingScheduleMaxPeriods", "50", readonly=True, kind=int),
    Key("ClockAlignedDataInterval", "0", kind=int),
    Key("ConnectionTimeOut", "60", kind=int),
    Key("ConnectorPhaseRotation", "0.RST"),
    Key("CpoName", "ocpp_tw"),
    Key("GetConfigurationMaxKeys", "100", readonly=True, kind=int),
    Key("HeartbeatInterval", "300", kind=int),
    Key("LocalAuthListEnabled", "true", kind=bool),
    Key("LocalAuthListMaxLength", "1000", readonly=True, kind=int),
    Key("LocalAuthorizeOffline", "true", kind=bool),
    Key("LocalPreAuthorize", "false", kind=bool),
    Key("MaxChargingProfilesInstalled", "20", readonly=True, kind=int),
    Key("MeterValuesAlignedData", "Energy.Active.Import.Register"),
    Key("MeterValuesSampledData", "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC"),
    Key("MeterValueSampleInterval", "60", kind=int),
    Key("NumberOfConnectors", "1", readonly=True, kind=int),
    Key("ReserveConnectorZeroSupported", "false", readonly=True, kind=bool),
    Key("ResetRetries", "0", kind=int),
    Key("SecurityProfile", "0", kind=int),
    Key("SendLocalListMaxLength", "1000", readonly=True, kind=int),
    Key("StopTransactionOnEVSideDisconnect", "true", readonly=True, kind=bool),
    Key("StopTransactionOnInvalidId", "true", kind=bool),
    Key("StopTxnAlignedData", ""),
    Key("StopTxnSampledData", ""),
    Key(
        "SupportedFeatureProfiles", "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger", readonly=True
    ),
    Key("TransactionMessageAttempts", "3", kind=int),
    Key("TransactionMessageRetryInterval", "60", kind=int),
    Key("UnlockConnectorOnEVSideDisconnect", "true", readonly=True, kind=bool),
    Key("WebSocketPingInterval", "0", kind=int),
)


def set_authorization_key(charger: CommandTarget, value: str) -> str:
    return change_password(charger, "AuthorizationKey", authorization_key(value))


def set_security_profile(charger: CommandTarget, value: str) -> str:
    profile = int(value)
    if not charger.security.profile < profile <= 3 or charger.security.lacks(profile) is not None:
        return "Rejected"  # whitepaper A05.FR.01 to .04
    return change(charger, "SecurityProfile", lambda: charger.security.upgrade(profile))


SECURED = {"authorizationkey": set_authorization_key, "securityprofile": set_security_profile}
"""The keys whose values are the connection's security: they are not in the table of keys, or only once a connection has proved them."""


def change_configuration(charger: CommandTarget, payload: Payload) -> Payload:
    name, value = need(payload, "key", str), need(payload, "value", str)
    if charger.configuration.find(name) is None:
        return {"status": "NotSupported"}
    if not charger.configuration.fits(name, value):
        return accepted(False)
    if name.casefold() in SECURED:
        return {"status": SECURED[name.casefold()](charger, value)}
    charger.configuration.set(name, value)
    charger.afterwards(lambda: charger.apply_configuration(name))
    return accepted(True)


def get_configuration(charger: CommandTarget, payload: Payload) -> Payload:
    requested = payload.get("key") or []
    found = [charger.configuration.find(each) for each in requested] if requested else charger.configuration.all()
    keys = [{"key": key.name, "readonly": key.readonly} | ({} if key.hidden else {"value": key.value}) for key in found if key is not None]
    unknown = [name for name, key in zip(requested, found, strict=False) if key is None]
    return {"configurationKey": keys} | ({"unknownKey": unknown} if unknown else {})


CONFIGURATION: dict[str, Command] = {"ChangeConfiguration": change_configuration, "GetConfiguration": get_configuration}
