"""One readable line for each step of a charger: when, what was said, what was answered.

Knows the facts, and of commands only their members; writes wherever it is told to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..facts import Authorize, BootNotification, Fact, MeterValues, Other, Started, StatusNotification, Stopped, Updated
from ..ocpp.frames import Call, Error, Payload, Result

if TYPE_CHECKING:
    from .charger import Charger

Trace = Callable[["Charger", Fact | None, Call, Result | Error | None], None]
"""Is told of each fact and the answer to it, and (fact None) of each command and our answer to that."""


def silent(charger: Charger, fact: Fact | None, call: Call, answer: Result | Error | None) -> None:
    """Says nothing."""


def printer(write: Callable[[str], Any]) -> Trace:
    """A trace that writes one line for each step."""

    def trace(charger: Charger, fact: Fact | None, call: Call, answer: Result | Error | None) -> None:
        arrow, said = ("<-", brief(call.payload)) if fact is None else ("->", describe(fact))
        outcome = _outcome(answer)
        line = f"{charger.pace.stamp()[11:19]}  {charger.id}  {arrow} {call.action:<20} {said}"
        write(f"{line:<84}  {outcome}".rstrip())

    return trace


def describe(fact: Fact) -> str:
    """What a fact says, in a few words."""
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
    """The plain members of a payload."""
    return ", ".join(f"{name} {value}" for name, value in payload.items() if isinstance(value, (str, int, float)))[:60]


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
