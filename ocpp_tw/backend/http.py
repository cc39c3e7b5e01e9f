"""The operator's backend over HTTP (treq): transaction ids, authorizations of tags, and answers of the operator's own.

Knows neither chargers nor OCPP messages, nor what happens to a start while the backend is unavailable: that is the handlers' policy.
"""

# mypy: disallow-untyped-calls=False
# (Twisted's web client has types in part.)

from __future__ import annotations

import re
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import implementer

from ..bounded_http import MAX_REQUEST_BODY, BodyRejected, ConnectionPool, RequestBody, UncompressedAgent, collect, drop
from ..facts import Admission, Authorization
from ..interfaces import BackendFailed, IBackend, IQuestion, ITracer
from ..untraced import Untraced
from .asked import (
    ADMISSION,
    ANSWER,
    AUTHORIZE,
    MAX_PARENT_TAG_16,
    REFUSALS,
    TRANSACTION,
    AdmissionReply,
    AnswerReply,
    AuthorizationData,
    AuthorizeQuery,
    Question,
    RefusalData,
    Reply,
    StartQuery,
    TransactionData,
)

T = TypeVar("T")


@implementer(IBackend)
class HttpBackend:
    """Sends requests to the backend at ``base_url``; a user and password in it become Basic authentication.

    ``timeout`` (seconds) includes everything from the call to the reply's last byte, also waiting while ``limit`` requests are in flight.
    """

    def __init__(
        self,
        base_url: str,
        reactor: IReactorTime,
        timeout: float,
        limit: int,
        client: HTTPClient | None = None,
        tracer: ITracer | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        self._auth = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
        self._base = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
        self._reactor = reactor
        self._timeout = timeout
        self._tracer = tracer or Untraced()
        self._slots = DeferredSemaphore(limit)
        self._pool = ConnectionPool(reactor, limit)
        self._client = client or HTTPClient(UncompressedAgent(Agent(reactor, pool=self._pool), reactor))

    def transaction(self, tag: str, charger: str, connector: int, key: str = "") -> Deferred[int | None]:
        """The id of the transaction that this tag may start, None for none. The ``key`` is sent as Idempotency-Key."""
        asked = self._tracer.question("transaction", charger, tag)
        return self._in_time(self._transaction(tag, charger, connector, key, asked.traceparent), asked)

    def authorize(self, tag: str, charger: str, connector: int | None, tag_type: str = "") -> Deferred[Authorization]:
        """The backend's authorization of the tag; ``tag_type`` is the tag's type in 2.x."""
        asked = self._tracer.question("authorize", charger, tag)
        return self._in_time(self._authorize(tag, charger, connector, tag_type, asked.traceparent), asked)

    def answer(self, charger: str, ocpp: str, action: str, payload: bytes) -> Deferred[dict[str, Any] | None]:
        """Members to set in the answer to a message whose ``payload`` is JSON; None for no answer of the backend's own."""
        asked = self._tracer.question("answer", charger)
        return self._in_time(self._answer(charger, ocpp, action, payload, asked.traceparent), asked)

    def admission(self, charger: str) -> Deferred[Admission]:
        """Whether the charger may connect; one that the backend does not know is refused."""
        asked = self._tracer.question("admission", charger)
        return self._in_time(self._admission(charger, asked.traceparent), asked)

    def close(self) -> Deferred[None]:
        """Close the connections kept for later requests; fires when they are closed."""
        return self._pool.close()

    async def _transaction(self, tag: str, charger: str, connector: int, key: str, trace: str) -> int | None:
        query: StartQuery = {"charger": charger, "connector": connector}
        reply = await self._ask(TRANSACTION, tag, query, trace, key)
        if reply is None or not reply.status:
            return None
        id = str(decode(reply.data, TransactionData).id)
        if not re.fullmatch(r"[0-9]{1,10}", id, re.ASCII) or not 0 < int(id) < 2**31:
            raise BackendFailed("the backend's answer is invalid: its id is not a whole number from 1 to 2147483647")
        return int(id)

    async def _authorize(self, tag: str, charger: str, connector: int | None, tag_type: str, trace: str) -> Authorization:
        query: AuthorizeQuery = {"charger": charger}
        if connector is not None:
            query["connector"] = connector
        if tag_type:
            query["type"] = tag_type
        reply = await self._ask(AUTHORIZE, tag, query, trace)
        if reply is None:
            return Authorization("Invalid")
        if not reply.status:
            with suppress(BackendFailed):
                status = decode(reply.data, RefusalData).status
                return Authorization(status if status in REFUSALS else "Invalid")
            return Authorization("Invalid")
        data = decode(reply.data, AuthorizationData)
        if data.status not in ("Accepted", *REFUSALS):
            raise BackendFailed("the backend's answer is invalid: its status is not one of OCPP's")
        if not tag_type and len(data.parent_tag or "") > MAX_PARENT_TAG_16:
            raise BackendFailed(f"the backend's answer is invalid: its parent_tag is longer than {MAX_PARENT_TAG_16} characters")
        until = data.expiry_date
        expiry = None if until is None else until.isoformat().replace("+00:00", "Z")
        return Authorization(data.status, expiry, data.parent_tag)

    async def _admission(self, charger: str, trace: str) -> Admission:
        segment = quoted(charger)
        if segment is None:
            return Admission("refuse")
        reply = await self._limited(self._exchange("GET", self._base + ADMISSION.format(charger=segment), (404,), trace))
        if reply is None:
            return Admission("refuse")
        said = decode(reply, AdmissionReply)
        return Admission(said.verdict, said.security_profile)

    async def _answer(self, charger: str, ocpp: str, action: str, payload: bytes, trace: str) -> dict[str, Any] | None:
        body = msgspec.json.encode(Question(charger, ocpp, action, msgspec.Raw(payload)))
        if len(body) > MAX_REQUEST_BODY:
            raise BackendFailed(f"the request is longer than {MAX_REQUEST_BODY} bytes")
        url = self._base + ANSWER.format(action=quote(action, safe=""))
        reply = await self._limited(self._exchange("POST", url, (204, 404), trace, request_body=RequestBody(body)))
        return None if reply is None else decode(reply, AnswerReply).payload

    def _in_time(self, request: Coroutine[Deferred[Any], Any, T], asked: IQuestion) -> Deferred[T]:
        """Cancelling ends all of it, wherever it waits: the slot is released and the connection aborted."""

        def late(_result: object, seconds: float) -> Failure:
            return Failure(BackendFailed(f"the backend took more than {seconds:g} s"))

        return Deferred.fromCoroutine(request).addTimeout(self._timeout, self._reactor, late).addBoth(asked.answered)

    async def _ask(self, path: str, tag: str, query: StartQuery | AuthorizeQuery, trace: str, key: str = "") -> Reply | None:
        """The backend's reply; None for a 404 and for a tag that no URL can contain."""
        segment = quoted(tag)
        if segment is None:
            return None
        url = f"{self._base}{path.format(tag=segment)}?{urlencode(query, quote_via=quote, errors='replace')}"
        body = await self._limited(self._exchange("GET", url, (404,), trace, key))
        return None if body is None else decode(body, Reply)

    async def _limited(self, exchange: Coroutine[Deferred[Any], Any, T]) -> T:
        try:
            await self._slots.acquire()
        except BaseException:
            exchange.close()  # cancelled before a slot was free
            raise
        try:
            return await exchange
        except (BackendFailed, CancelledError):
            raise
        except BodyRejected as why:
            raise BackendFailed(f"the backend's answer is {why}") from None
        except Exception as why:  # the possible failures of Twisted's HTTP client, TLS and resolver are not documented
            raise BackendFailed(f"the request to the backend failed: {exception_names(why)}") from None
        finally:
            self._slots.release()

    async def _exchange(
        self, method: str, url: str, none_codes: tuple[int, ...], trace: str, key: str = "", request_body: RequestBody | None = None
    ) -> bytes | None:
        """The body of a 200; None for the ``none_codes``, which say that there is nothing."""
        headers = Headers({"Accept": ["application/json"]})
        if request_body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
        if trace:
            headers.setRawHeaders("traceparent", [trace])
        if key:
            headers.setRawHeaders("Idempotency-Key", [key])
        response: IResponse = await self._client.request(
            method, url, auth=self._auth, headers=headers, data=request_body, allow_redirects=False, unbuffered=True
        )
        if response.code == 200:
            return await collect(response)
        drop(response, self._reactor)
        if response.code in none_codes:
            return None
        raise BackendFailed(f"the backend answered {response.code}")


def quoted(tag: str) -> str | None:
    """The tag as one segment of a path; None when it cannot be one.

    ``..`` would climb to another resource, even when percent-encoded: many a reverse proxy decodes a path before it resolves dots.
    """
    if not tag or {".", ".."} & set(tag.replace("\\", "/").split("/")):
        return None
    try:
        return quote(tag, safe="")
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


def decode(data: bytes | msgspec.Raw, shape: type[T]) -> T:
    """Decode a reply; msgspec's error messages name the place and the expected type, and quote nothing."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as why:
        error = str(why) if isinstance(why, msgspec.MsgspecError) else "it is not JSON"
        raise BackendFailed(f"the backend's answer is invalid: {error}") from None


def exception_names(why: BaseException) -> str:
    """The names of an exception and its causes; their texts may quote the URL."""
    causes = [reason.value for reason in getattr(why, "reasons", None) or () if isinstance(reason, Failure) and reason.value]
    return " ".join([type(why).__name__, *(f"({exception_names(cause)})" for cause in causes)])
