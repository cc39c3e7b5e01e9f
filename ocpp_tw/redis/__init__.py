"""The drivers over Redis or Valkey: events, roster, records and commands. The spool is their outbox on disk.

Importing it imports the global reactor, because txredisapi does; only the composition of the process may import it.
"""

from .address import RedisAddress, exchange, probe
from .connection import Connection
from .keys import Keys
from .route import Route
from .store import RedisStore

__all__ = ["Connection", "Keys", "RedisAddress", "RedisStore", "Route", "exchange", "probe"]
