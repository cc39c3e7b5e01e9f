"""The drivers over Redis or Valkey: events, roster, records and commands.

Importing it imports the global reactor, for txredisapi does; nothing else of the house may import it but the wiring.
"""

from .commands import RedisCommands
from .connection import Connection
from .events import RedisEvents
from .names import Names
from .records import RedisRecords
from .roster import RedisRoster
from .where import Where, probe
from .whole import RedisStore

__all__ = ["Connection", "Names", "RedisCommands", "RedisEvents", "RedisRecords", "RedisRoster", "RedisStore", "Where", "probe"]
