"""The device model of a 2.x charger: its variables, reading and setting them, and reports of them.

Knows the payloads; the values are in the configuration, under the keys that the behaviour reads.
"""

from __future__ import annotations

from typing import NamedTuple

from ...ocpp.frames import Payload
from ..certificates import MAX_INSTALLED
from ..command import Command, CommandTarget, accepted, need
from ..errors import Refusal
from ..security import SLOTS
from .networks import SECURED
from .reports import report_in_parts
from .variables import ROWS


class Variable(NamedTuple):
    """A variable with its current value; ``key`` is the name of its configuration key, if it has one."""

    component: Payload
    variable: Payload
    value: str
    type: str
    unit: str | None = None
    key: str = ""
    readonly: bool = True
    hidden: bool = False


TYPES = {int: "integer", bool: "boolean"}

STATES = "Available,Occupied,Reserved,Unavailable,Faulted"

LIMITS: dict[str, Payload] = {
    "BasicAuthPassword": {"maxLimit": 64},
    "CertificateEntries": {"maxLimit": MAX_INSTALLED},
    "Identity": {"maxLimit": 48},
    "NetworkConfigurationPriority": {"dataType": "SequenceList", "valuesList": ",".join(SLOTS)},
}
"""What the characteristics of a variable say besides its type and unit, by its name."""


def variables(charger: CommandTarget) -> list[Variable]:
    """Every variable of the charger."""
    found = []
    for component, name, key, instance, unit in ROWS:
        now = charger.configuration.find(key.name) or key
        variable = {"name": name} | ({"instance": instance} if instance else {})
        kind = TYPES.get(key.kind, "string")
        found.append(Variable({"name": component}, variable, now.value, kind, unit, key.name, key.readonly, key.hidden))

    def add(component: Payload, name: str, value: str, kind: str, unit: str | None = None) -> None:
        found.append(Variable(component, {"name": name}, value, kind, unit))

    station: Payload = {"name": "ChargingStation"}
    add(station, "AvailabilityState", charger.status_fact().status, "OptionList")
    add(station, "Model", charger.identity.model, "string")
    add(station, "VendorName", charger.identity.vendor, "string")
    communication, security = {"name": "OCPPCommCtrlr"}, {"name": "SecurityCtrlr"}
    add(communication, "ActiveNetworkProfile", str(charger.security.slot), "integer")
    add(security, "CertificateEntries", str(len(charger.certificates)), "integer")
    add(security, "Identity", charger.security.identity, "string")
    for each in charger.connectors:
        evse: Payload = {"name": "EVSE", "evse": {"id": each.number}}
        add(evse, "AvailabilityState", each.ocpp_status, "OptionList")
        add(evse, "Power", f"{each.meter.power:.1f}", "decimal", "W")
        plug: Payload = {"name": "Connector", "evse": {"id": each.number, "connectorId": 1}}
        add(plug, "AvailabilityState", each.ocpp_status, "OptionList")
    return found


def look_up(charger: CommandTarget, requested: Payload) -> tuple[str, Variable | None]:
    """The status of a lookup, and the variable that the request's component and variable name (None: unknown)."""
    component, variable = requested["component"], requested["variable"]
    here = [each for each in variables(charger) if _same(each.component, component) and each.component.get("evse") == _evse(component)]
    found = next((each for each in here if _same(each.variable, variable)), None)
    return ("UnknownComponent" if not here else "UnknownVariable" if found is None else "Accepted"), found


def get_variables(charger: CommandTarget, payload: Payload) -> Payload:
    results = []
    for requested in _items(charger, payload, "getVariableData", "ItemsPerGetVariables"):
        status, found = look_up(charger, requested)
        if found is not None:
            status = _actual(requested) or ("Rejected" if found.hidden else "Accepted")
        value = {"attributeValue": found.value} if found is not None and status == "Accepted" else {}
        results.append(_echo(requested) | {"attributeStatus": status} | value)
    return {"getVariableResult": results}


