"""Compression of messages (RFC 7692), such that it costs a charger between two messages no memory.

Knows of Autobahn's extension only, nothing of connections.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

from autobahn.websocket.compress import PerMessageDeflate, PerMessageDeflateOffer, PerMessageDeflateOfferAccept

SHORT = 512
"""Messages up to this many bytes are sent as they are: compressing one would cost more time than the network saves."""


class Acceptance(PerMessageDeflateOfferAccept):  # type: ignore[misc,unused-ignore]
    """Tells the charger that neither side keeps a context, so that it need not hold a window for us (§7.1.1.1)."""

    def __init__(self, offer: PerMessageDeflateOffer, longest: int) -> None:
        super().__init__(offer, request_no_context_takeover=True, no_context_takeover=True, max_message_size=longest)

    def get_extension_string(self) -> str:
        said = str(super().get_extension_string())
        return said if self.offer.request_no_context_takeover else f"{said}; server_no_context_takeover"


class Deflate(PerMessageDeflate):  # type: ignore[misc,unused-ignore]
    """Autobahn's, but it lets go of zlib's state after each message: 300 KB, thirty times all else of a charger."""

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
    """The offers that can be taken up: a bad one is to be declined (§5.1), where Autobahn would refuse the charger."""
    return [(name, parameters) for name, parameters in extensions if name == PerMessageDeflate.EXTENSION_NAME and _parses(parameters)]


def _parses(parameters: dict[str, Any]) -> bool:
    try:
        PerMessageDeflateOffer.parse(parameters)
    except Exception:  # Autobahn raises nothing more exact
        return False
    return True


def accept(offers: list[object], longest: int) -> Acceptance | None:
    """Take the first offer; no message may inflate to more than ``longest`` bytes."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return Acceptance(offer, longest)
    return None
