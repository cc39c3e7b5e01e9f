"""Fetches the JavaScript libraries of the pages from the npm registry into ocpp_tw/pages/vendor: `python fetch_libraries.py`.

`make install` and the build of a wheel call it; nothing but Python is needed. The registry's answer is not believed: each archive must have the SHA-512
that is written here.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

VENDOR = Path(__file__).parent / "ocpp_tw/pages/vendor"
REGISTRY = "https://registry.npmjs.org"
TIMEOUT = 60.0
"""Seconds that the registry has for one archive."""

MAX_ARCHIVE = 20 << 20
"""Most bytes of one archive."""


class Library(NamedTuple):
    """``files`` maps members of the archive to names in the vendor directory; ``integrity`` is npm's own (``npm view NAME dist.integrity``)."""

    name: str
    version: str
    integrity: str
    files: dict[str, str]

    @property
    def path(self) -> str:
        return f"{self.name}/-/{self.name}-{self.version}.tgz"


LIBRARIES = (
    Library(
        "preact",
        "11.2.0",
        "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js", "LICENSE": "preact.LICENSE"},
    ),
    Library(
        "htm",
        "3.1.1",
        "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.mjs": "htm.js", "LICENSE": "htm.LICENSE"},
    ),
    Library(
        "uplot",
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {"dist/uPlot.esm.js": "uplot.js", "dist/uPlot.min.css": "uplot.css", "LICENSE": "uplot.LICENSE"},
    ),
)


class CannotFetch(Exception):
    """A library cannot be had; the text says which, why and what to do."""


def fetch(directory: Path = VENDOR, registry: str = "") -> bool:
    """Put the libraries there; whether any had to be fetched.

    Raises:
        CannotFetch: the registry does not answer, or with something else than what is pinned.
    """
    pins, stamp = json.dumps(LIBRARIES), directory / "pins.json"
    names = [name for library in LIBRARIES for name in library.files.values()]
    if stamp.exists() and stamp.read_text() == pins and all((directory / name).exists() for name in names):
        return False
    registry = registry or _registry()
    found = {name: data for library in LIBRARIES for name, data in _files(library, registry).items()}
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in found.items():
        (directory / name).write_bytes(data)
    stamp.write_text(pins)
    return True


def _files(library: Library, registry: str) -> dict[str, bytes]:
    url = f"{registry.rstrip('/')}/{library.path}"
    try:
        if not url.startswith(("https://", "http://")):
            raise OSError("its address must begin with https:// or http://")
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 (see above)
            archive = answer.read(MAX_ARCHIVE)
    except (OSError, ValueError) as why:
        raise CannotFetch(f"{url} cannot be fetched: {why}. Another npm registry is set with NPM_CONFIG_REGISTRY=https://…") from None
    is_now = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if is_now != library.integrity:
        raise CannotFetch(f"{url} is not what is pinned: its integrity is {is_now}, and must be {library.integrity}")
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member, name in library.files.items():
            opened = members.extractfile(f"package/{member}")
            assert opened is not None
            found[name] = _resolved(opened.read()) if name.endswith(".js") else opened.read()
    return found


def _resolved(module: bytes) -> bytes:
    """A module as a browser takes it: it finds "preact" only under a path, and a map of its own is not shipped."""
    lines = module.replace(b'from"preact"', b'from"./preact.js"').replace(b'from "preact"', b'from "./preact.js"').splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"//# sourceMappingURL="))


def _registry() -> str:
    """The registry that this machine is set to use, for npm as well."""
    for name in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        if os.environ.get(name):
            return os.environ[name]
    npm = shutil.which("npm")
    if npm:
        asked = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603
        if asked.stdout.startswith("http"):
            return asked.stdout.strip()
    return REGISTRY


if __name__ == "__main__":
    try:
        fetch()
    except CannotFetch as why:
        sys.exit(f"the libraries of the pages are missing: {why}")
