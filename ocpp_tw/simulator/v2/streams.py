"""Periodic event streams of OCPP 2.1: opened by the charger, and then sent in SENDs, which are not answered (N11-N15).

Knows the payloads; a stream has the id of its monitor.
"""

from __future__ import annotations

from ...facts import Answer, Other, Verdict
from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..device_state import Monitor, Stream
from ..simulated_clock import format_timestamp
from .device import look_up
from .evse import Evse

PRESET_ID = 1
"""The id of the preset monitor of EVSE 1's power, which a streaming charger has."""

PRESET_PARAMS: Payload = {"interval": 60, "values": 6}
"""The preset stream: seconds between messages, and values in each."""


def reopen_streams(charger: CommandTarget) -> None:
    """A stream ends with its connection: open every stream again, and the preset one for the first time."""
    streams, charger.device.streams = charger.device.streams, {}
    for each in streams.values():
        open_stream(charger, each.monitor, params(each))
    if charger.stream and PRESET_ID not in charger.device.monitors:
        settings = {"id": PRESET_ID, "transaction": False, "value": 10.0, "type": "Periodic", "severity": 8}
        charger.device.monitors[PRESET_ID] = Monitor({"name": "EVSE", "evse": {"id": 1}}, {"name": "Power"}, settings, preset=True)
        open_stream(charger, PRESET_ID, PRESET_PARAMS)


def open_later(charger: CommandTarget, monitor: int, requested: Payload) -> None:
    """Open a stream once the answer has been sent."""
    charger.afterwards(lambda: open_stream(charger, monitor, requested))


def open_stream(charger: CommandTarget, monitor: int, requested: Payload) -> None:
    """Ask the central system to accept a stream, and begin it then."""
    charger.timers.drop(f"stream {monitor}")
    charger.device.streams[monitor] = stream = Stream(monitor, monitor, *_rates(requested))

    def answered(verdict: Verdict) -> None:
        if charger.device.streams.get(monitor) is not stream:
            return  # closed, or opened again
        if isinstance(verdict, Answer) and verdict.members.get("status") == "Accepted":
            stream.open = True
            _schedule(charger, stream)
        else:
            del charger.device.streams[monitor]

    charger.send_fact(Other("OpenPeriodicEventStream", {"constantStreamData": _constant(stream)}), answered)


def close_stream(charger: CommandTarget, monitor: int) -> None:
    """The monitor was removed: close its stream, if it has one."""
    stream = charger.device.streams.pop(monitor, None)
    if stream is not None and stream.open:
        charger.timers.drop(f"stream {monitor}")
        charger.afterwards(lambda: charger.notify("ClosePeriodicEventStream", {"id": monitor}))


def params(stream: Stream) -> Payload:
    """OCPP's PeriodicEventStreamParamsType."""
    return {"interval": int(stream.interval), "values": stream.values}


def get_streams(charger: CommandTarget, payload: Payload) -> Payload:
    open_streams = [_constant(each) for each in charger.device.streams.values() if each.open]
    return {"constantStreamData": open_streams} if open_streams else {}


def adjust(charger: CommandTarget, payload: Payload) -> Payload:
    stream, requested = charger.device.streams.get(need(payload, "id", int)), need(payload, "params", dict)
    if stream is None or not stream.open:
        return accepted(False)
    stream.interval, stream.values = _rates(params(stream) | requested)
    charger.afterwards(lambda: _schedule(charger, stream))
    return accepted(True)


STREAMS: dict[str, Command] = {"AdjustPeriodicEventStream": adjust, "GetPeriodicEventStream": get_streams}


def _schedule(charger: CommandTarget, stream: Stream) -> None:
    charger.timers.set(f"stream {stream.id}", max(1.0, stream.interval / stream.values), _tick, charger, stream)


def _tick(charger: CommandTarget, stream: Stream) -> None:
    monitor = charger.device.monitors.get(stream.monitor)
    if not charger.ready or monitor is None:
        return  # opened again once the charger is ready
    if not stream.data:
        stream.base = charger.clock.now()
    for each in charger.connectors:
        if isinstance(each, Evse):
            each.read("Trigger")  # brings the meter up to date
    found = look_up(charger, {"component": monitor.component, "variable": monitor.variable})[1]
    if found is not None:
        stream.data.append({"t": round(charger.clock.now() - stream.base, 3), "v": found.value})
    if len(stream.data) >= stream.values:
        data, stream.data = stream.data, []
        base = format_timestamp(stream.base)
        charger.send_unconfirmed("NotifyPeriodicEventStream", {"id": stream.id, "pending": 0, "basetime": base, "data": data})
    _schedule(charger, stream)


def _constant(stream: Stream) -> Payload:
    return {"id": stream.id, "params": params(stream), "variableMonitoringId": stream.monitor}


def _rates(requested: Payload) -> tuple[float, int]:
    """Seconds between two messages (1 to 86400), and values in each (1 to 100): the nearest to what is requested."""
    values = min(max(requested.get("values", 1), 1), 100)
    return float(min(max(requested.get("interval", values), 1), 86400)), values
