"""The tap over HTTP: a charger's frames and events, and a stream of those of the whole fleet.

Knows neither where they are kept nor what is taken out of them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from ..monitoring.fleet_tap import FleetTap
from ..monitoring.told import ShownFrame
from .answering import answer_json
from .described import X_MISSING, described
from .parameters import Time, query_of
from .request import OperatorsRequest
from .server_sent import TYPE, EventStream
from .serving import HttpAnswer, Refused, klein_app, run

LINES = "application/jsonl"

DEFAULT_LIMIT, MAX_LIMIT = 200, 5000
"""Frames or events in an answer, unless the request says otherwise, and at most."""

MAX_CHARGERS = 100
"""Most chargers that one stream may name."""

NONE_KEPT = "No frames and events are kept for operators: the gateway was started with --tap 0"


Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)]


class Tags(msgspec.Struct, frozen=True):
    """Whether tags are told."""

    tags: Literal["", "blank"] = ""
    """`blank`: `***` is told in place of tags"""

    @property
    def blank(self) -> bool:
        """Whether tags are not told."""
        return self.tags == "blank"


class FramesQuery(Tags, frozen=True):
    """Which frames of a charger."""

    limit: Limit = DEFAULT_LIMIT
    """at most so many, the latest"""
    before: Time | None = None
    """only those before this time"""
    action: str = ""
    """only those of this action, and their answers"""


class EventsQuery(Tags, frozen=True):
    """Which events about a charger."""

    limit: Limit = DEFAULT_LIMIT
    """at most so many"""
    since: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] | None = None
    """only those after this number, the oldest first; the latest unless given"""


class LiveQuery(Tags, frozen=True):
    """What is followed."""

    what: list[Literal["frames", "events"]] | str = []
    """frames, events or both; both unless given"""
    charger: Annotated[list[str], msgspec.Meta(max_length=MAX_CHARGERS)] | str = []
    """only these chargers"""
    action: str = ""
    """only frames of this action, and their answers"""
    event: str = ""
    """only events of this name"""


class LiveFrame(ShownFrame):
    """A frame, as it happens."""

    kind: Literal["frame"]
    """what it is"""


class LiveEvent(TypedDict):
    """An event, as it happens: beside these it has the members that it has in the list of events."""

    kind: Literal["event"]
    """what it is"""
    event: str
    """its name"""
    data: dict[str, Any]
    """its own fields"""
    seq: int | None
    """its number; null where it is not known"""


class LeftOut(TypedDict):
    """Frames or events were left out: there were too many."""

    kind: Literal["left_out"]
    """what it is"""
    count: int
    """how many"""


class OnlyOwn(TypedDict):
    """Only this gateway's own frames and events are told."""

    kind: Literal["trouble"]
    """what it is"""
    detail: str
    """why"""


class EventsAnswer(TypedDict):
    """Events that gateways still remember."""

    events: list[dict[str, Any]]
    """the events, as in the list, the oldest first; `seq` is null where it is not known"""
    complete: bool
    """whether none is missing after the number that was asked for, nor between them"""


class TapRoutes:
    """``tap`` is None where none are kept."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/live", b"/api/fleet/chargers/*/frames", b"/api/fleet/chargers/*/events")

    def __init__(self, tap: FleetTap | None, clock: IReactorTime) -> None:
        self._maybe_tap = tap
        self._clock = clock

    @property
    def _tap(self) -> FleetTap:
        if self._maybe_tap is None:
            raise Refused(404, NONE_KEPT)
        return self._maybe_tap

    @app.route("/api/fleet/chargers/<path:id>/frames", methods=["GET"])
    @described({200: None}, query=FramesQuery, media=LINES, pieces={"line": ShownFrame}, headers=X_MISSING)
    def frames(self, request: IRequest, id: str) -> HttpAnswer:
        """The latest frames of a charger, one JSON object on a line each, the oldest first."""

        async def answer() -> bytes:
            query = query_of(request, FramesQuery)
            before = None if query.before is None else query.before.timestamp()
            frames, missing, trouble = await self._tap.frames(id, query.limit, before, query.action, blank=query.blank)
            request.setHeader("content-type", LINES)
            if missing or trouble:
                request.setHeader("x-missing", ",".join(missing) or "others")
            return b"".join([msgspec.json.encode(frame) + b"\n" for frame in frames])

        return run(request, answer())

    @app.route("/api/fleet/chargers/<path:id>/events", methods=["GET"])
    @described({200: EventsAnswer}, query=EventsQuery)
    def events(self, request: IRequest, id: str) -> HttpAnswer:
        """The latest events about a charger, or those after a number."""

        async def answer() -> bytes:
            query = query_of(request, EventsQuery)
            found = await self._tap.events(id, query.limit, query.since, blank=query.blank)
            return answer_json(request, 200, {"events": found.events, "complete": found.complete})

        return run(request, answer())

    @app.route("/api/live", methods=["GET"])
    @described({200: None}, query=LiveQuery, media=TYPE.decode(), pieces={"message": [LiveFrame, LiveEvent, LeftOut, OnlyOwn]})
    def live(self, request: OperatorsRequest) -> Any:
        """Frames and events as they happen, as server-sent events."""

        async def answer() -> None:
            query, tap, left_out = query_of(request, LiveQuery), self._tap, 0

            def received(gateway: str, items: list[Any], beyond: int) -> None:
                nonlocal left_out
                left_out += beyond + sum([not stream.send(item) for item in items])
                if left_out and stream.send({"kind": "left_out", "count": left_out}):
                    left_out = 0

            following = tap.follow(
                received, query.what or ("frames", "events"), query.charger, query.action, query.event, blank=query.blank
            )
            try:
                stream = EventStream(request, self._clock)
                if tap.trouble:
                    stream.send({"kind": "trouble", "detail": f"only this gateway's own: {tap.trouble}"})
                await stream.ended
            finally:
                following.stop()

        return run(request, answer())