def set_variables(charger: CommandTarget, payload: Payload) -> Payload:
    results = []
    for requested in _items(charger, payload, "setVariableData", "ItemsPerSetVariables"):
        status, found = look_up(charger, requested)
        if found is not None:
            status = _actual(requested) or "Accepted"
            if status == "Accepted" and not (found.key and charger.configuration.fits(found.key, requested["attributeValue"])):
                status = "Rejected"
            if status == "Accepted":
                status = _set(charger, found.key, requested["attributeValue"])
        results.append(_echo(requested) | {"attributeStatus": status})
    return {"setVariableResult": results}


def get_base_report(charger: CommandTarget, payload: Payload) -> Payload:
    request, base = need(payload, "requestId", int), need(payload, "reportBase", str)
    found = variables(charger)
    if base == "ConfigurationInventory":
        found = [each for each in found if not each.readonly]
    elif base == "SummaryInventory":
        found = [each for each in found if each.variable["name"] == "AvailabilityState"]
    elif base != "FullInventory":
        return {"status": "NotSupported"}
    return _report(charger, request, found)


def get_report(charger: CommandTarget, payload: Payload) -> Payload:
    request, criteria, requested = need(payload, "requestId", int), payload.get("componentCriteria"), payload.get("componentVariable")
    if requested is not None:
        _items(charger, payload, "componentVariable", "ItemsPerGetReport")
    found = [
        each for each in variables(charger) if requested is None or any(matches(each.component, each.variable, one) for one in requested)
    ]
    return _report(charger, request, [] if criteria == ["Problem"] else found)


def matches(component: Payload, variable: Payload, requested: Payload) -> bool:
    """Whether a ComponentVariable of a request selects this one; a member that it leaves out matches any (2.0.1 B08)."""
    selector, part = requested["component"], requested.get("variable")
    if not (_same(component, selector, True) and (part is None or _same(variable, part, True))):
        return False
    place, here = selector.get("evse"), component.get("evse", {})
    return place is None or all(here.get(name) == place[name] for name in ("id", "connectorId") if name in place)


DEVICE: dict[str, Command] = {
    "GetBaseReport": get_base_report,
    "GetReport": get_report,
    "GetVariables": get_variables,
    "SetVariables": set_variables,
}


def _report(charger: CommandTarget, request: int, found: list[Variable]) -> Payload:
    if not found:
        return {"status": "EmptyResultSet"}
    report_in_parts(charger, "NotifyReport", request, "reportData", [_describe(each) for each in found])
    return accepted(True)


def _describe(each: Variable) -> Payload:
    access = "WriteOnly" if each.hidden else "ReadOnly" if each.readonly else "ReadWrite"
    attribute = {"type": "Actual", "mutability": access} | ({} if each.hidden else {"value": each.value})
    limits = LIMITS.get(each.variable["name"], {"valuesList": STATES} if each.type == "OptionList" else {})
    kind = {"dataType": each.type, "supportsMonitoring": True} | ({"unit": each.unit} if each.unit else {}) | limits
    return {
        "component": each.component,
        "variable": each.variable,
        "variableAttribute": [attribute],
        "variableCharacteristics": kind,
    }


def _set(charger: CommandTarget, key: str, value: str) -> str:
    """The status of a change that the table of variables allows."""
    if key in SECURED:
        return SECURED[key](charger, value)
    charger.configuration.set(key, value)
    charger.afterwards(lambda: charger.apply_configuration(key))
    return "Accepted"


def _items(charger: CommandTarget, payload: Payload, name: str, limit: str) -> list[Payload]:
    items: list[Payload] = need(payload, name, list)
    if len(items) > charger.configuration.number(limit):
        raise Refusal("OccurrenceConstraintViolation", f"too many {name}")  # 2.0.1 B05.FR.11, B06.FR.16
    return items


def _actual(requested: Payload) -> str | None:
    return None if requested.get("attributeType") in (None, "Actual") else "NotSupportedAttributeType"


def _echo(requested: Payload) -> Payload:
    return {name: requested[name] for name in ("attributeType", "component", "variable") if name in requested}


def _evse(component: Payload) -> Payload | None:
    place = component.get("evse")
    return None if place is None else {name: place[name] for name in ("id", "connectorId") if name in place}


def _same(one: Payload, other: Payload, loose: bool = False) -> bool:
    if one["name"].casefold() != other["name"].casefold():
        return False
    if loose and other.get("instance") is None:
        return True
    return bool((one.get("instance") or "").casefold() == (other.get("instance") or "").casefold())
