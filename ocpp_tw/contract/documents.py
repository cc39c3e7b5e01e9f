"""The documents by their names, as they are served and printed.

Each is made when it is first asked for, which takes some tenths of a second, and kept as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import msgspec

from .asyncapi import asyncapi
from .backend import backend
from .commands import command_schema
from .events import event_schema
from .openapi import openapi
from .schemas import Schema

DOCUMENTS: Mapping[str, Callable[[], Schema]] = {
    "openapi": openapi,
    "asyncapi": asyncapi,
    "backend": backend,
    "events": event_schema,
    "commands": command_schema,
}
"""Name -> the document."""


@cache
def as_json(name: str) -> bytes:
    """A document as JSON."""
    return msgspec.json.encode(DOCUMENTS[name]()) + b"\n"
