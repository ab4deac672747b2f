"""Records: what a run and a stage say of themselves is what ran, and is refused where it contradicts itself."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path

import pytest

from budgetsim.data.custom import TaskFiles, add_task
from budgetsim.data.loading import Access
from budgetsim.design.identity import canonical_hash
from budgetsim.errors import StoreError
from budgetsim.measure import record
from budgetsim.measure.execute import Result
from budgetsim.measure.recipe import PRESETS
from budgetsim.measure.spec import RunSpec, make_spec
from budgetsim.measure.stagestore import Device, Stage, StageStore, Work
from budgetsim.measure.workspace import Workspace
from budgetsim.store.records import RunRecord, Score, StageRecord, read_shards, write_shard
from tiny import write_tiny_task

GPU = Device("gpu", "a card", count=2)
SPECS = {
    "annotate": make_spec(task="recorded", strategy="annotate", student="pico", n_labels=9, recipe=PRESETS["cpu"]),
    "distill": make_spec(
        task="recorded", strategy="distill", student="pico", teacher="minilm-lr", n_labels=9, n_unlabeled=20,
        recipe=PRESETS["cpu"],
    ),
    "llm_annotate": make_spec(
        task="recorded", strategy="llm_annotate", student="tfidf-lr", labeler="simulated:accuracy=0.8",
        n_llm_labels=20, recipe=PRESETS["cpu"],
    ),
}  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    made = write_tiny_task(tmp_path / "data")
    add_task(tmp_path / "tasks", "recorded", TaskFiles(**made), "accuracy")
    return made


def make(tmp_path: Path, spec: RunSpec, device: Device = GPU) -> RunRecord:
    workspace = Workspace(StageStore(tmp_path / "cache", device), Access(download=False))
    stage = Stage(tmp_path, StageRecord(stage_id="s", kind="evaluate", task="recorded"))
    return record.make_record(spec, workspace, Result((Score(metric="accuracy", value=50.0),), (stage, stage)))


@pytest.mark.parametrize("strategy", SPECS)
def test_the_recipe_of_a_record_is_the_one_that_its_design_hashes(
    strategy: str, tmp_path: Path, places: dict[str, Path]
) -> None:
    made = make(tmp_path, SPECS[strategy])
    assert canonical_hash(made.recipe) == made.point.recipe_id
    write_shard(tmp_path / "runs", made, [StageRecord(stage_id="s", kind="evaluate", task="recorded")])
    assert read_shards(tmp_path / "runs")[0] == [made]


def test_a_recipe_that_does_not_hash_to_its_id_is_refused(tmp_path: Path, places: dict[str, Path]) -> None:
    """Another strategy's recipe makes a whole file, with a run_id that fits: only the recipe's own hash tells."""
    made = make(tmp_path, SPECS["distill"])
    wrong = replace(made, recipe=PRESETS["cpu"].identity(SPECS["annotate"].route))
    file = write_shard(tmp_path / "runs", wrong, [])
    with pytest.raises(StoreError, match=rf"{file.name}, line 1: .*recipe_id .* is not the hash of its recipe"):
        read_shards(tmp_path / "runs")


def test_a_record_says_with_what_it_was_made(tmp_path: Path, places: dict[str, Path]) -> None:
    made = make(tmp_path, SPECS["annotate"])
    assert made.versions["python"] == platform.python_version()
    assert made.versions["numpy"] == metadata.version("numpy")
    assert (made.device_class, made.device) == ("gpu", "a card")
    digests = [hashlib.sha256(places[part].read_bytes()).hexdigest() for part in ("train", "test", "unlabeled")]
    assert made.data_hash == hashlib.sha256("\n".join(digests).encode()).hexdigest()
    assert made.stages == ("s",)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A git checkout that the code believes it was loaded from."""
    root = tmp_path / "checkout"
    code = root / "src" / "budgetsim" / "measure" / "record.py"
    code.parent.mkdir(parents=True)
    code.write_text("x = 1\n", encoding="utf-8")
    (root / "notes.txt").write_text("a\n", encoding="utf-8")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", "-C", str(root), *words], check=True)
    monkeypatch.setattr(record, "__file__", str(code))
    record.git_state.cache_clear()
    yield root
    record.git_state.cache_clear()


def head(root: Path) -> str:
    words = ["git", "-C", str(root), "rev-parse", "HEAD"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("changed", "dirty"),
    [(None, False), ("notes.txt", False), ("src/new.py", False), ("src/budgetsim/measure/record.py", True)],
)
def test_a_record_names_the_commit_and_whether_its_code_was_changed(
    changed: str | None, dirty: bool, tmp_path: Path, places: dict[str, Path], checkout: Path
) -> None:
    if changed is not None:
        (checkout / changed).write_text("x = 2\n", encoding="utf-8")
    made = make(tmp_path, SPECS["annotate"])
    assert made.git_commit == head(checkout)
    assert made.git_dirty is dirty


