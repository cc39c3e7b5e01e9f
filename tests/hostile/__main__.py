"""Hostile peers against a gateway, one after the other, and what an innocent charger feels of them. ``make hostile ARGS="--only pongs --seconds 5"``.

Ends with status 1 if a goal was missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.tables import write
from hostile import report
from hostile.attacks import ATTACKS
from hostile.goals import MISSED, findings, verdict
from hostile.trial import BEFORE, SETTLE, Figures, trial


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", default="", help="run only these: names, parts of names, or numbers such as A9c or F2, with commas between them"
    )
    parser.add_argument("--without", default="", help="run none of these: likewise")
    parser.add_argument("--seconds", type=float, help="seconds that each attack lasts (default: 3 to 8, its own)")
    parser.add_argument("--before", type=float, default=BEFORE, help="seconds for which the innocent charger is measured undisturbed")
    parser.add_argument("--settle", type=float, default=SETTLE, help="seconds after which memory must have been given back")
    parser.add_argument("--list", action="store_true", help="list the attacks")
    parser.add_argument("--keep", type=Path, help="a file that figures are added to; the table has those of earlier runs in it, too")
    parser.add_argument("--markdown", type=Path, help="a document to write the table into, such as docs/operations.md")
    return parser.parse_args(arguments)


def selected(only: str, without: str) -> list[str]:
    """The names of the selected attacks, in the order of the table."""

    def named(name: str, words: str) -> bool:
        numbers = ATTACKS[name].number.split(", ")
        return any(word == name or word in numbers or (word not in ATTACKS and word in name) for word in filter(None, words.split(",")))

    return [name for name in ATTACKS if (not only or named(name, only)) and not named(name, without)]


def kept(file: Path | None) -> report.Results:
    """The latest figures of each attack that are in the file."""
    results = {}
    for line in file.read_text().splitlines() if file is not None and file.exists() else ():
        read = json.loads(line)
        if attack := ATTACKS.get(read["name"]):
            figures = Figures(**read["figures"])
            results[attack.name] = figures, list(findings(attack, figures))
    return results


def main(arguments: argparse.Namespace) -> int:
    names = selected(arguments.only, arguments.without)
    if arguments.list or not names:
        print("\n".join(f"{each.name} ({each.number}): {each.how}" for each in ATTACKS.values()))
        return not names
    results = kept(arguments.keep)
    for name in names:
        attack = ATTACKS[name]
        figures = trial(attack, arguments.seconds, arguments.before, arguments.settle)
        results[name] = figures, list(findings(attack, figures))
        print(report.paragraph(attack, *results[name]), flush=True)
        if arguments.keep:
            with arguments.keep.open("a") as file:
                file.write(json.dumps({"name": name, "figures": asdict(figures)}) + "\n")
    results = {name: results[name] for name in ATTACKS if name in results}
    print(f"\n{report.table(results)}\n\n{report.summary(results)}")
    if arguments.markdown:
        write(arguments.markdown, f"{report.table(results)}\n\n{report.summary(results)}", "hostile")
    return any(verdict(results[name][1]) == MISSED for name in names)


if __name__ == "__main__":
    sys.exit(main(options(sys.argv[1:])))
