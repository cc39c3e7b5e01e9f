"""A key for chargers' passwords that is lost with the process; the twin of `ocpp_tw.process.credentials_key`."""

from __future__ import annotations

import secrets

from ..core.passwords import key_id


class MemoryKeys:
    """Implements `ocpp_tw.core.passwords.Keys`."""

    def __init__(self) -> None:
        self._key: bytes | None = None

    @property
    def exists(self) -> bool:
        """See `Keys`."""
        return self._key is not None

    def current(self) -> bytes:
        """See `Keys`."""
        if self._key is None:
            self._key = secrets.token_bytes(32)
        return self._key

    def find(self, id: str) -> bytes | None:
        """See `Keys`."""
        return self._key if self._key is not None and id == key_id(self._key) else None
