"""The drivers over Redis or Valkey: events, roster, records and commands.

Importing it imports the global reactor, for txredisapi does; nothing else of the house may import it but the wiring.
"""

from .address import RedisAddress, probe
from .commands import RedisCommands
from .connection import Connection
from .events import RedisEvents
from .keys import Keys
from .records import RedisRecords
from .roster import RedisRoster
from .store import RedisStore

__all__ = ["Connection", "Keys", "RedisAddress", "RedisCommands", "RedisEvents", "RedisRecords", "RedisRoster", "RedisStore", "probe"]
