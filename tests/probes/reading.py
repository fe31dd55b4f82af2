"""/metrics as Prometheus reads it, and simple alert expressions put to it."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]

COMPARED: dict[str, Callable[[float, float], bool]] = {">": operator.gt, "<": operator.lt, "==": operator.eq}
SIMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<how>>|<|==) (?P<bound>[\d.]+)$")


@dataclass(frozen=True, slots=True)
class Exposition:
    """One scrape: every series and its value."""

    series: Mapping[Series, float]

    @classmethod
    def of(cls, text: str) -> Self:
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return cls({(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples})

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.series}

    def value(self, name: str, **labels: str) -> float:
        """The sum over the series of this name that have these labels; 0 if there are none."""
        return sum(value for _, value in self._found(name, labels))

    def labels(self, name: str, label: str) -> set[str]:
        """What this label says in the series of this name."""
        return {dict(found)[label] for found, _ in self._found(name, {}) if label in dict(found)}

    def fires(self, expression: str) -> list[dict[str, str]]:
        """The labels of the series for which a simple expression, `name{label="value"} > 5`, is true."""
        parts = SIMPLE.match(expression)
        assert parts is not None, f"not a comparison with a number: {expression}"
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', parts["labels"] or ""))
        is_so = COMPARED[parts["how"]]
        return [dict(labels) for labels, value in self._found(parts["name"], wanted) if is_so(value, float(parts["bound"]))]

    def _found(self, wanted_name: str, wanted: Mapping[str, str]) -> Iterator[tuple[frozenset[tuple[str, str]], float]]:
        for (name, labels), value in self.series.items():
            if name == wanted_name and wanted.items() <= dict(labels).items():
                yield labels, value
