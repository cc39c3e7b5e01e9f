"""Tells the sources of the compiled modules from others, so that modules of other sources are not used. Imports nothing of the package: its build runs it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

KINDS = {".py", ".pyx", ".pxd", ".pxi"}
"""The suffixes of sources. Python's own belong to them, as they say what the compiled ones are given."""


def files() -> list[Path]:
    """The sources beside this file."""
    return sorted(
        each for each in Path(__file__).parent.iterdir() if each.suffix in KINDS and not each.name.startswith(".") and each.is_file()
    )


def digest() -> str:
    """Of all sources; "" where those of the compiled modules are not, as in an installed wheel."""
    sources = files()
    if not any(each.suffix == ".pyx" for each in sources):
        return ""
    return sha256(b"\0".join([each.name.encode() + b"\0" + each.read_bytes() for each in sources])).hexdigest()
