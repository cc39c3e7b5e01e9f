"""For tests of what uses a gateway: one in memory, and as fixtures of pytest a real one with its Valkey, and chargers (docs/extending.md).

Loads none of that before it is asked for: `ocpp_tw.testing.plugin` is imported by every run of pytest in an environment that has ocpp_tw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .in_memory import START_TIME, ChargerClient, InMemoryGateway

__all__ = ["START_TIME", "ChargerClient", "InMemoryGateway"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import in_memory

    return getattr(in_memory, name)
