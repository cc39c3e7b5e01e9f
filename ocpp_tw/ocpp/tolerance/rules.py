"""Which chargers' messages are tolerated although they violate their schema, and the time zone of their clocks: a default, and rules from a file.

Knows globs, not messages. Repairing one is in `tolerance.repair`, counting its violations in `tolerance.evidence`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import tzinfo
from fnmatch import fnmatchcase, translate
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from ...settings import InvalidSetting, Settings
from .. import timestamps
from . import expected

Mode = Literal["tolerant", "strict"]
MODES = ("tolerant", "strict")
CRITERIA = ("charger", "vendor", "model", "action")
"""What a rule matches on, each a glob; one that is missing is ``*``."""

MAX_DECISIONS = 10_000
"""Most decisions that are cached, each some 200 bytes, and at most a kilobyte; beyond that the cache is cleared."""


class Decision(NamedTuple):
    """What is done with a message that violates its schema; ``zone`` is None if neither a rule nor the default names one: then it is UTC."""

    mode: Mode = "tolerant"
    zone: tzinfo | None = None


class Rule(NamedTuple):
    """``globs`` are in the order of `CRITERIA`; a mode or zone of None is left to a later rule."""

    globs: tuple[str, str, str, str]
    mode: Mode | None = None
    zone: tzinfo | None = None

    def matches(self, message: tuple[str, str, str, str]) -> bool:
        """Whether a message, by the `CRITERIA`, matches; the charger's id is case-sensitive, the others are not."""
        charger, *names = zip(message, self.globs, strict=True)
        return fnmatchcase(*charger) and all(fnmatchcase(name.lower(), glob.lower()) for name, glob in names)


class Tolerance:
    """The first matching rule with a mode decides the mode of a message, the first with a zone its zone; else the default does."""

    def __init__(self, default: Mode = "tolerant", rules: Iterable[Rule] = (), zone: tzinfo | None = None) -> None:
        self.default = Decision(default, zone)
        self.rules = tuple(rules)
        self._by_charger = any(rule.globs[0] != "*" for rule in self.rules)  # else chargers of one model share their decisions
        self._decisions: dict[tuple[str, str, str, str], Decision] = {}

    @property
    def cached(self) -> int:
        """The number of decisions in the cache."""
        return len(self._decisions)

    @property
    def has_zones(self) -> bool:
        """Whether any charger's clock has a zone of its own: then the timestamps of valid messages are read in it too."""
        return self.default.zone is not None or any(rule.zone is not None for rule in self.rules)

    def mode(self, charger: str, vendor: str | None, model: str | None, action: str) -> Mode:
        """Whether a charger's messages of an action may violate their schema. Vendor and model are None until its BootNotification."""
        return self.decide(charger, vendor, model, action).mode

    def decide(self, charger: str, vendor: str | None, model: str | None, action: str) -> Decision:
        """The same, with the zone."""
        if not self.rules:
            return self.default
        message = (charger if self._by_charger else "", vendor or "", model or "", action)
        decision = self._decisions.get(message)
        if decision is None:
            if len(self._decisions) >= MAX_DECISIONS:
                self._decisions.clear()
            decision = self._decisions[message] = self._apply_rules(message)
        return decision

    def _apply_rules(self, message: tuple[str, str, str, str]) -> Decision:
        matching = [rule for rule in self.rules if rule.matches(message)]
        mode = next((rule.mode for rule in matching if rule.mode is not None), self.default.mode)
        return Decision(mode, next((rule.zone for rule in matching if rule.zone is not None), self.default.zone))

    @classmethod
    def from_settings(cls, settings: Settings) -> Tolerance:
        """The tolerance that the settings ask for. Raises `InvalidSetting`."""
        default = cast(Mode, settings.validation)
        return cls.from_file(settings.tolerance, default) if settings.tolerance else cls(default)

    @classmethod
    def from_file(cls, path: str | Path, default: Mode = "tolerant") -> Tolerance:
        """The tolerance in a TOML file; ``default`` is for a file without one. Raises `InvalidSetting`."""
        try:
            return parse(tomllib.loads(Path(path).read_text("utf-8")), default)
        except OSError as why:
            raise InvalidSetting(f"{path}: {why.strerror or why}") from None
        except UnicodeDecodeError:
            raise InvalidSetting(f"{path}: not UTF-8") from None
        except tomllib.TOMLDecodeError as why:
            raise InvalidSetting(f"{path}: not TOML: {why}") from None
        except InvalidSetting as why:
            raise InvalidSetting(f"{path}: {why}") from None


def parse(file: dict[str, Any], default: Mode = "tolerant") -> Tolerance:
    """The tolerance in a parsed file. Raises `InvalidSetting` with the number of the invalid rule, the first being 1."""
    _check_names(file, "", "default", "timezone", "rule")
    rules = file.get("rule", [])
    if not isinstance(rules, list):
        raise InvalidSetting("rule: expected [[rule]], in two pairs of brackets")
    parsed = [_rule(rule, f"rule {number}: ") for number, rule in enumerate(rules, 1)]
    return Tolerance(_mode(file, "default", "") or default, parsed, _zone(file, ""))


def _rule(rule: Any, where: str) -> Rule:
    if not isinstance(rule, dict):
        raise InvalidSetting(f"{where}expected a table")
    _check_names(rule, where, *CRITERIA, "mode", "timezone")
    charger, vendor, model, action = (_glob(rule, name, where) for name in CRITERIA)
    mode, zone = _mode(rule, "mode", where), _zone(rule, where)
    if mode is None and zone is None:
        raise InvalidSetting(f"{where}says neither mode nor timezone")
    if not any(fnmatchcase(known.lower(), action.lower()) for known in expected.all_actions()):
        raise InvalidSetting(f"{where}action: OCPP has none that is {action!r}")
    return Rule((charger, vendor, model, action), mode, zone)


def _check_names(table: dict[str, Any], where: str, *names: str) -> None:
    for name in table:
        if name not in names:
            raise InvalidSetting(f"{where}{name}: unknown; expected {', '.join(names[:-1])} or {names[-1]}")


def _glob(rule: dict[str, Any], name: str, where: str) -> str:
    glob = rule.get(name, "*")
    if not isinstance(glob, str) or not glob:
        raise InvalidSetting(f"{where}{name}: expected a name or a glob, not {glob!r}")
    try:
        re.compile(translate(glob))
    except re.error:
        raise InvalidSetting(f"{where}{name}: {glob!r} is no glob") from None
    return glob


def _mode(table: dict[str, Any], name: str, where: str) -> Mode | None:
    mode = table.get(name)
    if mode is not None and mode not in MODES:
        raise InvalidSetting(f"{where}{name}: expected {' or '.join(MODES)}, not {mode!r}")
    return cast(Mode | None, mode)


def _zone(table: dict[str, Any], where: str) -> tzinfo | None:
    name = table.get("timezone")
    if name is None:
        return None
    try:
        return timestamps.parse_zone(name)
    except (TypeError, ValueError):
        raise InvalidSetting(f"{where}timezone: expected one such as +03:00, UTC or Europe/Amsterdam, not {name!r}") from None
