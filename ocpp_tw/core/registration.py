"""Whether a charger is registered: the status it was given, what is recorded of it, and what an operator has decided.

Knows neither connections nor events. The three inputs are the record found when the charger arrived (`recorded`), an operator's decision
(`decided`) and the answer to a BootNotification (`answered`); nothing else changes the state.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from .entries import Record

RESTRICTED = ("Pending", "Rejected")
"""Registration statuses with which most messages are not allowed, in either direction (OCPP 1.6 §4.2)."""

NOT_FOUND_YET = Record()


class RegistrationState:
    """One charger's, on one connection. ``status`` is Accepted, Pending, Rejected, or "" while unknown; ``restricted`` while Pending or Rejected."""

    __slots__ = ("record", "restricted", "status")

    def __init__(self) -> None:
        self.status = ""
        self.restricted = False
        self.record = NOT_FOUND_YET

    @property
    def serving(self) -> bool:
        """Whether the charger's record has been looked up, and so its messages are served."""
        return self.record is not NOT_FOUND_YET

    def recorded(self, record: Record) -> None:
        """The charger's record was found: an operator's restriction applies at once, else the status given before."""
        self.record = record
        restriction = record.boot_status if record.boot_status in RESTRICTED else ""
        self._set(self.status or restriction or record.boot)

    def decided(self, changes: Mapping[str, str]) -> bool:
        """An operator has changed fields of the record; whether the charger should be asked to boot again, to be told Accepted."""
        self.record = replace(self.record, **changes)
        status = changes.get("boot_status", "")
        if self.status == "Pending" and status == "Accepted":
            return True
        if status in RESTRICTED:
            self._set(status)
        return False

    def answered(self, status: str) -> bool:
        """A BootNotification is answered with this status; whether it differs from the one before."""
        changed = self.status != status
        self._set(status)
        return changed

    def _set(self, status: str) -> None:
        self.status, self.restricted = status, status in RESTRICTED
