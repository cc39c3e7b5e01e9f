"""What the package uses of Twisted and Autobahn beyond their documented interface is there, and is listed in one table."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from twisted.python.reflect import namedAny

import ocpp_tw
from ocpp_tw.reliances import EPOLL_REACTOR, RELIANCES

PACKAGE = Path(ocpp_tw.__file__).parent
OF_PYTHON = {"_exit", "_fields", "_replace"}
"""Documented, the underscore notwithstanding: `os._exit`, and `_fields` and `_replace` of named tuples."""


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def sets(kind: type, name: str) -> bool:
    """Whether some method of the class, or of a base, sets an attribute of this name."""
    functions = [getattr(each, "__wrapped__", each) for base in kind.__mro__ for each in vars(base).values() if callable(each)]
    instructions = (
        step for each in functions if hasattr(each, "__code__") for code in codes(each.__code__) for step in dis.get_instructions(code)
    )
    return any(step.opname == "STORE_ATTR" and step.argval == name for step in instructions)


def missing(owner: str, name: str) -> str:
    """One line on a name that is not there; "" when it is."""
    try:
        kind: Any = namedAny(owner)
    except (AttributeError, ImportError):
        return f"there is no {owner} any more; see ocpp_tw/reliances.py for what relies on it"
    if hasattr(kind, name) or sets(kind, name):
        return ""
    return f"{owner} has no {name} any more; see ocpp_tw/reliances.py for what relies on it"


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in RELIANCES.items() for name in names])
def test_the_installed_library_has_it(owner: str, name: str) -> None:
    if owner == EPOLL_REACTOR:
        pytest.importorskip("select").__dict__.get("epoll") or pytest.skip("no epoll on this platform")
    assert not (why := missing(owner, name)), why


def test_a_name_that_is_gone_is_named() -> None:
    assert missing("twisted.internet.tcp.Server", "_gone").startswith("twisted.internet.tcp.Server has no _gone any more")
    assert missing("twisted.internet.tcp.Gone", "_x").startswith("there is no twisted.internet.tcp.Gone any more")
    assert missing("twisted._gone.Server", "_x").startswith("there is no twisted._gone.Server any more")


def test_every_private_name_that_is_not_our_own_is_listed() -> None:
    """Else the table would be incomplete without anybody noticing."""
    used: dict[str, str] = {}
    own: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                    own.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    own.add(name)
                case ast.Attribute(attr=name) if name.startswith("_") and not name.startswith("__"):
                    used[name] = f"{file.relative_to(PACKAGE)}:{node.lineno}"
    listed = {name for names in RELIANCES.values() for name in names}
    assert {name: where for name, where in used.items() if name not in own | listed | OF_PYTHON} == {}
