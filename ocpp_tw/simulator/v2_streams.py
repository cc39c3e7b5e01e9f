"""Periodic event streams of OCPP 2.1: opened by the charger, and then told in messages that nobody answers (N11-N15).

Knows the payloads; a stream has the id of its monitor.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..facts import Answer, Other, Verdict
from ..ocpp.frames import Payload
from .dialect import Command, accepted, need
from .evse import Evse
from .station import Monitor, Stream
from .v2_device import look_up

if TYPE_CHECKING:
    from .charger import Charger

PRESET = 1
"""The monitor of EVSE 1's power that a streaming charger comes with."""

PACE: Payload = {"interval": 60, "values": 6}
"""How the preset one is streamed: seconds between messages, and values in each."""


def resume(charger: Charger) -> None:
    """The charger is back: a stream ends with its line, so open all that there were again, and the preset one."""
    streams, charger.station.streams = charger.station.streams, {}
    for each in streams.values():
        open_stream(charger, each.monitor, params(each))
    if charger.stream and PRESET not in charger.station.monitors:
        settings = {"id": PRESET, "transaction": False, "value": 10.0, "type": "Periodic", "severity": 8}
        charger.station.monitors[PRESET] = Monitor({"name": "EVSE", "evse": {"id": 1}}, {"name": "Power"}, settings, preset=True)
        open_stream(charger, PRESET, PACE)


def open_later(charger: Charger, monitor: int, wanted: Payload) -> None:
    """Open a stream once the answer has left."""
    charger.afterwards(lambda: open_stream(charger, monitor, wanted))


def open_stream(charger: Charger, monitor: int, wanted: Payload) -> None:
    """Ask the central system to take a stream, and begin it when it does."""
    charger.timers.drop(f"stream {monitor}")
    charger.station.streams[monitor] = stream = Stream(monitor, monitor, *_rates(wanted))

    def answered(verdict: Verdict) -> None:
        if charger.station.streams.get(monitor) is not stream:
            return  # taken away, or asked for again
        if isinstance(verdict, Answer) and verdict.members.get("status") == "Accepted":
            stream.open = True
            _go_on(charger, stream)
        else:
            del charger.station.streams[monitor]

    charger.say(Other("OpenPeriodicEventStream", {"constantStreamData": _constant(stream)}), answered)


def close(charger: Charger, monitor: int) -> None:
    """The monitor is gone: its stream ends, if it has one."""
    stream = charger.station.streams.pop(monitor, None)
    if stream is not None and stream.open:
        charger.timers.drop(f"stream {monitor}")
        charger.afterwards(lambda: charger.remark("ClosePeriodicEventStream", {"id": monitor}))


def params(stream: Stream) -> Payload:
    """OCPP's PeriodicEventStreamParamsType."""
    return {"interval": int(stream.interval), "values": stream.values}


def get_streams(charger: Charger, payload: Payload) -> Payload:
    found = [_constant(each) for each in charger.station.streams.values() if each.open]
    return {"constantStreamData": found} if found else {}


def adjust(charger: Charger, payload: Payload) -> Payload:
    stream, wanted = charger.station.streams.get(need(payload, "id", int)), need(payload, "params", dict)
    if stream is None or not stream.open:
        return accepted(False)
    stream.interval, stream.values = _rates(params(stream) | wanted)
    charger.afterwards(lambda: _go_on(charger, stream))
    return accepted(True)


STREAMS: dict[str, Command] = {"AdjustPeriodicEventStream": adjust, "GetPeriodicEventStream": get_streams}


def _go_on(charger: Charger, stream: Stream) -> None:
    charger.timers.set(f"stream {stream.id}", max(1.0, stream.interval / stream.values), _tick, charger, stream)


def _tick(charger: Charger, stream: Stream) -> None:
    monitor = charger.station.monitors.get(stream.monitor)
    if not (charger.online and charger.accepted and monitor is not None):
        return  # opened anew when the charger is back
    if not stream.data:
        stream.base = charger.pace.now()
    for each in charger.connectors:
        if isinstance(each, Evse):
            each.read("Trigger")  # brings the meter up to date
    found = look_up(charger, {"component": monitor.component, "variable": monitor.variable})[1]
    if found is not None:
        stream.data.append({"t": round(charger.pace.now() - stream.base, 3), "v": found.value})
    if len(stream.data) >= stream.values:
        data, stream.data = stream.data, []
        base = datetime.fromtimestamp(stream.base, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        charger.voice.send("NotifyPeriodicEventStream", {"id": stream.id, "pending": 0, "basetime": base, "data": data})
    _go_on(charger, stream)


def _constant(stream: Stream) -> Payload:
    return {"id": stream.id, "params": params(stream), "variableMonitoringId": stream.monitor}


def _rates(wanted: Payload) -> tuple[float, int]:
    """Seconds between two messages, and how many values each has: as near to what is wanted as makes sense."""
    values = min(max(wanted.get("values", 1), 1), 100)
    return float(min(max(wanted.get("interval", values), 1), 86400)), values
