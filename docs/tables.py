"""Writes the tables of settings, events, metrics, queries, kinds of `security_event` and outcomes into the documents, from the code; ``--check`` only checks that they are up to date.

A table is placed between ``<!-- NAME -->`` and ``<!-- end -->``. Knows the documents' markup, not the meaning of the tables.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from ocpp_tw import facts
from ocpp_tw.contract.meanings import said
from ocpp_tw.contract.openapi import openapi
from ocpp_tw.contract.schemas import of_types
from ocpp_tw.core import event_names
from ocpp_tw.core.commands import OUTCOMES
from ocpp_tw.core.event import Event
from ocpp_tw.core.security import KINDS
from ocpp_tw.monitoring.metric_table import METRICS
from ocpp_tw.settings import TABLE

DOCS = Path(__file__).parent


def fields(of: type) -> list[tuple[str, str, str]]:
    """Name, type and meaning of each field of a class, as its JSON Schema has them."""
    _, definitions = of_types([of])
    members = definitions[of.__name__]["properties"]
    return [(name, types(schema), schema.get("description", "")) for name, schema in members.items()]


def types(schema: Any) -> str:
    """``{"type": ["string", "null"]}`` -> "string or null"; what is left out unless it is true is "true"."""
    if schema.get("const") is True:
        return "true"
    if "$ref" in schema:
        return "object"
    if "anyOf" in schema:
        return " or ".join(types(each) for each in schema["anyOf"])
    kind = schema.get("type", "any")
    return kind if isinstance(kind, str) else " or ".join(kind)


def rows(header: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


def settings() -> str:
    shown = [(f"`{row.option}`", f"`{row.variable}`", row.typed and f"`{row.typed}`", row.meaning) for row in TABLE]
    return rows(("option", "variable", "default", "meaning"), shown)


def envelope() -> str:
    return rows(("field", "type", "meaning"), [(f"`{name}`", kind, meaning) for name, kind, meaning in fields(Event)])


def vocabulary() -> str:
    parts = []
    for name, data in event_names.NAMES.items():
        parts.append(f"### `{name}`\n\n{said(data)}\n")
        own = [(f"`{field}`", kind, meaning) for field, kind, meaning in fields(data)]
        parts.append(rows(("field of `data`", "type", "meaning"), own) + "\n")
    parts.append("### A value of `values`\n\n" + rows(("field", "type", "meaning"), [(f"`{n}`", k, m) for n, k, m in fields(facts.Value)]))
    return "\n".join(parts)


def outcomes() -> str:
    return rows(("outcome", "what it means"), [(f"`{name}`", meaning) for name, meaning in OUTCOMES.items()])


def kinds() -> str:
    return rows(("kind", "what has happened"), [(f"`{name}`", meaning) for name, meaning in KINDS.items()])


def metrics() -> str:
    shown = [(f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.meaning) for each in METRICS]
    return rows(("metric", "type", "labels", "what it tells"), shown)


def queries() -> str:
    shown = []
    for path, methods in openapi()["paths"].items():
        parameters = [each for each in methods.get("get", {}).get("parameters", ()) if each["in"] == "query"]
        for number, each in enumerate(parameters):
            shown.append(("" if number else f"`GET {path}`", f"`{each['name']}`", values(each["schema"]), each.get("description", "")))
    return rows(("request", "parameter", "value", "meaning"), shown)


def values(schema: Any) -> str:
    """What a parameter may be: in words, with its default."""
    if schema.get("type") == "array":
        return "some, with commas" + (f", of {choices(schema['items'])}" if "enum" in schema["items"] else "")
    default = f"; {schema['default']} unless given" if schema.get("default") not in (None, False) else ""
    if "enum" in schema:
        return choices(schema) + default
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}{default}"
    return {"boolean": "true, false", "string": "time" if "format" in schema else "text"}[schema["type"]] + default


def choices(schema: Any) -> str:
    """The values of a closed set; what sorts is named in one direction."""
    named = [each for each in schema["enum"] if each and not (each.startswith("-") and each[1:] in schema["enum"])]
    return ", ".join(f"`{each}`" for each in named)


TABLES = {
    "queries": queries,
    "metrics": metrics,
    "settings": settings,
    "envelope": envelope,
    "events": vocabulary,
    "kinds": kinds,
    "outcomes": outcomes,
}


def written(text: str) -> str:
    """The document with its tables regenerated from the code."""
    return re.sub(
        r"(<!-- (\w+) -->\n).*?(<!-- end -->)", lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", text, flags=re.DOTALL
    )


def main() -> int:
    stale = [path for path in sorted(DOCS.glob("*.md")) if written(path.read_text()) != path.read_text()]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path.name}: a table differs from the code; run `make docs`")
        else:
            path.write_text(written(path.read_text()))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
