"""The operator's backend over HTTP (treq): which transaction a tag may begin, what is thought of a tag, and answers of its own.

Knows neither chargers nor OCPP messages, nor what becomes of a start while the backend is of no use: that is the handlers' policy.
"""

# mypy: disallow-untyped-calls=False
# (Twisted's web client has types in part.)

from __future__ import annotations

import re
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, TypeVar
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

from ..bounded_http import LONGEST_QUESTION, BodyRejected, Plain, Pool, RequestBody, collect, drop
from ..facts import Authorization
from ..interfaces import BackendFailed, IBackend

T = TypeVar("T")

REFUSALS = (
    *("Blocked", "ConcurrentTx", "Expired", "Invalid"),
    *("NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime", "Unknown"),  # of 2.x; a version without them says Invalid
)

PARENT_16, PARENT = 20, 36
"""The longest parent tag: an IdToken of OCPP 1.6 (§7.28), an idToken of 2.0.1."""


class Reply(msgspec.Struct):
    """The frame of every answer."""

    status: bool
    data: msgspec.Raw = msgspec.Raw(b"null")


class TransactionData(msgspec.Struct):
    """``data`` of a transaction; some backends send the id as text."""

    id: int | str


class StatusWord(msgspec.Struct):
    """``data`` of a refusal."""

    status: str


class Verdict(StatusWord):
    """``data`` of an authorization."""

    expiry_date: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    parent_tag: Annotated[str, msgspec.Meta(min_length=1, max_length=PARENT)] | None = None


class Answered(msgspec.Struct):
    """What the backend answers to a message."""

    payload: dict[str, Any]


