"""How an event tells of a schema violation (docs/contract.md). Field names are part of the contract.

Knows neither how violations are found nor what becomes of the message.
"""

from __future__ import annotations

from typing import Any, TypedDict


class ToldViolation(TypedDict):
    """One breach of a message's schema."""

    path: str
    """the member that is wrong, from the message's own members on, with slashes; "" for the message as a whole"""
    rule: str
    """the schema's keyword, such as maxLength; more: there are more violations than are listed"""
    value: Any
    """the value that is wrong; of a long one the beginning, as text"""
    names: list[str]
    """the members that are missing or not allowed"""
