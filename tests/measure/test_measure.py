"""The measuring engine without torch: data, splits, metrics, grids, stages on disk, plans of campaigns."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.costs.hours import MeasuredStage, ModelledSpeed, PublishedHours, distill_hours, measured_hours
from budgetsim.data import metrics
from budgetsim.data.custom import TaskFiles, add_task, load_custom
from budgetsim.data.formats import leak_groups, split_fields, typing_rows
from budgetsim.data.inspection import CustomData, inspect_rows
from budgetsim.data.loading import Access, TaskData, load_task
from budgetsim.data.metrics.tagging import listed_entities
from budgetsim.data.metrics.text import paraphrase_scores, squad_f1
from budgetsim.data.pins import AuthorFile, fetch
from budgetsim.data.rows import Row, parse_pairs, read_text
from budgetsim.data.splits import SplitRule, nested_order, split_task
from budgetsim.data.tasks import get_task
from budgetsim.data.unlabeled import load_pool
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Route
from budgetsim.errors import DiskFullError, InputError
from budgetsim.labelers import Brief, get_labeler
from budgetsim.learners import overlap as baselines
from budgetsim.learners.schedule import batch_order
from budgetsim.measure import record
from budgetsim.measure.conductor import Campaign, cut_to_tasks, find_missing
from budgetsim.measure.events import CutToTexts, Notice
from budgetsim.measure.execute import execute
from budgetsim.measure.grid import grid_names, load_grid, parse_grid
from budgetsim.measure.limits import Limits
from budgetsim.measure.paper_grid import estimate_grid
from budgetsim.measure.recipe import PRESETS, get_preset
from budgetsim.measure.resolve import Run, check_spec
from budgetsim.measure.spec import RunSpec, from_json, make_spec, to_json
from budgetsim.measure.stagestore import Device, StageStore, Work
from budgetsim.measure.workspace import Workspace
from budgetsim.store.location import StorePaths
from made import change_spec, run_cli
from tiny import write_tiny_task

OFFLINE = Access(download=False)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), min_size=40, max_size=80))
def test_no_sentence_stands_on_two_sides_of_a_split(pairs: list[tuple[str, str]]) -> None:
    task = get_task("multipit_id")
    sources = [f"sentence1: {a}{i % 13} sentence2: {b}{i % 13}" for i, (a, b) in enumerate(pairs)]
    groups = leak_groups(sources, task.fields)
    rows = tuple(Row(s, "YES", g) for s, g in zip(sources, groups, strict=True))
    data = TaskData(task=task, train=(), test=rows, unlabeled=(), data_hash="x")
    try:
        split = split_task(data, SplitRule(n_test=8, n_dev=2, n_train=10))
    except InputError:
        return  # too few groups for every part
    seen: dict[str, str] = {}
    for name in ("train", "dev", "test", "unlabeled"):
        for row in getattr(split, name):
            for sentence in split_fields(row.source, task.fields):
                assert seen.setdefault(sentence, name) == name


def test_claims_are_the_groups_of_stance_and_sentences_those_of_typing() -> None:
    fields = get_task("stance").fields
    assert leak_groups(["claim: a tweet: x", "claim: a tweet: y"], fields) == ["a", "a"]
    rows = [Row("Mix 5 mL of A", "Mix [Action] 5 mL [Amount]", "Mix 5 mL of A")] * 2
    made = typing_rows(rows, ("Action", "Amount"))
    assert len(made) == 1
    assert made[0].source.count("<<") == 1
    assert made[0].target in ("Action", "Amount")


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 5))
def test_subsets_of_a_seed_are_nested(n: int, k: int, seed: int) -> None:
    order = nested_order(n, seed, "labels")
    assert sorted(order.tolist()) == list(range(n))
    assert set(order[: k // 2].tolist()) <= set(order[:k].tolist())


@given(st.lists(st.integers(1, 90), min_size=1, max_size=90), st.integers(1, 8), st.integers(1, 20))
def test_every_example_comes_up_equally_often(lengths: list[int], batch: int, steps: int) -> None:
    order = batch_order(lengths, batch=batch, steps=steps, seed=1)
    counts = Counter(order.tolist())
    assert len(order) == batch * steps
    whole, rest = divmod(batch * steps, len(lengths))
    assert all(whole <= counts[i] <= whole + (rest > 0) for i in range(len(lengths)))


def test_grouping_by_length_pads_less() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, 640).tolist()

    def padded(grouped: bool) -> int:
        order = batch_order(lengths, batch=16, steps=40, seed=0, grouped=grouped)
        return sum(16 * max(lengths[i] for i in order[s : s + 16]) for s in range(0, len(order), 16))

    assert padded(True) < 0.8 * padded(False)


def test_metrics_against_closed_forms() -> None:
    task = get_task("stance")
    found = metrics.score(task, [], ["Discussing", "nonsense"], ["Discussing", "Irrelevant"])
    assert found["f1"] == 100.0  # an answer that is no label counts as Irrelevant
    assert listed_entities([""], ["A [Reagent] 5 mL [Amount]"])["f1"] == 50.0  # missing counts as Amount
    assert squad_f1("the big river", "big river!") == 100.0
    assert squad_f1("river", "lake") == 0.0


def test_a_copy_is_no_paraphrase() -> None:
    pytest.importorskip("sacrebleu")
    copy = paraphrase_scores(["a b c d"], ["a b c d"])
    assert copy["self_ibleu"] == pytest.approx(0.0, abs=1e-6)
    assert "bert_ibleu" not in copy


def test_the_overlap_rule_learns_its_threshold_and_its_side() -> None:
    task = get_task("multipit_id")
    rows = [Row("sentence1: a b c sentence2: a b c", "YES", ""), Row("sentence1: a b c sentence2: x y z", "NO", "")]
    assert baselines.overlap_answers(task, rows, [r.source for r in rows]) == ["YES", "NO"]
    turned = [replace_target(r) for r in rows]
    assert baselines.overlap_answers(task, turned, [r.source for r in rows]) == ["NO", "YES"]


def replace_target(row: Row) -> Row:
    return Row(row.source, "NO" if row.target == "YES" else "YES", row.group)


def test_simulated_labels_have_their_accuracy_and_spread_their_errors() -> None:
    labels = ("a", "b", "c")
    rows = [Row(str(i), labels[i % 3], "") for i in range(6000)]
    labeler = get_labeler("simulated:accuracy=0.8")
    brief = Brief(task=replace(get_task("fever"), labels=labels))
    said = labeler.label(rows, brief).answers
    right = np.mean([s == r.target for s, r in zip(said, rows, strict=True)])
    assert right == pytest.approx(0.8, abs=0.02)
    shift = Counter((labels.index(s) - labels.index(r.target)) % 3 for s, r in zip(said, rows, strict=True))
    assert shift[1] == pytest.approx(shift[2], rel=0.15)
    assert said == labeler.label(rows, brief).answers
    for bad in ("gpt:accuracy=0.8", "simulated:accuracy=1.2", "simulated"):
        with pytest.raises(InputError, match=r"simulated:accuracy=0\.8"):
            get_labeler(bad)


def test_a_foreign_share_is_mixed_in(tmp_path: Path) -> None:
    split = split_task(load_task("toy_requests"), PRESETS["cpu"].split)
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(f"foreign text {i}" for i in range(500)), encoding="utf-8")
    pool = load_pool(f"{file}:share=0.25", split, OFFLINE)
    foreign = sum(row.source.startswith("foreign") for row in pool.rows)
    assert foreign / len(pool.rows) == pytest.approx(0.25, abs=0.01)
    assert str(tmp_path) not in pool.source
    with pytest.raises(InputError, match="share"):
        load_pool(f"{file}:share=2", split, OFFLINE)


def test_a_simulated_labeler_needs_known_answers_and_the_message_has_the_way_out(tmp_path: Path) -> None:
    places = write_tiny_task(tmp_path / "data")
    add_task(tmp_path / "tasks", "own_llm", TaskFiles(**places), "accuracy")
    workspace = Workspace(stage_store(tmp_path / "cache"), OFFLINE)

    def spec(**changes: object) -> RunSpec:
        plain = {
            "task": "own_llm", "strategy": "llm_annotate", "student": "tfidf-lr", "labeler": "simulated:accuracy=0.8",
            "n_llm_labels": 20,
        }  # fmt: skip
        return make_spec(recipe=PRESETS["paper"], **{**plain, **changes})

    with pytest.raises(InputError, match=r"40 of the 40 texts have none.*--unlabeled labelled"):
        check_spec(spec(), workspace)
    check_spec(spec(unlabeled="labelled"), workspace)
    pool = workspace.pool(spec(unlabeled="labelled"))
    assert pool is not None
    assert pool.rows == workspace.split(spec()).train
    assert pool.source == "labelled"
    both = spec(unlabeled="labelled", strategy="annotate_plus_llm", n_labels=5)
    check_spec(both, workspace)
    said = "own_llm annotate_plus_llm simulated:accuracy=0.8 -> tfidf-lr N=5 L=20 of labelled seed 0"
    assert both.title == said  # who labels, and which texts, where it is not the pool
    beside = Run(both, workspace)
    assert len(beside.text_order) == 20
    assert not {row.source for row in beside.labelled} & {pool.rows[i].source for i in beside.text_order}
    fewer, more = (Run(change_spec(both, n_llm_labels=n), workspace).text_order for n in (7, 49))
    assert beside.text_order[:7] == fewer
    assert beside.text_order == more[:20]  # nested
    with pytest.raises(InputError, match=r"n_llm_labels is 50, but own_llm has 49 unlabelled texts"):
        check_spec(change_spec(both, n_llm_labels=50), workspace)  # 54 rows, of which people label 5
    distilled = spec(
        unlabeled="labelled", strategy="distill", teacher="tfidf-lr", labeler=None, n_labels=5, n_llm_labels=0,
        n_unlabeled=20,
    )  # fmt: skip
    with pytest.raises(InputError, match="distill needs texts of its own"):
        check_spec(distilled, workspace)
    with pytest.raises(InputError, match="There is no labeler 'gpt'"):
        check_spec(spec(unlabeled="labelled", labeler="gpt"), workspace)
    pytest.importorskip("sklearn")
    done = execute(
        spec(unlabeled="labelled"), workspace
    )  # train texts only: labels of 0.8 accuracy, learned by tfidf-lr
    said = next(s.record for s in done.stages if s.record.kind == "llm_label")
    assert said.score == pytest.approx(80, abs=15)


def test_grids_that_ship_expand() -> None:
    sizes = {name: len(load_grid(name).specs()) for name in grid_names()}
    assert sizes["cpu"] == 3 * (36 + 18 + 27 + 8)
    assert set(sizes) == {"cpu", "demo", "exp1-budgets", "exp2-initial-labels", "exp3-teachers", "pilot"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[1, 2]", "blocks"),
        ("{blocks: [{n_labels: 3}]}", "no strategy"),
        ("{blocks: [{strategy: annotate, n_labels: [-3]}]}", "a whole number from 1"),
        ("{blocks: [{strategy: annotate, labels: 3}]}", "unknown keys labels"),
        ("{blocks: [], tusks: []}", "unknown keys tusks"),
        ("{blocks: [", "not YAML"),
    ],
)
def test_a_bad_grid_is_refused(text: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        parse_grid(text, "mine")


def test_a_grid_asks_ones_own_task_for_no_more_texts_than_it_has(tmp_path: Path) -> None:
    places = write_tiny_task(tmp_path / "data")
    add_task(tmp_path / "tasks", "own_cut", TaskFiles(**places), "accuracy")
    grid = parse_grid(
        "{preset: paper, tasks: [own_cut, toy_requests], blocks: [{strategy: distill, teacher: minilm-lr, n_labels: 20, "
        "n_unlabeled: [30, 1500, 9000]}]}",
        "x",
    )
    campaign = Campaign(specs=grid.specs(), paths=StorePaths(tmp_path / "s.duckdb"), cache=tmp_path / "cache")
    notices: list[Notice] = []
    specs = cut_to_tasks(campaign, notices.append).specs
    assert [s.design.n_unlabeled for s in specs if s.task == "own_cut"] == [30, 40]  # the file has 40 texts
    assert [s.design.n_unlabeled for s in specs if s.task == "toy_requests"] == [30, 1500, 9000]
    assert notices == [CutToTexts(2)]


def test_a_grid_is_priced_with_each_teacher_and_each_labelling_pass_once() -> None:
    bills = PublishedHours(teacher_n=(100.0,), teacher_hours=(3.0,), distill_text=0.01)
    speed = ModelledSpeed(
        peak_tflops=300, teacher_training=0.2, labelling=0.1, student_training=0.2, seconds_per_step=0.03
    )
    specs = [s for s in load_grid("exp1-budgets").specs(("stance",)) if s.route.strategy == "distill"]
    found = {c.model: c for c in estimate_grid(specs, {"stance": bills}, speed, 2.0)}
    hours = 3 * 3.0 + 3 * 140_000 * 0.01  # three seeds; the bills hold a labelling pass in each run
    assert found["published"].gpu_hours == pytest.approx(hours)
    assert found["published"].usd == pytest.approx(2 * hours)
    assert (found["published"].runs, found["published"].teachers) == (9, 3)
    modern = distill_hours("modern", PAPER_TEACHER, PAPER_STUDENT, get_task("stance"), None, speed)
    assert modern is not None
    once = 3 * (float(modern.teacher_at(100)) + 100_000 * modern.label_text + 140_000 * modern.train_text)
    assert found["modern"].gpu_hours == pytest.approx(once)
    other = [replace(s, design=replace(s.design, route=replace(s.route, teacher="t5-v1_1-xl"))) for s in specs]
    unknown = {c.model: c.usd for c in estimate_grid(other, {"stance": bills}, speed, 2.0)}
    assert unknown["published"] is None  # nobody was billed for XL: not known, never 0
    assert unknown["modern"] is not None


def test_specs_survive_json_and_say_what_they_lack() -> None:
    spec = load_grid("cpu").specs(("fever",))[40]
    assert from_json(to_json(spec)) == spec
    with pytest.raises(InputError, match="needs teacher"):
        make_spec(task="fever", strategy="distill", student="pico", n_labels=5, n_unlabeled=5, recipe=PRESETS["cpu"])
    with pytest.raises(InputError, match="not a run spec"):
        from_json("{}")


def test_identity_ignores_what_a_run_does_not_use() -> None:
    base = get_preset("cpu")
    other = replace(base, temperature=4.0)
    hard = Route(strategy="annotate", student="pico")
    soft = Route(strategy="distill", teacher="minilm-lr", student="pico")
    assert base.identity(hard) == other.identity(hard)
    assert base.identity(soft) != other.identity(soft)


def stage_store(folder: Path) -> StageStore:
    return StageStore(folder, Device("cpu", "test"))


def test_a_stage_is_built_once_and_again_when_a_file_of_it_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    built = []

    def build(folder: Path) -> Work:
        built.append(folder)
        (folder / "x.bin").write_bytes(b"12345")
        return Work(examples=1)

    store = stage_store(tmp_path)
    first = store.get("encode", {"a": 1}, build, task="t")
    assert stage_store(tmp_path).get("encode", {"a": 1}, build, task="t").record == first.record
    assert len(built) == 1
    (first.folder / "x.bin").write_bytes(b"12x45")
    again = stage_store(tmp_path).get("encode", {"a": 1}, build, task="t")
    assert len(built) == 2
    assert again.key == first.key
    assert "is damaged (x.bin" in caplog.text


def test_a_stage_that_failed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    def fail(folder: Path) -> Work:
        (folder / "half").write_bytes(b"1")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        stage_store(tmp_path).get("encode", {"a": 1}, fail, task="t")
    good = stage_store(tmp_path).get("encode", {"a": 1}, lambda _: Work(), task="t")
    assert good.record.kind == "encode"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_run_without_room_says_whose_disk_is_full(
    wrapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "cache" / "x.lock"))
        raise RuntimeError(f"cannot serialize: {full}") if wrapped else full

    monkeypatch.setattr(record, "execute", fail)
    workspace = Workspace(stage_store(tmp_path / "cache"), Access(download=False))
    spec = make_spec(task="fever", strategy="annotate", student="tfidf-lr", n_labels=50, recipe=PRESETS["cpu"])
    with pytest.raises(DiskFullError, match=f"disk of {tmp_path / 'cache'} is full"):
        record.measure_one(spec, workspace, StorePaths(tmp_path / "store" / "budgetsim.duckdb"))


def test_own_tasks_are_checked_and_noticed_when_they_change(tmp_path: Path) -> None:
    places = write_tiny_task(tmp_path / "data")
    shared = read_text(places["test"]).text.splitlines()[0]
    text = json.loads(shared)["text"]
    with places["train"].open("a", encoding="utf-8") as out:
        out.write(f"{text},yes\n{text},no\n")
    task, found = add_task(tmp_path / "tasks", "mine", TaskFiles(**places), "accuracy")
    assert (found.n_train, found.n_test, found.n_unlabeled) == (62, 24, 40)
    assert (found.shared_texts, found.contradicting_texts, found.duplicate_train_texts) == (1, 1, 1)
    assert task.constant_score == pytest.approx(found.majority_share, abs=1e-4)
    assert found.rare_labels == ()
    assert found.long_shares == {"cpu": 0.0, "paper": 0.0}
    split = split_task(load_task("mine"), get_preset("paper").split)
    assert all(row.source != text for row in (*split.train, *split.dev))
    assert str(tmp_path) not in (tmp_path / "tasks" / "mine.json").read_text()
    places["train"].write_text(places["train"].read_text() + "more,yes\n")
    with pytest.raises(InputError, match="has changed"):
        load_custom("mine")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.csv", b"text,label\n\xff\xfe,x\n", "not UTF-8"),
        ("a.csv", b"body,label\nx,y\n", "no column 'text'"),
        ("a.jsonl", b"{nope\n", "line 1: not JSON"),
        ("a.jsonl", b"[1]\n", "wanted a JSON object"),
        ("a.jsonl", b'{"text": null, "label": "x"}\n', "wanted a text"),
    ],
)
def test_bad_files_are_refused_with_their_line(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=word):
        parse_pairs(read_text(tmp_path / name), ("text", "label"))


def test_long_texts_and_rare_labels_are_counted() -> None:
    train = [("x" * 300, "a")] * 30 + [("x" * 600, "b")] * 9 + [("short", "a")]
    found = inspect_rows(CustomData(train=train, test=[("other", "a")], unlabeled=[], data_hash="x"))
    assert found.rare_labels == ("b",)  # fewer than ten rows
    assert found.long_shares == {"cpu": 39 / 41, "paper": 9 / 41}  # 64 and 128 tokens of 4 characters
    assert found.duplicate_train_texts == 29 + 8


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbftext,label\nhi,x\n")
    assert parse_pairs(read_text(tmp_path / "a.csv"), ("text", "label")) == [("hi", "x")]


def test_a_file_that_is_not_the_authors_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETSIM_DATA_DIR", str(tmp_path))
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="not the authors' file"):
        fetch(AuthorFile("x", "a.json", "0" * 64))
    assert fetch(AuthorFile("x", "b.json", "0" * 64), download=False) is None


def test_generated_rows_stay_out_of_results(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path / "results" / "budgetsim.duckdb")
    campaign = Campaign(specs=load_grid("demo").specs(), paths=paths, cache=tmp_path)
    with pytest.raises(InputError, match="generated"):
        find_missing(campaign)
    elsewhere = replace(campaign, paths=StorePaths(tmp_path / "toy" / "budgetsim.duckdb"))
    assert [len(found) for found in find_missing(elsewhere)] == [0, 8]


def test_asking_for_more_rows_than_there_are_says_how_many(tmp_path: Path) -> None:
    spec = make_spec(task="toy_requests", strategy="annotate", student="pico", n_labels=99_999, recipe=PRESETS["cpu"])
    campaign = Campaign(specs=[spec], paths=StorePaths(tmp_path / "s.duckdb"), cache=tmp_path)
    with pytest.raises(InputError, match="1400 labelled rows"):
        find_missing(campaign)


def test_a_cap_in_dollars_needs_a_price() -> None:
    with pytest.raises(InputError, match="needs a price"):
        Limits(max_cost_usd=5.0)


def test_a_fixed_number_of_steps_costs_the_same_whatever_the_counts() -> None:
    def stage(kind: str, n: int, examples: int, hours: float) -> MeasuredStage:
        return MeasuredStage(kind=kind, n=n, examples=examples, hours=hours)

    timed = [stage("encode", 100, 1000, 1.0), stage("finetune_teacher", 100, 100, 0.5)]
    timed += [stage("soft_label", 100, 1000, 2.0)]
    trained = [stage("train_student", n, 12_800, 3.0) for n in (500, 1500, 4500)]
    hours = measured_hours([*timed, *trained], "cpu")
    assert hours is not None
    assert hours.teacher_hours == (0.5 + 100 * 0.001,)
    assert hours.label_text == pytest.approx(0.003)
    assert (hours.train_text, hours.train_fixed) == (0.0, 3.0)
    assert measured_hours(timed, "cpu") is None


@pytest.mark.slow
def test_the_command_line_plans_and_refuses(tmp_path: Path) -> None:
    store = str(tmp_path / "toy" / "budgetsim.duckdb")
    done = run_cli("measure", "--grid", "demo", "--dry-run", "--json", "--store", store)
    assert done.returncode == 0
    planned = json.loads(done.stdout)
    assert (planned["missing"], planned["there"]) == (8, 0)
    for words, said in [
        (["--grid", "nothing"], "There is no grid"),
        (["--grid", "demo", "--preset", "gpu"], "There is no preset"),
        (["--strategy", "annotate", "--n-labels", "5"], "needs --task"),
        (["--task", "nothing"], "There is no task"),
        (["--task", "toy_requests", "--strategy", "annotate", "--n-labels", "5", "--unlabeled", "x.txt"], "no use for"),
        (
            [
                "--task",
                "toy_requests",
                "--strategy",
                "distill",
                "--n-labels",
                "5",
                "--n-unlabeled",
                "900000",
                "--teacher",
                "tfidf-lr",
            ],
            "unlabelled texts in this split",
        ),
    ]:
        bad = run_cli("measure", *words, "--store", store)
        assert bad.returncode == 2
        assert said in bad.stderr
        assert "Traceback" not in bad.stderr


def test_adding_a_task_tells_what_is_in_it(tmp_path: Path) -> None:
    places = write_tiny_task(tmp_path / "data")
    words = [f"--{part}={place}" for part, place in places.items()]
    store = str(tmp_path / "store" / "budgetsim.duckdb")
    done = run_cli("tasks", "add", "my_task", *words, "--store", store)
    assert done.returncode == 0, done.stderr
    assert "60 train, 24 test, 40 unlabelled" in done.stdout
    assert "my_task" in run_cli("tasks", "list", "--store", store).stdout
    taken = run_cli("tasks", "add", "stance", *words, "--store", store)
    assert taken.returncode == 2
    assert "ships with budgetsim" in taken.stderr