@implementer(IBackend)
class HttpBackend:
    """Asks the backend at ``base_url``; a user and password in it become Basic authentication.

    ``timeout`` is what one question may take from asking to the answer's last byte, waiting for one of ``limit`` turns included.
    """

    def __init__(self, base_url: str, reactor: IReactorTime, timeout: float, limit: int, client: HTTPClient | None = None) -> None:
        parts = urlsplit(base_url)
        self._auth = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
        self._base = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
        self._reactor = reactor
        self._timeout = timeout
        self._turns = DeferredSemaphore(limit)
        self._pool = Pool(reactor, limit)
        self._client = client or HTTPClient(Plain(Agent(reactor, pool=self._pool), reactor))

    def transaction(self, tag: str, charger: str, connector: int, key: str = "") -> Deferred[int | None]:
        """The id of the transaction that this tag may begin; None: the tag has none. The ``key`` goes along as Idempotency-Key."""
        return self._in_time(self._transaction(tag, charger, connector, key))

    def authorize(self, tag: str, charger: str, connector: int | None, tag_type: str = "") -> Deferred[Authorization]:
        """What the backend says of the tag; ``kind`` is the tag's type in 2.x."""
        return self._in_time(self._authorize(tag, charger, connector, tag_type))

    def answer(self, charger: str, ocpp: str, action: str, payload: bytes) -> Deferred[dict[str, Any] | None]:
        """Members to set in the answer to a message whose ``payload`` is JSON; None: the backend has nothing to say to it."""
        return self._in_time(self._answer(charger, ocpp, action, payload))

    def close(self) -> Deferred[None]:
        """Close the connections that are kept for later questions; fires when they are closed."""
        return self._pool.close()

    async def _transaction(self, tag: str, charger: str, connector: int, key: str) -> int | None:
        reply = await self._ask("transaction", tag, {"charger": charger, "connector": connector}, key)
        if reply is None or not reply.status:
            return None
        given = str(sense(reply.data, TransactionData).id)
        if not re.fullmatch(r"[0-9]{1,10}", given, re.ASCII) or not 0 < int(given) < 2**31:
            raise BackendFailed("the backend's answer makes no sense: its id is not a whole number from 1 to 2147483647")
        return int(given)

    async def _authorize(self, tag: str, charger: str, connector: int | None, tag_type: str) -> Authorization:
        query = {"charger": charger} | ({} if connector is None else {"connector": connector}) | ({"type": tag_type} if tag_type else {})
        reply = await self._ask("authorize", tag, query)
        if reply is None:
            return Authorization("Invalid")
        if not reply.status:
            with suppress(BackendFailed):
                status = sense(reply.data, StatusWord).status
                return Authorization(status if status in REFUSALS else "Invalid")
            return Authorization("Invalid")
        verdict = sense(reply.data, Verdict)
        if verdict.status not in ("Accepted", *REFUSALS):
            raise BackendFailed("the backend's answer makes no sense: its status is not one of OCPP's")
        if not tag_type and len(verdict.parent_tag or "") > PARENT_16:
            raise BackendFailed(f"the backend's answer makes no sense: its parent_tag is longer than {PARENT_16} characters")
        until = verdict.expiry_date
        expiry = None if until is None else until.isoformat().replace("+00:00", "Z")
        return Authorization(verdict.status, expiry, verdict.parent_tag)

    async def _answer(self, charger: str, ocpp: str, action: str, payload: bytes) -> dict[str, Any] | None:
        body = msgspec.json.encode({"charger": charger, "ocpp": ocpp, "action": action, "payload": msgspec.Raw(payload)})
        if len(body) > LONGEST_QUESTION:
            raise BackendFailed(f"the question is longer than {LONGEST_QUESTION} bytes")
        url = f"{self._base}/api/ocpp/{quote(action, safe='')}/"
        answer = await self._in_turn(self._exchange("POST", url, (204, 404), question=RequestBody(body)))
        return None if answer is None else sense(answer, Answered).payload

    def _in_time(self, asking: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        """Cancelling wherever it waits ends all of it: the turn is given back and the connection aborted."""

        def late(_result: object, seconds: float) -> Failure:
            return Failure(BackendFailed(f"the backend took more than {seconds:g} s"))

        return Deferred.fromCoroutine(asking).addTimeout(self._timeout, self._reactor, late)

    async def _ask(self, kind: str, tag: str, query: dict[str, Any], key: str = "") -> Reply | None:
        """The backend's answer, or None for a 404 and for a tag that no URL can name."""
        segment = quoted(tag)
        if segment is None:
            return None
        url = f"{self._base}/api/{kind}/tag/{segment}/?{urlencode(query, quote_via=quote, errors='replace')}"
        body = await self._in_turn(self._exchange("GET", url, (404,), key))
        return None if body is None else sense(body, Reply)

    async def _in_turn(self, exchange: Coroutine[Deferred[Any], Any, T]) -> T:
        try:
            await self._turns.acquire()
        except BaseException:
            exchange.close()  # it was given up before its turn came
            raise
        try:
            return await exchange
        except (BackendFailed, CancelledError):
            raise
        except BodyRejected as why:
            raise BackendFailed(f"the backend's answer is {why}") from None
        except Exception as why:  # what Twisted's HTTP client, TLS and resolver may fail with is not listed anywhere
            raise BackendFailed(f"the backend cannot be asked: {names(why)}") from None
        finally:
            self._turns.release()

    async def _exchange(
        self, method: str, url: str, nothing: tuple[int, ...], key: str = "", question: RequestBody | None = None
    ) -> bytes | None:
        """The body of a 200; None for the codes that say ``nothing``."""
        headers = Headers({"Accept": ["application/json"]})
        if question is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
        if key:
            headers.setRawHeaders("Idempotency-Key", [key])
        response: IResponse = await self._client.request(
            method, url, auth=self._auth, headers=headers, data=question, allow_redirects=False, unbuffered=True
        )
        if response.code == 200:
            return await collect(response)
        drop(response, self._reactor)
        if response.code in nothing:
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


def sense(data: bytes | msgspec.Raw, shape: type[T]) -> T:
    """Decode an answer; msgspec's complaints name the place and the type expected there, and quote nothing."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as why:
        complaint = str(why) if isinstance(why, msgspec.MsgspecError) else "it is not JSON"
        raise BackendFailed(f"the backend's answer makes no sense: {complaint}") from None


def names(why: BaseException) -> str:
    """What went wrong, by the names of the exceptions only: their texts may quote the URL."""
    causes = [reason.value for reason in getattr(why, "reasons", None) or () if isinstance(reason, Failure) and reason.value]
    return " ".join([type(why).__name__, *(f"({names(cause)})" for cause in causes)])
