"""Metrics against closed forms and against scikit-learn, which has nothing to do with this code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.data import metrics
from budgetsim.data.tasks import get_task


def test_macro_f1_is_scikit_learns_over_the_labels_of_the_references() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b", "c"], size=200, p=[0.7, 0.2, 0.1]).tolist()
    said = [t if rng.random() < 0.6 else str(rng.choice(["a", "b", "d"])) for t in truth]
    f1 = {
        k: 100 * sklearn.f1_score(truth, said, labels=["a", "b", "c"], average=k, zero_division=0) for k in ("macro",)
    }
    assert metrics.macro_f1(said, truth) == pytest.approx(f1["macro"])
    assert metrics.micro_f1(said, truth) == pytest.approx(100 * sklearn.accuracy_score(truth, said))


def test_token_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    precision, recall = 2 / 5, 2 / 3  # said five words, two of the three true ones
    expected = 100 * 2 * precision * recall / (precision + recall)
    assert metrics.squad_f1("big green house with river", "big river, far!") == pytest.approx(expected)
    assert metrics.squad_f1("", "The") == 100.0  # nothing is left of either


def test_a_paraphrase_is_judged_four_times_as_much_by_its_meaning() -> None:
    """The weighted harmonic mean of what is kept and of what is new, weights 4 and 1."""
    pytest.importorskip("sacrebleu")
    source, said = "the cat sat on the old red mat today", "today the cat rested on an old carpet"
    kept = metrics.squad_f1(said, source) / 100
    new = 1 - metrics.self_bleu(source, said) / 100
    assert 0.1 < kept < new < 1
    found = metrics.paraphrase_scores([source], [said])
    assert found["self_ibleu"] == pytest.approx(100 * 5 / (4 / kept + 1 / new))


def test_an_answer_that_is_no_label_counts_as_the_tasks_first() -> None:
    task = get_task("stance")
    first, last = task.labels[0], task.labels[-1]
    assert metrics.score(task, [], ["nonsense"], [first])["f1"] == 100.0
    assert metrics.score(task, [], ["nonsense"], [last])["f1"] == 0.0


@pytest.mark.parametrize(("metric", "others"), [("macro_f1", ["accuracy"]), ("accuracy", ["macro_f1"])])
def test_the_tasks_own_metric_comes_first(metric: str, others: list[str]) -> None:
    task = replace(get_task("stance"), metric=metric)
    a, b = task.labels[:2]
    found = metrics.score(task, [], [a, a, a], [a, a, b])
    assert list(found) == [metric, *others]
    assert found["accuracy"] == pytest.approx(200 / 3)
    assert found["macro_f1"] == pytest.approx((80 + 0) / 2)  # F1 of a: 2 * 2 / (3 + 2)
