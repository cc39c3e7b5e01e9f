"""How many file descriptors this process may have: each connection takes one.

Knows nothing of what they are used for.
"""

from __future__ import annotations

import sys
from contextlib import suppress

if sys.platform == "win32":

    def limit() -> int:
        """As many as one likes."""
        return 1 << 20

    def raise_limit() -> None:
        """There is none."""

else:
    import resource

    def limit() -> int:
        """The number in force (RLIMIT_NOFILE)."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return 1 << 20 if soft == resource.RLIM_INFINITY else soft

    def raise_limit() -> None:
        """Use what the system allows: the lower number that processes begin with, often 1024, is for those that wait with select()."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):  # the kernel may allow fewer
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
