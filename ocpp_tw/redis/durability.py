"""What guarantee the connected Redis gives for acknowledged events, in one line for the log.

Knows the server's configuration, not its disks.
"""

from __future__ import annotations

from collections.abc import Mapping

from .connection import Connection
from .protocol import RedisError

CONFIG_NAMES = ("appendonly", "appendfsync", "maxmemory-policy", "maxmemory", "min-replicas-to-write")

BY_APPENDFSYNC = {
    "always": "what is acknowledged survives a power cut",
    "everysec": "a power cut may lose the last second (appendfsync everysec; always is safe)",
    "no": "a power cut may lose the last half minute (appendfsync no; always is safe)",
}


def guarantee(config: Mapping[str, str]) -> tuple[str, bool]:
    """The line, and whether nothing acknowledged can be lost; of ``config`` (CONFIG GET, INFO replication) any member may be missing."""
    if not config:
        return "its guarantee is unknown, for its configuration cannot be read (CONFIG is not allowed): see docs/operations.md", False
    if config.get("appendonly") == "yes":
        text, well = BY_APPENDFSYNC.get(config.get("appendfsync", ""), "its appendfsync is unknown"), config.get("appendfsync") == "always"
    else:
        text, well = "a crash loses everything since its last snapshot (appendonly no)", False
    if config.get("maxmemory", "0") != "0" and config.get("maxmemory-policy", "noeviction") != "noeviction":
        text, well = f"{text}; when its memory is full it evicts events (maxmemory-policy {config['maxmemory-policy']})", False
    if config.get("connected_slaves", "0") != "0" and config.get("min-replicas-to-write", "0") == "0":
        text, well = f"{text}; a fail-over to a replica may lose the last events (min-replicas-to-write 0; 1 is safe)", False
    return text, well


async def read_config(connection: Connection) -> dict[str, str]:
    """The server's settings; {} when it does not say."""
    try:
        settings: list[bytes] = await connection.send("CONFIG", "GET", *CONFIG_NAMES)
        info: bytes = await connection.send("INFO", "replication")
    except RedisError:
        return {}
    texts = [each.decode(errors="replace") for each in settings]
    lines = [line.partition(":") for line in info.decode(errors="replace").splitlines()]
    return {name: value for name, _, value in lines} | dict(zip(texts[::2], texts[1::2], strict=True))
