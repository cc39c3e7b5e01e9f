"""The spool: the gateway's outbox on disk, and its copy of what Redis has. Imports nothing of the project outside this package."""

from .file import SpoolUnusable
from .rows import FieldUpdate, Row, TableUpdate, applied, conditional
from .spool import Spool

__all__ = ["FieldUpdate", "Row", "Spool", "SpoolUnusable", "TableUpdate", "applied", "conditional"]
