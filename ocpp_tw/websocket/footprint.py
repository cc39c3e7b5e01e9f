"""What a connection keeps in memory: which of Autobahn's attributes are the same for all connections, and which the handshake alone needs.

Knows attribute names only; `ocpp_tw.websocket.admission` drops them, `ocpp_tw.websocket.factory` puts the shared ones on a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol

HANDSHAKE_ONLY = (
    "factory", "http_headers", "http_request_data", "http_request_host", "http_request_params", "http_request_path", "http_request_uri",
    "http_response_data", "http_status_line", "is_open", "websocket_extensions", "websocket_extensions_in_use", "websocket_origin",
    "websocket_protocols", "_announcement", "_decision", "_in_handshake", "_latest", "_request", "_refusal", "_seen", "_transport_details", "_wskey",
)  # fmt: skip
"""Attributes that are not needed once the handshake is over, or that the class has as well."""

NONE_BY_DEFAULT = (
    "_perMessageCompress", "autoPingPending", "autoPingPendingCall", "autoPingPendingSent", "autoPingTimeoutCall",
    "closeHandshakeTimeoutCall", "current_frame", "localCloseCode", "localCloseReason", "openHandshakeTimeoutCall", "remoteCloseCode",
    "remoteCloseReason", "trackedTimings", "utf8validator", "wasNotCleanReason",
)  # fmt: skip
FALSE_BY_DEFAULT = (
    "_consuming", "closedByMe", "droppedByMe", "failedByMe", "inside_message", "triggered", "utf8validateIncomingCurrentMessage",
    "wasClean", "wasCloseHandshakeTimeout", "wasMaxFramePayloadSizeExceeded", "wasMaxMessagePayloadSizeExceeded",
    "wasOpenHandshakeTimeout", "wasServerConnectionDropTimeout", "wasServingFlashSocketPolicyFile",
)  # fmt: skip
CLASS_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(NONE_BY_DEFAULT),
    **dict.fromkeys(FALSE_BY_DEFAULT, False),
    "autoPingPendingSeq": 0,
    "data": b"",
    "send_queue": (),
    "send_state": WebSocketServerProtocol.SEND_STATE_GROUND,
    "state": WebSocketServerProtocol.STATE_CONNECTING,
    "websocket_version": 13,
}
"""The initial state of a connection. Autobahn sets it on each instance, and few ever change it: as class attributes they cost no time per
connection, and a third less memory when it is idle."""


class NullDeferred:
    """Stands for Autobahn's `is_open` and `is_closed`: a real Deferred would hold a reference to the connection for ever."""

    def callback(self, result: object) -> None:
        pass


def after_handshake(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes worth keeping: neither for the handshake alone, nor equal to what the class says."""
    return {
        name: value
        for name, value in attributes.items()
        if name not in HANDSHAKE_ONLY and CLASS_DEFAULTS.get(name, attributes) is not value
    }
