"""Compression of messages (RFC 7692) that holds no memory for a charger between two messages.

Knows Autobahn's extension only, nothing of connections.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

from autobahn.websocket.compress import PerMessageDeflate, PerMessageDeflateOffer, PerMessageDeflateOfferAccept

MAX_UNCOMPRESSED = 512
"""Longest message, in bytes, that is sent uncompressed: compressing it would cost more time than the network saves."""


class Acceptance(PerMessageDeflateOfferAccept):  # type: ignore[misc,unused-ignore]
    """Announces that neither side keeps a context, so that the charger need not hold a window for us (§7.1.1.1)."""

    def __init__(self, offer: PerMessageDeflateOffer, max_size: int) -> None:
        super().__init__(offer, request_no_context_takeover=True, no_context_takeover=True, max_message_size=max_size)

    def get_extension_string(self) -> str:
        extension = str(super().get_extension_string())
        return extension if self.offer.request_no_context_takeover else f"{extension}; server_no_context_takeover"


class Deflate(PerMessageDeflate):  # type: ignore[misc,unused-ignore]
    """Autobahn's, but it frees zlib's state after each message: 300 KB, thirty times everything else of a charger."""

    def __init__(self, agreed: PerMessageDeflate) -> None:
        super().__init__(
            True, True, True, agreed.server_max_window_bits, agreed.client_max_window_bits, agreed.mem_level, agreed.max_message_size
        )

    def end_compress_message(self) -> bytes:
        rest = super().end_compress_message()
        self._compressor = None
        return bytes(rest)

    def end_decompress_message(self) -> None:
        super().end_decompress_message()
        self._decompressor = None


def usable(extensions: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """The offers that can be accepted: an invalid one is to be declined (§5.1), where Autobahn would refuse the charger."""
    return [(name, parameters) for name, parameters in extensions if name == PerMessageDeflate.EXTENSION_NAME and _parses(parameters)]


def _parses(parameters: dict[str, Any]) -> bool:
    try:
        PerMessageDeflateOffer.parse(parameters)
    except Exception:  # Autobahn raises nothing more exact
        return False
    return True


def accept(offers: list[object], max_size: int) -> Acceptance | None:
    """Accept the first offer; no message may inflate to more than ``max_size`` bytes."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return Acceptance(offer, max_size)
    return None
