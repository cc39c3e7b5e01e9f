"""What schemathesis is told about a gateway whose HTTP it tries (`SCHEMATHESIS_HOOKS`): most requests are for chargers that are there, and none waits.

Knows no route: identities are in the path, or in a command.
"""

from __future__ import annotations

from typing import Any

import schemathesis

CHARGERS = ("cp-16", "cp-201")


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """A command for one that is connected, and not for one that may be in a day (`ttl`)."""
    if isinstance(body, dict):
        if isinstance(body.get("ttl"), int | float):
            body["ttl"] = min(body["ttl"], 0)
        for name in ("CpID", "cp_id"):
            if isinstance(body.get(name), str) and body[name]:
                body[name] = CHARGERS[len(body[name]) % 2]
    return body


@schemathesis.hook
def map_path_parameters(context: Any, parameters: Any) -> Any:
    """A charger that is connected, unless something is to be decided about it, after that it may have to come again; an action that there is."""
    if not parameters or context.operation.method.lower() not in ("get", "post"):
        return parameters
    length = sum(len(str(each)) for each in parameters.values())
    if "id" in parameters and length % 3 < 2:
        parameters["id"] = CHARGERS[length % 3]
    if "action" in parameters and length % 3 < 2:
        parameters |= {"ocpp": "1.6", "action": "Reset"}
    return parameters
