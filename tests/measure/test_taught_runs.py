"""Runs whose models are learners of any kind: what they are taught, what they share, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from budgetsim.data import metrics
from budgetsim.data.custom import TaskFiles, add_task
from budgetsim.errors import InputError
from budgetsim.learners.protocol import Desk, Effort, Examples
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.execute import execute
from budgetsim.measure.recipe import PRESETS
from budgetsim.measure.resolve import Run, check_spec
from budgetsim.measure.spec import RunSpec, make_spec
from budgetsim.measure.stages import plan_stages
from budgetsim.measure.stages.learning import training, work_of
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import Workspace
from tiny import save_tiny_t5, write_tiny_task

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
    learner, how = parse_learner("tfidf-lr"), training(run, parse_learner("tfidf-lr"), 200, teaches=False)
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
    from budgetsim.measure.stages.soft_labels import plan_soft_labels, taught_examples
    from budgetsim.measure.stages.teacher import plan_teacher

    run = Run(distil(recipe=replace(MODERN, gold=True)), workspace)
    done = {}
    for stage in (plan_teacher(run), *plan_soft_labels(run)):
        done[stage.key] = workspace.stages.get(
            stage.kind, stage.depends_on, lambda folder, s=stage: s.build(folder, done), **stage.about
        )
    examples = taught_examples(run, parse_learner("tfidf-lr"), plan_soft_labels(run), done)
    assert len(examples) == run.n_examples == 90
    assert examples.answers[50:] == [row.target for row in run.labelled]
    targets = examples.targets(run.task.labels, temperature=2.0)
    assert np.all((targets[50:] == 0) | (targets[50:] == 1))  # people are certain
    assert targets[:50].max() < 1  # a teacher is not


def test_a_t5_may_be_taught_by_any_classifier(workspace: Workspace) -> None:
    kinds = [stage.kind for stage in plan_stages(distil(student="pico"), workspace)]
    assert kinds == ["tokenise", "finetune_teacher", "evaluate", "soft_label", "train_student", "evaluate"]
    result = execute(distil(student="pico", recipe=replace(MODERN, steps=3)), workspace)
    assert 0 <= result.scores[0].value <= 100


@pytest.mark.parametrize("student", ["tfidf-lr", "encoder-lr", "ft:minilm", "pico"])
def test_every_student_that_people_teach_takes_one_road(student: str, workspace: Workspace) -> None:
    plan = plan_stages(toy(strategy="annotate", student=student, n_labels=40), workspace)
    before = {"encoder-lr": ["encode"], "pico": ["tokenise"]}.get(student, [])
    after = {"encoder-lr": ["encode"]}.get(student, [])
    assert [stage.kind for stage in plan] == [*before, "train_student", *after, "evaluate"]


def test_t5s_teach_by_states_where_they_share_a_vocabulary_and_by_probabilities_where_not(
    workspace: Workspace, tmp_path: Path
) -> None:
    """`full` needs one vocabulary; a classifier of any other teaches by what it thinks of the classes."""
    add_task(tmp_path / "tasks", "two_tokens", TaskFiles(**write_tiny_task(tmp_path / "data")), "accuracy")
    tiny, recipe = str(save_tiny_t5(tmp_path / "t5")), replace(MODERN, steps=3)
    pairs = (("nano", "pico", "full"), (tiny, tiny, "full"), (tiny, "pico", "label"), ("tfidf-lr", tiny, "label"))
    for teacher, student, cache in pairs:
        spec = distil(task="two_tokens", teacher=teacher, student=student, n_labels=20, n_unlabeled=16, recipe=recipe)
        result = execute(spec, workspace)
        (said,) = (s.record for s in result.stages if s.record.kind == "soft_label")
        assert said.provenance["cache"] == cache, (teacher, student)
        assert 0 <= result.scores[0].value <= 100


def test_labels_that_a_t5_cannot_tell_apart_are_refused_before_it_is_trained(
    workspace: Workspace, tmp_path: Path
) -> None:
    """The tiny checkpoint knows none of the three labels: all begin with its token for what is unknown."""
    tiny = str(save_tiny_t5(tmp_path / "t5"))
    for teacher, student in ((tiny, "pico"), ("tfidf-lr", tiny)):
        with pytest.raises(InputError, match=r"'account' and 'delivery' begin with the same token"):
            check_spec(distil(teacher=teacher, student=student), workspace)
    check_spec(distil(teacher=tiny, student=tiny), workspace)  # by states it need not tell them apart at once


def test_states_of_several_blocks_are_those_of_one_pass(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that lie in two blocks, of which the first alone holds the matrix: sequences and states are the teacher's
    own answers to those texts, in order. Blocks are of 30 and 40 texts here."""
    import torch

    from budgetsim.measure.stages import soft_labels
    from budgetsim.measure.stages.learning import LEARNER, shelves
    from budgetsim.measure.stages.soft_labels import plan_soft_labels, taught_examples

    monkeypatch.setattr(soft_labels, "FIRST_BLOCK", 30)
    monkeypatch.setattr(soft_labels, "BLOCK", 40)
    spec = distil(teacher="nano", student="pico", n_unlabeled=35, recipe=replace(MODERN, steps=3, gold=True))
    run, learner = Run(spec, workspace), parse_learner("nano")
    done = {}
    for stage in plan_stages(spec, workspace):
        if stage.kind in ("tokenise", "finetune_teacher", "soft_label"):
            done[stage.key] = workspace.stages.get(
                stage.kind, stage.depends_on, lambda folder, s=stage: s.build(folder, done), **stage.about
            )
    blocks = plan_soft_labels(run)
    teacher = next(stage for stage in done.values() if stage.record.kind == "finetune_teacher")
    examples = taught_examples(run, parse_learner("pico"), blocks, done)
    texts = [run.texts.rows[i] for i in run.text_order]
    fitted = learner.load(run.task, teacher.folder / LEARNER, shelves(run))
    once = fitted.states(run.read_by(learner, texts))
    assert len(blocks) == 2
    assert examples.states.sequences == once.sequences
    torch.testing.assert_close(examples.states.states.float(), once.states.float(), atol=5e-3, rtol=0)
    assert torch.equal(examples.states.matrix, once.matrix)
    assert len(examples) == 35 + 40
    assert examples.is_gold.tolist() == [False] * 35 + [True] * 40


def test_ways_of_before_are_the_recipes_of_before(workspace: Workspace) -> None:
    """LoRA of a T5's student was never trained; now it is, and is another recipe: the one without keeps its id."""
    plain, lora = distil(student="pico", teacher="nano"), replace(MODERN, lora_rank=4)
    assert "lora_rank" not in MODERN.identity(plain.route)
    assert lora.identity(plain.route)["lora_rank"] == 4


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
    how = training(run, parse_learner("tfidf-lr"), 200, teaches=False)
    assert how.precision == used
    assert work_of(Effort(examples=1), how).provenance["precision"] == used
    monkeypatch.setattr("budgetsim.measure.stages.learning.multiplies_bf16", lambda kind: not native)
    other = Run(distil(), workspace)
    assert training(other, parse_learner("tfidf-lr"), 200, teaches=False).precision != used
    assert other.run_id == run.run_id
