"""What counts as one address, wherever something is limited for each.

Knows nothing of what is limited.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(4096)
def network(host: str) -> str:
    """An IPv4 address; of IPv6 the /64, since whoever has one address there has all. An IPv4 address written in IPv6 is that."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
