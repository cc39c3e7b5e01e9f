"""What a route of operators' HTTP takes and answers, said beside the route itself: OpenAPI is made from that (`ocpp_tw.contract.openapi`).

Knows neither routes nor JSON Schema. Below ``@app.route(...)`` stands ``@described(...)``; what the route does is its docstring.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict, TypeVar

from klein import Klein

Route = TypeVar("Route", bound=Callable[..., Any])

JSON = "application/json"


class Refusal(TypedDict):
    """Why a request was not served."""

    detail: str
    """the reason, in words"""


class Header(NamedTuple):
    """Of an answer; ``always``: each answer with a status of 2xx has it."""

    meaning: str
    always: bool = False


X_MISSING: Mapping[str, Header] = MappingProxyType(
    {"X-Missing": Header("gateways that have not answered, with commas between them; `others`: none but this one could be asked")}
)
"""Of answers about the fleet that are no JSON object, which would have it as a member."""


class Description(NamedTuple):
    """``answers`` are the classes of the answers by HTTP status, several for members of all of them, None for what is no JSON object; ``body``
    is the class of what the request has, or the name of a schema of the commands'. ``query`` is the class of its parameters. ``media`` is
    the type of the answer with status 200; of one that comes in pieces, ``pieces`` are their classes, of server-sent events by their type.
    ``headers`` are those of the contract that an answer with a status of 2xx has, by their names.
    """

    answers: Mapping[int, Any]
    body: Any = None
    query: type | None = None
    media: str = JSON
    pieces: Mapping[str, Any] = MappingProxyType({})
    headers: Mapping[str, Header] = MappingProxyType({})


class Documented(NamedTuple):
    """A route with its description."""

    method: str
    path: str
    """With its parameters in braces."""
    name: str
    meaning: str
    description: Description | None
    """None where somebody has forgotten it."""


def described(
    answers: Mapping[int, Any],
    body: Any = None,
    query: type | None = None,
    media: str = JSON,
    pieces: Mapping[str, Any] = MappingProxyType({}),
    headers: Mapping[str, Header] = MappingProxyType({}),
) -> Callable[[Route], Route]:
    """Says of a route what `Description` has; what may be answered to every request (401, 403, …) need not be said."""

    def describe(route: Route) -> Route:
        route.described = Description(answers, body, query, media, pieces, headers)  # type: ignore[attr-defined]
        return route

    return describe


def documented(app: Klein) -> Iterator[Documented]:
    """All routes of an application, in the order in which they are written."""
    for rule in app.url_map.iter_rules():
        function = app.endpoints[rule.endpoint]
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Documented(method, path, rule.endpoint, function.__doc__ or "", getattr(function, "described", None))
