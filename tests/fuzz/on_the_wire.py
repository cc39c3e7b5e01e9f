"""Random bytes by a seed, as clients of the two ports send them: handshakes with WebSocket frames behind them, and HTTP requests.

Knows no protocol but by example; what is in a frame or a body is `fuzz.mutations`'.
"""

from __future__ import annotations

from itertools import cycle
from random import Random

from fuzz.mutations import broken, element, frame, mutated, several, written
from websocket_peer import BINARY, CLOSE, PING, PONG, TEXT
from websocket_peer import frame as websocket_frame

METHODS = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "get", "!", "X" * 300)
PATHS = (
    *(
        "/command/",
        "/command",
        "/api/chargers",
        "/api/chargers/fuzz-1.6",
        "/api/chargers?limit=1&x",
        "/api/registered?limit=1&after=%ff",
        "/api/violations",
        "/healthz",
        "/readyz",
    ),
    *("/", "*", "?", "/%00", "/../..", "//x/api", "/api/chargers/%ff", "/api/chargers//", "http://localhost/api/chargers", "http://[/"),
)
HEADERS = (
    *("Host", "Content-Length", "Transfer-Encoding", "Expect", "Connection", "Cookie", "Authorization", "Origin", "Content-Type", "X"),
    *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Upgrade", "", " ", "A B"),
)
VALUES = (
    *("localhost", "[::1]:80", "[::1", "localhost:99999999", "http://localhost", "Bearer x", "a=b; c; =; =="),
    *("", "\0", "\x01", "\xe9", "x" * 9000, "0", "5", "-1", "5,5", "9" * 30, "9" * 5000),
    *("chunked", "identity", "gzip, chunked", "100-continue", "close", "keep-alive", "websocket", "ocpp1.6", "ocpp1.6, ocpp2.0.1,,"),
    *("permessage-deflate", 'permessage-deflate; client_max_window_bits=99, x; y="'),
)
BODIES = (
    *(b"{}", b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n", b"-2\r\n{}\r\n", b"f" * 30 + b"\r\n{}"),
    *(b"f" * 2000 + b"\r\n", b"1\r\n{\r\n" * 100, b"40000\r\n" + b" " * 0x40000 + b"\r\n1\r\nx\r\n0\r\n\r\n"),
)


def head(random: Random, lines: list[str]) -> bytes:
    """The head of a request with these lines, and perhaps some more."""
    for _ in range(random.choice((0, 0, 0, 0, 1, 1, 2, 4))):
        fold, colon = random.choice(("", "", "", "", "\t")), random.choice((": ", ": ", ":", " : ", ""))
        lines.append(fold + random.choice(HEADERS) + colon + random.choice(VALUES))
    text = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    return several(random, broken, text) if random.random() < 0.2 else text


def command(random: Random, ocpp: str) -> bytes:
    """A request to operators' HTTP that is most likely served."""
    method, path = random.choice((("POST", "/command/"), ("PUT", "/api/chargers/fuzz-1.6"), ("GET", random.choice(PATHS))))
    decision = mutated(random, {"boot_status": "Accepted", "retry_interval": 5})
    body = element(random, ocpp) if method == "POST" else written(random, decision)
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return head(random, lines) + body


def requests(random: Random, ocpp: str) -> bytes:
    """What a connection to operators' HTTP sends: some requests, or what looks like them."""
    text = b""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if random.random() < 0.5:
            text += command(random, ocpp)
        else:
            host = ["Host: localhost"] if random.random() < 0.8 else []
            line = f"{random.choice(METHODS)} {random.choice(PATHS)} HTTP/1.{random.choice('1111102')}"
            text += head(random, [line, *host]) + random.choice(BODIES)
    return text


def charger(random: Random, ocpp: str) -> bytes:
    """What a connection to the chargers' port sends: a handshake, and frames behind it."""
    lines = [
        f"GET /ocpp/CP{random.randrange(100)} HTTP/1.1", "Host: csms.example.com", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Protocol: ocpp{ocpp}",
    ]  # fmt: skip
    if random.random() < 0.1:
        lines.append("Sec-WebSocket-Extensions: permessage-deflate")
    return head(random, lines) + b"".join(websocket_frames(random, ocpp) for _ in range(random.choice((0, 1, 2, 5))))


def websocket_frames(random: Random, ocpp: str) -> bytes:
    """One message or control frame, whole or in fragments."""
    match random.randrange(10):
        case 0:
            text = websocket_frame(random.randbytes(random.choice((0, 1, 2, 125))), random.choice((PING, PONG, CLOSE, BINARY, 0, 3, 11)))
        case 1:
            payload, opcodes = frame(random, ocpp)[:60_000], cycle((TEXT, 0, 0, 0))
            step = max(1, len(payload) // random.randrange(1, 9))
            pieces = [payload[at : at + step] for at in range(0, len(payload), step)]
            text = b"".join(websocket_frame(piece, next(opcodes), fin=piece is pieces[-1]) for piece in pieces)
        case _:
            fin, rsv = random.random() < 0.95, random.choice((0, 0, 0, 0, 0, 0, 4, 1))
            mask = random.choice((b"\x11\x22\x33\x44",) * 5 + (b"\0\0\0\0", None))
            text = websocket_frame(frame(random, ocpp)[:60_000], fin=fin, rsv=rsv, mask=mask)
    return several(random, broken, text) if random.random() < 0.05 else text
