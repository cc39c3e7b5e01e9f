"""How often Python looks for cycles that nobody refers to: seldom, since chargers leave none behind, and never among what stays.

Knows nothing of what the memory is for.
"""

from __future__ import annotations

import gc

YOUNG, AGEING, OLD = 5_000, 4, 250
"""After so many new objects those are looked at, after so many such looks all since the last of this kind, and after so many of these
everything. With Python's own numbers what stays was looked at again and again, for as long as a hundred handshakes take each time; with
larger ones a look at the new ones alone, when thousands of chargers come, would hold up those who are in."""


def settle() -> None:
    """To be called once all is loaded: what is here by now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, AGEING, OLD)
