"""From a command to its outcome: where its charger is, when it is its turn, whether it may be sent, and what came of it.

Knows neither how commands come nor how their results are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..core import events
from ..core.commands import Claim, Command, Failed, Invalid, Outcome, render
from ..core.entries import Entry, PeerMessage
from ..gateway.charger import Charger
from ..gateway.gateway import ROSTER_TIMEOUT, Gateway
from ..gateway.reports import Reports
from ..interfaces import ICommands, IEvents, IRoster
from ..ocpp.frames import Payload
from ..waiting import in_time
from . import item_limits
from .followup import FollowUps, Watch
from .queues import ArrivalWaiters, KeyedLock
from .translate import translate

log = Logger()

LOCATE_TIMEOUT = 5.0
"""Seconds that the fleet's memory has to say where a charger is, for somebody who waits by HTTP."""

LEFT_OVER_TTL = 60.0
"""Seconds for which a command that was left over is still worth sending, and waiting for its charger; longer if its ttl is."""

LOCATE_INTERVALS = (2.0, 30.0)
"""Seconds between looks for a charger that may have come to another gateway: at first, and at last."""

RETRY_DELAY = 0.2
"""Seconds before a charger is looked for again that seems to be on another connection to this gateway."""

RETRY = Claim("elsewhere")
EXPIRED = "its time is over (`expires`)"
INTERNAL_FAILURE = Failed("internal", "the gateway failed; its log says why")


class Ended(NamedTuple):
    """How a command ended. ``claimed``: its id was taken for it. ``watch`` is what looks for the transaction it was about."""

    outcome: Outcome
    claimed: bool = False
    watch: Watch | None = None


Tell = Callable[[Command, Ended], events.CommandResult]
"""Publishes the result of a command."""


