"""Runs whose models are learners of any kind: what they are taught, what they share, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from budgetsim.data import metrics
from budgetsim.errors import InputError
from budgetsim.learners.protocol import Desk, Effort, Examples
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.execute import execute
from budgetsim.measure.recipe import PRESETS
from budgetsim.measure.resolve import Run
from budgetsim.measure.spec import RunSpec, make_spec
from budgetsim.measure.stages import plan_stages
from budgetsim.measure.stages.learning import training, work_of
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import Workspace

MODERN = PRESETS["modern"]


def toy(**values: object) -> RunSpec:
    return make_spec(**{"task": "toy_requests", "recipe": MODERN, **values})


def distil(**values: object) -> RunSpec:
    usual = {"strategy": "distill", "teacher": "tfidf-lr", "student": "tfidf-lr", "n_labels": 40, "n_unlabeled": 50}
    return toy(**{**usual, **values})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(StageStore(tmp_path / "cache", Device("cpu", "")))


def test_a_distilled_run_is_what_its_learners_give_by_hand(workspace: Workspace, tmp_path: Path) -> None:
    """Teacher on the labels, its logits on the texts, student on those, the student's answers scored."""
    spec = distil()
    run = Run(spec, workspace)
    learner, how = parse_learner("tfidf-lr"), training(run, parse_learner("tfidf-lr"), 200)
    texts = [run.texts.rows[i].source for i in run.text_order]
    gold = Examples(sources=[r.source for r in run.labelled], answers=[r.target for r in run.labelled])
    teacher = learner.fit(run.task, gold, how, Desk(tmp_path / "a"))
    taught = Examples(sources=texts, answers=teacher.answer(texts), logits=teacher.logits(texts))
    student = learner.fit(run.task, taught, how, Desk(tmp_path / "b"))
    answers = student.answer([r.source for r in run.evaluated])
    by_hand = metrics.score(run.task, [r.source for r in run.evaluated], answers, [r.target for r in run.evaluated])
    result = execute(spec, workspace)
    assert result.scores[0].value == pytest.approx(next(iter(by_hand.values())), abs=1e-3)
    assert result.scores[0].value > 100 * run.task.constant_score  # and it has learnt something


def test_a_teacher_and_its_answers_serve_every_number_of_texts(workspace: Workspace) -> None:
    execute(distil(n_unlabeled=50), workspace)
    before = len(workspace.stages.built)
    execute(distil(n_unlabeled=250), workspace)
    assert [stage.kind for stage in workspace.stages.built[before:]] == ["train_student", "evaluate"]
    execute(distil(n_unlabeled=350), workspace)
    new = [stage for stage in workspace.stages.built[before + 2 :] if stage.kind == "soft_label"]
    assert [stage.examples for stage in new] == [700]  # the second block alone: texts 300 to 1000
    assert sum(stage.kind == "finetune_teacher" for stage in workspace.stages.built) == 1


def test_the_teacher_has_its_own_score(workspace: Workspace) -> None:
    result = execute(distil(), workspace)
    (teacher,) = (stage.record for stage in result.stages if stage.record.kind == "finetune_teacher")
    alone = execute(toy(strategy="annotate", student="ensemble:tfidf-lr+tfidf-lr", n_labels=40), workspace)
    # two linear learners that nothing is drawn for are one: their ensemble is the teacher
    assert teacher.score == pytest.approx(alone.scores[0].value, abs=1e-3)


def test_gold_puts_the_labels_of_people_behind_the_texts(workspace: Workspace) -> None:
    from budgetsim.measure.stages.taught_teacher import plan_answers, plan_taught_score, taught_answers

    run = Run(distil(recipe=replace(MODERN, gold=True)), workspace)
    done = {}
    for stage in (plan_taught_score(run).needs[0], *plan_answers(run)):
        done[stage.key] = workspace.stages.get(
            stage.kind, stage.depends_on, lambda folder, s=stage: s.build(folder, done), **stage.about
        )
    examples = taught_answers(run, plan_answers(run), done)
    assert len(examples) == run.n_examples == 90
    assert examples.answers[50:] == [row.target for row in run.labelled]
    targets = examples.targets(run.task.labels, temperature=2.0)
    assert np.all((targets[50:] == 0) | (targets[50:] == 1))  # people are certain
    assert targets[:50].max() < 1  # a teacher is not


def test_a_t5_may_be_taught_by_any_classifier(workspace: Workspace) -> None:
    kinds = [stage.kind for stage in plan_stages(distil(student="pico"), workspace)]
    assert kinds == ["finetune_teacher", "evaluate", "soft_label", "train_student", "evaluate"]
    result = execute(distil(student="pico", recipe=replace(MODERN, steps=3)), workspace)
    assert 0 <= result.scores[0].value <= 100


def test_what_is_stored_keeps_its_stages(workspace: Workspace) -> None:
    """Hard labels of cheap students and T5s go by the stages that they went by before."""
    kinds = [stage.kind for stage in plan_stages(toy(strategy="annotate", student="tfidf-lr", n_labels=40), workspace)]
    assert kinds == ["train_student"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"teacher": "overlap"}, "overlap compares two texts"),
        ({"student": "ft:minilm:layers=99"}, "layers"),
        ({"student": "ft:nobody-has-this"}, "nobody-has-this"),
        ({"student": "tfidf"}, "nearest is tfidf-lr"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(workspace: Workspace, values: dict[str, str], message: str) -> None:
    from budgetsim.measure.resolve import check_spec

    with pytest.raises(InputError, match=message):
        check_spec(distil(**values), workspace)


@pytest.mark.parametrize(("native", "used"), [(True, "bf16"), (False, "fp32")])
def test_bf16_is_used_where_the_device_multiplies_it_and_the_run_is_the_same(
    native: bool, used: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe asks for bf16; which one it was stands in the stage's record, not in the run's id."""
    monkeypatch.setattr("budgetsim.measure.stages.learning.multiplies_bf16", lambda kind: native)
    run = Run(distil(), workspace)
    assert MODERN.precision == "bf16"
    how = training(run, parse_learner("tfidf-lr"), 200)
    assert how.precision == used
    assert work_of(Effort(examples=1), how).provenance["precision"] == used
    monkeypatch.setattr("budgetsim.measure.stages.learning.multiplies_bf16", lambda kind: not native)
    other = Run(distil(), workspace)
    assert training(other, parse_learner("tfidf-lr"), 200).precision != used
    assert other.run_id == run.run_id
