"""Which private and undocumented names of Twisted and Autobahn this package relies on.

A table and no more: tests/test_reliances.py fails with the name that an upgrade has taken away, or that is used and not listed here.
"""

from __future__ import annotations

EPOLL_REACTOR = "twisted.internet.epollreactor.EPollReactor"

RELIANCES: dict[str, tuple[str, ...]] = {
    # process/tuning: the short loop; without any of these Twisted's own loop stays
    EPOLL_REACTOR: ("_poller", "_selectables", "_doReadOrWrite", "_disconnectSelectable", "_POLL_IN"),
    # process/runtime: whether the reactor is stopping already
    "twisted.internet.base.ReactorBase": ("_stopped",),
    # websocket/tcp: whether bytes are queued, or the connection is ending, and how it ends; the texts that are not kept
    "twisted.internet.tcp.Server": (
        *("_tempDataLen", "_aborting", "_writeDisconnected", "_shouldShutdown"),
        *("bufferSize", "dataBuffer", "hostname", "logstr", "repstr", "sessionno"),
    ),
    # redis/protocol: whether bytes are queued, or the connection is ending
    "twisted.internet.tcp.Client": ("_tempDataLen", "_writeDisconnected", "dataBuffer"),
    # accepting: how many connections are accepted in a turn; websocket/tcp: what is made of each
    "twisted.internet.tcp.Port": ("numberAccepts", "transport"),
    # websocket/tls: the state of the TLS connection, and the steps that are called or replaced
    "twisted.protocols.tls.TLSMemoryBIOProtocol": (
        *("_aborted", "_handshakeDone", "_lostTLSConnection", "_reason", "_tlsConnection"),
        *("_checkHandshakeStatus", "_flushReceiveBIO", "_shutdownTLS", "_tlsShutdownFinished", "_write"),
    ),
    "twisted.protocols.tls.TLSMemoryBIOFactory": ("_clock", "_creatorCallable"),
    # operators/channel: the head of the request that is being read, and whether one is being served; the refusal of what cannot be read
    "twisted.web.http.HTTPChannel": (
        *("_command", "_path", "_handlingRequest", "_networkProducer", "_waitingForTransport", "_respondToBadRequestAndDisconnect"),
        *("requests", "allHeadersReceived", "allContentReceived"),
    ),
    # bounded_http: the factory whose log lines are switched off, and the transport that can abort a connection
    "twisted.web.client.HTTPConnectionPool": ("_factory",),
    "twisted.web._newclient.TransportProxyProducer": ("_producer",),
    # websocket/admission, receiving, timeouts, connection: the state of a connection, and the steps that are called or replaced
    "autobahn.twisted.websocket.WebSocketServerProtocol": (
        *("_closeConnection", "_connectionLost", "_fail_connection", "_onOpen", "_perMessageCompress", "_transport_details", "_wskey"),
        *("consumeData", "dropConnection", "failHandshake", "processData", "processHandshake", "succeedHandshake"),
        *("sendCloseFrame", "sendData", "sendFrame"),
        *("closedByMe", "current_frame", "data", "failedByMe", "inside_message", "localCloseCode", "localCloseReason", "message_data"),
        *("state", "wasClean", "wasNotCleanReason", "websocket_extensions", "websocket_protocol_in_use", "websocket_protocols"),
        "CONFIG_ATTRS",
    ),
    "autobahn.twisted.websocket.WebSocketServerFactory": ("countConnections",),
    # websocket/compression: zlib's state, which is freed after each message
    "autobahn.websocket.compress.PerMessageDeflate": ("_compressor", "_decompressor"),
    # simulator/websocket_client: Autobahn's client
    "autobahn.twisted.websocket.WebSocketClientProtocol": ("_dataReceived",),
}
"""Class -> its names: methods, class attributes, and attributes that its methods set."""
