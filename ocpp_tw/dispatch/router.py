"""Brings a command to its charger: finds the gateway that has it, waits its turn, claims the command, sends it, and reports its outcome.

Knows neither where commands come from nor how results are published.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.commands import Claim, Command, Invalid, Outcome, render
from ..core.entries import PeerMessage
from ..gateway.charger import Charger
from ..gateway.decisions import STORE_TIMEOUT
from ..gateway.gateway import Gateway
from ..gateway.publisher import Publisher
from ..gateway.reports import Reports
from ..interfaces import ICommands, IRoster
from ..log import Logger
from ..ocpp.frames import Payload
from ..ocpp.payload_json import is_integer
from ..repeated_secrets import secrets_in
from . import item_limits
from .claims import undo_claim
from .ended import EXPIRED, INTERNAL_FAILURE, Ended, duplicate, expired, invalid, not_allowed, not_connected
from .followup import FollowUps
from .handing_over import HandingOver, without_secrets
from .patience import LEFT_OVER_TTL, begun, handed_on, left, within_reach
from .queues import ArrivalWaiters, KeyedLock
from .translate import translate
from .upgrades import COMMAND as UPGRADE
from .upgrades import Upgrades

log = Logger()

LOCATE_INTERVALS = (2.0, 30.0)
"""First and longest interval, in seconds, between roster look-ups for a charger that is not connected here."""

RETRY_DELAY = 0.2
"""Seconds until a charger is looked for again that the roster has on another connection to this gateway."""

RETRY = Claim("elsewhere")

Report = Callable[[Command, Ended], gateway_events.CommandResult]
"""Publishes the result of a command; never fails."""


class Router:
    """One for a gateway. ``report`` is called before the charger's next command gets its turn; ``unix`` is the time of day."""

    def __init__(
        self,
        clock: IReactorTime,
        unix: Callable[[], float],
        gateway: Gateway,
        commands: ICommands,
        roster: IRoster,
        publisher: Publisher,
        followups: FollowUps,
        handing_over: HandingOver,
        upgrades: Upgrades,
        report: Report,
    ) -> None:
        self._name = publisher.gateway
        self._clock = clock
        self._unix = unix
        self._gateway = gateway
        self._commands = commands
        self._roster = roster
        self._publisher = publisher
        self._followups = followups
        self._handing_over = handing_over
        self._upgrades = upgrades
        self._report = report
        self._turns = KeyedLock()
        self._arrivals = ArrivalWaiters(clock)
        self._sent: set[tuple[str, str]] = set()
        self._stopped = False
        gateway.arrivals.on_serving = self._arrivals.arrived

    @property
    def waiting(self) -> int:
        """How many commands wait for their charger to connect."""
        return len(self._arrivals)

    def has_sent(self, command: Command) -> bool:
        """Whether the command is being sent: its answer is all that it waits for."""
        return (command.charger, command.id) in self._sent

    def stop(self) -> None:
        """Send no more: what has not been sent stays in flight, and is taken again after the restart."""
        self._stopped = True
        self._upgrades.stop()
        self._turns.cancel()
        self._arrivals.cancel()

    async def run(self, command: Command, silent: float | None = None) -> gateway_events.CommandResult | None:
        """The result that was reported; None when another gateway has the command now. ``silent``: see `ocpp_tw.core.commands.Taken`."""
        try:
            return await self._run(command, silent)
        except CancelledError:
            raise
        except Exception:
            log.failure("command failed before it was sent: {id} for {charger}", id=command.id, charger=command.charger)
            return self._report(command, Ended(Outcome("error", error=INTERNAL_FAILURE)))

    async def _run(self, command: Command, silent: float | None) -> gateway_events.CommandResult | None:
        command = begun(command, silent, self._unix())
        waits = left(command, silent, self._unix())
        if silent is not None and waits <= 0:
            return self._report(command, expired(f"it was left over by a gateway that ended {silent:.0f} s ago"))
        deadline, interval = self._clock.seconds() + waits, LOCATE_INTERVALS[0]
        while not self._stopped:
            if self._has_expired(command):
                return self._report(command, expired(EXPIRED))
            charger = self._connected(command)
            if charger is None:
                if await self._forwarded(command):
                    return None
                if self._connected(command) is not None:
                    continue
                waits = deadline - self._clock.seconds()
                if waits <= 0:
                    return self._report(command, not_connected(command.ttl if silent is None else max(command.ttl, LEFT_OVER_TTL)))
                await self._wait_for_charger(command, min(waits, interval))
                interval = min(2 * interval, LOCATE_INTERVALS[1])
            elif not charger.serving:
                await self._wait_for_charger(command, STORE_TIMEOUT)
            elif self._gateway.arrivals.probing(charger.id):  # it would be lost with a connection that is dead
                await self._gateway.arrivals.probed(charger.id)
            else:
                ended = await self._send_in_turn(command, charger)
                if not isinstance(ended, Claim):
                    return ended
                if await self._lost(command, ended):
                    return None
        raise CancelledError

    async def _forwarded(self, command: Command) -> bool:
        """Whether another gateway has the charger, and now the command."""
        gateway = await self._roster.locate(command.charger)
        if gateway in (None, self._name):
            return False
        await self._forward(command, str(gateway))
        return True

    async def _lost(self, command: Command, claim: Claim) -> bool:
        """The claim failed: whether another gateway has the command, or else it is to be tried again here."""
        if claim.kind == "gone":
            return True
        if claim.gateway and claim.gateway != self._name:
            await self._forward(command, claim.gateway)
            return True
        if claim.gateway:
            await self._wait_for_charger(command, RETRY_DELAY)  # it is on another connection to this gateway, which is about to arrive
        return False

    async def _send_in_turn(self, command: Command, charger: Charger) -> gateway_events.CommandResult | Claim:
        """Send it once the commands before it have ended; the result that was reported, or the claim that failed."""
        translated = self._translate(command, charger)
        if isinstance(translated, Ended):
            return self._report(command, translated)
        if self.has_sent(command):
            return self._report(command, duplicate())
        with charger.outgoing.command():
            await self._turns.acquire(command.charger)
            try:
                ended = await self._claim_and_send(command, charger, *translated)
                return ended if isinstance(ended, Claim) else self._report(command, ended)
            finally:
                self._turns.release(command.charger)

    async def _claim_and_send(self, command: Command, charger: Charger, action: str, payload: Payload, raw: bytes) -> Ended | Claim:
        await charger.outgoing.idle()
        if why := await self._upgrades.hindrance(command, charger):
            return invalid(why)
        call_timeout = await item_limits.prepare(charger, action, payload, command.timeout)
        if self._connected(command) is not charger or self._gateway.arrivals.probing(charger.id) or self._stopped:
            return RETRY
        if self._has_expired(command):
            return expired(EXPIRED)
        if isinstance(refused := self._translate(command, charger), Ended):  # its registration has changed meanwhile
            return refused
        if hindrance := self._handing_over.hindrance(action, payload):
            return Ended(Outcome("error", error=hindrance))
        claim = await self._commands.claim(command, charger.connection)
        if claim.kind == "duplicate":
            return duplicate()
        if claim.kind != "new":
            return claim
        if self._has_expired(command):
            return expired(EXPIRED, claimed=True)
        outcome = await self._send(command, charger, action, payload, raw, call_timeout)
        if outcome.kind == "offline":  # the connection ended before it could be sent
            self._followups.ended(command, outcome.kind)
            await undo_claim(command, self._publisher)
            return RETRY
        return Ended(outcome, True, action)

    async def _send(
        self, command: Command, charger: Charger, action: str, payload: Payload, raw: bytes, call_timeout: float | None
    ) -> Outcome:
        self._sent.add((command.charger, command.id))
        try:
            self._followups.begin(command, charger, action, payload)
            if command.neutral == UPGRADE:
                outcome = await self._upgrades.run(
                    command, charger, lambda action, payload: charger.call(action, payload, call_timeout, id=command.id)
                )
                return without_secrets(outcome, secrets_in(command.payload))
            outcome = await self._handing_over.send(
                charger, action, payload, lambda: item_limits.call(charger, action, payload, call_timeout, raw, command.id)
            )
            if (
                outcome.status == "Accepted"
                and action in charger.version.report_actions
                and is_integer(request := payload.get("requestId"))
            ):
                self._await_report(charger, command, action, request)
            return outcome
        except CancelledError:
            raise
        except Exception:
            log.failure("command failed while it was sent: {id} for {charger}", id=command.id, charger=command.charger)
            return Outcome("connection_lost", error=INTERNAL_FAILURE, sent=True)
        finally:
            self._sent.discard((command.charger, command.id))

    def _translate(self, command: Command, charger: Charger) -> Ended | tuple[str, Payload, bytes]:
        """The command in the charger's version of OCPP; or why it may not be sent."""
        try:
            action, payload, raw = translate(command, charger.version)
        except Invalid as why:
            return invalid(str(why))
        if charger.registration == "Rejected" or (charger.restricted and action in charger.version.start_actions):
            return not_allowed(charger.registration, action)
        return action, payload, raw

    def _await_report(self, charger: Charger, command: Command, action: str, request: int) -> None:
        """2.x: the report asked for comes in parts; once it is complete that is published under the command's id."""

        def done(parts: int, complete: bool, missing: list[int]) -> None:
            data = gateway_events.CommandReport(charger.id, command.id, action, request, parts, complete, missing)
            self._publisher.publish(charger, "command_report", data)

        if charger.reports is None:
            charger.reports = Reports(self._clock)
        charger.reports.open(charger.version.report_actions[action], request, done)

    def _has_expired(self, command: Command) -> bool:
        return command.expires is not None and self._unix() >= command.expires

    # where the charger is

    def _connected(self, command: Command) -> Charger | None:
        """The charger's connection to this gateway, unless it is just ending."""
        charger = self._gateway.chargers.get(command.charger)
        return None if charger is None or charger.gone else charger

    async def _forward(self, command: Command, gateway: str) -> None:
        if command.element:
            await self._commands.forward(command.element, gateway, handed_on(command))
        else:
            handed = within_reach(command, self._unix())
            self._publisher.carry_out("", (PeerMessage(gateway, render(handed, self._name)),))

    async def _wait_for_charger(self, command: Command, seconds: float) -> None:
        """Wait until the charger is served here, at most for so long, and no longer than until the command expires."""
        if command.expires is not None:
            seconds = max(0.0, min(seconds, command.expires - self._unix()))
        await self._arrivals.wait(command.charger, seconds)
