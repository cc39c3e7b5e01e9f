"""The whole table of attacks: importing this fills it."""

from __future__ import annotations

from hostile import attacks_connections, attacks_frames, attacks_http, attacks_json, attacks_kept, attacks_messages  # noqa: F401
from hostile.attack import ATTACKS

__all__ = ["ATTACKS"]
