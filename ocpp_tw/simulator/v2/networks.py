"""The network connection profiles of 2.x, and the variables that are the connection's security.

Knows the payloads and the values; the state is in `ocpp_tw.simulator.security`.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, need
from ..quirks import Effect
from ..security import SLOTS, Network
from ..security_changes import basic_auth_password, change, change_password


def network_profile(charger: CommandTarget, payload: Payload) -> Payload:
    slot, profile = need(payload, "configurationSlot", int), need(payload, "connectionData", dict)
    network = _read(charger, slot, profile)
    if network is None:
        return {"status": "Rejected"}

    def store() -> None:
        charger.security.networks[slot] = network

    return {"status": change(charger, "SetNetworkProfile", store, Effect.NEXT_CONNECTION)}


def _read(charger: CommandTarget, slot: int, profile: Payload) -> Network | None:
    """The profile, if it is one with which this charger can connect (B09.FR.02, .04, .05)."""
    url, level = need(profile, "ocppCsmsUrl", str), need(profile, "securityProfile", int)
    identity, secret = profile.get("identity"), profile.get("basicAuthPassword")
    password = None if secret is None else basic_auth_password(secret)
    possible = (
        str(slot) in SLOTS
        and charger.security.profile <= level <= 3
        and profile.get("ocppTransport") == "JSON"
        and _scheme(url) == ("wss" if level >= 2 else "ws")
        and (secret is None) == (password is None)
        and (identity is None or (0 < len(identity) <= 48 and ":" not in identity))
    )
    return Network(url, level, slot, identity, password) if possible else None


def _scheme(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        return parts.scheme if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def set_password(charger: CommandTarget, value: str) -> str:
    return change_password(charger, "BasicAuthPassword", basic_auth_password(value))


def set_priority(charger: CommandTarget, value: str) -> str:
    security, slots = charger.security, [each.strip() for each in value.split(",")]
    networks = [security.networks.get(int(each)) if each in SLOTS else None for each in slots]
    for each in networks:
        if each is None or each.profile < security.profile:
            return "Rejected"  # B10.FR.02, A05.FR.10
        if each.profile > security.profile and security.lacks(each.profile, each.password) is not None:
            return "Rejected"  # A05.FR.02, .03

    def store() -> None:
        charger.configuration.set("NetworkConfigurationPriority", ",".join(slots))

    return change(charger, "NetworkConfigurationPriority", store, Effect.NEXT_CONNECTION)  # which has to be after a reboot (A05.FR.05)


NETWORKS: dict[str, Command] = {"SetNetworkProfile": network_profile}

SECURED: dict[str, Callable[[CommandTarget, str], str]] = {
    "BasicAuthPassword": set_password,
    "NetworkConfigurationPriority": set_priority,
}
"""The variables whose values are the connection's security, by the names of their configuration keys."""
