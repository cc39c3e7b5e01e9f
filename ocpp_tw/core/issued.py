"""The certificates that a charger was sent, as its record has them (`issued`): fingerprints, the latest last, a mark before the one that it
has shown last.

A charger goes back to an older one if a new one does not work (A02.FR.10), so that all of them are good. Knows no certificate.
"""

from __future__ import annotations

MOST = 4
"""Most that are good at once; of those that the charger has not shown last, the oldest is forgotten for a further one."""

_SHOWN = "+"


def fingerprints(issued: str) -> list[str]:
    """All that are good."""
    return [each.removeprefix(_SHOWN) for each in issued.split()]


def awaited(issued: str) -> bool:
    """Whether the charger has not shown the one that it was sent last."""
    return bool(issued) and not issued.split()[-1].startswith(_SHOWN)


def with_new(issued: str, fingerprint: str) -> str:
    """What is good once that is sent, too."""
    kept = [each for each in issued.split() if each.removeprefix(_SHOWN) != fingerprint]
    while len(kept) >= MOST:
        kept.remove(next(each for each in kept if not each.startswith(_SHOWN)))
    return " ".join([*kept, fingerprint])


def without(issued: str, fingerprint: str) -> str:
    """What is good once the charger has refused that."""
    return " ".join(each for each in issued.split() if each != fingerprint)


def is_new(issued: str, fingerprint: str) -> bool:
    """Whether the charger was sent that, and has not shown it last."""
    return fingerprint in issued.split()


def shown(issued: str, fingerprint: str) -> str:
    """The same once the charger has shown that one."""
    return " ".join(_SHOWN + each if each == fingerprint else each for each in fingerprints(issued))
