"""Whether a charger is registered: the status it was given, what is recorded of it, and what an operator has decided.

Knows neither connections nor events. The three inputs are the record found when the charger arrived (`recorded`), an operator's decision
(`decided`) and the answer to a BootNotification (`answered`); nothing else changes the state.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from .entries import Record

RESTRICTED = ("Pending", "Rejected")
REGISTRATIONS = ("Accepted", *RESTRICTED)
"""Registration statuses with which most messages are not allowed, in either direction (OCPP 1.6 §4.2)."""


class RegistrationState:
    """One charger's, on one connection. ``status`` is Accepted, Pending, Rejected, or "" while unknown; ``restricted`` while Pending or Rejected.

    ``serving``: the charger's record has been looked up, and so its messages are served.
    """

    __slots__ = ("_given", "_overridden", "_undelivered", "record", "restricted", "serving", "status")

    def __init__(self) -> None:
        self.status = ""
        self.restricted = self.serving = False
        self.record = Record()
        self._given = ""  # what the charger was told last
        self._overridden = False  # by an operator, since it was told
        self._undelivered: Mapping[str, str] = {}  # decisions made before the record was found, which may not have them

    def recorded(self, record: Record, waits: bool = False) -> None:
        """The charger's record was found: an operator's restriction applies at once, else the status given before. ``waits``: it is Pending,
        whether or not it boots, until an operator or the backend says more."""
        self.record, self.serving = replace(record, **self._undelivered), True
        if not self._given:
            self._given = self.record.boot
            self._override(self.record.boot_status or ("Pending" if waits else ""))

    def decided(self, changes: Mapping[str, str]) -> bool:
        """An operator has changed fields of the record; whether the charger should be asked to boot again, to be told at once.

        A restriction applies at once. Where one is taken back, the status that the charger was told last is in force again.
        """
        if not self.serving:
            self._undelivered = {**self._undelivered, **changes}
            return False
        self.record = replace(self.record, **changes)
        if "boot_status" not in changes:
            return False
        self._override(changes["boot_status"])
        return self.status == "Pending" and changes["boot_status"] not in RESTRICTED

    def answered(self, status: str) -> bool:
        """A BootNotification is answered with this status; whether the charger was told another one before."""
        changed = self._given != status
        self._given, self._overridden = status, False
        self._set(status)
        return changed

    def _override(self, decision: str) -> None:
        self._overridden = decision in RESTRICTED and decision != self._given
        self._set(decision if self._overridden else self._given)

    def _set(self, status: str) -> None:
        self.status, self.restricted = status, status in RESTRICTED
