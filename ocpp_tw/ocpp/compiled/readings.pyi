from collections.abc import Callable, Iterable, Mapping
from typing import Any

SOURCES: str

class ReadingsReader:
    def __init__(
        self,
        *,
        numbers: bool,
        units: Mapping[str | None, Mapping[str | None, tuple[str, str | None, int]]],
        contexts: Iterable[str],
        phases: Iterable[str],
        locations: Iterable[str],
        kept: Mapping[str, int],
        value: Callable[..., Any],
        longest: int,
    ) -> None: ...
    def read(self, payload: bytes) -> tuple[bytes, bytes, bytes, list[Any], bytes] | None: ...
