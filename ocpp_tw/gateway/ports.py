"""What a connected charger needs of the rest of the gateway. The incoming side knows the charger; this is how it is known to the charger.

``charger`` is always the `ocpp_tw.gateway.charger.Charger` that calls; it is not named here, since its module imports this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..ocpp.frames import Call, Error, Frame, Result, ResultError, Send
from ..ocpp.malformed import Malformed
from ..settings import Settings
from .answer_times import AnswerTimes
from .flow import Load
from .publisher import Publisher


class Incoming(Protocol):
    """Serves what chargers send."""

    settings: Settings
    clock: IReactorTime
    publisher: Publisher
    load: Load
    unix: Callable[[], float]
    moment: float
    record: Callable[[tuple[float, str, int, bytes]], None] | None
    answers: AnswerTimes

    def serve(self, charger: Any, call: Call | Send) -> Deferred[None] | None:
        """Serve a CALL. None: it was, but for the durable event that the answer waits for; else it fires when it was, and never fails."""

    def malformed(self, charger: Any, malformed: Malformed) -> None:
        """Answer a text that is no frame, where it is owed an answer, and tell of it."""

    def repaired_frame(self, charger: Any, text: bytes) -> Frame | None:
        """The frame in a text that is not JSON, where that can be repaired and the charger's violations are tolerated."""

    def result_error(self, charger: Any, frame: ResultError) -> None:
        """The charger could not process a CALLRESULT of ours (2.1)."""

    def useless_answer(self, charger: Any, problem: str, left_out: int) -> None:
        """Log what is wrong with an answer of the charger's; ``left_out`` are those of which it has not told."""

    def late_response(self, charger: Any, call: Call, frame: Result | Error) -> None:
        """A CALLRESULT or CALLERROR arrived after its CALL had timed out."""
