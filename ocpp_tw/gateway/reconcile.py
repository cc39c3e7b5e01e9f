"""Starts that the backend could not be asked about: set aside with their event, and asked about when it answers again, oldest first.

Knows nothing of how a start is served. What it knows of one stands on this gateway's shelf, so that neither the charger's end nor ours
loses it; another gateway's may be put there any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..backend.http import BackendFailed
from ..core.entries import Effect, Entry, Keep
from ..core.events import TransactionReconciled
from ..core.ledger import Ledger
from ..core.provisional import Question, Said, ask
from ..facts import Authorisation, Start, Started
from ..interfaces import IRecords, IRoster
from ..waiting import deferred, pause

if TYPE_CHECKING:
    from .breaker import Breaker
    from .charger import Charger
    from .gateway import Gateway
    from .incoming import Intake
    from .verdicts import Desk

log = Logger()

SHELF = "provisional"

LOOK = 60.0
"""Seconds between looks at the shelf."""

AT_ONCE = 4
"""So many questions are asked at once: chargers at work come first. They are fewer than have the breaker believe that all is in vain."""

BREATH = 0.1
"""Seconds before the next ones."""

HOPELESS = 2
"""After so many failures in a row, each asked alone, the others wait for the next look."""

LONGEST = 3600.0
"""One that the backend fails on again and again is asked about once an hour at last."""


class Provisional(msgspec.Struct, frozen=True, omit_defaults=True):
    """A start set aside. ``since`` is Unix time, for the order."""

    question: Question
    transaction_id: int | str
    domain: str
    ocpp: str
    since: float


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Provisional).decode


def set_aside(charger: Charger, fact: Started, verdict: Start) -> tuple[Effect, ...]:
    """What keeps a provisional start for later. One that was denied is settled; so is one when there is no backend to ask."""
    settings, question = charger.intake.settings, Question.of(charger.id, fact)
    id = verdict.transaction_id if fact.transaction_id is None else fact.transaction_id
    if not settings.base_url or question is None or id is None or verdict.authorisation.status != "Accepted":
        return ()
    kept = Provisional(question, id, charger.domain, charger.ocpp, charger.intake.wall())
    return (Keep(SHELF, question.key, _encode(kept), of=settings.name),)


class Reconciler:
    """One for a gateway with a backend."""

    def __init__(
        self, backend: Breaker, clock: IReactorTime, gateway: Gateway, desk: Desk, intake: Intake, roster: IRoster, records: IRecords
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._gateway = gateway
        self._desk = desk
        self._intake = intake
        self._roster = roster
        self._records = records
        self._name = gateway.settings.name
        self._verify = gateway.settings.authorize == "backend"
        self._done: set[str] = set()  # what is settled, though the shelf may still show it
        self._failed: dict[str, tuple[float, float]] = {}  # the pause after the last failure, and its end
        self._run: Deferred[None] | None = None
        self._working = False
        self._wheel = LoopingCall(self.look)
        self._wheel.clock = clock

    def start(self) -> None:
        """Look at the shelf now, again and again, and whenever the backend is back."""
        self._backend.on_recovery = self.look
        self._wheel.start(LOOK)

    def stop(self) -> None:
        """Ask no more; what is on the shelf stays there."""
        self._backend.on_recovery = lambda: None
        if self._wheel.running:
            self._wheel.stop()
        if self._run is not None:
            self._run.cancel()

    def look(self) -> None:
        """Begin to work the shelf off, unless that is being done, or is no use."""
        if not self._working and self._backend.hopeful:
            self._working = True
            self._run = Deferred.fromCoroutine(self._work()).addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        if self._wheel.running:  # else it is we who ended it
            log.failure("provisional transactions could not be reconciled; they will be tried again", failure)

    async def _work(self) -> None:
        try:
            waiting, failures, at_once = await self._waiting(), 0, 1  # one finds out whether the backend is well
            while waiting and failures < HOPELESS and self._backend.hopeful:
                chosen, waiting = waiting[:at_once], waiting[at_once:]
                for well in await gatherResults([deferred(self._settle(name, each)) for name, each in chosen], consumeErrors=True):
                    failures = 0 if well else failures + 1
                at_once = 1 if failures else AT_ONCE // 2 if self._verify else AT_ONCE
                if waiting:
                    await pause(BREATH, self._clock)
        finally:
            self._working = False

    async def _waiting(self) -> list[tuple[str, Provisional]]:
        """What is to be asked about now, in this order; those that have failed before come last, the latest at the very end."""
        shelf = await self._records.shelf(SHELF, self._name)
        self._done &= shelf.keys()
        self._failed = {name: until for name, until in self._failed.items() if name in shelf}
        now, found = self._clock.seconds(), []
        for name, text in shelf.items():
            if name in self._done or (name in self._failed and now < self._failed[name][1]):
                continue
            try:
                found.append((name, _decode(text)))
            except ValueError:
                continue  # written by another version of this program, which will find it
        return sorted(found, key=lambda each: (self._failed.get(each[0], (0.0, 0.0))[1], each[1].since))

    async def _settle(self, name: str, start: Provisional) -> bool:
        """Ask about one; whether the backend was of use."""
        charger = self._gateway.chargers.get(start.question.charger)
        elsewhere = None if charger else await self._roster.whereabouts(start.question.charger)
        if elsewhere and elsewhere != self._name:
            await self._hand_over(name, start, elsewhere)
            return True
        said = await ask(self._backend, start.question, self._verify)
        if isinstance(said.id, BackendFailed) or isinstance(said.authorisation, BackendFailed):
            length = self._failed.get(name, (LOOK / 2, 0.0))[0]
            if self._backend.hopeful:  # else it is no fault of this one's, and another tries next time
                length = min(2 * length, LONGEST)
            self._failed[name] = (length, self._clock.seconds() + (length if self._backend.hopeful else 0.0))
            return False
        await self._conclude(name, start, said)
        return True

    async def _conclude(self, name: str, start: Provisional, said: Said) -> None:
        """Tell of it, note it in the ledger, and take it off the shelf, in one piece."""
        id = start.question.charger
        charger = self._gateway.chargers.get(id)
        ledger = await self._desk.ledger(charger) if charger else Ledger(await self._records.transactions(id))
        assert isinstance(said.authorisation, Authorisation) and not isinstance(said.id, BackendFailed)
        data = TransactionReconciled(id, start.transaction_id, said.id, said.authorisation.status)
        effects = (*ledger.reconcile(start.transaction_id, said.id), Keep(SHELF, name, None, of=self._name))
        safe: Deferred[None] = Deferred()
        self._done.add(name)
        self._intake.tell_of(id, start.domain, "transaction_reconciled", data, start.ocpp, effects, safe.callback)
        await safe
        log.info("a provisional transaction of {charger} is reconciled: {status}", charger=id, status=data.status)

    async def _hand_over(self, name: str, start: Provisional, gateway: str) -> None:
        """The charger is at another gateway of the fleet, which has its ledger."""
        safe: Deferred[None] = Deferred()
        effects = (Keep(SHELF, name, None, of=self._name), Keep(SHELF, name, _encode(start), of=gateway))
        self._done.add(name)
        self._intake.publish(Entry(start.question.charger, effects=effects), safe.callback)
        await safe
