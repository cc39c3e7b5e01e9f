"""What chargers break, counted by vendor, model and firmware: what an operator shows a vendor, or looks at before being strict.

Knows no payload and decides nothing. Since the gateway started, and bounded whatever chargers make up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..schemas import Violation

MODELS = 200
"""Vendors' models and firmwares that are told apart; what comes later is counted together, under no names."""

KINDS = 100
"""Breaches of one of them that are told apart; the others are only counted."""

EXAMINED = 1000
"""Breaches of one message that are looked at, and names of one breach."""

LONGEST = 200
"""Characters that are kept of a name or a path, which are the charger's own."""

Model = tuple[str | None, str | None, str | None]


@dataclass(slots=True)
class Breach:
    """One kind, of one model."""

    first: str
    example: Any
    """The value that broke the rule when it was first broken."""
    last: str = ""
    count: int = 0
    refused: int = 0
    """How often the message was refused for it."""


@dataclass(slots=True)
class ModelRecord:
    """Of one model."""

    messages: int = 0
    kinds: dict[tuple[str, str, str], Breach] = field(default_factory=dict)
    """By action, path without indexes, and rule."""
    more: int = 0
    """Breaches that are of none of these kinds."""


class Evidence:
    """All of one gateway's."""

    def __init__(self) -> None:
        self._models: dict[Model, ModelRecord] = {}

    def note(self, model: Model, action: str, violations: Iterable[Violation], time: str, *, refused: bool = False) -> None:
        """Count one message's breaches; ``model`` is vendor, model and firmware, each None until it is known."""
        vendor, name, firmware = model
        model = (_cut(vendor), _cut(name), _cut(firmware))
        if model not in self._models and len(self._models) >= MODELS:
            model = (None, None, None)
        record = self._models.setdefault(model, ModelRecord())
        record.messages += 1
        for violation in islice(violations, EXAMINED):
            self._count(record, action, violation, time, refused)

    def _count(self, record: ModelRecord, action: str, violation: Violation, time: str, refused: bool) -> None:
        steps = [each for each in violation.path if isinstance(each, str)]
        for name in violation.names[:EXAMINED] or (None,):
            path = "/".join(each[:LONGEST] for each in (steps if name is None else [*steps, name]))
            kind = (action[:LONGEST], path[:LONGEST], violation.rule)
            breach = record.kinds.get(kind)
            if breach is None:
                if len(record.kinds) >= KINDS:
                    record.more += 1
                    continue
                breach = record.kinds[kind] = Breach(time, _example(violation, name))
            breach.last = time
            breach.count += 1
            breach.refused += refused

    def report(self) -> list[dict[str, Any]]:
        """All of it, made of what JSON can say: the models by their names, the most frequent breaches first."""
        models = sorted(self._models.items(), key=lambda item: tuple(each or "" for each in item[0]))
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
                        "count": breach.count,
                        "refused": breach.refused,
                        "first": breach.first,
                        "last": breach.last,
                        "example": breach.example,
                    }
                    for (action, path, rule), breach in sorted(record.kinds.items(), key=lambda item: -item[1].count)
                ],
                "more": record.more,
            }
            for (vendor, model, firmware), record in models
        ]


def merged(reports: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What several gateways report, as one report."""
    models: dict[tuple[Any, ...], dict[str, Any]] = {}
    for told in (model for report in reports for model in report):
        key = tuple(told[each] for each in ("vendor", "model", "firmware"))
        model = models.setdefault(key, {**told, "messages": 0, "breaches": {}, "more": 0})
        model["messages"] += told["messages"]
        model["more"] += told["more"]
        for breach in told["breaches"]:
            kind = tuple(breach[each] for each in ("action", "path", "rule"))
            known = model["breaches"].get(kind)
            model["breaches"][kind] = breach if known is None else _added(known, breach)
    for model in models.values():
        model["breaches"] = sorted(model["breaches"].values(), key=lambda breach: -breach["count"])
    return [models[key] for key in sorted(models, key=lambda key: tuple(each or "" for each in key))]


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    sums = {each: one[each] + other[each] for each in ("count", "refused")}
    return {**one, **sums, "first": min(one["first"], other["first"]), "last": max(one["last"], other["last"])}


def _cut(name: str | None) -> str | None:
    return None if name is None else name[:LONGEST]


def _example(violation: Violation, name: str | None) -> Any:
    """The value; of a member that should not be there, that one's; nothing of one that is missing."""
    if name is None:
        return violation.as_event()["value"]
    value = violation.value.get(name) if isinstance(violation.value, dict) else None
    return Violation((), violation.rule, value, "").as_event()["value"]
