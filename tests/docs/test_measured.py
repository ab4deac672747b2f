"""What the page of findings computes: means over tasks with intervals over tasks, and differences of like designs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from measured_cells import Cell, best_bought, differences, over_tasks
from measured_foreign import kind_of, worths
from measured_labels import beside_section, real_section, twins_of
from measured_teachers import beside_base, designs_of_several


def cell(task: str, student: str, score: float, **counts: Any) -> Cell:
    own = {"strategy": "annotate", "taught_by": "", "n_labels": 100, "n_llm_labels": 0, "n_unlabeled": 0, "n_runs": 1}
    return Cell(**{**own, "task": task, "student": student, "score": score, **counts})


def test_an_interval_over_tasks_is_as_wide_as_their_mean_scatters() -> None:
    """Of many tasks the bootstrap's interval is the mean and 1.96 standard errors; runs within a task count once."""
    means = np.random.default_rng(1).normal(2.0, 5.0, size=400)
    told = over_tasks({f"t{i}": [m - 1, m + 1] * 50 for i, m in enumerate(means)})
    error = means.std() / np.sqrt(len(means))
    assert told.mean == pytest.approx(means.mean())
    assert told.low == pytest.approx(means.mean() - 1.96 * error, abs=0.1)
    assert told.high == pytest.approx(means.mean() + 1.96 * error, abs=0.1)
    assert told.n_won == int((means > 0).sum())


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([3.0, 4.0, 5.0], "agrees"), ([-3.0, -4.0, -5.0], "does not agree"), ([-3.0, 4.0, 5.0], "cannot be told"), ([9.0, 9.0], "cannot be told")],
)  # fmt: skip
def test_a_claim_is_told_only_where_the_whole_interval_is_on_one_side_of_three_tasks(
    values: list[float], verdict: str
) -> None:
    assert over_tasks({f"t{i}": [v] for i, v in enumerate(values)}).verdict == verdict


def test_only_designs_with_the_same_key_are_compared() -> None:
    cells = [cell("a", "x", 60.0), cell("a", "x", 70.0, n_labels=200), cell("b", "x", 50.0)]
    others = [cell("a", "y", 55.0), cell("b", "y", 52.0, n_labels=300)]
    assert differences(cells, others, lambda c: (c.n_labels,)) == {"a": [5.0]}


def test_money_buys_the_best_design_whose_labels_it_pays_for() -> None:
    cells = [cell("a", "x", 60.0), cell("a", "y", 70.0, n_labels=200), cell("a", "z", 99.0, strategy="llm_annotate")]
    assert best_bought(cells, "a", 10.0, 0.1).student == "x"  # 100 labels to the cent
    assert best_bought(cells, "a", 20.0, 0.1).student == "y"
    assert best_bought(cells, "a", 9.99, 0.1) is None


def test_a_foreign_text_is_worth_the_own_texts_that_score_as_much() -> None:
    """Half way between 100 and 1,000 own texts on their logarithm stand 316."""
    more = {"strategy": "distill", "taught_by": "t", "n_labels": 120}
    cells = [cell("sst2", "s", 50.0, n_unlabeled=100, **more), cell("sst2", "s", 60.0, n_unlabeled=1000, **more)]
    row = ("sst2", "mr", 1.0, 120, 1000, "s", "t")
    assert worths(cells, [(*row, 0, 54.0, 60.0), (*row, 1, 56.0, 60.0)], "near") == [pytest.approx(0.316, abs=1e-3)]
    assert worths(cells, [(*row, 0, 99.0, 60.0)], "near") == [pytest.approx(1.0)]
    assert worths(cells, [(*row, 0, 40.0, 60.0)], "near") == [pytest.approx(0.1)]
    assert worths(cells, [(*row, 0, 54.0, 60.0)], "far") == []


def test_a_real_llm_is_set_beside_the_simulated_one_that_is_right_as_often() -> None:
    """Of one task and student, on as many labels: 0.72 is nearer to 0.7 than 0.9 is; other tasks say nothing."""
    labelled = {"strategy": "llm_annotate", "n_labels": 0, "n_llm_labels": 100}
    real = cell("a", "x", 60.0, taught_by="recorded:gpt@0123456789ab", **labelled)
    near = cell("a", "x", 58.0, taught_by="simulated:accuracy=0.7", **labelled)
    others = [
        cell("a", "x", 65.0, taught_by="simulated:accuracy=0.9", **labelled),
        cell("b", "x", 99.0, taught_by="simulated:accuracy=0.72", **labelled),
        cell("a", "x", 99.0, taught_by="simulated:accuracy=0.72", **{**labelled, "n_llm_labels": 200}),
        cell("a", "y", 99.0, taught_by="simulated:accuracy=0.72", **labelled),
    ]
    accuracies = {("a", "recorded:gpt@0123456789ab"): 0.72}
    assert twins_of([real, near, *others], accuracies) == [(real, near)]
    text = "\n".join(real_section([real, near, *others], accuracies))
    assert "+2.0 points: **cannot be told**" in text  # one task alone
    assert "cannot be told" in "\n".join(real_section([near, *others], {}))


def test_mixed_texts_are_neither_near_nor_far() -> None:
    sources = ("fdu_magazines", "fdu_video", "fdu_others", "file:788068183897")
    assert [kind_of("fdu_books", source) for source in sources] == ["near", "far", "mixed", "Wikipedia"]


def test_a_teacher_is_set_beside_the_base_on_the_same_student_labels_and_texts() -> None:
    more = {"strategy": "distill", "n_unlabeled": 300}
    base, other = "encoder-lr:minilm", "encoder-lr:mpnet"
    cells = [
        cell("a", "s", 60.0, taught_by=base, **more),
        cell("a", "s", 64.0, taught_by=other, **more),
        cell("b", "s", 50.0, taught_by=base, **more),
        cell("b", "s", 52.0, taught_by=other, **more),
        cell("b", "s", 90.0, taught_by=other, **{**more, "n_unlabeled": 1000}),  # nobody else taught it
        cell("b", "t", 90.0, taught_by=other, **more),  # another student
    ]
    designs = designs_of_several(cells, "s")
    assert list(designs) == [("a", 100, 300), ("b", 100, 300)]
    told = beside_base(designs)[other]
    assert (told.mean, told.n_tasks, told.n_won) == (3.0, 2, 2)


def test_what_a_machine_adds_is_over_the_same_labels_of_people_alone() -> None:
    """Real LLMs together, whatever their names; a simulated one of one task's accuracy is their twin."""
    mixed = {"strategy": "annotate_plus_llm", "n_llm_labels": 100}
    cells = [cell(task, "x", 50.0) for task in "abc"]
    cells += [cell(task, "x", 50.0 + i, taught_by="recorded:gpt@01", **mixed) for i, task in enumerate("abc", 1)]
    cells += [cell("a", "x", 44.0, taught_by="recorded:t5@02", **mixed)]
    cells += [cell("a", "x", 45.0, taught_by="simulated:accuracy=0.41", **mixed)]
    cells += [cell(task, "x", 58.0, taught_by="simulated:accuracy=0.9", **mixed) for task in "abc"]
    text = "\n".join(beside_section(cells))
    assert "| real LLMs | `x` | 100 | 100 | +0.8" in text  # (1 - 6) / 2, 2 and 3: tasks count once
    assert "| simulated, right as often as those | `x` | 100 | 100 | -5.0 | 1 |" in text
    assert "simulated:accuracy=0.9: +8.0 (+8.0 to +8.0) points over 3 tasks: **they add**" in text