class Router:
    """Brings commands to their chargers, each when it is its turn. ``clock`` has the time that passes, ``unix`` the time it is."""

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        unix: Callable[[], float],
        gateway: Gateway,
        commands: ICommands,
        roster: IRoster,
        store: IEvents,
        follow: FollowUps,
    ) -> None:
        self._name = name
        self._clock = clock
        self._unix = unix
        self._gateway = gateway
        self._commands = commands
        self._roster = roster
        self._events = store
        self._followups = follow
        self._locks = KeyedLock()
        self._arrivals = ArrivalWaiters(clock)
        self._sent: set[tuple[str, str]] = set()
        self._stopped = False
        gateway.on_arrival = self._arrivals.arrived

    @property
    def waiting(self) -> int:
        """How many commands wait for their charger to come online."""
        return len(self._arrivals)

    def stop(self) -> None:
        """What has not been sent stays in hand, and is taken up again after the restart."""
        self._stopped = True
        self._locks.cancel()
        self._arrivals.cancel()

    async def run(self, command: Command, tell: Tell, silent: float | None = None) -> events.CommandResult | None:
        """What ``tell``, which does not fail, makes of what came of it; None when another gateway sees to it now.

        ``silent``: see `ocpp_tw.core.commands.Taken`.
        """
        try:
            return await self._run(command, tell, silent)
        except CancelledError:
            raise
        except Exception:
            log.failure("a command failed before it was sent: {id} for {charger}", id=command.id, charger=command.charger)
            return tell(command, Ended(Outcome("error", error=INTERNAL_FAILURE)))

    async def _run(self, command: Command, tell: Tell, silent: float | None) -> events.CommandResult | None:
        patience = command.ttl if silent is None else max(command.ttl, LEFT_OVER_TTL) - silent
        deadline, look = self._clock.seconds() + patience, LOCATE_INTERVALS[0]
        if silent is not None and patience <= 0:
            return tell(command, Ended(_expired(f"it was left over by a gateway that ended {silent:.0f} s ago")))
        while not self._stopped:
            if self._has_expired(command):
                return tell(command, Ended(_expired(EXPIRED)))
            charger = self._here(command)
            if charger is None:
                other = await self._locate(command)
                if other not in (None, self._name):
                    await self._forward(command, str(other))
                    return None
                if self._here(command) is not None:
                    continue
                left = deadline - self._clock.seconds()
                if left <= 0 and patience > 0:
                    return tell(command, Ended(_expired(f"the charger did not connect within {patience:g} s")))
                if left <= 0:
                    return tell(command, Ended(Outcome("offline", error=Failed("offline", "the charger is not connected"))))
                await self._wait_for_charger(command, min(left, look))
                look = min(2 * look, LOCATE_INTERVALS[1])
                continue
            if not charger.serving:
                await self._wait_for_charger(command, ROSTER_TIMEOUT)
                continue
            meant = self._translate(command, charger)
            if isinstance(meant, Outcome):
                return tell(command, Ended(meant))
            if (command.charger, command.id) in self._sent:
                return tell(command, Ended(_duplicate()))
            await self._locks.acquire(command.charger)
            try:
                ended = await self._in_turn(command, charger, *meant)
                if isinstance(ended, Ended):
                    return tell(command, ended)
            finally:
                self._locks.release(command.charger)
            if ended.kind == "gone":
                return None
            if ended.gateway and ended.gateway != self._name:
                await self._forward(command, ended.gateway)
                return None
            if ended.gateway:
                await self._wait_for_charger(command, RETRY_DELAY)  # this gateway has it on another connection, which we shall hear of
        raise CancelledError

    def _translate(self, command: Command, charger: Charger) -> Outcome | tuple[str, Payload, bytes]:
        """The command in the words of the charger's version; or why it is not to be asked this."""
        try:
            action, payload, raw = translate(command, charger.version)
        except Invalid as why:
            return Outcome("invalid", error=Failed("invalid", str(why)))
        if charger.registration == "Rejected" or (charger.restricted and action in charger.version.start_actions):
            return Outcome("not_allowed", error=Failed("not_allowed", f"the charger's registration is {charger.registration}"))
        return action, payload, raw

    async def _in_turn(self, command: Command, charger: Charger, action: str, payload: Payload, raw: bytes) -> Ended | Claim:
        """It is the command's turn: it is claimed and sent, or the claim says why not."""
        await charger.outgoing.idle()
        await item_limits.prepare(charger, action, payload)
        if self._here(command) is not charger or self._stopped:
            return RETRY
        if self._has_expired(command):
            return Ended(_expired(EXPIRED))
        if isinstance(now := self._translate(command, charger), Outcome):  # it was accepted, and is no more
            return Ended(now)
        claim = await self._commands.claim(command, charger.connection)
        if claim.kind == "duplicate":
            return Ended(_duplicate())
        if claim.kind != "new":
            return claim
        if self._has_expired(command):
            return Ended(_expired(EXPIRED), True)
        self._sent.add((command.charger, command.id))
        watch: Watch | None = None
        try:
            watch = self._followups.begin(command, charger, action, payload)
            outcome = await item_limits.ask(charger, action, payload, command.timeout, raw, command.id)
            if outcome.status == "Accepted" and action in charger.version.report_actions and isinstance(payload.get("requestId"), int):
                self._await_report(charger, command, action, payload["requestId"])
        except CancelledError:
            raise
        except Exception:
            log.failure("a command failed when it was sent: {id} for {charger}", id=command.id, charger=command.charger)
            outcome = Outcome("connection_lost", error=INTERNAL_FAILURE, sent=True)
        finally:
            self._sent.discard((command.charger, command.id))
        return Ended(outcome, True, watch)

    def _await_report(self, charger: Charger, command: Command, action: str, request: int) -> None:
        """2.x: what was asked for comes in parts; when the last has come the backend hears of it under the command's id."""

        def done(parts: int, complete: bool, missing: list[int]) -> None:
            data = events.CommandReport(charger.id, command.id, action, request, parts, complete, missing)
            charger.incoming.publish_event(charger, "command_report", data)

        if charger.reports is None:
            charger.reports = Reports(self._clock)
        charger.reports.open(charger.version.report_actions[action], request, done)

    def _has_expired(self, command: Command) -> bool:
        return command.expires is not None and self._unix() >= command.expires

    # where the charger is

    def _here(self, command: Command) -> Charger | None:
        """The charger's connection to this gateway, unless it is just ending."""
        charger = self._gateway.chargers.get(command.charger)
        return None if charger is None or charger.gone else charger

    async def _locate(self, command: Command) -> str | None:
        """The gateway that has the charger. An element in hand waits for the fleet's memory: without it there is no result either."""
        if command.element:
            return await self._roster.locate(command.charger)
        try:
            return await in_time(self._roster.locate(command.charger), LOCATE_TIMEOUT, self._clock)
        except CancelledError:
            raise
        except Exception as why:
            log.warn("where {charger} is cannot be told: {why}", charger=command.charger, why=repr(why))
            return None

    async def _forward(self, command: Command, gateway: str) -> None:
        if command.element:
            await self._commands.forward(command.element, gateway)
        else:
            self._events.publish(Entry("", effects=(PeerMessage(gateway, render(command, self._name)),)))

    async def _wait_for_charger(self, command: Command, seconds: float) -> None:
        """Wait for the charger to come online here, for so long at most, and no longer than the command is good for."""
        if command.expires is not None:
            seconds = max(0.0, min(seconds, command.expires - self._unix()))
        await self._arrivals.wait(command.charger, seconds)


def _expired(why: str) -> Outcome:
    return Outcome("expired", error=Failed("expired", why))


def _duplicate() -> Outcome:
    return Outcome("duplicate", error=Failed("duplicate", "a command with this id was taken within the last 24 hours"))
