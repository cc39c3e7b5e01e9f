"""Variable monitoring in 2.x: monitors are stored and reported. None ever triggers, except as an event stream.

Knows the payloads; the variables are the device model's.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..device_state import Monitor
from .device import look_up, matches
from .reports import report_in_parts
from .streams import close_stream, open_later

CRITERIA = {
    "UpperThreshold": "ThresholdMonitoring",
    "LowerThreshold": "ThresholdMonitoring",
    "Delta": "DeltaMonitoring",
    "Periodic": "PeriodicMonitoring",
    "PeriodicClockAligned": "PeriodicMonitoring",
}


def set_monitoring(charger: CommandTarget, payload: Payload) -> Payload:
    return {"setMonitoringResult": [_set(charger, each) for each in need(payload, "setMonitoringData", list)]}


def _set(charger: CommandTarget, requested: Payload) -> Payload:
    monitors, id, kind = charger.device.monitors, requested.get("id"), requested["type"]
    result = {name: requested[name] for name in ("type", "severity", "component", "variable")}
    status, found = look_up(charger, requested)
    if found is None:
        return result | {"status": status}
    if kind not in CRITERIA:
        return result | {"status": "UnsupportedMonitorType"}
    numeric = found.type in ("integer", "decimal")
    duplicate = any(
        (each.component, each.variable, each.settings["type"], each.settings["severity"])
        == (found.component, found.variable, kind, requested["severity"])
        for other, each in monitors.items()
        if other != id
    )
    if duplicate:
        return result | {"status": "Duplicate"}
    if not 0 <= requested["severity"] <= 9 or (CRITERIA[kind] == "ThresholdMonitoring" and not numeric):
        return result | {"status": "Rejected"}
    if id is not None and (id not in monitors or monitors[id].preset or monitors[id].component != found.component):
        return result | {"status": "Rejected"}  # 2.0.1 N04.FR.13, .16: only an existing monitor is replaced, and only on its variable
    if id is None:
        id = max(monitors, default=0) + 1
    settings = {"id": id, "transaction": requested.get("transaction", False)} | {
        name: requested[name] for name in ("value", "type", "severity")
    }
    monitors[id] = Monitor(found.component, found.variable, settings)
    if "periodicEventStream" in requested:
        open_later(charger, id, requested["periodicEventStream"])
    return result | {"status": "Accepted", "id": id}


def clear_monitoring(charger: CommandTarget, payload: Payload) -> Payload:
    def clear(id: int) -> str:
        monitor = charger.device.monitors.get(id)
        if monitor is None:
            return "NotFound"
        if monitor.preset:
            return "Rejected"
        del charger.device.monitors[id]
        close_stream(charger, id)
        return "Accepted"

    return {"clearMonitoringResult": [{"id": id, "status": clear(id)} for id in need(payload, "id", list)]}


def monitoring_base(charger: CommandTarget, payload: Payload) -> Payload:
    if need(payload, "monitoringBase", str) != "All":  # the other bases remove what was set (2.0.1 N05)
        for id in [id for id, each in charger.device.monitors.items() if not each.preset]:
            del charger.device.monitors[id]
            close_stream(charger, id)
    return accepted(True)


def monitoring_level(charger: CommandTarget, payload: Payload) -> Payload:
    return accepted(0 <= need(payload, "severity", int) <= 9)


def monitoring_report(charger: CommandTarget, payload: Payload) -> Payload:
    request, requested, criteria = need(payload, "requestId", int), payload.get("componentVariable"), payload.get("monitoringCriteria")
    items: list[Payload] = []
    for each in charger.device.monitors.values():
        if (requested is None or any(matches(each.component, each.variable, one) for one in requested)) and (
            criteria is None or CRITERIA[each.settings["type"]] in criteria
        ):
            more = {"eventNotificationType": "PreconfiguredMonitor" if each.preset else "CustomMonitor"}
            settings = each.settings | (more if charger.ocpp == "2.1" else {})
            items.append({"component": each.component, "variable": each.variable, "variableMonitoring": [settings]})
    report_in_parts(charger, "NotifyMonitoringReport", request, "monitor", items)
    return accepted(bool(items), "EmptyResultSet")


MONITORING: dict[str, Command] = {
    "ClearVariableMonitoring": clear_monitoring,
    "GetMonitoringReport": monitoring_report,
    "SetMonitoringBase": monitoring_base,
    "SetMonitoringLevel": monitoring_level,
    "SetVariableMonitoring": set_monitoring,
}
