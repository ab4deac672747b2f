"""Ids of runs and stages: what is stored stays recognised, so that nothing is measured twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from budgetsim.data.loading import Access
from budgetsim.design.identity import canonical_hash
from budgetsim.errors import InputError
from budgetsim.measure.conductor import Campaign, find_missing
from budgetsim.measure.recipe import PRESETS, recipe_dict, recipe_from
from budgetsim.measure.spec import RunSpec, from_json, make_spec, to_json
from budgetsim.measure.stages import plan_stages
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import Workspace
from budgetsim.store.location import StorePaths, package_data
from budgetsim.store.records import RunRecord, read_shards

CPU = PRESETS["cpu"]
PAPER = replace(PRESETS["paper"], split=CPU.split)  # the paper's training on rows that are always there
LLM = "simulated:accuracy=0.8"


def toy(**values: object) -> RunSpec:
    return make_spec(**{"task": "toy_requests", "recipe": CPU, **values})


SPECS = {
    "cheap": toy(strategy="annotate", student="encoder-lr", n_labels=50),
    "hard labels": toy(strategy="annotate", student="pico", n_labels=50, seed=3),
    "a checkpoint": toy(strategy="annotate", student="t5-v1_1-small", n_labels=50, recipe=PAPER),
    "an LLM's": toy(strategy="llm_annotate", student="pico", labeler=LLM, n_llm_labels=60, unlabeled="labelled"),
    "both": toy(strategy="annotate_plus_llm", student="pico", labeler=LLM, n_labels=20, n_llm_labels=60),
    "encoder teacher": toy(strategy="distill", student="pico", teacher="minilm-lr", n_labels=50, n_unlabeled=100),
    "gold": toy(
        strategy="distill", student="pico", teacher="minilm-lr", n_labels=50, n_unlabeled=100,
        recipe=replace(CPU, gold=True),
    ),
    "T5 teacher": toy(
        strategy="distill", student="t5-v1_1-small", teacher="t5-v1_1-base", n_labels=50, n_unlabeled=100, recipe=PAPER
    ),
}  # fmt: skip
# The first twelve digits of the run's id, the same since runs were first stored, and of the key of each stage by kind,
# the same since all learners take one road.
KEYS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "cheap": ("2847ba8e869a", [
        ("encode", "678f26ee0119"),
        ("encode", "6b5d48fbf128"),
        ("evaluate", "afc5912e802e"),
        ("train_student", "3d22b9aaa341"),
    ]),
    "hard labels": ("7d50b9e39a7d", [
        ("evaluate", "7282fd235f5b"),
        ("tokenise", "d821e5500382"),
        ("train_student", "f6d20243c13b"),
    ]),
    "a checkpoint": ("b439481db824", [
        ("evaluate", "b596d1e1af77"),
        ("train_student", "b9a1083b0cfd"),
    ]),
    "an LLM's": ("de02b9d88bc4", [
        ("evaluate", "e6651b178bc8"),
        ("llm_label", "41f85655e4bf"),
        ("tokenise", "d821e5500382"),
        ("train_student", "f4178dabb8b9"),
    ]),
    "both": ("0b3e01c276c9", [
        ("evaluate", "41c2bdd04c50"),
        ("llm_label", "84be8dbde1a1"),
        ("tokenise", "d821e5500382"),
        ("train_student", "e2720407aa00"),
    ]),
    "encoder teacher": ("6d6d567bf7b0", [
        ("encode", "678f26ee0119"),
        ("encode", "6b5d48fbf128"),
        ("encode", "dc1d87cb4599"),
        ("evaluate", "3b2602f61e09"),
        ("evaluate", "bbd8c97abd5b"),
        ("finetune_teacher", "c212e518eabc"),
        ("soft_label", "6eaef4f5eb46"),
        ("tokenise", "d821e5500382"),
        ("train_student", "1d4f195f206e"),
    ]),
    "gold": ("21d67362396d", [
        ("encode", "678f26ee0119"),
        ("encode", "6b5d48fbf128"),
        ("encode", "dc1d87cb4599"),
        ("evaluate", "300b627b20f9"),
        ("evaluate", "bbd8c97abd5b"),
        ("finetune_teacher", "c212e518eabc"),
        ("soft_label", "6eaef4f5eb46"),
        ("tokenise", "d821e5500382"),
        ("train_student", "e8f5db6f56c1"),
    ]),
    "T5 teacher": ("f42371eb5190", [
        ("evaluate", "2d96d59ac44b"),
        ("evaluate", "4808082c2c8d"),
        ("finetune_teacher", "4e2e674b8250"),
        ("soft_label", "5c2bdc7356b1"),
        ("train_student", "0077d96d81f6"),
    ]),
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> list[RunRecord]:
    """The runs that ship with the project; no file of them is refused."""
    return read_shards(package_data("runs"))[0]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(StageStore(tmp_path / "cache", Device("cpu", "")), Access(download=False))


@pytest.mark.parametrize("name", SPECS)
def test_keys_are_those_of_the_stages_on_disk(name: str, workspace: Workspace) -> None:
    spec = SPECS[name]
    plan = plan_stages(spec, workspace)
    run_id, keys = KEYS[name]
    assert workspace.point(spec).run_id[:12] == run_id
    assert sorted((stage.kind, stage.key[:12]) for stage in plan) == keys


@pytest.mark.parametrize("name", SPECS)
def test_a_stage_comes_after_all_it_needs_and_the_scores_come_last(name: str, workspace: Workspace) -> None:
    plan = plan_stages(SPECS[name], workspace)
    place = {stage.key: i for i, stage in enumerate(plan)}
    assert len(place) == len(plan)
    assert all(place[need.key] < place[stage.key] for stage in plan for need in stage.needs)
    assert plan[-1].kind == "evaluate"


def test_recipes_of_version_1_hash_a_word_that_decided_nothing_and_version_2_drops_it() -> None:
    route = SPECS["encoder teacher"].route
    one, two = CPU.identity(route), replace(CPU, version=2).identity(route)
    assert one["objective"] == "label"
    assert PAPER.identity(SPECS["T5 teacher"].route)["objective"] == "full"
    assert "objective" not in two
    assert two == {**{k: v for k, v in one.items() if k != "objective"}, "version": 2}
    assert "objective" not in CPU.identity(SPECS["hard labels"].route)


def test_runs_that_ship_keep_the_hash_of_their_recipe(shipped: list[RunRecord]) -> None:
    assert len(shipped) == len(list(package_data("runs").glob("*.jsonl")))
    assert {run.recipe["version"] for run in shipped if run.model_family == "mini"} == {1}
    assert all(canonical_hash(run.recipe) == run.point.recipe_id for run in shipped)
    assert any("objective" in run.recipe for run in shipped)


def test_old_specs_name_their_objective_and_are_the_same_runs(workspace: Workspace) -> None:
    spec = SPECS["encoder teacher"]
    values = json.loads(to_json(spec))
    assert "objective" not in values["recipe"]
    values["recipe"]["objective"] = "label"
    assert from_json(json.dumps(values)) == spec
    values["recipe"]["objective"] = "full"  # was hashed, never followed
    with pytest.raises(InputError, match="the teacher decides it"):
        from_json(json.dumps(values))
    with pytest.raises(InputError, match="not one of this budgetsim"):
        recipe_from({**recipe_dict(replace(CPU, version=2)), "objective": "label"})


def test_runs_that_are_stored_are_not_measured_again(tmp_path: Path, shipped: list[RunRecord]) -> None:
    """A run written by the version before, with its objective in the recipe, is there for this one."""
    spec = SPECS["encoder teacher"]
    campaign = Campaign(specs=[spec], paths=StorePaths(tmp_path / "s.duckdb"), cache=tmp_path / "cache")
    assert find_missing(campaign) == ([], [spec])
    like = next(run for run in shipped if run.model_family == "mini" and run.point.design.route.strategy == "distill")
    run_id, _ = KEYS["encoder teacher"]
    own = {
        **{name: getattr(CPU, name) for name in ("source_tokens", "target_tokens", "prefix", "vocabulary", "batch")},
        **{name: getattr(CPU, name) for name in ("warmup_share", "scheduler", "optimizer", "precision", "steps", "lr")},
        "preset": "cpu", "version": 1, "temperature": 2.0, "objective": "label", "gold": False,
        "teacher": {"l2": 1e-3},
    }  # fmt: skip
    assert like.recipe == own  # as the stored files have it
    point = like.point.flat() | {
        "task": spec.task, "n_labels": 50, "n_unlabeled": 100, "seed": 0, "unlabeled_source": "pool",
        "split_id": Workspace(StageStore(tmp_path / "c", Device("cpu", ""))).split(spec).split_id,
        "recipe_id": canonical_hash(own),
    }  # fmt: skip
    assert canonical_hash(point)[:12] == run_id
    line = {
        "record": "run", "schema_version": 1, "run_id": canonical_hash(point), "design": point, "recipe": own,
        "scores": [{"metric": "accuracy", "value": 50.0, "n_test": 10, "is_main": True}], "stages": [],
        "model_family": "mini", "device_class": "cpu", "device": "x", "finished_at": "2026-11-22T17:18:01+00:00",
        "git_commit": None, "git_dirty": None, "versions": {}, "host": "x", "data_hash": "x",
    }  # fmt: skip
    campaign.paths.runs.mkdir(parents=True)
    (campaign.paths.runs / "old.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert find_missing(campaign) == ([spec], [])
