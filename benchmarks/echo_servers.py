"""``echo_servers.py raw|websocket PORT [PEM]``: servers that only echo, for the cost of Twisted and of Autobahn alone; over TLS with a PEM file."""

from __future__ import annotations

import sys
from pathlib import Path

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import protocol, reactor
from twisted.internet.ssl import PrivateCertificate


class RawEcho(protocol.Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class WebSocketEcho(WebSocketServerProtocol):
    def onConnect(self, request):
        return request.protocols[0] if request.protocols else None

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


def main() -> None:
    kind, port = sys.argv[1], int(sys.argv[2])
    factory = protocol.Factory.forProtocol(RawEcho) if kind == "raw" else WebSocketServerFactory()
    if kind != "raw":
        factory.protocol = WebSocketEcho
    if len(sys.argv) > 3:
        certificate = PrivateCertificate.loadPEM(Path(sys.argv[3]).read_bytes()).options()
        reactor.listenSSL(port, factory, certificate, backlog=1024, interface="127.0.0.1")
    else:
        reactor.listenTCP(port, factory, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
