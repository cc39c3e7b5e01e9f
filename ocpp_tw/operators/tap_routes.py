"""The tap over HTTP: a charger's frames and events, and a stream of those of the whole fleet.

Knows neither where they are kept nor what is taken out of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from ..monitoring.fleet_tap import FleetTap
from .answering import answer_json
from .described import described
from .request import OperatorsRequest
from .server_sent import TYPE, EventStream
from .serving import HttpAnswer, Query, Refused, klein_app, run

LINES = "application/jsonl"

DEFAULT_LIMIT, MAX_LIMIT = 200, 5000
"""Frames or events in an answer, unless the request says otherwise, and at most."""

MAX_CHARGERS = 100
"""Most chargers that one stream may name."""

NONE_KEPT = "No frames and events are kept for operators: the gateway was started with --tap 0"


Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)]


class Tags(TypedDict, total=False):
    """Whether tags are told."""

    tags: Literal["", "blank"]
    """`blank`: `***` is told in place of tags"""


class FramesQuery(Tags, total=False):
    """Which frames of a charger."""

    limit: Limit
    """at most so many, the latest; 200 unless given"""
    before: str
    """only those before this time, with its zone; "" is none"""
    action: str
    """only those of this action, and their answers"""


class EventsQuery(Tags, total=False):
    """Which events about a charger."""

    limit: Limit
    """at most so many; 200 unless given"""
    since: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
    """only those after this number, the oldest first; the latest unless given"""


class LiveQuery(Tags, total=False):
    """What is followed."""

    what: str
    """`frames`, `events` or both, with a comma between them; both unless given"""
    charger: str
    """only these chargers, with commas between them; at most 100"""
    action: str
    """only frames of this action, and their answers"""
    event: str
    """only events of this name"""


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
    @described({200: None}, query=FramesQuery, media=LINES)
    def frames(self, request: IRequest, id: str) -> HttpAnswer:
        """The latest frames of a charger, one JSON object on a line each, the oldest first."""

        async def answer() -> bytes:
            query = Query(request)
            limit = query.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
            frames, missing, trouble = await self._tap.frames(id, limit, _time(query), query.text("action"), blank=_blank(query))
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
            query = Query(request)
            limit = query.number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
            since = query.number("since", -1, 0, 1 << 53)
            found = await self._tap.events(id, limit, None if since < 0 else since, blank=_blank(query))
            return answer_json(request, 200, {"events": found.events, "complete": found.complete})

        return run(request, answer())

    @app.route("/api/live", methods=["GET"])
    @described({200: None}, query=LiveQuery, media=TYPE.decode())
    def live(self, request: OperatorsRequest) -> Any:
        """Frames and events as they happen, as server-sent events."""

        async def answer() -> None:
            query, tap, left_out = Query(request), self._tap, 0
            what = query.words("what") or ["frames", "events"]
            if not {"frames", "events"}.issuperset(what):
                raise Refused(400, "what must be frames, events or both, with a comma between them")
            chargers = query.words("charger")
            if len(chargers) > MAX_CHARGERS:
                raise Refused(400, f"charger must name no more than {MAX_CHARGERS} chargers")

            def received(gateway: str, items: list[Any], beyond: int) -> None:
                nonlocal left_out
                left_out += beyond + sum([not stream.send(item) for item in items])
                if left_out and stream.send({"kind": "left_out", "count": left_out}):
                    left_out = 0

            following = tap.follow(received, what, chargers, query.text("action"), query.text("event"), blank=_blank(query))
            try:
                stream = EventStream(request, self._clock)
                if tap.trouble:
                    stream.send({"kind": "trouble", "detail": f"only this gateway's own: {tap.trouble}"})
                await stream.ended
            finally:
                following.stop()

        return run(request, answer())


def _blank(query: Query) -> bool:
    return query.one_of("tags", "", "blank") == "blank"


def _time(query: Query) -> float | None:
    text = query.text("before")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
        return time.timestamp()
    except (ValueError, OverflowError):
        raise Refused(400, "before must be a time with its zone, such as 2026-11-29T08:00:00.123456Z") from None
