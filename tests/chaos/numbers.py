"""The seqNos with which chargers numbered the messages of their 2.x transactions, some of which leave numbers out or use them again.

Knows nothing of events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from chaos.ledger import Message


class Numbers:
    """Of all messages that were sent."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._of: dict[tuple[str, str], list[int]] = defaultdict(list)
        for message in messages:
            if message.numbered:
                self._of[message.numbered].append(message.payload["seqNo"])

    def incomplete(self, transaction: tuple[str, str] | None) -> bool:
        """Whether the charger left numbers out, be it that it used them later: it may have begun again."""
        highest = -1
        for number in self._of.get(transaction, ()) if transaction else ():
            if number > highest + 1:
                return True
            highest = max(highest, number)
        return False

    def shared(self, message: Message) -> bool:
        """Whether another message of its transaction has the same number."""
        return message.numbered is not None and self._of[message.numbered].count(message.payload["seqNo"]) > 1
