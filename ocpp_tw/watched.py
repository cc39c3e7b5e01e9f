"""Files that are read again when they change: looks at them now and then.

Knows nothing of what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall


class WatchedFiles:
    """``changed`` is called when the files are not as they were; every ``interval`` seconds they are looked at, between `start` and `stop`."""

    def __init__(self, files: Sequence[Path], clock: IReactorTime, interval: float, changed: Callable[[], None]) -> None:
        self._files = files
        self._changed = changed
        self._interval = interval
        self._timer = LoopingCall(self._look)
        self._timer.clock = clock
        self.remember()

    def remember(self) -> None:
        """To be called before they are read: what changes after that is a change."""
        self._state = self._read_state()

    def start(self) -> None:
        """Begin to look."""
        if not self._timer.running:
            self._timer.start(self._interval, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._timer.running:
            self._timer.stop()

    def _look(self) -> None:
        if self._state != self._read_state():
            self._changed()

    def _read_state(self) -> list[tuple[int, int, int] | None]:
        return [_file_state(file) for file in self._files]


def _file_state(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
