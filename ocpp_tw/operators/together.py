"""Several applications behind one port: which of them serves a request, by how its path begins, or begins and ends.

Knows no route; the longest prefix decides, and what has none belongs to the first application.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from klein import Klein
from twisted.web.resource import Resource


class Application(Protocol):
    """Some of the routes of operators' HTTP."""

    app: Klein
    prefixes: tuple[bytes, ...]
    """How the paths of all of its routes begin; one with a star in it, how they begin and end, with something between."""


class Together(Resource):
    """The resource of all of them. ``rest`` has the routes that begin with none of the others' prefixes."""

    isLeaf = True

    def __init__(self, rest: Klein, others: Iterable[Application]) -> None:
        super().__init__()
        by_prefix = [(prefix.partition(b"*"), other.app.resource()) for other in others for prefix in other.prefixes]
        self._rest = rest.resource()
        self._by_prefix = sorted(by_prefix, key=lambda item: -len(b"".join(item[0])))

    def render(self, request: Any) -> Any:
        """Let whose it is serve it."""
        path: bytes = request.path
        return next((served for (prefix, _, suffix), served in self._by_prefix if _has(path, prefix, suffix)), self._rest).render(request)


def _has(path: bytes, prefix: bytes, suffix: bytes) -> bool:
    return path.startswith(prefix) and (not suffix or (path.endswith(suffix) and len(path) > len(prefix) + len(suffix)))
