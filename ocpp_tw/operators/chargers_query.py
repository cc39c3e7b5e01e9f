"""How a request says which chargers it asks for: in its query, or as an object in its body.

Knows neither chargers nor routes.
"""

from __future__ import annotations

from typing import Any

from ..monitoring.query import COLUMNS, MAX_LIMIT, MAX_OFFSET, STATES, ChargersQuery
from .serving import Query, Refused

LISTS = ("state", "ocpp", "model", "firmware", "gateway")
"""Members that may have several values, any of which will do."""

MAX_SEARCH = 200
"""Longest text that is searched for, in characters."""


def of_query(query: Query) -> ChargersQuery:
    """Those of a request's query. Raises `Refused`."""
    return _checked(
        ChargersQuery(
            search=query.text("search"),
            violations=query.one_of("violations", "", "true", "false") == "true",
            sort=query.text("sort") or "id",
            limit=query.number("limit", 100, 1, MAX_LIMIT),
            offset=query.number("offset", 0, 0, MAX_OFFSET),
            state=query.words("state"),
            ocpp=query.words("ocpp"),
            model=query.words("model"),
            firmware=query.words("firmware"),
            gateway=query.words("gateway"),
        )
    )


def of_object(members: Any) -> ChargersQuery:
    """Those of an object with the same members. Raises `Refused`."""
    if not isinstance(members, dict):
        raise Refused(400, "`filter` must be an object")
    unknown = members.keys() - {"search", "violations", *LISTS}
    if unknown:
        raise Refused(400, f"`filter` has no member {sorted(unknown)[0]!r}")
    search, violations = members.get("search", ""), members.get("violations", False)
    if not isinstance(search, str) or not isinstance(violations, bool):
        raise Refused(400, "`search` must be a text, and `violations` true or false")
    state, ocpp, model, firmware, gateway = [_list(name, members.get(name, [])) for name in LISTS]
    return _checked(ChargersQuery(search, state, ocpp, model, firmware, gateway, violations))


def _list(name: str, value: Any) -> list[str]:
    values = [word for each in value.split(",") if (word := each.strip())] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise Refused(400, f"`{name}` must be a list of texts, or a text with commas between them")
    return values


def _checked(query: ChargersQuery) -> ChargersQuery:
    if query.column not in COLUMNS:
        raise Refused(400, f"sort must be one of {', '.join(COLUMNS)}, with a minus before it for the other direction")
    wrong = [each for each in query.state if each not in STATES]
    if wrong:
        raise Refused(400, f"state must be some of {', '.join(STATES)}")
    if len(query.search) > MAX_SEARCH:
        raise Refused(400, f"search has at most {MAX_SEARCH} characters")
    return query
