"""HTTP about commands for many chargers: begin one, and ask how far it is.

Knows neither chargers nor how a command reaches one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec
from twisted.web.iweb import IRequest

from ..core.commands import Invalid
from ..dispatch.translate import OWN
from ..interfaces import IFleet
from ..monitoring.batches import MAX_CHARGERS, Batches, TooManyBatches
from ..monitoring.fleet_chargers import FleetChargers
from ..monitoring.query import ChargersFilter
from ..monitoring.told import BatchBegun, BatchReport, BatchSummary, Fleet
from ..ocpp.version import Version
from .answering import answer_json
from .described import Header, Refusal, described
from .parameters import NoQuery, object_of, query_of
from .serving import HttpAnswer, Refused, body_of, klein_app, operator_of, run


class BatchBody(TypedDict):
    """One command for many chargers: either `filter` or `chargers` says for which."""

    command: dict[str, Any]
    """as for `POST /api/commands`, without a charger and an id"""
    filter: NotRequired[ChargersFilter]
    """for all that it lets through"""
    chargers: NotRequired[list[Annotated[str, msgspec.Meta(min_length=1)]]]
    """for these identities"""


class BatchesAnswer(Fleet):
    """All batches that gateways remember."""

    rows: list[BatchSummary]
    """the batches, the latest first, without what has failed"""


class BatchesApi:
    """One for a gateway, or for a worker among several: each of them knows all. ``versions`` are those that chargers may speak."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/api/batches",)

    def __init__(self, batches: Batches, fleet: IFleet, chargers: FleetChargers, versions: Mapping[str, Version]) -> None:
        self._neutral = {*OWN, *[name for version in versions.values() for name in version.neutral]}
        self._actions = {name for version in versions.values() for name in version.csms_actions}
        self._batches = batches
        self._fleet = fleet
        self._chargers = chargers

    @app.route("/api/batches", methods=["POST"])
    @described({202: BatchBegun}, body=BatchBody, query=NoQuery, headers={"Location": Header("the path of its progress", always=True)})
    def begin(self, request: IRequest) -> HttpAnswer:
        """Begin one: 202 with its id and the number of its chargers."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            command, chargers, missing, trouble = await self._read(body_of(request))
            try:
                report = self._batches.begin(command, chargers, operator_of(request))
            except Invalid as why:
                raise Refused(400, f"`command`: {why}") from None
            except TooManyBatches as why:
                request.setHeader("retry-after", "30")
                raise Refused(503, f"{why}: try again later") from None
            request.setHeader("location", f"/api/batches/{report['id']}")
            return answer_json(request, 202, BatchBegun(id=report["id"], total=report["total"], missing=missing, trouble=trouble))

        return run(request, answer())

    @app.route("/api/batches", methods=["GET"])
    @described({200: BatchesAnswer}, query=NoQuery)
    def all(self, request: IRequest) -> HttpAnswer:
        """Those that gateways remember, the latest first."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            answers = await self._fleet.ask("batches", {})
            rows = [row for part in answers.answers.values() for row in part]
            rows.sort(key=lambda row: row["time"], reverse=True)
            return answer_json(request, 200, {"rows": rows, "missing": answers.missing, "trouble": answers.trouble})

        return run(request, answer())

    @app.route("/api/batches/<id>", methods=["GET"])
    @described({200: BatchReport, 404: Refusal, 503: Refusal}, query=NoQuery)
    def batch(self, request: IRequest, id: str) -> HttpAnswer:
        """How far one is, and what has failed."""

        async def answer() -> bytes:
            query_of(request, NoQuery)
            found = await self._batches.find(id)
            if found is None:
                answers = await self._fleet.ask("batch", {"id": id})
                found = next((each for each in answers.answers.values() if each is not None), None)
                unasked = answers.trouble or ", ".join(answers.missing)
                if found is None and unasked:
                    raise Refused(503, f"Not all gateways could be asked, and this one does not know it ({unasked}): try again")
            if found is None:
                raise Refused(404, "No batch of this id is remembered: the gateway that ran it may have been started again")
            return answer_json(request, 200, found)

        return run(request, answer())

    async def _read(self, body: bytes) -> tuple[dict[str, Any], list[str], list[str], str]:
        """The command, the chargers that are to get it, the gateways whose chargers are not known, and why those of no other gateway are."""
        try:
            members = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise Refused(400, "The body must be a JSON object with `command`, and `filter` or `chargers`") from None
        unknown = sorted(members.keys() - BatchBody.__annotations__)
        if unknown:
            raise Refused(400, f"The body has no member {unknown[0]!r}: there are {', '.join(BatchBody.__annotations__)}")
        command = members.get("command")
        if not isinstance(command, dict):
            raise Refused(400, "`command` must be an object, as for POST /api/commands but for the charger")
        self._check(command)
        if ("filter" in members) == ("chargers" in members):
            raise Refused(400, "Either `filter` or `chargers` says which chargers are to get it")
        if "filter" in members:
            wanted = object_of(members["filter"], ChargersFilter, "filter")
            chargers, missing, trouble = await self._chargers.ids(wanted, MAX_CHARGERS + 1)
        else:
            chargers, missing, trouble = _identities(members["chargers"]), [], ""
        if not chargers:
            raise Refused(400, "There is no such charger")
        if len(chargers) > MAX_CHARGERS:
            raise Refused(400, f"A batch has at most {MAX_CHARGERS} chargers")
        return command, chargers, missing, trouble

    def _check(self, command: dict[str, Any]) -> None:
        """Refuse at once what would fail at every charger, and what would be ignored."""
        for name in ("id", "cp_id", "CpID"):
            if name in command:
                raise Refused(400, f"`command` of a batch has no `{name}`: each charger's gets an id of its own, see `command_result`")
        neutral, data = command.get("command"), command.get("data")
        if isinstance(neutral, str) and neutral not in self._neutral:
            raise Refused(400, f"`command`: there is no command {neutral[:100]!r}; GET /api/actions lists them")
        action = data[2] if "command" not in command and isinstance(data, list) and len(data) == 4 else None
        if isinstance(action, str) and action not in self._actions:
            raise Refused(400, f"`command`: there is no action {action[:100]!r} that is sent to chargers; GET /api/actions lists them")


def _identities(chargers: Any) -> list[str]:
    if not isinstance(chargers, list) or not all(isinstance(each, str) and each for each in chargers):
        raise Refused(400, "`chargers` must be a list of identities")
    return list(dict.fromkeys(chargers))
