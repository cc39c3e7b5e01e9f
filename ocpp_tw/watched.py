"""Files that are read at the start, and again when they change or when somebody asks for it; unusable ones leave in use what is in use.

Knows nothing of what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from .log import Logger
from .settings import InvalidSetting

log = Logger()

CHECK_INTERVAL = 60.0
"""Seconds between two checks whether the files have changed."""


class WatchedFiles:
    """A subclass reads them in `_load`, which raises `InvalidSetting` and then has changed nothing; ``kept`` says what stays in use then.
    They are looked at every ``interval`` seconds, between `start` and `stop`."""

    kept = ""
    interval = CHECK_INTERVAL

    def __init__(self, files: Iterable[str], clock: IReactorTime) -> None:
        # absolute: twistd may change its directory before they are read again
        self._files = [Path(file).absolute() for file in files]
        self._timer = LoopingCall(self._check)
        self._timer.clock = clock
        self._state = self._read_state()

    def start(self) -> None:
        """Begin to check the files."""
        self._timer.start(self.interval, now=False)

    def stop(self) -> None:
        """Stop checking the files."""
        if self._timer.running:
            self._timer.stop()

    def reload(self) -> None:
        """Read the files again. If they are not usable, what is in use stays."""
        self._state = self._read_state()
        try:
            self._load()
        except InvalidSetting as why:
            log.error(f"{self.kept}: {{why}}", why=str(why))

    def _load(self) -> None:
        """Read the files, and use what is in them."""
        raise NotImplementedError

    def _warn_of_validity(self) -> None:
        """Log once what is out of its time by now."""

    def _check(self) -> None:
        if self._state != self._read_state():
            self.reload()
        else:
            self._warn_of_validity()

    def _read_state(self) -> list[tuple[int, int, int] | None]:
        """What changes with the files."""
        return [_file_state(file) for file in self._files]


def _file_state(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def minute(time: datetime) -> str:
    """A time as log lines show it."""
    return f"{time:%Y-%m-%d %H:%M}"
