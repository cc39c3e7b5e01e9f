"""The operator's backend over HTTP (treq): which transaction a tag may begin, and what is thought of a tag.

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

from .bounded import Plain, Pool, Unfit, collect, drop
from .facts import Authorisation
from .interfaces import IBackend

T = TypeVar("T")

REFUSALS = ("Blocked", "Expired", "Invalid", "ConcurrentTx")
FOREIGN = ("NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime", "Unknown")
"""OCPP 2.x's further refusals: what has no word for them says Invalid."""


class BackendFailed(Exception):
    """The backend was of no use in time. The text is fit for a log: it has neither the tag nor a word of the answer in it."""


class Reply(msgspec.Struct):
    """The frame of every answer."""

    status: bool
    data: msgspec.Raw = msgspec.Raw(b"null")


class Transaction(msgspec.Struct):
    """``data`` of a transaction; some backends send the id as text."""

    id: int | str


class Word(msgspec.Struct):
    """``data`` of a refusal."""

    status: str


class Verdict(Word):
    """``data`` of an authorisation; a parent tag is an IdToken, of at most 20 characters (OCPP 1.6 §7.28)."""

    expiry_date: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    parent_tag: Annotated[str, msgspec.Meta(min_length=1, max_length=20)] | None = None


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

    def transaction(self, tag: str, charger: str, connector: int) -> Deferred[int | None]:
        """The id of the transaction that this tag may begin; None: the tag has none."""
        return self._in_time(self._transaction(tag, charger, connector))

    def authorise(self, tag: str, charger: str, connector: int | None) -> Deferred[Authorisation]:
        """What the backend says of the tag."""
        return self._in_time(self._authorise(tag, charger, connector))

    def close(self) -> Deferred[None]:
        """Close the connections that are kept for later questions; fires when they are closed."""
        return self._pool.close()

    async def _transaction(self, tag: str, charger: str, connector: int) -> int | None:
        reply = await self._ask("transaction", tag, {"charger": charger, "connector": connector})
        if reply is None or not reply.status:
            return None
        given = str(sense(reply.data, Transaction).id)
        if not re.fullmatch(r"[0-9]{1,10}", given, re.ASCII) or not 0 < int(given) < 2**31:
            raise BackendFailed("the backend's answer makes no sense: its id is not a whole number from 1 to 2147483647")
        return int(given)

    async def _authorise(self, tag: str, charger: str, connector: int | None) -> Authorisation:
        reply = await self._ask("authorize", tag, {"charger": charger} | ({} if connector is None else {"connector": connector}))
        if reply is None:
            return Authorisation("Invalid")
        if not reply.status:
            with suppress(BackendFailed):
                status = sense(reply.data, Word).status
                return Authorisation(status if status in REFUSALS else "Invalid")
            return Authorisation("Invalid")
        verdict = sense(reply.data, Verdict)
        if verdict.status not in ("Accepted", *REFUSALS, *FOREIGN):
            raise BackendFailed("the backend's answer makes no sense: its status is not one of OCPP's")
        status = "Invalid" if verdict.status in FOREIGN else verdict.status
        until = verdict.expiry_date
        expiry = None if until is None else until.isoformat().replace("+00:00", "Z")
        return Authorisation(status, expiry, verdict.parent_tag)

    def _in_time(self, asking: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        """Cancelling wherever it waits ends all of it: the turn is given back and the connection aborted."""

        def late(_result: object, seconds: float) -> Failure:
            return Failure(BackendFailed(f"the backend took more than {seconds:g} s"))

        return Deferred.fromCoroutine(asking).addTimeout(self._timeout, self._reactor, late)

    async def _ask(self, kind: str, tag: str, query: dict[str, Any]) -> Reply | None:
        """The backend's answer, or None for a 404 and for a tag that no URL can name."""
        segment = quoted(tag)
        if segment is None:
            return None
        url = f"{self._base}/api/{kind}/tag/{segment}/?{urlencode(query, quote_via=quote, errors='replace')}"
        await self._turns.acquire()
        try:
            body = await self._get(url)
        except (BackendFailed, CancelledError):
            raise
        except Unfit as why:
            raise BackendFailed(f"the backend's answer is {why}") from None
        except Exception as why:  # what Twisted's HTTP client, TLS and resolver may fail with is not listed anywhere
            raise BackendFailed(f"the backend cannot be asked: {names(why)}") from None
        finally:
            self._turns.release()
        return None if body is None else sense(body, Reply)

    async def _get(self, url: str) -> bytes | None:
        headers = Headers({"Accept": ["application/json"]})
        response: IResponse = await self._client.get(url, auth=self._auth, headers=headers, allow_redirects=False, unbuffered=True)
        if response.code == 200:
            return await collect(response)
        drop(response, self._reactor)
        if response.code == 404:
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
