"""The mirror's journal: table updates appended to a file, one write for the reactor, and there at once if the process is killed.

Knows nothing of what tables hold. Not synced, no more than the mirror is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from .rows import TableUpdate

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, bytes | None]]).decode


class Journal:
    """Two files: the one that is written, and the rotated one, whose updates are on their way to the mirror."""

    def __init__(self, directory: Path) -> None:
        self.rotations = 0
        self._path = directory / "mirror.log"
        self._rotated = directory / "mirror.old"
        self._file = -1
        self._size = 0

    def write(self, updates: list[TableUpdate]) -> None:
        """Append a record; on a full disk it is lost."""
        text = _encode(updates)
        text = len(text).to_bytes(4, "big") + text
        with suppress(OSError):
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                self._size = os.fstat(self._file).st_size
            if os.write(self._file, text) == len(text):
                self._size += len(text)
            else:
                os.ftruncate(self._file, self._size)

    def rotate(self) -> int:
        """Begin a new file, unless the rotated one is still needed; the number of rotations so far."""
        if self._file >= 0 and not self._rotated.exists():
            with suppress(OSError):
                self._path.rename(self._rotated)
                self.rotations += 1
            self.close()
        return self.rotations

    def discard(self, rotations: int) -> None:
        """Delete the rotated file if that rotation was the last: the mirror has all of it."""
        if rotations == self.rotations:
            self._rotated.unlink(missing_ok=True)

    def records(self) -> Iterator[list[TableUpdate]]:
        """The records that an earlier run left, oldest first; the last one may be cut short."""
        for path in (self._rotated, self._path):
            data, at = path.read_bytes() if path.exists() else b"", 0
            while at + 4 <= len(data):
                end = at + 4 + int.from_bytes(data[at : at + 4], "big")
                if end > len(data):
                    break
                with suppress(ValueError):
                    yield _decode(data[at + 4 : end])
                at = end

    def clear(self) -> None:
        """Delete what an earlier run left: the mirror has it."""
        self._path.unlink(missing_ok=True)
        self._rotated.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; the next `write` opens it again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
