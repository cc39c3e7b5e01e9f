"""The spool: the gateway's outbox on disk, and its copy of what Redis has. Imports nothing of the project outside this package."""

from .file import SpoolUnusable
from .rows import Row, TableUpdate
from .spool import Spool

__all__ = ["Row", "Spool", "SpoolUnusable", "TableUpdate"]
