"""A charger's configuration keys: their values, and which values they may be changed to.

Knows neither when a value takes effect nor any OCPP message about it.
"""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """One row: ``kind`` is int, bool or str; a hidden value (a password) is never reported."""

    name: str
    value: str
    readonly: bool = False
    hidden: bool = False
    kind: type = str


class Configuration:
    """The keys of one charger. Names are case-insensitive (OCPP 1.6 §7.31, CiString)."""

    __slots__ = ("_keys",)

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._keys = {key.name.casefold(): key for key in keys}

    def find(self, name: str) -> Key | None:
        """The key with that name."""
        return self._keys.get(name.casefold())

    def all(self) -> list[Key]:
        """Every key, in the order of the table."""
        return list(self._keys.values())

    def number(self, name: str, default: int = 0) -> int:
        """The value of an int key."""
        key = self.find(name)
        return int(key.value) if key is not None else default

    def truth(self, name: str) -> bool:
        """The value of a bool key; False when there is none."""
        key = self.find(name)
        return key is not None and key.value.casefold() == "true"

    def words(self, name: str) -> frozenset[str]:
        """The values of a key that holds a list."""
        key = self.find(name)
        return frozenset(word for each in key.value.split(",") if (word := each.strip())) if key is not None else frozenset()

    def fits(self, name: str, value: str) -> bool:
        """Whether the key may be changed to that value."""
        key = self.find(name)
        if key is None or key.readonly:
            return False
        if key.kind is int:
            return value.isascii() and value.isdigit() and len(value) < 10
        if key.kind is bool:
            return value.casefold() in ("true", "false")
        return True

    def set(self, name: str, value: str) -> None:
        """Change a value; the charger itself may change read-only ones."""
        key = self._keys[name.casefold()]
        self._keys[name.casefold()] = key._replace(value=value)
