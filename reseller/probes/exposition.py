"""Everything that /metrics tells, as one registry: counts of all web processes of this machine, and figures of the whole shop."""

import os
from collections.abc import Iterator

from prometheus_client import REGISTRY as THIS_PROCESS
from prometheus_client import CollectorRegistry, multiprocess
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from reseller.probes.shop_figures import ShopFigures

ALARMS = "reseller_alarms"


class Everything(CollectorRegistry):
    """A registry that is read once. Alarms of web processes and of the clock are one family: the label `process` tells them apart."""

    def __init__(self, figures: ShopFigures) -> None:
        super().__init__()
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        told = {family.name: family for family in self._figures.families()}
        for family in _of_processes():
            if family.name == ALARMS:
                for sample in family.samples:
                    sample.labels["process"] = "web"
                family.samples += told.pop(ALARMS).samples if ALARMS in told else []
            yield family
        yield from told.values()


def _of_processes() -> list[Metric]:
    registry: CollectorRegistry | Collector = THIS_PROCESS
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = multiprocess.MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
    return list(registry.collect())
