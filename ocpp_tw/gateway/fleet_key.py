"""Whether this gateway has the key that the passwords of the fleet's chargers are stored under.

Without it no charger with a password comes in here, and a password that was stored here would come in nowhere else: so it is told as soon as
the store answers, and no password is stored. Knows neither where keys are kept nor how passwords are compared.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..core.entries import CREDENTIALS_KEY, FLEET, SECURITY, under_key
from ..core.passwords import Passwords
from ..interfaces import IRecords
from ..log import Logger
from ..waiting import in_time
from .publisher import Publisher

log = Logger()

INTERVAL = 5.0
"""Seconds between looks which key it is: another gateway may have stored the first password, or one under another key."""

TIMEOUT = 3.0
"""Seconds that the store has to say it; then it is asked at the next look, and an operator gets an error."""


class ForeignKey(Exception):
    """The fleet's passwords are stored under a key that this gateway does not have; the text says what to do, and is safe to log."""


class FleetKey:
    """One for a gateway."""

    def __init__(self, passwords: Passwords, records: IRecords, clock: IReactorTime, publisher: Publisher) -> None:
        self._passwords = passwords
        self._records = records
        self._clock = clock
        self._publisher = publisher
        self._id = ""
        self._told: str | None = None
        self._asking: Deferred[None] | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """Begin to look."""
        self._looking.start(INTERVAL)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()
        if self._asking is not None:
            self._asking.cancel()

    @property
    def trouble(self) -> str | None:
        """What is wrong with the key here, as of the last look: "missing", "wrong", or None."""
        return self._passwords.trouble(self._id)

    async def require(self) -> None:
        """Return if passwords may be stored here.

        Raises:
            ForeignKey: they may not.
            TimeoutError: the store does not answer.
        """
        await in_time(self._read(), TIMEOUT, self._clock)
        if trouble := self.trouble:
            raise ForeignKey(_said(trouble, self._id))

    async def adopt(self) -> str:
        """From now on the fleet's passwords are stored under this gateway's key, which is made if there is none; returns its id."""
        id = self._passwords.current_id()
        await in_time(self._publisher.durable(SECURITY, (under_key(id),)), TIMEOUT, self._clock)
        self._id = id
        self._tell()
        return id

    def _look(self) -> Deferred[None]:
        self._asking = in_time(self._read(), TIMEOUT, self._clock)
        return self._asking.addCallbacks(lambda _: self._tell(), lambda _: None)

    async def _read(self) -> None:
        self._id = (await self._records.table(FLEET, SECURITY)).get(CREDENTIALS_KEY, b"").decode("ascii", "replace")

    def _tell(self) -> None:
        trouble = self.trouble
        if trouble == self._told:
            return
        self._told = trouble
        if trouble:
            log.error("credentials key {trouble}: {why}", trouble=trouble, why=_said(trouble, self._id))
        else:
            log.info("credentials key found: chargers with passwords come in again")


def _said(trouble: str, id: str) -> str:
    has = "has no key" if trouble == "missing" else "has other keys"
    return (
        f"the passwords of this fleet's chargers are stored under the key {id}, and this gateway's --credentials-key {has}: no charger with a "
        "password comes in here, and no password can be stored here. Copy the file from a gateway that has that key; if nobody has it any "
        "more, see POST /api/credentials-key (ocpp-tw chargers adopt-key)"
    )
