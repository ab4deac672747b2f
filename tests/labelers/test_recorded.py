"""Labels of a file: they stay with their texts, say how often they are right, and what is amiss is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from budgetsim.data.custom import TaskFiles, add_task
from budgetsim.data.loading import Access
from budgetsim.data.rows import Row
from budgetsim.errors import InputError
from budgetsim.labelers import Brief, get_labeler
from budgetsim.measure.execute import execute
from budgetsim.measure.recipe import PRESETS
from budgetsim.measure.resolve import Run, check_spec
from budgetsim.measure.spec import make_spec
from budgetsim.measure.stages.llm_labels import plan_llm_labels
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import Workspace
from made_labelers import TASK, rows_of
from tiny import LABELS, tiny_rows, write_tiny_task

OWNED, ROWS = rows_of(40, 1), rows_of(30, 2)
FILE = Path(__file__).parent / "recorded.csv"  # labels of both, of which each fifth is the other one


def record(place: Path, rows: list[tuple[str, str]], head: str = "text,label") -> str:
    place.write_text("\n".join([head, *(f"{text},{label}" for text, label in rows)]) + "\n", encoding="utf-8")
    return f"recorded:{place}"


def test_labels_stay_with_their_texts_in_any_order() -> None:
    labeler, brief = get_labeler(f"recorded:{FILE}"), Brief(task=TASK)
    said = dict(zip([row.source for row in ROWS], labeler.label(ROWS, brief).answers, strict=True))
    back = ROWS[::-2]
    assert list(labeler.label(back, brief).answers) == [said[row.source] for row in back]
    right = [said[row.source] == row.target for row in ROWS]
    assert right == [i % 5 != 0 for i in range(30)]


def test_its_accuracy_is_that_of_the_owned_texts_which_the_file_holds() -> None:
    """Each fifth of forty owned rows is wrong, and rows that the file does not hold say nothing."""
    brief = Brief(task=TASK, owned=[*OWNED, *rows_of(10, 9)])
    trial = get_labeler(f"recorded:{FILE}").examine(brief)
    assert trial is not None
    assert (trial.n_asked, trial.n_answered, trial.n_right) == (40, 40, 32)
    low, high = trial.interval
    assert low < 0.8 < high
    assert get_labeler(f"recorded:{FILE}").examine(Brief(task=TASK, owned=rows_of(10, 9))) is None


def test_a_file_counts_by_what_is_in_it(tmp_path: Path) -> None:
    rows = tiny_rows(5, 3)
    one, other = record(tmp_path / "gpt.csv", rows), record(tmp_path / "gpt-2.csv", rows[1:])
    (tmp_path / "elsewhere").mkdir()
    same = record(tmp_path / "elsewhere" / "gpt.csv", rows)
    assert get_labeler(one).name == get_labeler(same).name != get_labeler(other).name
    assert get_labeler(get_labeler(one).name) == get_labeler(one)  # as a store has it
    assert str(tmp_path) not in get_labeler(one).name


def test_texts_without_a_label_are_told_apart(tmp_path: Path) -> None:
    rows = tiny_rows(6, 3)
    name = record(tmp_path / "a.csv", [*rows[:4], (rows[4][0], ""), (rows[5][0], "I cannot say")])
    said = get_labeler(name).label([Row(text, label, text) for text, label in rows], Brief(task=TASK))
    assert said.answers == (*(label for _, label in rows[:4]), None, None)
    assert (said.n_refused, said.n_unreadable) == (1, 1)


@pytest.mark.parametrize(
    ("rows", "head", "message"),
    [
        ([("a text", "yes"), ("a text", "no")], "text,label", "labelled 'no' here and 'yes' in line 2"),
        ([("a text", "yes")], "text,label", "30 of the 30 texts to be labelled are not in the file.*--unlabeled FILE"),
        ([("a text", "b,yes")], "one,two,label", "found the columns one, two, label, wanted text and label"),
        ([("a text", "yes")], "text,answer", "label"),
    ],
)
def test_what_is_amiss_in_a_file_is_told(rows: list[tuple[str, str]], head: str, message: str, tmp_path: Path) -> None:
    name = record(tmp_path / "a.csv", rows, head)
    with pytest.raises(InputError, match=message):
        get_labeler(name).label(ROWS, Brief(task=TASK))


def test_labels_that_are_none_of_the_tasks_are_told(tmp_path: Path) -> None:
    name = record(tmp_path / "a.csv", [(row.source, "A") for row in ROWS])
    with pytest.raises(InputError, match=rf"found no label of tiny.*'A'.*wanted {', '.join(LABELS)}"):
        get_labeler(name).label(ROWS, Brief(task=TASK))


def test_no_file_and_a_name_of_a_store_are_refused() -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        get_labeler("recorded:nowhere.csv")
    with pytest.raises(InputError, match="write recorded:FILE"):
        get_labeler("recorded:")
    with pytest.raises(InputError, match="write recorded:FILE to label by it"):
        get_labeler("recorded:gpt@0123456789ab").label(ROWS, Brief(task=TASK))


def test_a_run_learns_from_a_file_and_keeps_how_often_it_was_right(tmp_path: Path) -> None:
    """The labels of all training rows, half of them wrong: accuracy 50 in the record, the file's name in the run."""
    files = write_tiny_task(tmp_path / "data")
    add_task(tmp_path / "tasks", "noted", TaskFiles(**files), "accuracy")
    rows = [line.rsplit(",", 1) for line in files["train"].read_text().splitlines()[1:]]
    turned = [(text, label if i % 2 else LABELS[label == LABELS[0]]) for i, (text, label) in enumerate(rows)]
    name = record(tmp_path / "half.csv", turned)
    workspace = Workspace(StageStore(tmp_path / "cache", Device("cpu", "")), Access(download=False))
    spec = make_spec(
        task="noted", strategy="llm_annotate", student="tfidf-lr", labeler=name, n_llm_labels=30, unlabeled="labelled",
        recipe=PRESETS["modern"],
    )  # fmt: skip
    result = execute(spec, workspace)
    (stage,) = (s.record for s in result.stages if s.record.kind == "llm_label")
    assert stage.score == pytest.approx(50.0, abs=12)  # of the training part of its split
    assert stage.provenance["llm"]["trial"]["n_asked"] == len(Run(spec, workspace).split.train)
    assert "usd" not in stage.provenance["llm"]
    kept = workspace.point(spec).design.route.labeler
    assert kept == get_labeler(name).name
    assert kept.startswith("recorded:half@")
    assert plan_llm_labels(Run(spec, workspace))[0].key in {s.record.stage_id for s in result.stages}
    with pytest.raises(InputError, match="are not in the file"):
        check_spec(make_spec(
            task="noted", strategy="llm_annotate", student="tfidf-lr", labeler=name, n_llm_labels=30,
            recipe=PRESETS["modern"],
        ), workspace)  # fmt: skip
