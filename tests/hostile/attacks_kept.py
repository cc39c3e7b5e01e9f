"""Attacks with what the gateway keeps or writes down: ids and words in memory, in Redis, in events and in its log.

Knows OCPP, nothing of frames.
"""

from __future__ import annotations

from itertools import count

from hostile.attack import FLOOD, NEAR_LIMIT, Target, attack
from hostile.attacks_json import one_by_one
from hostile.ocpp import meter_values, opener, start
from hostile.wire import Refused, call, frame


@attack("made-up ids", "F18", "an id of its own with every connection: boots and leaves", redis=0.2)
def made_up_ids(target: Target) -> None:
    target.begin()
    come_and_go(target, True)


@attack("made-up ids, refused", "A21d, F18", "an id of its own with every connection, with a subprotocol that is not served", redis=0.2)
def refused_ids(target: Target) -> None:
    target.begin()
    come_and_go(target, False)


def come_and_go(target: Target, served: bool) -> None:
    for number in count():
        if not target.lasts:
            return
        try:
            line = opener(target, f"made-up-{number}", "ocpp1.6" if served else "ocpp9", boots=served)()
            line.socket.settimeout(1)
            line.receive()
            line.close()
            target.counts["served"] += 1
        except Refused:
            target.counts["refused"] += 1
        except OSError:
            target.counts["closed"] += 1


@attack("tags of 0.9 MB", "F8", "110 StartTransactions", memory=FLOOD, redis=1.0)
def long_tags(target: Target) -> None:
    texts = [start(f"s{number}", f"{number}-" + "t" * 900_000, 1, number) for number in range(110)]
    target.begin()
    one_by_one(target, texts, opener(target))


@attack("measurands of 0.9 MB", "F26", "200 MeterValues, each with another", memory=FLOOD)
def long_measurands(target: Target) -> None:
    texts = [meter_values(f"m{number}", f"{number}-" + "m" * 900_000) for number in range(200)]
    target.begin()
    one_by_one(target, texts, opener(target))


@attack("actions of 1 MB", "A21b, F7", "20 unknown actions, reconnecting after them", memory=FLOOD)
def long_actions(target: Target) -> None:
    messages = [frame(call("A" * NEAR_LIMIT, {}, str(number))) for number in range(20)]
    target.begin()
    repeatedly(target, messages)


@attack("answer ids of 1 MB", "A21b, F7", "20 CALLRESULTs without a CALL, reconnecting after them", memory=FLOOD)
def long_answers(target: Target) -> None:
    messages = [frame(b'[3,"%d-%s",{}]' % (number, b"A" * NEAR_LIMIT)) for number in range(20)]
    target.begin()
    repeatedly(target, messages)


@attack("20 bad messages, then another connection", "A21c, F7", "as fast as it goes")
def bad_messages(target: Target) -> None:
    messages = [b"".join(frame(b"hostile nonsense %d" % number) for number in range(20))]
    target.begin()
    repeatedly(target, messages)


def repeatedly(target: Target, messages: list[bytes], ids: int = 50) -> None:
    """All of them, and then again on another connection, under so many ids in turn."""
    for number in count():
        if not target.lasts:
            return
        try:
            line = opener(target, f"hostile-{number % ids}")()
            target.counts["connections"] += 1
            line.socket.settimeout(max(0.1, target.seconds))
            for each in messages:
                line.socket.sendall(each)
            line.send(call("Heartbeat", {}, "last"))
            while b'"last"' not in line.receive()[1][:20]:
                pass
            line.close()
        except (Refused, OSError):
            target.counts["closed"] += 1
            target.pause(0.02)


@attack("subprotocols of 6 kB", "A21d, F19", "refused handshakes as fast as they go", events=0.5, redis=0.2)
def long_subprotocols(target: Target) -> None:
    offers = ", ".join(f"ocpp-{number:04}" for number in range(600))
    target.begin()
    while target.lasts:
        try:
            opener(target, "hostile", offers, boots=False)().close()
        except Refused:
            target.counts["refused"] += 1
        except OSError:
            target.counts["closed"] += 1


@attack("boots of 1 MB", "F8", "BootNotifications whose members are as long as they may be", memory=FLOOD)
def long_boots(target: Target) -> None:
    word = "v" * (NEAR_LIMIT // 3)
    payload = {"chargePointVendor": word, "chargePointModel": word, "firmwareVersion": word}
    boot = [frame(call("BootNotification", payload, "b"))]
    target.begin()
    repeatedly(target, boot, 1 << 30)
