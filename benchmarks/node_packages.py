"""Installs what the peer on Node (`peer.mjs`) needs, from the npm registry into a directory, when the suite runs; says why if it cannot.

Knows not how the peer is started.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("ocpp-rpc@2.2.1", "ioredis@5.11.1")
PATIENCE = 120
"""Seconds that npm may take."""


@dataclass(frozen=True)
class Installed:
    """Where the packages are, if they are, and a sentence for the reader of the tables: the versions, or why there is no such peer."""

    directory: Path | None
    about: str


def install(directory: Path, packages: tuple[str, ...] = PACKAGES) -> Installed:
    """Install the packages into that directory, which npm makes."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return Installed(None, f"No peer on Node: there is no `{'npm' if node else 'node'}` on this machine.")
    command = [npm, "install", "--prefix", str(directory), "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "0", *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return Installed(None, f"No peer on Node: npm did not install {', '.join(packages)} within {PATIENCE} s.")
    if done.returncode:
        why = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()[0]
        return Installed(None, f"No peer on Node: npm did not install {', '.join(packages)} ({why}).")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    return Installed(directory, f"The peer on Node: {', '.join(packages)}, Node {version}.")
