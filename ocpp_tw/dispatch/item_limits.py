"""2.x: GetVariables and SetVariables with more items than the charger takes in one message are sent in parts, and the answers joined.

Knows nothing of commands; the caller gets one outcome, within one timeout.
"""

from __future__ import annotations

from ..core.commands import Outcome
from ..gateway.charger import Charger
from ..ocpp.frames import Payload
from ..ocpp.numbers import decimal_number

LISTS = {"GetVariables": ("getVariableData", "getVariableResult"), "SetVariables": ("setVariableData", "setVariableResult")}
"""Action -> the member that is a list in its request, and the one in its answer."""

UNLIMITED = 1_000_000
"""The limit of a charger that names none: all items are sent in one message."""

ASK_TIMEOUT = 5.0
"""Seconds that a charger has to name its limit, or half the command's timeout if that is less; then it counts as `UNLIMITED`."""


async def prepare(charger: Charger, action: str, payload: Payload, call_timeout: float | None) -> float | None:
    """Ask the charger for its limit, if this payload may exceed it and it was not asked before on this connection (B05, B06).

    Returns what is left of ``call_timeout`` for `call`.
    """
    limits = charger.outgoing.item_limits
    if len(_items(payload, LISTS.get(action, ("", ""))[0])) < 2 or action in limits:
        return call_timeout
    clock, whole = charger.incoming.clock, call_timeout or charger.incoming.settings.call_timeout
    began = clock.seconds()
    variable = {"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage", "instance": action}}
    outcome = await charger.call("GetVariables", {"getVariableData": [variable]}, min(ASK_TIMEOUT, whole / 2))
    limits[action] = _limit(outcome.payload or {})
    return whole - (clock.seconds() - began)


async def call(charger: Charger, action: str, payload: Payload, call_timeout: float | None, raw: bytes, id: str) -> Outcome:
    """The outcome; when one part fails, its failure, with the results of the parts before it."""
    requested, answered = LISTS.get(action, ("", ""))
    items, limit = _items(payload, requested), charger.outgoing.item_limits.get(action, UNLIMITED)
    if len(items) <= limit:
        return await charger.call(action, payload, call_timeout, raw=raw, id=id)
    clock = charger.incoming.clock
    deadline = clock.seconds() + (call_timeout or charger.incoming.settings.call_timeout)
    results: list[object] = []
    for start in range(0, len(items), limit):
        left = deadline - clock.seconds()
        if left <= 0:
            return Outcome("timeout", {answered: results}, sent=True)
        part = payload | {requested: items[start : start + limit]}
        outcome = await charger.call(action, part, left, id=id if start == 0 else "")
        if outcome.kind == "offline" and start > 0:  # between two parts
            return Outcome("connection_lost", {answered: results}, sent=True)
        if outcome.kind != "result" or outcome.payload is None:
            return Outcome(outcome.kind, {answered: results} if results else None, outcome.error, outcome.sent, outcome.latency_ms)
        results += _items(outcome.payload, answered)
    return Outcome("result", {answered: results}, sent=True, latency_ms=outcome.latency_ms)


def _items(payload: Payload, name: str) -> list[object]:
    """The member if it is a list, else an empty one."""
    items = payload.get(name)
    return items if isinstance(items, list) else []


def _limit(answer: Payload) -> int:
    first = next(iter(_items(answer, "getVariableResult")), None)
    limit = decimal_number(first.get("attributeValue")) if isinstance(first, dict) else None
    return int(limit) if limit is not None and 0 < limit < UNLIMITED and limit == int(limit) else UNLIMITED
