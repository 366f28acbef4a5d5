"""What the benchmark is to reach. The table of the page is made from these; whether a page has the same is checked
without a run."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Aim:
    metric: str
    relation: str
    limit: float
    unit: str
    # The figure, from the results of the aim's part.
    measured: Callable

    @property
    def target(self):
        return f"{self.relation} {self.limit:g}{self.unit}"

    def row(self, results):
        value = self.measured(results)
        is_met = value <= self.limit if self.relation == "≤" else value >= self.limit
        shown = f"{value:.2f}" if isinstance(value, float) else value
        return [self.metric, self.target, f"{shown}{self.unit}", "met" if is_met else "**missed**"]


def at_most(metric, limit, measured, unit=""):
    return Aim(metric, "≤", limit, unit, measured)


def at_least(metric, limit, measured, unit=""):
    return Aim(metric, "≥", limit, unit, measured)


def of_part(name, aims):
    """The aims of a part of the results, as those of all results."""
    def measured(aim):
        return lambda results: aim.measured(results[name])

    return [Aim(aim.metric, aim.relation, aim.limit, aim.unit, measured(aim)) for aim in aims]
