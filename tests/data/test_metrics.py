"""Metrics against closed forms and against scikit-learn, which has nothing to do with this code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.data import metrics
from budgetsim.data.metrics import classification, tagging, text
from budgetsim.data.tasks import Task, get_task


def test_macro_f1_is_scikit_learns_over_the_labels_of_the_references() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b", "c"], size=200, p=[0.7, 0.2, 0.1]).tolist()
    said = [t if rng.random() < 0.6 else str(rng.choice(["a", "b", "d"])) for t in truth]
    f1 = {
        k: 100 * sklearn.f1_score(truth, said, labels=["a", "b", "c"], average=k, zero_division=0) for k in ("macro",)
    }
    assert classification.macro_f1(said, truth) == pytest.approx(f1["macro"])
    assert classification.micro_f1(said, truth) == pytest.approx(100 * sklearn.accuracy_score(truth, said))


def test_token_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    precision, recall = 2 / 5, 2 / 3  # said five words, two of the three true ones
    expected = 100 * 2 * precision * recall / (precision + recall)
    assert text.squad_f1("big green house with river", "big river, far!") == pytest.approx(expected)
    assert text.squad_f1("", "The") == 100.0  # nothing is left of either


def test_a_paraphrase_is_judged_four_times_as_much_by_its_meaning() -> None:
    """The weighted harmonic mean of what is kept and of what is new, weights 4 and 1."""
    pytest.importorskip("sacrebleu")
    source, said = "the cat sat on the old red mat today", "today the cat rested on an old carpet"
    kept = text.squad_f1(said, source) / 100
    new = 1 - text.self_bleu(source, said) / 100
    assert 0.1 < kept < new < 1
    found = text.paraphrase_scores([source], [said])
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


def _answers(seed: int, n: int = 300) -> tuple[list[str], list[str]]:
    """Truth of three classes, and answers of which 6 in 10 are right."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(["a", "b", "c"], size=n, p=[0.6, 0.3, 0.1]).tolist()
    return [t if rng.random() < 0.6 else str(rng.choice(["a", "b", "c"])) for t in truth], truth


def _task(metric: str, positive: str = "", kind: str = "classification") -> Task:
    own = replace(get_task("stance"), name="mine", origin="custom", labels=("a", "b", "c"), metric=metric)
    return replace(own, positive=positive, kind=kind)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_classes_are_scikit_learns(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    said, truth = _answers(seed)
    wanted = {
        "accuracy": sklearn.accuracy_score(truth, said),
        "micro_f1": sklearn.f1_score(truth, said, average="micro"),
        "macro_f1": sklearn.f1_score(truth, said, average="macro"),
        "matthews": sklearn.matthews_corrcoef(truth, said),
    }
    for name, value in wanted.items():
        assert metrics.score(_task(name), [], said, truth)[name] == pytest.approx(100 * value), name
    for label in "abc":
        binary = sklearn.f1_score([t == label for t in truth], [p == label for p in said])
        found = metrics.score(_task("f1", label), [], said, truth)
        assert list(found) == ["f1", "accuracy", "macro_f1"]
        assert found["f1"] == pytest.approx(100 * binary)


def test_an_f1_without_a_positive_label_is_that_of_the_papers_tasks() -> None:
    said, truth = _answers(0)
    assert metrics.score(_task("f1"), [], said, truth) == {
        "f1": classification.micro_f1(said, truth),
        "macro_f1": classification.macro_f1(said, truth),
    }


def test_an_answer_worse_than_chance_has_no_correlation() -> None:
    """Every answer wrong: the coefficient is -1, and scores of the store begin at 0."""
    assert metrics.score(_task("matthews"), [], ["a", "b"], ["b", "a"])["matthews"] == 0


@pytest.mark.parametrize(
    ("metric", "positive", "answer", "closed"),
    [
        ("accuracy", "", "a", 0.6),
        ("micro_f1", "", "a", 0.6),
        ("macro_f1", "", "a", 2 * 0.6 / 1.6 / 3),  # precision 0.6, recall 1, nothing of the other two classes
        ("matthews", "", "a", 0.0),
        ("f1", "a", "a", 2 * 0.6 / 1.6),
        ("f1", "c", "a", 0.0),  # it never says c
        ("f1", "c", "c", 2 * 0.1 / 1.1),
    ],
)
def test_a_constant_answer_scores_its_closed_form(metric: str, positive: str, answer: str, closed: float) -> None:
    truth = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    assert metrics.constant_score(_task(metric, positive), answer, truth) == pytest.approx(100 * closed)


def _sentences(seed: int, n: int = 200) -> list[str]:
    rng = np.random.default_rng(seed)
    tags = ["O", "O", "O", "B-loc", "I-loc", "B-per", "I-per"]
    return [" ".join(rng.choice(tags, size=rng.integers(1, 12))) for _ in range(n)]


def _noisy(sentences: list[str], seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    other = ["O", "B-loc", "I-loc", "B-per", "I-per"]
    return [" ".join(t if rng.random() < 0.8 else str(rng.choice(other)) for t in s.split()) for s in sentences]


def test_entity_f1_is_seqevals() -> None:
    """Random tags, so most entities begin with an I- that continues nothing, as a bad tagger writes them."""
    seqeval = pytest.importorskip("seqeval.metrics")
    truth = _sentences(0)
    said = _noisy(truth, 1)
    wanted = seqeval.f1_score([t.split() for t in truth], [p.split() for p in said])
    assert tagging.entity_f1(said, truth) == pytest.approx(100 * wanted)


def test_entity_f1_is_nervaluates_strict() -> None:
    nervaluate = pytest.importorskip("nervaluate")
    truth = _sentences(0)
    said = _noisy(truth, 1)
    lists = [[line.split() for line in lines] for lines in (truth, said)]
    found = nervaluate.Evaluator(*lists, tags=["loc", "per"], loader="list").evaluate()
    assert tagging.entity_f1(said, truth) == pytest.approx(100 * found["overall"]["strict"].f1)


def test_entities_that_nobody_tagged_and_answers_of_another_length() -> None:
    assert tagging.entity_f1(["O O"], ["B-loc O"]) == 0  # what always answering O scores
    assert tagging.entity_f1(["O"], ["O O"]) == 100
    assert tagging.entity_f1(["B-loc I-loc I-loc"], ["B-loc I-loc"]) == 100  # there is no third word
    task = _task("entity_f1", kind="tagging")
    assert metrics.score(task, [], ["B-loc"], ["B-loc O"]) == {"entity_f1": 100.0, "accuracy": 100.0}


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    """The cat ... mat: 4 words in common and in order, of 5 said and of 6 true ones."""
    pytest.importorskip("rouge_score")
    precision, recall = 4 / 5, 4 / 6
    closed = 2 * precision * recall / (precision + recall)
    found = text.rouge_l(["the cat on a mat"], ["the cat sat on the mat"])
    assert found == pytest.approx(100 * closed)
    task = _task("rouge_l", kind="generation")
    assert metrics.score(task, [""], ["The Nile."], ["the nile"]) == {"rouge_l": 100.0, "exact_match": 100.0}


def test_every_metric_says_what_it_is_and_each_kind_has_a_usual_one() -> None:
    for name, metric in metrics.METRICS.items():
        assert metric.name == name
        assert metric.meaning
        assert {*metric.beside} <= {*metrics.METRICS}
    for kind, name in metrics.USUAL.items():
        assert kind in metrics.METRICS[name].kinds
