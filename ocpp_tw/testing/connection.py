"""One connection of a charger to a gateway: CALLs and their answers in both directions, over a WebSocket in a thread.

Knows no actions. Its methods wait in the calling thread; no event loop is involved.
"""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
import uuid
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

ANSWER_TIMEOUT = 30.0
"""Seconds that the gateway has to complete the handshake, and for the answer to a CALL."""

Answer = dict[str, Any]
Answering = Callable[[str, Answer], "Answer | CallError | None"]
"""From a CALL's action and payload to its answer; None: it is never answered."""


class CallError(Exception):
    """A CALLERROR: raised when a CALL is answered so, and what a charger may answer a command."""

    def __init__(self, code: str, description: str = "", details: Any = None) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code, self.description, self.details = code, description, details or {}


class HandshakeRefused(Exception):
    """The gateway has refused the handshake, with that HTTP ``status``."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"the gateway has refused the handshake: {status} {body}".rstrip())
        self.status = status


class Connection:
    """An open connection; ``answering`` is called in its thread with each CALL of the gateway's.

    Raises `HandshakeRefused`.
    """

    def __init__(
        self, url: str, id: str, subprotocol: str, answering: Answering, password: str | None, ssl_context: ssl.SSLContext | None
    ) -> None:
        headers = {} if password is None else {"Authorization": "Basic " + b64encode(f"{id}:{password}".encode()).decode()}
        self._ending = ExitStack()
        try:
            opening = connect(
                f"{url}/{quote(id, safe='')}",
                subprotocols=[Subprotocol(subprotocol)],
                additional_headers=headers,
                ssl=ssl_context,
                open_timeout=ANSWER_TIMEOUT,
                proxy=None,
                max_size=None,
            )
            self._socket = self._ending.enter_context(opening)
        except InvalidStatus as refused:
            body = refused.response.body or b""
            raise HandshakeRefused(refused.response.status_code, body.decode(errors="replace")) from None
        self._answering = answering
        self._waiting: dict[str, queue.SimpleQueue[list[Any] | None]] = {}
        self._thread = threading.Thread(target=self._serve, name=f"charger {id}", daemon=True)
        self._thread.start()

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def call(self, action: str, payload: Answer) -> Answer:
        """Send a CALL; returns the payload of its CALLRESULT. Raises `CallError`, and `ConnectionError` if the connection has ended."""
        id = str(uuid.uuid4())
        answers = self._waiting[id] = queue.SimpleQueue()
        try:
            self._socket.send(json.dumps([2, id, action, payload]))
            if not self.open:  # it may have ended before `answers` was among those that are told so
                answers.put(None)
            answer = answers.get(timeout=ANSWER_TIMEOUT)
        except queue.Empty:
            raise TimeoutError(f"no answer to {action} within {ANSWER_TIMEOUT:g} s") from None
        except ConnectionClosed as closed:
            raise ConnectionError(f"{action} cannot be sent: {closed}") from None
        finally:
            del self._waiting[id]
        if answer is None:
            raise ConnectionError(f"the connection has ended before {action} was answered")
        if answer[0] == 4:
            raise CallError(*answer[2:])
        payload_of_answer: Answer = answer[2]
        return payload_of_answer

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End it with a close frame."""
        self._socket.close(code, reason)
        self._ended()

    def cut(self) -> None:
        """End it without a word, as when a cable is cut that the other end sees."""
        with suppress(OSError):  # it may have ended
            self._socket.socket.shutdown(socket.SHUT_RDWR)
        self._ended()

    def _ended(self) -> None:
        self._thread.join(ANSWER_TIMEOUT)
        self._ending.close()

    def _serve(self) -> None:
        try:
            for text in self._socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    self._answer(*frame[1:4])
                elif waiting := self._waiting.get(frame[1]):
                    waiting.put(frame)
        except (ConnectionClosed, OSError):
            pass
        for each in list(self._waiting.values()):
            each.put(None)

    def _answer(self, id: str, action: str, payload: Answer) -> None:
        try:
            answer = self._answering(action, payload)
        except Exception as why:  # what answers is the test's own: the gateway is told, and so the test
            answer = CallError("InternalError", f"{type(why).__name__}: {why}")
        if isinstance(answer, CallError):
            self._socket.send(json.dumps([4, id, answer.code, answer.description, answer.details]))
        elif answer is not None:
            self._socket.send(json.dumps([3, id, answer]))
