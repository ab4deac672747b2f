"""Metrics, a file for each kind of answer, and the registry that names them; percent, 0 to 100."""

from budgetsim.data.metrics.registry import METRICS, USUAL, Metric, constant_score, score

__all__ = ["METRICS", "USUAL", "Metric", "constant_score", "score"]
