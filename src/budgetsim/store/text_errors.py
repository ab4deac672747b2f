"""How far off a number of texts may be that was computed from the dollars a paper printed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from budgetsim.design.points import Route
from budgetsim.store.database import Connection

Hours = tuple[float, float]  # and their standard error
Key = tuple[str, str, str | None, str]  # source, task, teacher, student


@dataclass(frozen=True, slots=True)
class TextErrors:
    """Hours a text (under 0) and of teachers by their labels, of each source, task and pair of models."""

    hours: Mapping[Key, Mapping[int, Hours]]

    @classmethod
    def load(cls, connection: Connection) -> TextErrors:
        """Those of the published compute costs of a store."""
        found: dict[Key, dict[int, Hours]] = defaultdict(dict)
        for source, task, teacher, student, n_labels, hours, error in connection.execute(
            "SELECT source, task, teacher, student, n_labels, gpu_hours, coalesce(gpu_hours_se, 0) "
            "FROM published_compute"
        ).fetchall():
            found[source, task, teacher, student][n_labels] = (hours, error)
        return cls(found)

    def of(self, source: str, task: str, route: Route, n_labels: float | None, implied: float) -> float | None:
        r"""Standard error of U texts that follow from what a teacher of N labels leaves of a budget, in whole texts.

        .. math:: \sigma_U = \sqrt{\sigma_T(N)^2 + (U \sigma_1)^2} / c_1

        with c_1 the cost of a text and sigma_T that of the teacher, at the printed number of labels next to N.
        returns : None where the costs are not known
        """
        costs = self.hours.get((source, task, route.teacher, route.student), {})
        teachers = [n for n in costs if n > 0]
        if 0 not in costs or not teachers or not n_labels:
            return None
        (per_text, its_error), near = costs[0], min(teachers, key=lambda n: abs(math.log(n / n_labels)))
        return float(round(math.hypot(costs[near][1], implied * its_error) / per_text))
