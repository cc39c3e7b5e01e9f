"""Profiles the gateway under the load of bench.py: microseconds per message by library, module and function.

``--memory``: the memory of idle connected chargers instead, in bytes per charger, by module and line.
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

from load import VERSIONS
from servers import HERE, Bench
from tables import machine, number, table

Location = tuple[str, str, int]
"""File, function and line."""


def module(path: str) -> str:
    """The module of a file of ours or of a library, such as `ocpp_tw.ocpp.frames`, from its path."""
    if Path(path).parent == HERE:
        return "the profiler itself"
    parts = Path(path).with_suffix("").parts
    for root in ("site-packages", "ocpp_tw"):
        if root in parts:
            at = len(parts) - 1 - parts[::-1].index(root)
            return ".".join(parts[at + (root == "site-packages") :]).removesuffix(".__init__")
    return f"Python's {parts[-1]}" if path.startswith("/") else "generated code"


def time_samples(chargers: int, seconds: float, said: list[str]) -> tuple[Counter[Location], float]:
    """The number of samples at each line, and the CPU time of a message in microseconds; what chargers say is in load.py's options."""
    with Bench() as bench, tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "samples"
        server = bench.gateway(wrapper=(sys.executable, str(HERE / "profile_time.py"), str(out)))
        options = ["--chargers", str(chargers), "--warm", "1", "--seconds", str(seconds), f"--pid=server={server.process.pid}", *said]
        load = subprocess.Popen(
            [sys.executable, str(HERE / "load.py"), "ocpp", str(server.port), *options], stdout=subprocess.PIPE, text=True
        )
        time.sleep(chargers / 500 + 1.5)  # by then all are connected and sending
        server.process.send_signal(signal.SIGUSR1)
        time.sleep(max(0.5, seconds - chargers / 1000 - 1))
        server.process.send_signal(signal.SIGUSR2)
        report = json.loads(load.communicate()[0])
        return Counter({(file, name, line): count for file, name, line, count in written(out)}), report["calls"]["us"]["server"]


def written(out: Path) -> list[list[Any]]:
    """The content of the profiler's file, once it is complete."""
    while not out.exists() or not out.read_text().endswith("\n"):
        time.sleep(0.05)
    content: list[list[Any]] = json.loads(out.read_text())
    return content


def rows(counts: Counter[str], whole: float) -> list[list[str]]:
    """Name, share of the whole and percentage of everything above half a percent."""
    total = counts.total()
    return [
        [name, number(count / total * whole), f"{100 * count / total:.0f}"] for name, count in counts.most_common() if count > total / 200
    ]


def allocations(chargers: int) -> list[tuple[str, int, int, int]]:
    """File, line, bytes and number of blocks that this many chargers have allocated and still hold when idle."""
    with Bench() as bench, tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "allocations"
        server = bench.gateway(wrapper=(sys.executable, str(HERE / "profile_memory.py"), str(out)))
        command = [sys.executable, str(HERE / "load.py"), "ocpp", str(server.port), f"--pid=server={server.process.pid}", "--seconds", "0"]
        subprocess.run([*command, "--chargers", "50"], stdout=subprocess.DEVNULL, check=True)  # one-time allocations are done now
        server.settle()
        server.process.send_signal(signal.SIGUSR1)
        server.settle()
        bench.valkey_command("UNLINK", "events")
        load = subprocess.Popen([*command, "--chargers", str(chargers), "--hold", "8"], stdout=subprocess.DEVNULL)
        while bench.valkey_command("LLEN", "events") != 2 * chargers:  # each has connected and booted
            time.sleep(0.1)
        time.sleep(3)  # short-lived allocations do not count
        server.process.send_signal(signal.SIGUSR2)
        content = written(out)
        load.wait()
        return [(file, line, size, count) for file, line, size, count in content]


def memory(chargers: int, top: int) -> None:
    lines = allocations(chargers)
    modules: Counter[str] = Counter()
    for file, _, size, _ in lines:
        modules[module(file)] += size
    total = modules.total()
    print(f"{machine()}\n\n{total / chargers:,.0f} bytes of Python's memory for each of {chargers:,} idle chargers\n")
    print(table(["module", "bytes", "%"], rows(modules, total / chargers)), end="\n\n")
    for file, line, size, count in sorted(lines, key=lambda each: -each[2])[:top]:
        place = f"{module(file)}:{line}"
        print(
            f"{number(size / chargers):>6} bytes in {number(count / chargers):>5}   {place:<40} {linecache.getline(file, line).strip()[:90]}"
        )


def cpu(chargers: int, seconds: float, top: int, said: list[str]) -> None:
    samples, cost = time_samples(chargers, seconds, said)
    total = samples.total()
    modules: Counter[str] = Counter()
    functions: defaultdict[tuple[str, str], Counter[tuple[str, int]]] = defaultdict(Counter)
    for (file, name, line), count in samples.items():
        modules[module(file)] += count
        functions[module(file), name][file, line] += count
    libraries: Counter[str] = Counter()
    for name, count in modules.items():
        libraries[name.partition(".")[0]] += count

    print(f"{machine()}\n\n{number(cost)} µs of CPU per message, {chargers} chargers, {total:,} samples\n")
    print(table(["library", "µs/message", "%"], rows(libraries, cost)), end="\n\n")
    print(table(["module", "µs/message", "%"], rows(modules, cost)), end="\n\n")
    hot = []
    for (place, name), lines in sorted(functions.items(), key=lambda item: -item[1].total())[:top]:
        (file, line), most = lines.most_common(1)[0]
        text = linecache.getline(file, line).strip()[:70] if line else ""  # an instruction may belong to no line
        hottest = f"{round(100 * most / lines.total())} % in {line}: {text}"
        hot.append([f"{place}: {name}", number(lines.total() / total * cost), f"{100 * lines.total() / total:.0f}", hottest])
    width = max(len(each[0]) for each in hot)
    for function, us, share, hottest in hot:
        print(f"{function:<{width}} {us:>6} µs {share:>3} %   {hottest}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--chargers", type=int, default=200)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--top", type=int, default=30, help="how many functions (or lines) are shown")
    options.add_argument("--ocpp", choices=VERSIONS, default="1.6", help="the version of all chargers")
    options.add_argument("--samples", type=int, default=0, help="only messages with this many samples, instead of the cycle")
    options.add_argument("--memory", action="store_true", help="bytes per idle charger, by line")
    chosen = options.parse_args()
    if chosen.memory:
        memory(chosen.chargers, chosen.top)
    else:
        cpu(chosen.chargers, chosen.seconds, chosen.top, ["--ocpp", chosen.ocpp, "--samples", str(chosen.samples)])


if __name__ == "__main__":
    main()
