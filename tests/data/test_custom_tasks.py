"""Tasks of a user: kinds and formats as they are read, floors under each metric, and descriptions old, new and torn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import budgetsim.data.tasks as tasks
from budgetsim.data import custom
from budgetsim.data.conll import read_sentences, to_bio
from budgetsim.data.custom import (
    TaskFiles,
    add_task,
    describe_custom,
    load_custom,
    register_custom_tasks,
    remove_task,
)
from budgetsim.data.loading import load_task
from budgetsim.data.rows import TextFile, data_hash, read_text
from budgetsim.data.tables import guess_format
from budgetsim.data.tasks import Task, get_task
from budgetsim.errors import InputError

TSV = 'text\tlabel\nshe said "no" twice\tno\n"a ""quoted"" cell"\tyes\nplain\tno\n'
CONLL = "-DOCSTART- O\n\nEmpire\tNNP\tI-loc\nState\tNNP\tI-loc\nis\tVBZ\tO\n\nBob\tNNP\tS-per\nran\tVBD\tO\n"


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((tasks, "_registry"), (tasks, "_damaged"), (custom, "_folders"), (custom, "_loaded")):
        monkeypatch.setattr(module, name, dict(getattr(module, name)))


def write(folder: Path, **files: str) -> dict[str, Path]:
    """Files named as `train_csv` would be train.csv, by part."""
    folder.mkdir(exist_ok=True)
    made = {}
    for name, text in files.items():
        part, _, suffix = name.partition("_")
        made[part] = folder / f"{part}.{suffix}"
        made[part].write_text(text, encoding="utf-8")
    return made


def rows(*pairs: tuple[str, str], header: str = "text,label") -> str:
    return "\n".join([header, *(",".join(pair) for pair in pairs)]) + "\n"


SIX = rows(("a", "x"), ("b", "x"), ("c", "x"), ("d", "y"), ("e", "y"), ("f", "z"))
TEN = rows(*((f"t{i}", label) for i, label in enumerate("xxxxxxyyyz")))


def add(tmp_path: Path, metric: str | None = None, name: str = "mine", **more: Any) -> Task:
    options = {key: more.pop(key) for key in ("kind", "positive", "accept") if key in more}
    named = {key: more.pop(key) for key in ("text_column", "pair_columns", "label_column", "form") if key in more}
    files = TaskFiles(**write(tmp_path / "data", **(more or {"train_csv": SIX, "test_csv": TEN})), **named)
    return add_task(tmp_path / "tasks", name, files, metric, **options)[0]


# Kinds and formats


def test_a_pair_is_written_as_the_papers_pairs_are(tmp_path: Path) -> None:
    pairs = rows(("it rains", "it is wet", "yes"), ("it  snows", "it is hot", "no"), header="premise,hypothesis,gold")
    task = add(
        tmp_path, train_csv=pairs, test_csv=pairs.replace("rains", "pours").replace("snows", "hails"),
        pair_columns=("premise", "hypothesis"),
    )  # fmt: skip
    assert (task.kind, task.fields) == ("classification", ("premise", "hypothesis"))
    assert load_task("mine").train[1].source == "premise: it snows hypothesis: it is hot"
    assert load_task("mine").train[1].target == "no"


def test_two_columns_besides_the_label_are_taken_for_a_pair_and_that_is_said(tmp_path: Path) -> None:
    one, two = (rows((f"{w}1", f"{w}2", "x"), (f"{w}3", f"{w}4", "y"), header="q1,q2,label") for w in "ab")
    places = write(tmp_path / "data", train_csv=one, test_csv=two)
    task, found = add_task(tmp_path / "tasks", "guessed", TaskFiles(**places))
    assert task.fields == ("q1", "q2")
    assert found.understood == ("Kind pair, as the files suggest.", "Texts are read from the columns 'q1' and 'q2'.")


def test_tsv_keeps_quotes_that_are_text(tmp_path: Path) -> None:
    add(tmp_path, train_tsv=TSV, test_tsv=TSV.replace("plain", "other"), accept=True)
    assert [source for source, _ in load_custom("mine").train] == ['she said "no" twice', 'a "quoted" cell', "plain"]


def test_lines_that_begin_with_their_label(tmp_path: Path) -> None:
    lines = "".join(f"{i % 2} text number {i}\n" for i in range(12))
    add(tmp_path, train_all=lines, test_all=lines.replace("text", "held"))
    assert load_custom("mine").train[:2] == [("text number 0", "0"), ("text number 1", "1")]


def test_conll_in_any_usual_scheme_becomes_bio(tmp_path: Path) -> None:
    assert guess_format(TextFile("data.annotated", CONLL, "")) == "conll"
    found = read_sentences(TextFile("a.conll", CONLL, ""))
    assert [(s.words, s.tags, s.line) for s in found.sentences] == [
        ("Empire State is", "B-loc I-loc O", 3),
        ("Bob ran", "B-per O", 7),
    ]
    assert found.n_converted == 2  # the first I-loc, the S-per
    task = add(tmp_path, train_conll=CONLL, test_conll=CONLL.replace("Bob", "Ann").replace("State", "City"))
    assert (task.kind, task.metric, task.labels[0]) == ("tagging", "entity_f1", "O")
    assert {*task.labels} == {"O", "B-loc", "I-loc", "B-per", "I-per"}
    assert (task.constant_score, task.constant_answer) == (0.0, "O for every word")
    assert load_task("mine").train[0].target == "B-loc I-loc O"


@given(st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), max_size=12))
def test_bio_is_left_as_it_is_but_for_an_i_that_continues_nothing(tags: list[str]) -> None:
    made = to_bio(tags)
    assert to_bio(made) == made
    for before, tag, bio in zip(["O", *tags], tags, made, strict=False):
        assert bio[1:] == tag[1:]
        assert bio == tag or (tag[0] == "I" and before[2:] != tag[2:])


def test_rows_of_json_may_hold_other_ends_of_lines(tmp_path: Path) -> None:
    text = json.dumps({"text": "a\u2028b", "label": "x"}, ensure_ascii=False)
    other = json.dumps({"text": "c", "label": "y"})
    add(tmp_path, train_jsonl=f"{text}\n{other}\n", test_jsonl=f"{other}\n".replace('"c"', '"d"'))
    assert load_custom("mine").train[0] == ("a\u2028b", "x")


# Floors, by hand of 6 x, 3 y, 1 z in test


@pytest.mark.parametrize(
    ("metric", "positive", "floors", "answer"),
    [
        ("accuracy", None, (0.6,), "x"),
        ("micro_f1", None, (0.6,), "x"),
        ("macro_f1", None, (0.25,), "x"),  # F1 of x is 2 * 0.6 / 1.6 = 3/4, of three classes
        ("matthews", None, (0.0,), "x"),
        ("f1", "x", (0.75,), "x"),
        ("f1", "z", (0.0, round(2 * 0.1 / 1.1, 4)), "z"),  # of the commonest label, and of always z
    ],
)
def test_the_floor_of_a_task_is_under_its_own_metric(
    tmp_path: Path, metric: str, positive: str | None, floors: tuple[float, ...], answer: str
) -> None:
    task = add(tmp_path, metric, positive=positive)
    assert (task.floors, task.constant_score, task.constant_answer) == (floors, floors[-1], answer)


def test_the_commonest_answer_may_be_right_in_free_text(tmp_path: Path) -> None:
    task = add(tmp_path, "exact_match", kind="generation")
    assert (task.kind, task.labels, task.constant_score) == ("generation", (), 0.6)


# Slips


def test_blank_rows_are_left_out_where_that_was_accepted(tmp_path: Path) -> None:
    torn = SIX + "\u200b,x\ng,\n"
    with pytest.raises(InputError, match=r"2 rows of train \(train.csv\) without a text or a label \(lines 8, 9\)"):
        add(tmp_path, train_csv=torn, test_csv=TEN)
    add(tmp_path, train_csv=torn, test_csv=TEN, accept=True)
    assert len(load_custom("mine").train) == 6
    assert load_custom("mine").data_hash != data_hash(
        [read_text(p) for p in sorted((tmp_path / "data").iterdir())[::-1]]
    )


def test_the_same_task_again_needs_no_word_and_another_does(tmp_path: Path) -> None:
    add(tmp_path)
    add(tmp_path)
    with pytest.raises(InputError, match=r"there is a task mine .*metric accuracy, 6 train rows.*runs on it stay"):
        add(tmp_path, "macro_f1")
    assert add(tmp_path, "macro_f1", accept=True).metric == "macro_f1"


def test_a_removed_task_is_gone_and_its_files_stay(tmp_path: Path) -> None:
    add(tmp_path)
    remove_task(tmp_path / "tasks", "mine")
    assert (tmp_path / "data" / "train.csv").exists()
    assert register_custom_tasks(tmp_path / "tasks") == []
    with pytest.raises(InputError, match="no task 'mine'"):
        get_task("mine")
    with pytest.raises(InputError, match="no task 'mine' of your own; there is none"):
        remove_task(tmp_path / "tasks", "mine")


def test_a_file_that_changed_or_went_is_named(tmp_path: Path) -> None:
    add(tmp_path)
    assert describe_custom("mine")[1] == []
    (tmp_path / "data" / "train.csv").write_text(TEN)
    (tmp_path / "data" / "test.csv").unlink()
    changed = describe_custom("mine")[1]
    assert [words.split(":")[0] for words in changed] == ["train", "test"]
    assert "has changed" in changed[0]
    assert "There is no file" in changed[1]


# Descriptions


OLD_TASK = {
    "name": "mine", "kind": "classification", "metric": "f1", "constant_score": 0.6, "constant_answer": "x",
    "floors": [0.6], "n_test": 10, "source_tokens": 0.2, "target_tokens": 2.0,
    "description": "mine: a task of your own, 3 labels", "labels": ["x", "y", "z"], "fields": [], "origin": "custom",
}  # fmt: skip


def old_description(tmp_path: Path) -> Path:
    """A description as schema 1 had it, of an `f1` that was accuracy, with a blank label."""
    places = write(tmp_path / "data", train_csv=SIX + "g,\n", test_csv=TEN, unlabeled_txt="u1\nu1\nt3\n")
    parts = {
        part: {"path": f"../data/{place.name}", "sha256": read_text(place).sha256} for part, place in places.items()
    }
    found = {
        "n_train": 7, "n_test": 10, "n_unlabeled": 3, "labels": {"x": 3, "y": 2, "z": 1, "": 1},
        "unknown_test_labels": [], "shared_texts": 0, "duplicate_train_texts": 0, "contradicting_texts": 0,
        "unlabeled_in_test": 1, "long_shares": {"cpu": 0.0, "paper": 0.0}, "rare_labels": [], "majority_share": 0.6,
        "majority_label": "x",
    }  # fmt: skip
    files = {"parts": parts, "text_column": "text", "label_column": "label"}
    place = tmp_path / "tasks" / "mine.json"
    place.parent.mkdir()
    place.write_text(json.dumps({"schema_version": 1, "task": OLD_TASK, "files": files, "findings": found}))
    return place


def test_a_description_of_schema_1_is_what_it_was(tmp_path: Path) -> None:
    """The same rows, blank label and all, the same identity, and an f1 that is accuracy; bounded by 7 rows and 3 - 1 texts."""
    old_description(tmp_path)
    (task,) = register_custom_tasks(tmp_path / "tasks")
    assert task == replace(
        Task(**{**OLD_TASK, "floors": (0.6,), "labels": ("x", "y", "z"), "fields": ()}), n_unlabeled=2, n_train=7
    )  # type: ignore[arg-type]
    data = load_custom("mine")
    files = [read_text(tmp_path / "data" / name) for name in ("train.csv", "test.csv", "unlabeled.txt")]
    assert data.data_hash == data_hash(files)
    assert data.train[-1] == ("g", "")
    assert data.unlabeled == ["u1", "u1", "t3"]


def test_what_schema_1_could_say_keeps_its_identity(tmp_path: Path) -> None:
    """Runs on a task that is added again stay its runs; other metrics and kinds are other tasks."""
    ids = []
    plain = ("accuracy", "macro_f1", "micro_f1", "matthews")
    for metric, positive in (*((name, None) for name in plain), ("f1", "x"), ("f1", "y")):
        add(tmp_path, metric, positive=positive, accept=True)
        ids.append(load_custom("mine").data_hash)
    files = [read_text(tmp_path / "data" / name) for name in ("train.csv", "test.csv")]
    assert ids[0] == ids[1] == data_hash(files)
    assert len({*ids[1:]}) == 5


def test_a_damaged_description_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    add(tmp_path, name="good")
    for name, text in (("torn", "{"), ("fever", (tmp_path / "tasks" / "good.json").read_text()), ("deep", "[" * 9999)):
        (tmp_path / "tasks" / f"{name}.json").write_text(text)
    (tmp_path / "tasks" / "folder.json").mkdir()
    said: list[str] = []
    assert [task.name for task in register_custom_tasks(tmp_path / "tasks", said.append)] == ["good"]
    assert [words.split()[0] for words in said] == ["deep", "fever", "folder", "torn"]
    with pytest.raises(InputError, match=r"'torn' is damaged.*tasks add torn .*--yes.*tasks remove torn"):
        get_task("torn")
    assert get_task("fever").origin == "authors"


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(10**400), st.floats(), st.text(max_size=3), st.just([]),
    st.just({}), st.just("\x1b]0;x"), st.just("../../../etc/passwd"),
)  # fmt: skip


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, below in inner for path in _paths(below, (*at, key)))]


@settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(data=st.data())
def test_however_a_description_is_damaged_it_is_refused_or_usable(tmp_path: Path, data: st.DataObject) -> None:
    """Any leaf or branch replaced, taken away or doubled, or the text cut: one word, and no other task is lost."""
    place = tmp_path / "tasks" / "mine.json"
    if not place.exists():
        add(tmp_path, name="good")
        add(tmp_path)
        (tmp_path / "sound.json").write_text(place.read_text())
    described = json.loads((tmp_path / "sound.json").read_text())
    path = data.draw(st.sampled_from(_paths(described)[1:]))
    branch = described
    for key in path[:-1]:
        branch = branch[key]
    if data.draw(st.booleans()):
        branch[path[-1]] = data.draw(LEAVES)
    elif isinstance(branch, dict):
        branch[data.draw(st.text(max_size=3))] = branch.pop(path[-1])
    else:
        branch.append(branch[path[-1]])
    text = json.dumps(described, allow_nan=True)
    place.write_text(text[: len(text) - data.draw(st.sampled_from([0, 0, 0, 1, 50]))])
    said: list[str] = []
    known = [task.name for task in register_custom_tasks(tmp_path / "tasks", said.append)]
    assert "good" in known
    assert ("mine" in known) is not bool(said)
    try:
        task = get_task("mine")
        loaded = load_custom("mine")
    except InputError:
        return
    assert 0 <= task.constant_score <= 1
    assert loaded.train
