"""Traces nothing: what stands where nobody has asked for traces, so that nothing else has to know.

A ``traceparent`` of the backend's is passed on as it came.
"""

from __future__ import annotations

from typing import TypeVar

from zope.interface import implementer

from .core.commands import Command
from .interfaces import IQuestion, ITracer

T = TypeVar("T")


@implementer(IQuestion)
class UntracedQuestion:
    """A question to the backend that is not traced."""

    traceparent = ""

    def answered(self, answer: T) -> T:
        """See `IQuestion`."""
        return answer


QUESTION = UntracedQuestion()


@implementer(ITracer)
class Untraced:
    """See `ITracer` for the methods."""

    def begun(self, command: Command) -> Command:
        """The command as it is."""
        return command

    def ended(self, command: Command, outcome: str, error: str = "") -> None:
        """Nothing."""

    def left(self, command: Command) -> None:
        """Nothing."""

    def question(self, kind: str, charger: str, tag: str = "") -> IQuestion:
        """One that is not traced."""
        return QUESTION
