"""What tests with other people's OCPP clients share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


def now() -> str:
    """The time as a charger says it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def eventually(true: Callable[[], Any], within: float = 10) -> Any:
    """What ``true()`` returns, once that is something."""
    for _ in range(int(within / 0.02)):
        value = true()
        if value:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")
