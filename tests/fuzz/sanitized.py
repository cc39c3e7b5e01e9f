"""Builds the compiled modules with gcc's sanitizers of addresses and undefined behaviour, and feeds them with mutated messages (`fuzz.compiled`).

``make sanitized ARGS="--seed 7 --inputs 1000000"``. Ends with the status of the fuzzer, or of the sanitizer where it has found something.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ocpp_tw.ocpp.compiled import WITHOUT

ROOT = Path(__file__).parents[2]

NO_SANITIZER = 77
"""The status where there is none."""

SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all"

NEEDED = ("setup.py", "setup.cfg", "pyproject.toml", "fetch_libraries.py", "README.md", "LICENSE")
"""The files that a build needs beside the package."""


def runtimes() -> list[str]:
    """The libraries that have to be loaded before Python; empty where there are none."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return []
    asked = [subprocess.run([compiler, f"-print-file-name=lib{name}.so"], capture_output=True, text=True) for name in ("asan", "ubsan")]
    found = [each.stdout.strip() for each in asked]
    return found if all(Path(each).is_absolute() for each in found) else []


def main() -> int:
    libraries = runtimes()
    if not libraries:
        print("there is no gcc with its sanitizers: apt-get install gcc", file=sys.stderr)
        return NO_SANITIZER
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        shutil.copytree(ROOT / "ocpp_tw", copy / "ocpp_tw", ignore=shutil.ignore_patterns("*.so", "__pycache__", "vendor"))
        for name in NEEDED:
            shutil.copy(ROOT / name, copy)
        inherited = {name: value for name, value in os.environ.items() if name != WITHOUT}
        build = {**inherited, "CFLAGS": f"{SANITIZE} -O1", "LDFLAGS": SANITIZE}
        subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=copy, env=build, check=True)
        if not [*copy.rglob("*.so")]:
            print("the modules cannot be built: is there a working gcc, with Python's headers?", file=sys.stderr)
            return NO_SANITIZER
        environment = {
            **inherited,
            "PYTHONPATH": os.pathsep.join(map(str, (copy, ROOT / "tests", ROOT / "tests/support"))),
            "PYTHONMALLOC": "malloc",  # each object is a block of its own, with a guard behind it
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0",  # Python frees little of its own at the end
        }
        return subprocess.run([sys.executable, "-m", "fuzz.compiled", *sys.argv[1:]], cwd=copy, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
