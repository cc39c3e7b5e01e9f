"""Writes the tables of settings, events, kinds of `security_event` and outcomes into the documents, from the code; ``--check`` only checks that they are up to date.

A table is placed between ``<!-- NAME -->`` and ``<!-- end -->``. Knows the documents' markup, not the meaning of the tables.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import msgspec

from ocpp_tw import facts
from ocpp_tw.core import event_names
from ocpp_tw.core.commands import OUTCOMES
from ocpp_tw.core.event import Data, Event
from ocpp_tw.core.security import KINDS
from ocpp_tw.settings import TABLE

DOCS = Path(__file__).parent


def fields(of: type) -> list[tuple[str, str, str]]:
    """Name, type and meaning of each field of a class and of its bases, as their source has them."""
    bases = [each for base in of.__bases__ if base not in (Data, msgspec.Struct) for each in fields(base)]
    tree = ast.parse(Path(inspect.getfile(of)).read_text())
    node = next(each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == of.__name__)
    found = []
    for field, after in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant) and isinstance(field.target, ast.Name)
            kind, meaning = json_type(field), str(after.value.value)
            if meaning.startswith("only "):  # then it is left out, and never null
                kind = kind.removesuffix(" or null")
            found.append((field.target.id, kind, meaning))
    return found + bases


JSON = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "None": "null",
    "Data": "object",
    "Any": "any",
    "Readings": "array",
}
"""Python's type names and JSON's."""


def json_type(field: ast.AnnAssign) -> str:
    """``str | None`` -> "string or null"; a bool that is false by default is left out unless it is true."""
    annotation = ast.unparse(field.annotation)
    if annotation == "bool" and field.value is not None:
        return "true"
    words = [JSON.get(each, "array" if each.startswith("list") else "object") for each in annotation.split(" | ") if each != "UnsetType"]
    return " or ".join(words)


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
        parts.append(f"### `{name}`\n\n{inspect.cleandoc(data.__doc__ or '')}\n")
        own = [(f"`{field}`", kind, meaning) for field, kind, meaning in (*fields(Data), *fields(data))]
        parts.append(rows(("field of `data`", "type", "meaning"), own) + "\n")
    parts.append("### A value of `values`\n\n" + rows(("field", "type", "meaning"), [(f"`{n}`", k, m) for n, k, m in fields(facts.Value)]))
    return "\n".join(parts)


def outcomes() -> str:
    return rows(("outcome", "what it means"), [(f"`{name}`", meaning) for name, meaning in OUTCOMES.items()])


def kinds() -> str:
    return rows(("kind", "what has happened"), [(f"`{name}`", meaning) for name, meaning in KINDS.items()])


TABLES = {"settings": settings, "envelope": envelope, "events": vocabulary, "kinds": kinds, "outcomes": outcomes}


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
