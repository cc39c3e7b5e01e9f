"""In-memory twins of the drivers, for tests; `ocpp_tw.testing` is a whole gateway on them.

They pass the same contract suites as the real drivers. Several gateways are a fleet when they are given the same `MemoryStore`.
"""

from .commands import MemoryCommands
from .events import MemoryEvents
from .fleet import MemoryPubSub
from .history import MemoryHistory
from .keys import MemoryKeys
from .records import MemoryRecords, MemoryRegister, MemoryRoster
from .states import MemoryStates
from .store import MemoryStore
from .wire import MemoryWire

__all__ = [
    "MemoryCommands",
    "MemoryEvents",
    "MemoryHistory",
    "MemoryKeys",
    "MemoryPubSub",
    "MemoryRecords",
    "MemoryRegister",
    "MemoryRoster",
    "MemoryStates",
    "MemoryStore",
    "MemoryWire",
]
