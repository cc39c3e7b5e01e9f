"""Whose messages are let in though they break their schema, and how their clocks are read: a default, and rules from a file.

Knows globs, not messages. What is found in a broken message is `ocpp_tw.ocpp.tolerance.repair`'s, what is counted of it `ocpp_tw.ocpp.tolerance.evidence`'s.
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
WHO = ("charger", "vendor", "model", "action")
"""What a rule is about, each a glob; one that is left out is ``*``."""

KEPT = 100_000
"""Decisions that are remembered, each of some 200 bytes; beyond that they are made anew."""


class Way(NamedTuple):
    """What is done with a message that breaks its schema; ``zone`` is None where no rule and no default names one: UTC then."""

    mode: Mode = "tolerant"
    zone: tzinfo | None = None


class Rule(NamedTuple):
    """``who`` has globs in the order of `WHO`; None leaves the question to a later rule."""

    who: tuple[str, str, str, str]
    mode: Mode | None = None
    zone: tzinfo | None = None

    def about(self, who: tuple[str, str, str, str]) -> bool:
        """A charger's id is taken to the letter, the names in the other places in any case."""
        charger, *names = zip(who, self.who, strict=True)
        return fnmatchcase(*charger) and all(fnmatchcase(name.lower(), glob.lower()) for name, glob in names)


class Tolerance:
    """The first rule that is about a message and says a mode decides its mode; likewise its zone; else the default."""

    def __init__(self, default: Mode = "tolerant", rules: Iterable[Rule] = (), zone: tzinfo | None = None) -> None:
        self.default = Way(default, zone)
        self.rules = tuple(rules)
        self._each = any(rule.who[0] != "*" for rule in self.rules)  # else chargers of one model share their decisions
        self._decided: dict[tuple[str, str, str, str], Way] = {}

    @property
    def zoned(self) -> bool:
        """Whether any charger's clock has a zone of its own: then whole messages are read by it too."""
        return self.default.zone is not None or any(rule.zone is not None for rule in self.rules)

    def mode(self, charger: str, vendor: str | None, model: str | None, action: str) -> Mode:
        """Whether that charger's messages of that action may break their schema. Vendor and model are None until it has told them."""
        return self.way(charger, vendor, model, action).mode

    def way(self, charger: str, vendor: str | None, model: str | None, action: str) -> Way:
        """The same with the zone."""
        if not self.rules:
            return self.default
        who = (charger if self._each else "", vendor or "", model or "", action)
        way = self._decided.get(who)
        if way is None:
            if len(self._decided) >= KEPT:
                self._decided.clear()
            way = self._decided[who] = self._decide(who)
        return way

    def _decide(self, who: tuple[str, str, str, str]) -> Way:
        about = [rule for rule in self.rules if rule.about(who)]
        mode = next((rule.mode for rule in about if rule.mode is not None), self.default.mode)
        return Way(mode, next((rule.zone for rule in about if rule.zone is not None), self.default.zone))

    @classmethod
    def of(cls, settings: Settings) -> Tolerance:
        """What the settings ask for. Raises `Wrong`."""
        default = cast(Mode, settings.validation)
        return cls.read(settings.tolerance, default) if settings.tolerance else cls(default)

    @classmethod
    def read(cls, path: str | Path, default: Mode = "tolerant") -> Tolerance:
        """The file's; ``default`` is for a file that says none. Raises `Wrong`."""
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
    """What a file says. Raises `Wrong`, naming the rule by its number, the first being 1."""
    _known(file, "", "default", "timezone", "rule")
    rules = file.get("rule", [])
    if not isinstance(rules, list):
        raise InvalidSetting("rule: expected [[rule]], in two pairs of brackets")
    read = [_rule(each, f"rule {number}: ") for number, each in enumerate(rules, 1)]
    return Tolerance(_mode(file, "default", "") or default, read, _zone(file, ""))


def _rule(rule: Any, where: str) -> Rule:
    if not isinstance(rule, dict):
        raise InvalidSetting(f"{where}expected a table")
    _known(rule, where, *WHO, "mode", "timezone")
    charger, vendor, model, action = (_glob(rule, name, where) for name in WHO)
    mode, zone = _mode(rule, "mode", where), _zone(rule, where)
    if mode is None and zone is None:
        raise InvalidSetting(f"{where}says neither mode nor timezone")
    actions = expected.actions()
    if not any(fnmatchcase(each.lower(), action.lower()) for each in actions):
        raise InvalidSetting(f"{where}action: OCPP has none that is {action!r}")
    return Rule((charger, vendor, model, action), mode, zone)


def _known(table: dict[str, Any], where: str, *names: str) -> None:
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
        return timestamps.zone(name)
    except (TypeError, ValueError):
        raise InvalidSetting(f"{where}timezone: expected one such as +03:00, UTC or Europe/Amsterdam, not {name!r}") from None
