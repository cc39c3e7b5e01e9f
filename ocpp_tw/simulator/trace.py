"""One readable line for each message of a charger: when, what was sent, what was answered.

Knows the facts, and of commands only their members; not where the lines go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..facts import Authorize, BootNotification, Fact, MeterValues, Other, Started, StatusNotification, Stopped, Updated
from ..ocpp.frames import Call, Error, Payload, Result

Trace = Callable[[str, str, Fact | None, Call, Result | Error | None], None]
"""Called with the charger's id and its simulated time, and each fact with the answer to it (None: no answer), or (fact None)
each command with the charger's answer to it."""


def silent(id: str, timestamp: str, fact: Fact | None, call: Call, answer: Result | Error | None) -> None:
    """Writes nothing. Where this is the trace, it need not be called."""


def printer(write: Callable[[str], Any]) -> Trace:
    """A trace that writes one line for each message."""

    def trace(id: str, timestamp: str, fact: Fact | None, call: Call, answer: Result | Error | None) -> None:
        arrow, text = ("<-", brief(call.payload)) if fact is None else ("->", describe(fact))
        line = f"{timestamp[11:19]}  {id}  {arrow} {call.action:<20} {text}"
        write(f"{line:<84}  {_outcome(answer)}".rstrip())

    return trace


def describe(fact: Fact) -> str:
    """A fact in a few words."""
    match fact:
        case BootNotification(vendor=vendor, model=model, firmware=firmware):
            return f"{vendor} {model}, firmware {firmware}"
        case Authorize(tag=tag):
            return f"tag {tag}"
        case StatusNotification(conn=conn, status=status):
            return f"connector {conn} {status}"
        case Started(conn=conn, tag=tag, meter_start=meter, event_info=step):
            words = [f"connector {conn}", step.trigger if step is not None else "", f"tag {tag}" if tag else "", f"{meter} Wh"]
            return ", ".join(filter(None, words))
        case Updated(event_info=step, readings=readings):
            return ", ".join(filter(None, (f"connector {step.conn}, {step.trigger}", step.charging_state, _readings(readings))))
        case Stopped(meter_stop=meter, reason=reason):
            return f"{reason}, {meter} Wh"
        case MeterValues(conn=conn, readings=readings):
            return f"connector {conn}, {_readings(readings)}"
        case Other(payload=payload):
            return brief(payload)
    return ""


def brief(payload: Payload) -> str:
    """The scalar members of a payload in one line, cut to 60 characters; without the value of a key that is a password (A01.FR.12)."""
    secret = ("value",) if str(payload.get("key")).casefold() == "authorizationkey" else ()
    words = (f"{name} {value}" for name, value in payload.items() if isinstance(value, (str, int, float)) and name not in secret)
    return " ".join(", ".join(words).split())[:60]


def _readings(readings: list[dict[str, Any]]) -> str:
    latest = readings[-1]["sampledValue"] if readings else []
    units = [(sample["value"], sample.get("unit") or sample.get("unitOfMeasure", {}).get("unit")) for sample in latest]
    return ", ".join(f"{value} {unit.replace('Percent', '%')}" for value, unit in units if unit in ("Wh", "W", "Percent"))


def _outcome(answer: Result | Error | None) -> str:
    match answer:
        case None:
            return "no answer"
        case Error(code=code, description=description):
            return f"{code}: {description}".rstrip(": ")
        case Result(payload=payload):
            info = payload.get("idTagInfo") or payload.get("idTokenInfo")
            words = [str(info["status"])] if isinstance(info, dict) and "status" in info else []
            if "status" in payload:
                words.append(str(payload["status"]))
            words += [
                f"{word} {payload[name]}" for name, word in (("transactionId", "transaction"), ("interval", "interval")) if name in payload
            ]
            return ", ".join(words) or "ok"
