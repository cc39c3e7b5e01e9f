"""Starts a program that ends with the process that started it, however that ends (Linux; elsewhere it is started as it is).

Knows not what the program is.
"""

from __future__ import annotations

import os
import sys

# The parent may be gone before prctl takes effect: hence the check after it.
_PROGRAM = """
import os, sys
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("its parent has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""


def mortal(*command: str) -> list[str]:
    """The command line that runs ``command``, whose first element is the path of a program, as a child of this process that is killed with it.

    It must be started by a thread that lives as long as this process: the system takes the end of that thread for its parent's.
    """
    return [sys.executable, "-ISc", _PROGRAM, str(os.getpid()), *command]
