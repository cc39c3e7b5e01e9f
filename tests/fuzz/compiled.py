"""Feeds the compiled modules with mutated messages. ``make sanitized ARGS="--seed 7 --inputs 1000000"`` does so with the address sanitizer.

What they say is compared elsewhere (tests/ocpp/test_compiled.py): here it only counts that nothing ends the process.
"""

from __future__ import annotations

import argparse
import json
import random

from compiled_cases import CASES
from ocpp_tw.ocpp import compiled

MARKS = [
    *(bytes([each]) for each in b' "\\,:[]{}0-.e\x00\xff'), b"", b"0" * 25, b"value", b'"unit":"V",', b'"multiplier":-12,', b'"meterValue"',
    b'"sampledValue":[', b"x" * 70,
]  # fmt: skip
LONGEST = 20_000


def mutated(chance: random.Random, text: bytes) -> bytes:
    """With up to three changes: a mark put in, the end cut off, a byte replaced, a piece repeated."""
    for _ in range(chance.randrange(4)):
        at, other = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                text = text[:at] + chance.choice(MARKS) + text[at + chance.randrange(13) :]
            case 1:
                text = text[:other]
            case 2:
                text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
            case _:
                text = text[:other] + text[at:other] * chance.randrange(1, 4) + text[other:]
    return text[:LONGEST]


def main() -> None:
    parser = argparse.ArgumentParser(prog="fuzz.compiled", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    args = parser.parse_args()
    split_call = compiled.split_call
    assert split_call is not None, compiled.WHY_NOT
    chance = random.Random(args.seed)
    layouts: list[dict[str, object]] = [{"separators": (",", ":")}, {"indent": 1}, {"sort_keys": True}]
    payloads = [json.dumps(case[2], **layout).encode() for case in CASES.values() for layout in layouts]
    calls = [b'[2,"1","A",%b]' % payload for payload in (b"{}", *payloads)]
    readers = [case[4] for case in CASES.values()]
    read = 0
    for _ in range(args.inputs):
        text = mutated(chance, chance.choice(payloads))
        read += sum(reader(text) is not None for reader in readers)
        split_call(mutated(chance, chance.choice(calls)))
    assert read > args.inputs // 100, f"only {read} of {args.inputs} were read"
    print(f"{compiled.__file__}, seed {args.seed}: {args.inputs} inputs, {read} of them read")


if __name__ == "__main__":
    main()