# Stages


def test_a_stage_tells_the_clock_from_the_processor(tmp_path: Path) -> None:
    """A build that waits 0.2 s takes 0.2 s of the clock and next to nothing of the processor."""

    def wait(folder: Path) -> Work:
        time.sleep(0.2)
        return Work(examples=3)

    made = StageStore(tmp_path, Device("cpu", "x")).get("encode", {"a": 1}, wait, task="t").record
    assert made.seconds is not None
    assert made.seconds >= 0.2
    assert made.provenance["cpu_seconds"] < 0.1
    assert (made.gpu_hours, made.n_devices, made.device_class) == (0.0, 1, "cpu")


def test_gpu_hours_are_hours_of_every_device(tmp_path: Path) -> None:
    """Two devices for 0.36 s: 2 * 0.36 / 3600 device-hours."""
    pytest.importorskip("torch")

    def wait(folder: Path) -> Work:
        time.sleep(0.36)
        return Work()

    made = StageStore(tmp_path, GPU).get("encode", {"a": 1}, wait, task="t").record
    assert made.seconds is not None
    assert made.gpu_hours == pytest.approx(2 * made.seconds / 3600, rel=1e-3)
    assert made.n_devices == 2


# Run files


def measured(**changes: object) -> RunRecord:
    spec = SPECS["annotate"]
    plain = RunRecord(
        point=spec.point("cd" * 32, None), scores=(Score(metric="accuracy", value=50.0),), stages=(),
        model_family="mini", device_class="cpu", device="x", recipe=spec.recipe.identity(spec.route),
        finished_at=datetime(2026, 1, 2, 3, tzinfo=UTC), git_commit=None, git_dirty=None, versions={}, host="h",
        data_hash="d",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_fit_never_mixes_devices_families_or_splits() -> None:
    others = [
        {"device_class": "gpu"},
        {"model_family": "t5v11"},
        {"point": replace(measured().point, split_id="ef" * 32)},
    ]
    sets = [measured().evidence_set, *(measured(**change).evidence_set for change in others)]
    assert len(set(sets)) == 4
    assert sets[0] == "measured-cpu-mini-cdcdcdcd"


def test_a_moment_is_written_in_utc_whatever_the_clock_of_the_machine(tmp_path: Path) -> None:
    late = datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2)))
    file = write_shard(tmp_path, measured(finished_at=late), [])
    assert json.loads(file.read_text())["finished_at"] == "2026-01-02T03:00:00+00:00"
    assert read_shards(tmp_path)[0] == [measured()]


@pytest.mark.parametrize("value", [100.0001, -0.0001])
def test_a_score_is_a_percentage(value: float, tmp_path: Path) -> None:
    write_shard(tmp_path, measured(scores=(Score(metric="accuracy", value=value),)), [])
    with pytest.raises(StoreError, match=r"wanted (0 or more|100 or less)"):
        read_shards(tmp_path)


def test_a_run_id_is_the_hash_of_its_design(tmp_path: Path) -> None:
    file = write_shard(tmp_path, measured(), [])
    file.write_text(file.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(StoreError, match="is not the hash of its design point"):
        read_shards(tmp_path)


def test_one_run_has_one_result(tmp_path: Path) -> None:
    write_shard(tmp_path / "a", measured(), []).rename(tmp_path / "a.jsonl")
    other = measured(device="another", scores=(Score(metric="accuracy", value=60.0),))
    write_shard(tmp_path / "b", other, []).rename(tmp_path / "b.jsonl")
    with pytest.raises(StoreError, match="stands in another file with other scores"):
        read_shards(tmp_path)
    write_shard(tmp_path / "b", measured(device="another"), []).rename(tmp_path / "b.jsonl")
    (same,), _ = read_shards(tmp_path)  # the same result from elsewhere is no contradiction
    assert same.scores == measured().scores


def test_which_of_two_records_counts_does_not_hang_on_the_names_of_files(tmp_path: Path) -> None:
    """The run, or stage, that was finished first: a file that comes later changes nothing by its name."""
    late = measured(device="late", finished_at=datetime(2026, 1, 2, 9, tzinfo=UTC))
    for early_name, late_name in (("a", "b"), ("b", "a")):
        folder = tmp_path / early_name
        write_shard(folder, measured(), []).rename(folder / f"{early_name}.jsonl")
        write_shard(folder, late, []).rename(folder / f"{late_name}.jsonl")
        assert read_shards(folder)[0] == [measured()]
