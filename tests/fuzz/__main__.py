"""Feeds a gateway in memory with what nobody expects. ``make fuzz ARGS="--seed 7 --seconds 600"``.

First every member of every schema is grown to the largest message, then random mutations follow: frames, commands, HTTP requests and
handshakes. Ends with status 1 at the first finding, which names the seed and the input.
"""

from __future__ import annotations

import argparse
import heapq
import resource
import sys
import time
from random import Random

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from fuzz import mutations
from fuzz.grown import FOLDERS, grown
from fuzz.harness import Finding, Harness
from ocpp_tw.operators.api import OperatorsApi
from ocpp_tw.operators.channel import SHARE
from ocpp_tw.operators.guard import Guard
from ocpp_tw.operators.tokens import Tokens
from ocpp_tw.turns import Turns
from ocpp_tw.websocket import handshake

GROWTH = 200
"""Most megabytes of memory that the process may have at the end beyond those after its first thousand inputs."""

ADDRESS = IPv4Address("TCP", "127.0.0.1", 50_000)
"""Of the client of operators' HTTP."""

SHOWN = 10
"""The dearest messages that are listed."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of everything random (default: the time)")
    parser.add_argument("--seconds", type=float, default=300, help="for how long mutations are tried")
    parser.add_argument("--size", type=int, default=1_000_000, help="size that things are grown to, in bytes; 0 grows nothing")
    parser.add_argument("--standstill", type=float, default=100, help="most milliseconds of CPU time that one message may take")
    parser.add_argument("--only", default="", help="grow only this version's messages: 1.6, 2.0.1 or 2.1")
    return parser.parse_args()


def grow(harness: Harness, args: argparse.Namespace) -> int:
    """Try everything that can be grown; how many messages that were."""
    dearest: list[tuple[float, str]] = []
    count = 0
    for folder, ocpp in FOLDERS.items():
        if args.only not in ("", ocpp):
            continue
        for each in grown(folder, args.size - 40_000, every_shape=True):
            count += 1
            send = harness.answer if each.response else harness.call
            took = send(each.ocpp, each.action, each.text, str(each))
            if took * 1000 > args.standstill / 2:
                took = harness.best(lambda each=each, send=send: send(each.ocpp, each.action, each.text, str(each)))
            if took * 1000 > args.standstill:
                raise Finding(f"{each}: {took * 1000:.0f} ms")
            heapq.heappush(dearest, (took, str(each)))
            if len(dearest) > SHOWN:
                heapq.heappop(dearest)
    for took, what in sorted(dearest, reverse=True):
        print(f"{took * 1000:6.1f} ms  {what}")
    return count


def read_handshake(head: bytes) -> None:
    """What is read of a handshake before anybody is admitted."""
    try:
        read = handshake.read(head)
        handshake.usual_key(read)
        handshake.identity(read.target)
        handshake.offers(read.headers)
    except handshake.BadHandshake:
        pass


class Transport(StringTransport):
    """One that can be closed halfway, and ignores being resumed after that, as a socket does."""

    def loseWriteConnection(self) -> None:
        self.loseConnection()

    def resumeProducing(self) -> None:
        if not self.disconnecting:
            super().resumeProducing()


class Operators:
    """Operators' HTTP of a harness' gateway, without a port."""

    def __init__(self, harness: Harness) -> None:
        here = harness.here
        self._clock = Clock()
        guard, security = Guard(Tokens("", "", self._clock), self._clock), here.application.security
        self._site = OperatorsApi(here.gateway, here.dispatcher, here.application.verdicts, here.events, security=security).site(guard)
        self._site.turns = Turns(self._clock, SHARE)

    def request(self, text: bytes) -> None:
        """A connection with one request, which then ends."""
        channel, transport = self._site.buildProtocol(ADDRESS), Transport(peerAddress=ADDRESS)
        channel.makeConnection(transport)
        channel.dataReceived(text)
        while self._clock.getDelayedCalls():
            self._clock.advance(0)
        if transport.value()[9:12] == b"500":
            raise Finding(f"500 to {text[:300]!r}")
        channel.connectionLost(Failure(ConnectionDone()))


def mutate(harness: Harness, args: argparse.Namespace) -> int:
    """Try mutations for as long as was asked for; how many inputs that were."""
    random, operators, count, memory = Random(args.seed), Operators(harness), 0, 0
    until = time.monotonic() + args.seconds
    while time.monotonic() < until:
        count += 1
        ocpp = random.choice(list(mutations.VERSIONS))
        match random.randrange(10):
            case 0:
                text = mutations.element(random, ocpp)
                harness.command(ocpp, text)
            case 1:
                text = mutations.request(random, ocpp)
                operators.request(text)
            case 2:
                text = mutations.handshake(random, ocpp)
                read_handshake(text)
            case _:
                text = mutations.frame(random, ocpp)
                harness.send(ocpp, text)
        if harness.errors:
            raise Finding(f"{text[:300]!r}: {harness.errors}")
        if count % 100 == 0:
            harness.pass_time(10)
        if count % 1000 == 0:
            harness.forget()
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            memory = memory or used
            if used > memory + GROWTH:
                raise Finding(f"{used} MB of memory after {count} inputs, {memory} MB after the first thousand")
    return count


def main() -> int:
    args, harness = options(), Harness()
    try:
        messages = grow(harness, args) if args.size else 0
        harness.close()
        harness = Harness()
        inputs = mutate(harness, args)
    except Finding as why:
        print(f"seed {args.seed}: {why}", file=sys.stderr)
        return 1
    print(f"seed {args.seed}: {messages} messages grown, {inputs} inputs mutated, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
