"""Where the time goes: the gateway under the load of bench.py, sampled; microseconds per message by library, module and function.

``--memory``: where the memory of chargers goes that have come and rest, in bytes for each, by module and line.
"""

from __future__ import annotations

import argparse
import json
import linecache
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from servers import HERE, Bench
from tables import machine, number, table

Place = tuple[str, str, int]


def module(path: str) -> str:
    """`ocpp_tw.ocpp.frames` for a file of ours or of a library, by where it lies."""
    if Path(path).parent == HERE:
        return "the sampling itself"
    parts = Path(path).with_suffix("").parts
    for root in ("site-packages", "ocpp_tw"):
        if root in parts:
            at = len(parts) - 1 - parts[::-1].index(root)
            return ".".join(parts[at + (root == "site-packages") :]).removesuffix(".__init__")
    return f"Python's {parts[-1]}" if path.startswith("/") else "generated code"


def sampled(chargers: int, seconds: float) -> tuple[Counter[Place], float]:
    """How often which line was seen, and the CPU of a message, in microseconds."""
    with Bench() as bench, tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "samples"
        server = bench.gateway(wrapper=(sys.executable, str(HERE / "sampled.py"), str(out)))
        options = ["--chargers", str(chargers), "--warm", "1", "--seconds", str(seconds), f"--pid=server={server.process.pid}"]
        load = subprocess.Popen(
            [sys.executable, str(HERE / "load.py"), "ocpp", str(server.port), *options], stdout=subprocess.PIPE, text=True
        )
        time.sleep(chargers / 500 + 1.5)  # by then they are in and at work
        server.process.send_signal(signal.SIGUSR1)
        time.sleep(max(0.5, seconds - chargers / 1000 - 1))
        server.process.send_signal(signal.SIGUSR2)
        told = json.loads(load.communicate()[0])
        return Counter({(file, name, line): count for file, name, line, count in written(out)}), told["play"]["us"]["server"]


def written(out: Path) -> list[list[Any]]:
    """What the gateway writes to the file, when it has."""
    while not out.exists() or not out.read_text().endswith("\n"):
        time.sleep(0.05)
    found: list[list[Any]] = json.loads(out.read_text())
    return found


def rows(counted: Counter[str], whole: float) -> list[list[str]]:
    """What is worth a line of its own: its part of the whole, and that in percent."""
    total = counted.total()
    return [
        [name, number(count / total * whole), f"{100 * count / total:.0f}"] for name, count in counted.most_common() if count > total / 200
    ]


def held(chargers: int) -> list[tuple[str, int, int, int]]:
    """File, line, bytes and pieces: what so many chargers have made that is still there when they rest."""
    with Bench() as bench, tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "held"
        server = bench.gateway(wrapper=(sys.executable, str(HERE / "held.py"), str(out)))
        command = [sys.executable, str(HERE / "load.py"), "ocpp", str(server.port), f"--pid=server={server.process.pid}", "--seconds", "0"]
        subprocess.run([*command, "--chargers", "50"], stdout=subprocess.DEVNULL, check=True)  # what is made once is made
        server.settle()
        server.process.send_signal(signal.SIGUSR1)
        server.settle()
        bench.ask("UNLINK", "events")
        load = subprocess.Popen([*command, "--chargers", str(chargers), "--hold", "8"], stdout=subprocess.DEVNULL)
        while bench.ask("LLEN", "events") != 2 * chargers:  # each has come, and has told its boot
            time.sleep(0.1)
        time.sleep(3)  # what is kept for a while is not theirs
        server.process.send_signal(signal.SIGUSR2)
        found = written(out)
        load.wait()
        return [(file, line, size, count) for file, line, size, count in found]


def memory(chargers: int, top: int) -> None:
    lines = held(chargers)
    modules: Counter[str] = Counter()
    for file, _, size, _ in lines:
        modules[module(file)] += size
    total = modules.total()
    print(f"{machine()}\n\n{total / chargers:,.0f} bytes of Python's for each of {chargers:,} chargers at rest\n")
    print(table(["module", "bytes", "%"], rows(modules, total / chargers)), end="\n\n")
    for file, line, size, count in sorted(lines, key=lambda each: -each[2])[:top]:
        place = f"{module(file)}:{line}"
        print(
            f"{number(size / chargers):>6} bytes in {number(count / chargers):>5}   {place:<40} {linecache.getline(file, line).strip()[:90]}"
        )


def cpu(chargers: int, seconds: float, top: int) -> None:
    seen, cost = sampled(chargers, seconds)
    total = seen.total()
    modules: Counter[str] = Counter()
    functions: defaultdict[tuple[str, str], Counter[tuple[str, int]]] = defaultdict(Counter)
    for (file, name, line), count in seen.items():
        modules[module(file)] += count
        functions[module(file), name][file, line] += count
    libraries: Counter[str] = Counter()
    for name, count in modules.items():
        libraries[name.partition(".")[0]] += count

    print(f"{machine()}\n\n{number(cost)} µs of CPU per message, {chargers} chargers, {total:,} samples\n")
    print(table(["library", "µs/message", "%"], rows(libraries, cost)), end="\n\n")
    print(table(["module", "µs/message", "%"], rows(modules, cost)), end="\n\n")
    hot = []
    for (where, name), lines in sorted(functions.items(), key=lambda item: -item[1].total())[:top]:
        (file, line), most = lines.most_common(1)[0]
        text = linecache.getline(file, line).strip()[:70] if line else ""  # an instruction may belong to no line
        hottest = f"{round(100 * most / lines.total())} % in {line}: {text}"
        hot.append([f"{where}: {name}", number(lines.total() / total * cost), f"{100 * lines.total() / total:.0f}", hottest])
    width = max(len(each[0]) for each in hot)
    for function, us, share, hottest in hot:
        print(f"{function:<{width}} {us:>6} µs {share:>3} %   {hottest}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--chargers", type=int, default=200)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--top", type=int, default=30, help="how many functions are shown")
    options.add_argument("--memory", action="store_true", help="bytes for each charger at rest, by line")
    chosen = options.parse_args()
    if chosen.memory:
        memory(chosen.chargers, chosen.top)
    else:
        cpu(chosen.chargers, chosen.seconds, chosen.top)


if __name__ == "__main__":
    main()
