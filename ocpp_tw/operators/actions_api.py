"""HTTP about what commands there are: the neutral ones, those of each version of OCPP, and their official JSON Schemas.

Knows no charger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import msgspec
from twisted.web.iweb import IRequest

from ..dispatch.translate import OWN
from ..ocpp.schemas import source
from ..ocpp.version import Version
from .answering import answer_json
from .described import Refusal, described
from .parameters import NoQuery, query_of
from .serving import HttpAnswer, Refused, klein_app, run


class ActionsQuery(msgspec.Struct, frozen=True):
    """Of which version."""

    ocpp: Literal["", "1.6", "2.0.1", "2.1"] = ""
    """only commands of this version"""


class Actions(TypedDict):
    """The commands that there are."""

    neutral: list[str]
    """the neutral ones"""
    raw: dict[str, list[str]]
    """the OCPP actions of each version"""


class ActionsApi:
    """``versions`` are those that chargers may speak, by subprotocol."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/actions",)

    def __init__(self, versions: Mapping[str, Version]) -> None:
        self._versions = {version.name: version for version in versions.values()}

    @app.route("/api/actions", methods=["GET"])
    @described({200: Actions}, query=ActionsQuery)
    def actions(self, request: IRequest) -> HttpAnswer:
        """The commands of all versions, or of one."""

        async def answer() -> bytes:
            name = query_of(request, ActionsQuery).ocpp
            if name and name not in self._versions:
                raise Refused(400, f"ocpp must be one of {', '.join(self._versions)}: chargers may speak no other version here")
            versions = [version for version in self._versions.values() if name in ("", version.name)]
            neutral = sorted({*OWN, *[command for version in versions for command in version.neutral]})
            return answer_json(
                request, 200, {"neutral": neutral, "raw": {version.name: sorted(version.csms_actions) for version in versions}}
            )

        return run(request, answer())

    @app.route("/api/actions/<ocpp>/<action>", methods=["GET"])
    @described({200: dict[str, Any], 404: Refusal}, query=NoQuery)
    def schema(self, request: IRequest, ocpp: str, action: str) -> HttpAnswer:
        """The official JSON Schema of an action's request."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            version = self._versions.get(ocpp)
            if version is None or action not in version.csms_actions:
                raise Refused(404, "There is no such action for a backend to send")
            return answer_json(request, 200, _schema(ocpp, action))

        return run(request, answer())


def _schema(ocpp: str, action: str) -> object:
    folder = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}[ocpp]
    return source(folder, action if ocpp == "1.6" else f"{action}Request")
