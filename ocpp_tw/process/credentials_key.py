"""The file with the keys that chargers' passwords are stored under: one a line, the current one first. Made when it is first needed.

Knows nothing of passwords.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from ..core.passwords import key_id
from ..log import Logger
from ..settings import InvalidSetting

log = Logger()

KEY = re.compile(r"[0-9A-Fa-f]{64}")


class KeyFile:
    """Implements `ocpp_tw.core.passwords.Keys`. The file is looked at again for a key that is not known yet: another process may have made it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).absolute()  # twistd may change its directory
        self._found: dict[str, bytes] = {}
        self._state: tuple[int, int] | None = None
        self._complaint = ""
        self.read()

    @property
    def exists(self) -> bool:
        """Whether there is a key: then there are passwords."""
        return bool(self._found)

    def current(self) -> bytes:
        """See `Keys`. Raises `OSError` if the file cannot be written."""
        if not self._found:
            self._make()
        return next(iter(self._found.values()))

    def find(self, id: str) -> bytes | None:
        """See `Keys`. A file that cannot be read any more is logged, and changes nothing."""
        if id not in self._found:
            try:
                self.read()
            except InvalidSetting as why:
                if str(why) != self._complaint:
                    self._complaint = str(why)
                    log.error("credentials key cannot be read again: {why}", why=str(why))
        return self._found.get(id)

    def read(self) -> None:
        """Read the file, if there is one and it has changed.

        Raises:
            InvalidSetting: it cannot be read, or a line is no key.
        """
        try:
            stat = self._path.stat()
            state = stat.st_mtime_ns, stat.st_size
            if state == self._state:
                return
            lines = self._path.read_text("ascii", "replace").split()
        except FileNotFoundError:
            return
        except OSError as why:
            raise InvalidSetting(f"--credentials-key: {self._path} cannot be read: {why.strerror}") from None
        for number, line in enumerate(lines, 1):
            if not KEY.fullmatch(line):
                raise InvalidSetting(f"--credentials-key: line {number} of {self._path} is no key: 64 hexadecimal digits")
        if stat.st_mode & 0o077 and os.name == "posix":
            log.warn("{file} can be read by other users: chmod 600", file=str(self._path))
        self._found = {key_id(key): key for key in map(bytes.fromhex, lines)}
        self._state = state

    def _make(self) -> None:
        """Make a key; if another process is quicker, its key is ours. Nobody ever reads a part of one."""
        made = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_hex(32).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(made, self._path)
            log.info(
                "made {file}, the key that chargers' passwords are stored under: every gateway of the fleet needs it", file=str(self._path)
            )
        except FileExistsError:
            pass
        finally:
            made.unlink()
        self.read()
