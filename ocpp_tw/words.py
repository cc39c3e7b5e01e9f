"""Words of chargers and backends: how long one may be that is kept, and how one is shown in a log line or a description.

Knows no messages.
"""

from __future__ import annotations

MAX_KEPT = 255
"""Longest word of a charger that is kept beyond its message, in characters; a message with a longer one is refused. OCPP's own ids and
names have 255 at most, most of them 20 to 50."""

MAX_SHOWN = 100
"""Longest piece of a word that is shown where nothing else is said, in characters."""


def shown(word: str, most: int = MAX_SHOWN) -> str:
    """The beginning of the word, at most so many characters and a mark that there are more, with all that is not printable escaped:
    line breaks, control and format characters, lone surrogates."""
    beginning = word[:most]
    if not beginning.isprintable():
        beginning = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in beginning)
    return beginning if len(beginning) <= most and len(word) <= most else beginning[:most] + "…"
