"""What the fields of a class mean: the text below each in its source.

Knows no JSON. Sources are part of the wheel.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import is_typeddict

import msgspec


@cache
def meanings(of: type) -> dict[str, str]:
    """Field -> its meaning, in the order of the source: those of the class, then those of its bases. A field without a text is left out."""
    found = _own(of)
    for base in (*of.__bases__, *getattr(of, "__orig_bases__", ())):  # a TypedDict has its bases in the latter only
        if is_typeddict(base) or (isinstance(base, type) and issubclass(base, msgspec.Struct) and base is not msgspec.Struct):
            found = found | {name: text for name, text in meanings(base).items() if name not in found}
    return found


def said(of: type) -> str:
    """What the class is, by its docstring; "" without one of its own."""
    return inspect.cleandoc(of.__dict__.get("__doc__") or "")


def _own(of: type) -> dict[str, str]:
    node = _classes(Path(inspect.getfile(of))).get(of.__name__)
    body = node.body if node else []
    return {
        field.target.id: inspect.cleandoc(after.value.value)
        for field, after in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
    }


@cache
def _classes(path: Path) -> dict[str, ast.ClassDef]:
    return {each.name: each for each in ast.parse(path.read_text()).body if isinstance(each, ast.ClassDef)}
