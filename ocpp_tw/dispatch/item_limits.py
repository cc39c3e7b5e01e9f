"""2.x: GetVariables and SetVariables longer than the charger takes at once are asked in parts, and their answers joined.

Knows nothing of commands; whoever asks gets one outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.commands import Outcome
from ..ocpp.frames import Payload

if TYPE_CHECKING:
    from ..gateway.charger import Charger

LISTS = {"GetVariables": ("getVariableData", "getVariableResult"), "SetVariables": ("setVariableData", "setVariableResult")}
"""Action -> the member that is a list in its request, and the one in its answer."""


async def prepare(charger: Charger, action: str, payload: Payload) -> None:
    """Ask the charger what has to be known before it can be asked this, if anything."""
    items = payload.get(LISTS.get(action, ("", ""))[0])
    if isinstance(items, list) and len(items) > 1:
        await _limit(charger, action)


async def ask(charger: Charger, action: str, payload: Payload, patience: float | None, raw: bytes, id: str) -> Outcome:
    """What came of it; of one that was asked in parts and failed midway, the failure, with the results there are."""
    asked, told = LISTS.get(action, ("", ""))
    items = payload.get(asked)
    if not isinstance(items, list) or len(items) < 2:
        return await charger.call(action, payload, patience, raw=raw, id=id)
    most = await _limit(charger, action)
    if len(items) <= most:
        return await charger.call(action, payload, patience, raw=raw, id=id)
    results: list[object] = []
    for start in range(0, len(items), most):
        part = payload | {asked: items[start : start + most]}
        outcome = await charger.call(action, part, patience, id=id if start == 0 else "")
        if outcome.kind != "result" or outcome.payload is None:
            return Outcome(outcome.kind, {told: results} if results else None, outcome.error, True, outcome.latency_ms)
        results += outcome.payload.get(told, [])
    return Outcome("result", {told: results}, sent=True, latency_ms=outcome.latency_ms)


async def _limit(charger: Charger, action: str) -> int:
    """How many items the charger takes in one message: it is asked once on a connection, and may not say (B05, B06)."""
    if charger.outgoing.item_limits is None:
        charger.outgoing.item_limits = {}
        wanted = [{"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage", "instance": each}} for each in LISTS]
        for each, one in zip(LISTS, wanted, strict=True):  # one by one, for its limit may be one
            outcome = await charger.call("GetVariables", {"getVariableData": [one]})
            results = (outcome.payload or {}).get("getVariableResult") or [{}]
            value = str(results[0].get("attributeValue", "")) if isinstance(results[0], dict) else ""
            if value.isdecimal() and int(value) > 0:
                charger.outgoing.item_limits[each] = int(value)
    return charger.outgoing.item_limits.get(action, 1_000_000)
