"""Measures the cost of the gateway, compared with Twisted and Autobahn alone and with peers in Python and on Node: see docs/performance.md.

``--quick`` takes about a minute and a half instead of some eight; ``--markdown FILE`` also writes the result into a document.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import connection_tables
import growth_tables
import message_tables
import node_packages
from measuring import Measuring
from servers import Bench
from tables import machine, write

PARTS = (
    message_tables.tables,
    message_tables.monitoring,
    connection_tables.tables,
    growth_tables.fleet,
    growth_tables.size,
    growth_tables.cores,
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--markdown", type=Path, metavar="FILE")
    chosen = options.parse_args()
    _, max_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    parts, begin = [machine()], time.monotonic()
    with Bench() as bench:
        node = node_packages.install(Path(bench.directory.name) / "node")
        parts[0] += f" {node.about}"
        print(parts[0], end="\n\n", flush=True)
        measuring = Measuring(bench, chosen.quick, max_files - 200, node.directory)
        for part in PARTS:
            parts.append(part(measuring))
            print(parts[-1], end="\n\n", flush=True)
    took = f" At most {max_files:,} open files; {time.monotonic() - begin:.0f} s."
    parts[0] += took
    print(took.strip())
    if chosen.markdown:
        write(chosen.markdown, "\n\n".join(parts))


if __name__ == "__main__":
    main()
