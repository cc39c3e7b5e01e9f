"""The passwords that a charger has been sent and has not shown yet, as its record has them (`new_password`): any of them may be in use.

A charger that was sent a password may have it at once, after its next restart, or never, and its answer may be lost. So none is forgotten
before it is known: whoever comes with one of them comes in. A charger that says no may have it all the same: what it has refused is good
until it next authenticates, which tells. Knows neither how passwords are compared nor who sends them.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST = 4
"""Most passwords that wait; a further one is not sent, unless one of them can be forgotten: refused, or never shown and sent before the password
in use."""

_SUPERSEDED = "~"
"""Before a stored form: the charger has shown another password since, which was sent to it later, or earlier. It may turn up all the same, after
a restart; where somebody else has shown the other one, it is the charger's own."""

_NEVER_SHOWN = "?"
"""After the stored form of a superseded one: nobody has ever come in with it. Without this somebody may have: earlier versions had no mark."""

_REFUSED = "!"
"""After a stored form: the charger has said that it does not take it. With this it is no password to a gateway that does not know the mark."""


class TooMany(Exception):
    """As many passwords as may wait do, and any of them may be in use."""


def forms(waiting: str) -> list[str]:
    """The stored forms of all that wait, the latest last."""
    return [_form(each) for each in waiting.split()]


def awaited(waiting: str) -> bool:
    """Whether the charger has been sent a password since the one in use, and has neither refused nor shown it yet."""
    return any(not (each.startswith(_SUPERSEDED) or each.endswith(_REFUSED)) for each in waiting.split())


def with_new(waiting: str, stored: Sequence[str]) -> str:
    """What waits once these are sent, too. Raises `TooMany`."""
    kept = waiting.split()
    for mark in (_REFUSED, _NEVER_SHOWN):
        for each in [each for each in kept if each.endswith(mark)]:
            if len(kept) + len(stored) > MOST:
                kept.remove(each)
    if len(kept) + len(stored) > MOST:
        raise TooMany
    return " ".join([*kept, *(each for each in stored if each not in forms(waiting))])


def without(waiting: str, stored: Sequence[str]) -> str:
    """What waits once it is known that the charger does not have these."""
    return " ".join(each for each in waiting.split() if _form(each) not in stored)


def refused(waiting: str, stored: Sequence[str]) -> str:
    """What waits once the charger has said that it does not take these."""
    return " ".join(each + _REFUSED if each in stored else each for each in waiting.split())


def kept(waiting: str) -> str:
    """What waits once the charger has shown the password that it had before: it has not taken what it has refused."""
    return " ".join(each for each in waiting.split() if not each.endswith(_REFUSED))


def shown(waiting: str, form: str, in_use: str) -> str:
    """What still waits once the charger has shown one of them, with the password ``in_use`` until then.

    That one is not good any more, unless the charger was sent it later than what it shows now: somebody else may know an earlier one, and
    must not end the charger's own with it.
    """
    found, place = waiting.split(), forms(waiting).index(form)
    earlier = [
        each if each.startswith(_SUPERSEDED) else f"{_SUPERSEDED}{each}{_NEVER_SHOWN}" for each in kept(" ".join(found[:place])).split()
    ]
    if found[place].startswith(_SUPERSEDED) and in_use:
        earlier.append(_SUPERSEDED + in_use)
    return " ".join([*earlier, *kept(" ".join(found[place + 1 :])).split()])


def _form(each: str) -> str:
    return each.removeprefix(_SUPERSEDED).removesuffix(_REFUSED).removesuffix(_NEVER_SHOWN)
