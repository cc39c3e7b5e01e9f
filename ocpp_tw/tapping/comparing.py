"""Whether a gateway answers what it answered before: what must differ, times and ids, is left aside.

Knows no connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

HIDDEN = "***"


class TransactionIds:
    """In 1.6 the gateway gives a transaction its id: the recorded one becomes the one that is given now."""

    def __init__(self) -> None:
        self._now: dict[Any, Any] = {}

    def learn(self, recorded: list[Any] | None, now: list[Any]) -> None:
        """The answers to a StartTransaction, as it was recorded and now."""
        if recorded and recorded[0] == now[0] == 3 and isinstance(recorded[2], dict) and isinstance(now[2], dict):
            before, after = recorded[2].get("transactionId"), now[2].get("transactionId")
            if isinstance(before, int) and isinstance(after, int):
                self._now[before] = after

    def replaced(self, payload: Any) -> Any:
        """The payload of a CALL with the ids of now."""
        if isinstance(payload, dict):
            return {
                name: self._now.get(each, each) if name == "transactionId" and isinstance(each, int) else self.replaced(each)
                for name, each in payload.items()
            }
        return [self.replaced(each) for each in payload] if isinstance(payload, list) else payload


def differences(recorded: list[Any], now: list[Any], ignored: frozenset[str] = frozenset()) -> Iterator[str]:
    """What is different in an answer, each in words; members that are ``ignored`` are not looked at."""
    if recorded[0] != now[0]:
        yield f"it was answered {_kind(recorded)}, and now {_kind(now)}"
    elif recorded[0] == 3:
        yield from _different("", recorded[2], now[2], ignored)
    elif recorded[2] != now[2]:  # of a CALLERROR only the code is not free text
        yield f"the error code was {recorded[2]!r}, and is {now[2]!r} now"


def _different(path: str, recorded: Any, now: Any, ignored: frozenset[str]) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in [*recorded, *(each for each in now if each not in recorded)]:
            if name not in ignored and name != "transactionId":
                yield from _different(f"{path}.{name}" if path else name, recorded.get(name), now.get(name), ignored)
    elif isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        for place, (one, other) in enumerate(zip(recorded, now, strict=True)):
            yield from _different(f"{path}[{place}]", one, other, ignored)
    elif recorded != now and HIDDEN not in (recorded, now) and not (_is_time(recorded) and _is_time(now)):
        yield f"{path or 'the payload'} was {recorded!r}, and is {now!r} now"


def _kind(answer: list[Any]) -> str:
    return "with a result" if answer[0] == 3 else f"with the error {answer[2]!r}"


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) >= 19 and datetime.fromisoformat(value) is not None
    except ValueError:
        return False
