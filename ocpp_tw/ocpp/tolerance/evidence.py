"""Counts of schema violations by vendor, model and firmware: to report them to a vendor, or to check before turning on strict mode.

Knows no payloads and decides nothing. Counts since the gateway's start, in bounded memory whatever chargers send.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypedDict

from ..schemas import Violation

MAX_MODELS = 200
"""Most combinations of vendor, model and firmware that are counted separately; all further ones are counted together, without names."""

MAX_KINDS = 100
"""Most kinds of violation of one model that are counted separately; of further ones there is only a total."""

MAX_EXAMINED = 1000
"""Most violations of one message that are counted, and most names of one violation; the rest is ignored."""

MAX_LENGTH = 200
"""Longest name or path, in characters; a longer one, which chargers may make up, is truncated."""

Model = tuple[str | None, str | None, str | None]
"""Vendor, model and firmware, each None until it is known."""


@dataclass(slots=True)
class ViolationCount:
    """Violations of one kind by one model."""

    first: str
    example: Any
    """The value that violated the rule the first time."""
    last: str = ""
    count: int = 0
    refused: int = 0
    """How many of the messages were refused."""


@dataclass(slots=True)
class ModelRecord:
    """The violations of one model."""

    messages: int = 0
    kinds: dict[tuple[str, str, str], ViolationCount] = field(default_factory=dict)
    """By action, path without indexes, and schema keyword."""
    more: int = 0
    """Violations that are of none of these kinds."""


class Breach(TypedDict):
    """Violations of one kind."""

    action: str
    """the OCPP action"""
    path: str
    """the member that is wrong, without indexes"""
    rule: str
    """the schema's keyword"""
    count: int
    """how many there were"""
    refused: int
    """how many of the messages were refused"""
    first: str
    """when the first came (UTC)"""
    last: str
    """when the latest came (UTC)"""
    example: Any
    """the value that was wrong the first time"""


class ModelReport(TypedDict):
    """The violations of one model since the gateway's start."""

    vendor: str | None
    """the vendor; null until it is known"""
    model: str | None
    """the model, likewise"""
    firmware: str | None
    """the firmware version, likewise"""
    messages: int
    """messages with violations"""
    breaches: list[Breach]
    """the kinds of violation, the most frequent first"""
    more: int
    """violations of further kinds"""


class Evidence:
    """The violations seen by one gateway."""

    def __init__(self) -> None:
        self._models: dict[Model, ModelRecord] = {}

    def record(self, model: Model, action: str, violations: Iterable[Violation], time: str, *, refused: bool = False) -> None:
        """Count one message's violations."""
        vendor, name, firmware = model
        model = (_truncated(vendor), _truncated(name), _truncated(firmware))
        if model not in self._models and len(self._models) >= MAX_MODELS:
            model = (None, None, None)
        record = self._models.setdefault(model, ModelRecord())
        record.messages += 1
        for violation in islice(violations, MAX_EXAMINED):
            self._count(record, action, violation, time, refused)

    def _count(self, record: ModelRecord, action: str, violation: Violation, time: str, refused: bool) -> None:
        steps = [step for step in violation.path if isinstance(step, str)]
        for name in violation.names[:MAX_EXAMINED] or (None,):
            path = "/".join(step[:MAX_LENGTH] for step in (steps if name is None else [*steps, name]))
            kind = (action[:MAX_LENGTH], path[:MAX_LENGTH], violation.rule)
            counted = record.kinds.get(kind)
            if counted is None:
                if len(record.kinds) >= MAX_KINDS:
                    record.more += 1
                    continue
                counted = record.kinds[kind] = ViolationCount(time, _example(violation, name))
            counted.last = time
            counted.count += 1
            counted.refused += refused

    def report(self, of: Model | None = None) -> list[ModelReport]:
        """Everything that was counted, or that of one model, as JSON values: models in the order of their names, the most frequent violations
        first."""
        of = of and (_truncated(of[0]), _truncated(of[1]), _truncated(of[2]))
        models = sorted([each for each in self._models.items() if of in (None, each[0])], key=lambda item: _without_none(item[0]))
        return [
            {
                "vendor": vendor,
                "model": model,
                "firmware": firmware,
                "messages": record.messages,
                "breaches": [
                    {
                        "action": action,
                        "path": path,
                        "rule": rule,
                        "count": counted.count,
                        "refused": counted.refused,
                        "first": counted.first,
                        "last": counted.last,
                        "example": counted.example,
                    }
                    for (action, path, rule), counted in sorted(record.kinds.items(), key=lambda item: -item[1].count)
                ],
                "more": record.more,
            }
            for (vendor, model, firmware), record in models
        ]


def merged(reports: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The reports of several gateways as one report."""
    models: dict[tuple[Any, ...], dict[str, Any]] = {}
    for part in (model for report in reports for model in report):
        key = tuple(part[name] for name in ("vendor", "model", "firmware"))
        model = models.setdefault(key, {**part, "messages": 0, "breaches": {}, "more": 0})
        model["messages"] += part["messages"]
        model["more"] += part["more"]
        for counted in part["breaches"]:
            kind = tuple(counted[name] for name in ("action", "path", "rule"))
            so_far = model["breaches"].get(kind)
            model["breaches"][kind] = counted if so_far is None else _added(so_far, counted)
    for model in models.values():
        model["breaches"] = sorted(model["breaches"].values(), key=lambda counted: -counted["count"])
    return [models[key] for key in sorted(models, key=_without_none)]


def _without_none(key: tuple[str | None, ...]) -> tuple[str, ...]:
    """A model's names as a sort key."""
    return tuple(name or "" for name in key)


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    sums = {name: one[name] + other[name] for name in ("count", "refused")}
    return {**one, **sums, "first": min(one["first"], other["first"]), "last": max(one["last"], other["last"])}


def _truncated(name: str | None) -> str | None:
    return None if name is None else name[:MAX_LENGTH]


def _example(violation: Violation, name: str | None) -> Any:
    """The value that violates the rule: of an unexpected member, that member's; of a missing one, None."""
    if name is None:
        return violation.as_event()["value"]
    value = violation.value.get(name) if isinstance(violation.value, dict) else None
    return Violation((), violation.rule, value, "").as_event()["value"]
