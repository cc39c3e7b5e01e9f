"""Valid payloads in which one thing is grown to a size: every member of every schema, in every shape that JSON has for being large.

Knows the schemas, and nothing of a gateway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

from payloads import fullest, schema

FOLDERS = {"v16": "1.6", "v201": "2.0.1", "v21": "2.1"}
"""Where the schemas of each version are."""

HERE = "grown here"
"""Stands for what is grown, while the rest of the payload is written."""


class Grown(NamedTuple):
    """A payload as JSON, and where and how it was grown."""

    ocpp: str
    action: str
    response: bool
    path: str
    shape: str
    text: str

    def __str__(self) -> str:
        return f"{self.ocpp} {self.action}{' response' if self.response else ''} {self.path or 'payload'} {self.shape}"


def repeated(piece: str, size: int) -> str:
    """A JSON array of so many bytes."""
    return "[" + ",".join([piece] * max(1, size // (len(piece) + 1))) + "]"


def members(size: int) -> str:
    """Further members of an object, of so many bytes."""
    return ",".join(f'"m{number:06}":{number % 10}' for number in range(size // 12))


SHAPES = ("text", "escapes", "items", "numbers", "number", "members", "depth")


def large(shape: str, value: Any, size: int) -> str:
    """The JSON of a value that is large in a shape; ``value`` is what was there, of which an array has many and an object has more members."""
    match shape:
        case "text":
            return '"' + "x" * size + '"'
        case "escapes":
            return '"' + r"\u001b" * (size // 6) + '"'
        case "items":
            return repeated(json.dumps(value[0] if isinstance(value, list) and value else value), size)
        case "numbers":
            return repeated("1", size)
        case "number":
            return repeated("9" * 4000, size) if isinstance(value, list) else "9" * 4000
        case "members":
            own = json.dumps(value)[1:-1] + "," if isinstance(value, dict) and value else ""
            return "{" + own + members(size) + "}"
        case "depth":
            return '{"a":[' * (size // 9) + "1" + "]}" * (size // 9)
    raise ValueError(shape)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value in a payload with its path; of the items of an array the first."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for step, each in inner:
        yield from places(each, (*path, step))


def replaced(value: Any, path: tuple[str | int, ...], by: Any) -> Any:
    """A copy with another value at a path."""
    if not path:
        return by
    first, *rest = path
    if isinstance(value, list):
        return [replaced(each, tuple(rest), by) if step == first else each for step, each in enumerate(value)]
    return {name: replaced(each, tuple(rest), by) if name == first else each for name, each in value.items()}


def grown(folder: str, size: int, every_shape: bool) -> Iterator[Grown]:
    """Of a version's schemas, everything grown; with all shapes at each place, or with one that changes from place to place."""
    count = 0
    for name in sorted(file.name.removesuffix(".json") for file in files("ocpp").joinpath(folder, "schemas").iterdir()):
        if name.startswith("__"):
            continue
        payload = fullest(schema(folder, name))
        action, response = name.removesuffix("Request").removesuffix("Response"), name.endswith("Response")
        for path, value in places(payload):
            count += 1
            for shape in SHAPES if every_shape else (SHAPES[count % len(SHAPES)],):
                if not path and shape not in ("items", "members"):
                    continue  # no payload, but another kind of frame
                text = json.dumps(replaced(payload, path, HERE)).replace(json.dumps(HERE), large(shape, value, size))
                yield Grown(FOLDERS[folder], action, response, "/".join(map(str, path)), shape, text)
