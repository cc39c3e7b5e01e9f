"""``ocpp-tw schema``: prints a document of the contract for machines.

Reads options and prints; knows no document.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def add_schema(commands: Any) -> None:
    """Add the command to the command line."""
    schema = commands.add_parser(
        "schema",
        help="print the contract for machines: OpenAPI, AsyncAPI, JSON Schema",
        description="Print the contract for machines as JSON: openapi (operators' HTTP), backend (OpenAPI of what the gateway asks of a backend), "
        "asyncapi (the lists in Redis), events, commands, or the JSON Schema of one event (start_transaction) or of one command (reset_command). "
        "Without a name: print all names.",
    )
    schema.set_defaults(run=_schema)
    schema.add_argument("name", nargs="?", metavar="NAME", help="what to print; nothing: all names, one a line")


def _schema(options: argparse.Namespace) -> int:
    from . import commands, events  # only if needed: they bring the schemas of all versions with them
    from .documents import DOCUMENTS

    name: str = options.name or ""
    named = sorted(key for key in commands.definitions() if key.endswith("_command"))
    if not name:
        print("\n".join((*DOCUMENTS, *events.NAMED, *named)))
        return 0
    if name in DOCUMENTS:
        document = DOCUMENTS[name]()
    elif name in events.NAMED:
        document = events.event_schema(name)
    elif name in named:
        document = commands.command_schema(name)
    else:
        print(f"ocpp-tw schema: there is no {name}; `ocpp-tw schema` prints what there is", file=sys.stderr)
        return 2
    print(json.dumps(document, indent=2, ensure_ascii=False))
    return 0
