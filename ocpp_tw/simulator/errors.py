"""The ways in which a CALL fails to get a CALLRESULT.

Knows neither who sent the CALL nor why.
"""

from __future__ import annotations


class Refusal(Exception):
    """A CALL that was answered, or is to be answered, with a CALLERROR; ``code`` is the CALLERROR's, spelled as in OCPP 1.6."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class Unanswered(Exception):
    """No answer came: the timeout elapsed, or the connection was lost or not there."""


class Silence(Exception):
    """A command that the charger does not answer, as one that has a fault."""
