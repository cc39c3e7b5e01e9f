"""What the mirror is to be told, in a file that is only appended to: it costs the reactor one write, and outlives a kill at once.

Knows nothing of what it holds. It is not synced, no more than the mirror is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from .file import Kept

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, bytes | None]]).decode


class Journal:
    """Two files: the one that is written, and the one that is being taken to the mirror."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "mirror.log"
        self._turned = directory / "mirror.old"
        self._file = -1
        self._size = 0
        self.turns = 0

    def write(self, kept: list[Kept]) -> None:
        """Append it; a full disk takes nothing."""
        text = _encode(kept)
        text = len(text).to_bytes(4, "big") + text
        with suppress(OSError):
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                self._size = os.fstat(self._file).st_size
            if os.write(self._file, text) == len(text):
                self._size += len(text)
            else:
                os.ftruncate(self._file, self._size)

    def turn(self) -> int:
        """Begin a new file, so that the old one can be taken to the mirror; not while one still is. How often that was done by now."""
        if self._file >= 0 and not self._turned.exists():
            with suppress(OSError):
                self._path.rename(self._turned)
                self.turns += 1
            self.close()
        return self.turns

    def taken(self, turns: int) -> None:
        """The mirror has all that was noted until that turn."""
        if turns == self.turns:
            self._turned.unlink(missing_ok=True)

    def left(self) -> Iterator[list[Kept]]:
        """What an earlier run left, oldest first."""
        for path in (self._turned, self._path):
            data, at = path.read_bytes() if path.exists() else b"", 0
            while at + 4 <= len(data):
                end = at + 4 + int.from_bytes(data[at : at + 4], "big")
                if end > len(data):
                    break
                with suppress(ValueError):
                    yield _decode(data[at + 4 : end])
                at = end

    def begin(self) -> None:
        """All that was left is in the mirror."""
        self._path.unlink(missing_ok=True)
        self._turned.unlink(missing_ok=True)

    def close(self) -> None:
        """Write no more to this file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
