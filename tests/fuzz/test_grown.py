"""No member of any message can be grown so that serving it costs much more than another message of its size."""

from __future__ import annotations

import pytest

from fuzz.grown import FOLDERS, grown
from fuzz.harness import Harness

SIZE = 64_000
"""Bytes of what is grown."""

DEARER = 100
"""Times that it may cost as much as the same bytes of a plain text, which are hardly looked at: some microseconds a kilobyte. Violations
without end cost ten thousand times as much."""

SETTLED = 0.02
"""Seconds of CPU time below which nobody asks: a process has pauses of its own."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_cost_of_a_message_is_bounded_by_its_size(folder):
    harness = Harness()
    try:
        plain = harness.best(lambda: harness.call("1.6", "DataTransfer", '{"vendorId":"V","data":"%s"}' % ("x" * SIZE)), 20)
        for each in grown(folder, SIZE, every_shape=folder == "v16"):
            send = harness.answer if each.response else harness.call

            def once(each=each, send=send):
                return send(each.ocpp, each.action, each.text, str(each)) / max(1, len(each.text) / SIZE)

            if once() > SETTLED:
                took = harness.best(once)
                assert took < max(DEARER * plain, SETTLED), f"{each}: {took * 1000:.0f} ms, and {plain * 1000:.2f} ms plain"
    finally:
        harness.close()
