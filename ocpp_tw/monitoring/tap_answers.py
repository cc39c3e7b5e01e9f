"""This gateway's part of the tap: answers the fleet's questions about its frames and events, and feeds those who follow them.

Knows neither other gateways nor how an operator asks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..concealed import mentioned
from ..interfaces import OUT, IFleet, Send
from ..waiting import pause
from .shown import MAX_SHOWN, FrameView, event_shown
from .tap import Frame, Tap

FRAMES, EVENTS, LIVE = "tap.frames", "tap.events", "tap.live"
"""The topics."""

FEED_INTERVAL = 0.1
"""Seconds between looks at what has come, while somebody follows."""

MAX_LOOKED_AT = 2000
"""Most frames that are looked at for one follower in one of them; older ones are left out."""

MAX_ANSWER = 2 << 20
"""Bytes of frames or events in one answer; a longer one is cut to the newest, or to the oldest after a number."""

MAX_EXAMINED = 10_000
"""Most frames of a charger that are looked at for those with an action."""

LOOK_BACK = 200
"""Frames of a charger that are read before the first that is shown: the CALL of its answer is among them."""

MAX_HEAD = 100
"""Bytes in which the action of a CALL is looked for where all of them are too many to be read."""

A_TURN = 200
"""Frames that are read in one turn of the reactor."""

CHUNKS_A_TURN = 20
"""Chunks of the ring, each of some thousand frames, that are looked through in one."""


class TapAnswers:
    """One for a gateway. It answers as soon as it is made, and feeds as long as somebody follows."""

    def __init__(self, tap: Tap, fleet: IFleet, gateway: str, clock: IReactorTime) -> None:
        self._tap = tap
        self._gateway = gateway
        self._clock = clock
        self._followers: list[_Follower] = []
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        fleet.answer(FRAMES, self._frames)
        fleet.answer(EVENTS, self._events)
        fleet.feed(LIVE, self._feed)

    async def _frames(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """The latest frames of a charger: ``limit`` of them, before a time, and of an action, if that is asked for."""
        charger, limit, action = query["charger"], query["limit"], query["action"].lower()
        found: list[Any] = []
        for number, records in enumerate(self._tap.frames.blocks_with(1, charger)):
            found += records
            if number % CHUNKS_A_TURN == CHUNKS_A_TURN - 1:
                await pause(0, self._clock)
        if query["before"] is not None:
            before = query["before"] - 5e-7  # of a time that was shown, and so rounded to a microsecond
            found = [record for record in found if record[0] < before]
        found = found[-(MAX_EXAMINED if action else limit + LOOK_BACK) :]
        view, read = FrameView(self._gateway, blank=query["blank"]), []
        for number, record in enumerate(found):
            if number and not number % A_TURN:
                await pause(0, self._clock)
            frame, its_action, secrets = view.read(record)
            if not action or its_action.lower() == action:
                read.append((record, frame, its_action, secrets))
        shown: list[dict[str, Any]] = []
        size = 0
        for each in reversed(read[-limit:]):
            size += min(len(each[0][3]), MAX_SHOWN)
            if size > MAX_ANSWER:
                break
            shown.append(view.rendered(*each))
        return shown[::-1]

    async def _events(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """The latest events about a charger; or all after a number, the oldest first, and then those whose number is not known."""
        charger, limit, since = query["charger"], query["limit"], query["since"]
        found = [(event, number) for about, number, event in self._tap.events_since(0) if about == charger]
        if since is None:
            found = found[-limit:][::-1]
        else:
            after = [each for each in found if each[1] is not None and each[1] > since]
            found = [*after, *(each for each in found if each[1] is None)][:limit]
        kept, size = [], 0
        for event, number in found:
            size += len(event)
            if size > MAX_ANSWER:
                break
            kept.append(event_shown(event, number, blank=query["blank"]))
        return kept

    def _feed(self, query: dict[str, Any], send: Send) -> Callable[[], None]:
        follower = _Follower(self._tap, self._gateway, query, send)
        self._followers.append(follower)
        if not self._looking.running:
            self._looking.start(FEED_INTERVAL, now=False)

        def stop() -> None:
            self._followers.remove(follower)
            if not self._followers and self._looking.running:
                self._looking.stop()

        return stop

    def _look(self) -> None:
        for follower in list(self._followers):
            follower.look()


class _Follower:
    """Sends one follower what has come since it was last looked at."""

    def __init__(self, tap: Tap, gateway: str, query: dict[str, Any], send: Send) -> None:
        self._tap = tap
        self._send = send
        self._what = query["what"]
        self._chargers = frozenset(query["chargers"])
        self._action, self._event = query["action"].lower(), query["event"].lower()
        self._blank = query["blank"]
        self._view = FrameView(gateway, blank=self._blank)
        self._next_frame, self._next_event = tap.frames.end, tap.events.end
        for record in self._of_chargers(tap.frames.since(self._next_frame - MAX_LOOKED_AT)):
            self._prepare(record)

    def look(self) -> None:
        items: list[Any] = []
        left_out = 0
        frames, self._next_frame = self._tap.frames.since(self._next_frame), self._tap.frames.end
        events, self._next_event = self._tap.events_since(self._next_event), self._tap.events.end
        if "frames" in self._what:
            wanted = self._of_chargers(frames)
            left_out = max(0, len(wanted) - MAX_LOOKED_AT)
            for record in wanted[left_out:]:
                if self._action:
                    read = self._view.read(record)
                    if read[1].lower() == self._action:
                        items.append(partial(self._shown_frame, record, read))
                else:
                    self._prepare(record)
                    items.append(partial(self._shown_frame, record))
        if "events" in self._what:
            items += [partial(self._shown_event, event, number) for charger, number, event in events if self._is_wanted(charger, event)]
        if items or left_out:
            self._send(items, left_out)

    def _of_chargers(self, records: list[Any]) -> list[Frame]:
        return [record for record in records if record[1] in self._chargers] if self._chargers else records

    def _prepare(self, record: Frame) -> None:
        """Read a CALL that may have a secret in it, which the answer may repeat, even if it will be left out. Of the answers to chargers
        only one to a DataTransfer has texts that are free."""
        text = record[3]
        if (record[2] == OUT or b"DataTransfer" in text[:MAX_HEAD]) and text[1:2] == b"2" and mentioned(text):
            self._view.read(record)

    def _is_wanted(self, charger: str, event: bytes) -> bool:
        if self._chargers and charger not in self._chargers:
            return False
        return not self._event or event[:80].lower().startswith(b'{"event":"%b"' % self._event.encode())

    def _shown_frame(self, record: Frame, read: Any = None) -> dict[str, Any]:
        return {"kind": "frame", **self._view.rendered(record, *(read or self._view.read(record)))}

    def _shown_event(self, event: bytes, number: int | None) -> dict[str, Any]:
        return {"kind": "event", **event_shown(event, number, blank=self._blank)}
