"""Takes the tags of drivers out of what is told: who charged where and when is nobody's business who looks for a charger's fault.

Knows OCPP's names for a tag and those of our events and commands; what a vendor or a free text says of one it cannot know.
"""

from __future__ import annotations

from typing import Any

from ..concealed import HIDDEN

NAMES = frozenset({"idtag", "idtoken", "parentidtag", "groupidtoken", "additionalidtoken", "tag", "grouptag", "parenttag"})
"""Members with a tag for their value, in lower case without underscores. In 2.x one named ``idToken`` is an object with another in it."""


def tags_blanked(value: Any) -> Any:
    """The JSON value with `HIDDEN` in place of each tag; one that is empty is none."""
    if isinstance(value, list):
        return [tags_blanked(each) for each in value]
    if isinstance(value, dict):
        return {name: _member(name, each) for name, each in value.items()}
    return value


def _member(name: str, value: Any) -> Any:
    if isinstance(value, dict | list):
        return tags_blanked(value)
    return HIDDEN if value not in (None, "") and name.lower().replace("_", "") in NAMES else value
