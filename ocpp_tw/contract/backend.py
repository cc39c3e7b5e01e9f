"""OpenAPI 3.1 of what the gateway asks of a backend: a document of its own, from which a backend's author can make the server's side.

Knows neither when it is asked nor what becomes of a reply.
"""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..backend.asked import (
    ADMISSION,
    ANSWER,
    AUTHORIZE,
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
from .meanings import said
from .schemas import Schema, moved, of_types

SCHEMAS = "#/components/schemas/"
JSON = "application/json"


def backend() -> Schema:
    """The document."""
    replies = [Reply, TransactionData, AuthorizationData, RefusalData, AdmissionReply, AnswerReply]
    _, read = of_types(replies, encoded=False)
    _, asked = of_types([Question, StartQuery, AuthorizeQuery])
    definitions = read | asked
    key = _parameter("Idempotency-Key", "header", {"type": "string"}, "the same for every request about the same start", required=True)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "What the OCPP gateway asks of a backend",
            "version": __version__,
            "description": "The paths are below `--base-url`. A backend serves those that the settings have the gateway ask for. The contract is docs/contract.md, section 3.",
        },
        "servers": [{"url": "{base_url}", "variables": {"base_url": {"default": "http://127.0.0.1:8000", "description": "`--base-url`"}}}],
        "paths": {
            TRANSACTION: {
                "get": _operation(
                    "transaction",
                    "At the start of a transaction: its id.",
                    [_segment("tag", "the tag that begins it"), *_query(definitions[StartQuery.__name__]), key],
                    _reply(TransactionData, "The tag has a transaction; or, with `status` false, none"),
                    "The tag has no transaction",
                )
            },
            AUTHORIZE: {
                "get": _operation(
                    "authorize",
                    "With `--authorize backend`, when a tag is presented: whether it may charge.",
                    [_segment("tag", "the tag"), *_query(definitions[AuthorizeQuery.__name__])],
                    _reply(AuthorizationData, "The authorization; or, with `status` false, a refusal", RefusalData),
                    "The tag is Invalid",
                )
            },
            ADMISSION: {
                "get": _operation(
                    "admission",
                    "With `--register backend`, at a charger's handshake: whether it may connect.",
                    [_segment("charger", "the charger's identity")],
                    _content("The verdict", {"$ref": SCHEMAS + AdmissionReply.__name__}),
                    "The charger is refused",
                )
            },
            ANSWER: {
                "post": {
                    **_operation(
                        "answer",
                        "For the actions of `--backend-actions`: what a charger is answered.",
                        [_segment("action", "the OCPP action")],
                        _content("Members to set in the charger's answer", {"$ref": SCHEMAS + AnswerReply.__name__}),
                        "As 204",
                    ),
                    "requestBody": {"required": True, "content": {JSON: {"schema": {"$ref": SCHEMAS + Question.__name__}}}},
                }
            },
        },
        "components": {"schemas": moved({name: schema for name, schema in definitions.items() if not name.endswith("Query")}, SCHEMAS)},
    }


def _operation(name: str, summary: str, parameters: list[Schema], reply: Schema, none: str) -> Schema:
    responses: dict[str, Schema] = {"200": reply, "404": {"description": none}}
    if name == "answer":
        responses["204"] = {"description": "The answer is left to the gateway"}
    return {"operationId": name, "summary": summary, "parameters": parameters, "responses": dict(sorted(responses.items()))}


def _reply(data: type, meaning: str, refused: type | None = None) -> Schema:
    """The envelope, with what it has in it where the tag may and where it may not."""
    accepted = {"properties": {"status": {"const": True}, "data": {"$ref": SCHEMAS + data.__name__}}, "required": ["data"]}
    none: Schema = {"properties": {"status": {"const": False}}}
    if refused is not None:
        none["properties"]["data"] = {"$ref": SCHEMAS + refused.__name__, "description": said(refused)}
    return _content(meaning, {"allOf": [{"$ref": SCHEMAS + Reply.__name__}], "oneOf": [accepted, none]})


def _content(meaning: str, schema: Schema) -> Schema:
    return {"description": meaning, "content": {JSON: {"schema": schema}}}


def _segment(name: str, meaning: str) -> Schema:
    return _parameter(name, "path", {"type": "string"}, meaning, required=True)


def _query(query: Schema) -> list[Schema]:
    return [
        _parameter(
            name,
            "query",
            {key: value for key, value in schema.items() if key != "description"},
            schema["description"],
            required=name in query["required"],
        )
        for name, schema in query["properties"].items()
    ]


def _parameter(name: str, place: str, schema: Any, meaning: str, *, required: bool) -> Schema:
    return {"name": name, "in": place, "required": required, "description": meaning, "schema": schema}
