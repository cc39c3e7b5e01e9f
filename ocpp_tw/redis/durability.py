"""What the connected Redis does with what was acknowledged, in one line for whoever starts the gateway.

Knows its configuration, not its disks.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Mapping

from .connection import Connection
from .protocol import RedisError

ASKED = ("appendonly", "appendfsync", "maxmemory-policy", "maxmemory", "min-replicas-to-write")

SYNCED = {
    "always": "what is acknowledged survives a power cut",
    "everysec": "a power cut may lose the last second (appendfsync everysec; always is safe)",
    "no": "a power cut may lose the last half minute (appendfsync no; always is safe)",
}


def guarantee(config: Mapping[str, str]) -> tuple[str, bool]:
    """The line, and whether all is well; of ``config`` (CONFIG GET, and INFO's part on replication) any member may be missing."""
    if not config:
        return "it does not tell how durable it is (CONFIG is not allowed): see docs/operations.md", False
    if config.get("appendonly") == "yes":
        said, well = SYNCED.get(config.get("appendfsync", ""), "its appendfsync is unknown"), config.get("appendfsync") == "always"
    else:
        said, well = "a crash loses everything since its last snapshot (appendonly no)", False
    if config.get("maxmemory", "0") != "0" and config.get("maxmemory-policy", "noeviction") != "noeviction":
        said, well = f"{said}; when its memory is full it throws events away (maxmemory-policy {config['maxmemory-policy']})", False
    if config.get("connected_slaves", "0") != "0" and config.get("min-replicas-to-write", "0") == "0":
        said, well = f"{said}; a fail-over to a replica may forget the last of it (min-replicas-to-write 0; 1 is safe)", False
    return said, well


async def asked(connection: Connection) -> dict[str, str]:
    """What the server is set to; {} when it will not tell."""
    try:
        told: list[bytes] = await connection.send("CONFIG", "GET", *ASKED)
        info: bytes = await connection.send("INFO", "replication")
    except RedisError:
        return {}
    texts = [each.decode(errors="replace") for each in told]
    lines = [line.partition(":") for line in info.decode(errors="replace").splitlines()]
    return {name: value for name, _, value in lines} | dict(zip(texts[::2], texts[1::2], strict=True))
