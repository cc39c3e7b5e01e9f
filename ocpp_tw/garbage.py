"""How often Python looks for cycles that nobody refers to: seldom, since chargers leave none behind, and never among what stays.

Knows nothing of what the memory is for.
"""

from __future__ import annotations

import gc

YOUNG = 20_000
"""So many objects more than were given back are looked at. With Python's own 700 that happened for every tenth charger that came, and each
look at all there is stood still for as long as a hundred handshakes take."""


def settle() -> None:
    """To be called once all is loaded: what is here by now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
