"""2.x: GetVariables and SetVariables with more items than the charger takes in one message are sent in parts, and the answers joined.

Knows nothing of commands; the caller gets one outcome.
"""

from __future__ import annotations

from ..core.commands import Outcome
from ..gateway.charger import Charger
from ..ocpp.frames import Payload

LISTS = {"GetVariables": ("getVariableData", "getVariableResult"), "SetVariables": ("setVariableData", "setVariableResult")}
"""Action -> the member that is a list in its request, and the one in its answer."""

UNLIMITED = 1_000_000


async def prepare(charger: Charger, action: str, payload: Payload) -> None:
    """Ask the charger for its limit, if this payload may exceed it and the charger was not asked before."""
    items = payload.get(LISTS.get(action, ("", ""))[0])
    if isinstance(items, list) and len(items) > 1:
        await _limit(charger, action)


async def call(charger: Charger, action: str, payload: Payload, call_timeout: float | None, raw: bytes, id: str) -> Outcome:
    """The outcome; when one part fails, its failure, with the results of the parts before it."""
    requested, answered = LISTS.get(action, ("", ""))
    items = payload.get(requested)
    if not isinstance(items, list) or len(items) < 2:
        return await charger.call(action, payload, call_timeout, raw=raw, id=id)
    limit = await _limit(charger, action)
    if len(items) <= limit:
        return await charger.call(action, payload, call_timeout, raw=raw, id=id)
    results: list[object] = []
    for start in range(0, len(items), limit):
        part = payload | {requested: items[start : start + limit]}
        outcome = await charger.call(action, part, call_timeout, id=id if start == 0 else "")
        if outcome.kind != "result" or outcome.payload is None:
            return Outcome(outcome.kind, {answered: results} if results else None, outcome.error, True, outcome.latency_ms)
        results += outcome.payload.get(answered, [])
    return Outcome("result", {answered: results}, sent=True, latency_ms=outcome.latency_ms)


async def _limit(charger: Charger, action: str) -> int:
    """How many items the charger takes in one message. It is asked once on a connection, and may not answer (B05, B06)."""
    limits = charger.outgoing.item_limits
    if limits is None:
        limits = charger.outgoing.item_limits = {}
        for name in LISTS:  # one by one, for the limit may be one
            variable = {"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage", "instance": name}}
            outcome = await charger.call("GetVariables", {"getVariableData": [variable]})
            results = (outcome.payload or {}).get("getVariableResult") or [{}]
            value = str(results[0].get("attributeValue", "")) if isinstance(results[0], dict) else ""
            if value.isdecimal() and int(value) > 0:
                limits[name] = int(value)
    return limits.get(action, UNLIMITED)
