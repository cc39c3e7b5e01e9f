"""The passwords of a charger's network profiles, as its record has them (`network_passwords`): each is good beside the charger's own.

A charger goes from one profile to another and back, as what it reaches demands (2.1 B09, B10), so none of them ends another one but by a later
password for the same configuration slot. Knows neither how passwords are compared nor who sends them.
"""

from __future__ import annotations

MOST = 8
"""Most that are kept; a further one ends the oldest that is not in use."""

_STORED, _IN_USE = "=", "*"
"""Between slot and stored form: the latter if the charger has come in with it, and with no other since."""

_REFUSED = "!"
"""After a stored form: the charger has said that it does not take it. With this it is no password to a gateway that does not know the mark."""


def forms(kept: str) -> list[str]:
    """The stored forms, the latest last."""
    return [_form(each) for _, _, each in _read(kept)]


def with_new(kept: str, slot: str, form: str) -> str:
    """What is good once this is sent for that slot: the former one of the slot as well, until it is known that the charger has this one."""
    found = [each for each in _read(kept) if _form(each[2]) != form]
    while len(found) >= MOST:
        spare = [each for each in found if each[1] == _STORED]
        found.remove(next((each for each in spare if each[2].endswith(_REFUSED)), spare[0]))
    return _written([*found, (slot, _STORED, form)])


def refused(kept: str, form: str) -> str:
    """What is good once the charger has said that it does not take this one: chargers have taken it all the same, so this one too until the
    charger next authenticates."""
    return _written([(slot, use, each + _REFUSED if each == form else each) for slot, use, each in _read(kept)])


def without_refused(kept: str) -> str:
    """What is good once the charger has come in with anything but what it has refused."""
    return _written([each for each in _read(kept) if not each[2].endswith(_REFUSED)])


def taken(kept: str) -> bool:
    """Whether there is any that the charger has not refused."""
    return bool(without_refused(kept))


def without(kept: str, form: str) -> str:
    """What is good once it is known that the charger does not have this one."""
    return _written([each for each in _read(kept) if _form(each[2]) != form])


def stored(kept: str, form: str) -> str:
    """What is good once the charger says that it has stored this one: the former one of its slot is not, but for one in use, with which it may
    come again before it uses the new one."""
    return _without_former(kept, form, in_use_too=False)


def shown(kept: str, form: str) -> str:
    """What is good once the charger has come in with this one ("": with its own)."""
    found = [(slot, _IN_USE, form) if _form(each) == form else (slot, _STORED, each) for slot, _, each in _read(kept)]
    return _without_former(without_refused(_written(found)), form, in_use_too=True)


def _without_former(kept: str, form: str, *, in_use_too: bool) -> str:
    found = _read(kept)
    place = next((place for place, each in enumerate(found) if each[2] == form), 0)
    return _written(
        [each for each in found[:place] if each[0] != found[place][0] or (each[1] == _IN_USE and not in_use_too)] + found[place:]
    )


def _form(each: str) -> str:
    return each.removesuffix(_REFUSED)


def _read(kept: str) -> list[tuple[str, str, str]]:
    found = []
    for each in kept.split():
        use = _IN_USE if _IN_USE in each else _STORED
        slot, _, form = each.partition(use)
        found.append((slot, use, form))
    return found


def _written(found: list[tuple[str, str, str]]) -> str:
    return " ".join(map("".join, found))
