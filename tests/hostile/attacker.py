"""``python -m hostile.attacker NAME TARGET``: the process of one attacker. Its standard output has "ready", and at the end what it counted.

TARGET is a `Target`. It has a lower priority than all others, so that what the innocent feels is the gateway's and not the machine's.
"""

from __future__ import annotations

import json
import os
import sys

from hostile.attack import Target
from hostile.attacks import ATTACKS


def main(name: str, target: str) -> None:
    os.nice(10)
    attacked = Target.read(target)
    ATTACKS[name].run(attacked)
    print(json.dumps(attacked.counts), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
