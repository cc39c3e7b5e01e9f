"""Reads Prometheus' text format, as a Prometheus would."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Samples:
    """``samples["name", label=value]`` does not exist in Python: call it with the name and the labels."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        """The value of a sample; None if there is none."""
        return self.values.get((name, tuple(sorted(labels.items()))))
