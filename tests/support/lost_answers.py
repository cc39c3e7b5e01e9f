"""Answers of Redis that are lost: the script has been run, and the gateway cannot know."""

from __future__ import annotations

import pytest

from ocpp_tw.redis.protocol import LostError
from ocpp_tw.redis.scripts.script import Script


def lose_first_answer(monkeypatch: pytest.MonkeyPatch, script: Script) -> list[bool]:
    """Lose the first answer to the script; the list is not empty once that has happened, and clearing it has another one lost."""
    run, lost = Script.run, []

    def losing(reply):
        raise LostError("as if")

    def running(self, client, keys, *args):
        reply = run(self, client, keys, *args)
        if self is script and not lost:
            lost.append(True)
            reply.addCallback(losing)
        return reply

    monkeypatch.setattr(Script, "run", running)
    return lost
