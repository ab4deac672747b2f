"""A probe teaches real learners on real rows and is stored as a table that forecasts condition on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from budgetsim.data.rows import Row
from budgetsim.data.tasks import get_task
from budgetsim.data.toy import TOY_TASK
from budgetsim.errors import InputError
from budgetsim.learners.protocol import Desk, Examples, Training, settled
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.probe import FOLDS, LEARNERS, fitting, folds_of, owned_rows, probe_task, save_probe
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.measurements import load_measurements
from budgetsim.store.probes import load_probed_llms
from budgetsim.store.query import load_catalogue
from made import run_cli
from made_runs import furnish, ship_some
from tiny_models import made_texts, make_task, true_answers

pytest.importorskip("sklearn")
HOW = Training(steps=0, batch=0, lr=0.0, l2=0.0)


def examples_of(rows):
    return Examples(sources=[row.source for row in rows], answers=[row.target for row in rows])


def test_folds_hold_every_row_back_once_and_keep_groups_on_one_side():
    rows = [Row(f"text {k}", "a", f"group {k // 3}") for k in range(60)]
    held = []
    for taught, back in folds_of(rows):
        assert {rows[i].group for i in taught}.isdisjoint({rows[i].group for i in back})
        assert len(taught) + len(back) == 60
        held += back.tolist()
    assert sorted(held) == list(range(60))
    assert len(held) / FOLDS == pytest.approx(12)


@pytest.fixture(scope="module")
def toy():
    return probe_task(TOY_TASK, learners=["tfidf-lr"], most_rows=400)


def test_more_labels_score_more_and_the_same_probe_gives_the_same_curve(toy):
    """Three topics told by their words, a tenth mislabelled: from near a guess to near nine in ten."""
    curve = {p.n_labels: p.mean for p in toy.points}
    assert list(curve)[:4] == [10, 30, 100, 300] or list(curve)[:3] == [10, 30, 100]
    assert curve[10] < curve[100] - 5
    assert 75 < max(curve.values()) < 95
    assert all(len(p.scores) == FOLDS for p in toy.points)
    again = probe_task(TOY_TASK, learners=["tfidf-lr"], most_rows=400)
    assert again.points == toy.points


def test_a_probe_is_stored_in_place_of_an_earlier_one_and_answers_no_task(toy, tmp_path):
    paths = StorePaths(tmp_path / "budgetsim.duckdb")
    furnish(paths)
    with open_reader(paths.database) as connection:
        before = load_catalogue(connection)
    for _ in range(2):
        save_probe(paths, toy)
    with open_reader(paths.database) as connection:
        assert load_catalogue(connection) == before
        rows = load_measurements(connection, [f"reported-probe-{TOY_TASK}-accuracy"])
    assert len(rows) == sum(len(p.scores) for p in toy.points)
    assert 100 * np.mean([m.score for m in rows if m.n_labels == 10]) == pytest.approx(toy.points[0].mean, abs=1e-3)


def test_a_task_without_classes_is_refused():
    with pytest.raises(InputError, match="teaches learners of classes"):
        owned_rows(get_task("nq"), [], 100)
    with pytest.raises(InputError, match="has 3 labelled rows of 1 answers; a probe takes 20 or more"):
        owned_rows(get_task("stance"), [Row("a tweet", "Discussing", str(k)) for k in range(3)], 100)


def test_an_llm_is_tried_on_the_owned_labels_as_a_learner_that_saw_none(tmp_path):
    pytest.importorskip("openai")
    from fake_server import serve
    from made_labelers import brief_of

    with serve() as fake:
        desk = brief_of(fake, tmp_path).desk
        found = probe_task(TOY_TASK, learners=["tfidf-lr"], most_rows=60, llm="chat:fake:owned=40", desk=desk)
        assert fake.requests > 0
    told = found.points[-1]
    assert (told.learner, told.n_labels, len(told.scores)) == ("llm:chat:fake:owned=40", 0, 1)
    assert 0 <= told.mean <= 100
    paths = StorePaths(tmp_path / "store" / "budgetsim.duckdb")
    furnish(paths)
    save_probe(paths, found)
    with open_reader(paths.database) as connection:
        (row,) = load_probed_llms(connection, [TOY_TASK])
        assert load_probed_llms(connection, ["stance"]) == []
    assert (row.model, row.is_probed, row.score) == ("chat:fake:owned=40", True, pytest.approx(told.mean, abs=1e-3))


def test_a_tagging_is_probed_by_the_words_and_their_neighbours():
    """`good` is B-good wherever it stands: ten sentences tell it, and nearly all tags are right."""
    task, texts = make_task("tagging"), made_texts(60, 3)
    pairs = zip(texts, true_answers(task, texts), strict=True)
    rows = owned_rows(task, [Row(source, target, source) for source, target in pairs], 60)
    assert fitting(LEARNERS, task) == ["window-lr"]
    assert fitting(LEARNERS, get_task("stance")) == ["tfidf-lr", "encoder-lr"]
    assert fitting(["encoder-lr"], task) == ["encoder-lr"]  # named, so that it says why it cannot
    learner = parse_learner("window-lr")
    fitted = learner.fit(task, examples_of(rows[:40]), settled(learner, HOW), Desk(Path()))
    told = fitted.answer([row.source for row in rows[40:]])
    tags, true = (" ".join(lines).split() for lines in (told, [row.target for row in rows[40:]]))
    assert np.mean([a == b for a, b in zip(tags, true, strict=True)]) > 0.97


def test_the_command_prints_curves_a_forecast_and_what_to_do_next(tmp_path):
    """A user's own task of 150 labels: before the probe the score is open to some 20 points, after it to fewer."""
    from budgetsim.data.toy import toy_rows

    rows = list(toy_rows())
    for name, part in (("train", rows[:150]), ("test", rows[150:400])):
        lines = ["text,label", *(f'"{r.source}",{r.target}' for r in part)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    store = tmp_path / "store" / "budgetsim.duckdb"
    ship_some(store.parent)
    added = run_cli("tasks", "add", "mine", "--train", "train.csv", "--test", "test.csv", store=store, cwd=tmp_path)
    assert added.returncode == 0, added.stderr
    before = _width(_simulated(store, tmp_path))
    told = run_cli("probe", "--task", "mine", "--learner", "tfidf-lr", store=store, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "cross-validated on 150 labels" in told.stdout
    assert "Then: budgetsim optimize --task mine" in told.stdout
    after = _width(_simulated(store, tmp_path))
    assert after < before - 5
    _the_probed_student_is_a_row_of_the_answer(store, tmp_path)


def _the_probed_student_is_a_row_of_the_answer(store: Path, folder: Path) -> None:
    """What was found on one's own labels competes: nothing dearer and worse than it is advised."""
    card = run_cli("rates", "init", "card.yaml", "--task", "mine", "--usd-per-label", "0.25", store=store, cwd=folder)
    assert card.returncode == 0, card.stderr
    words = ("optimize", "--task", "mine", "--budget", "500", "--rates", "card.yaml")
    told = json.loads(run_cli(*words, "--json", store=store, cwd=folder).stdout)["tasks"]["mine"]
    (row,) = told["learners"]
    assert (row["student"], row["n_runs"], row["evidence_set"]) == ("tfidf-lr", 5, "reported-probe-mine-accuracy")
    assert row["cost_usd"] == pytest.approx(0.25 * row["n_labels"])
    assert told["advice"]["score"] >= row["score"] - 1
    page = run_cli(*words, store=store, cwd=folder).stdout
    assert "probe, 5 folds" in page
    assert "runs of this task measured" not in page  # none was made


def _simulated(store: Path, folder: Path) -> dict:
    answer = run_cli("simulate", "--task", "mine", "--strategy", "annotate", "--student", "encoder-lr", "--n-labels",
                     "500", "--json", store=store, cwd=folder)  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    (point,) = json.loads(answer.stdout)["points"]
    return point


def _width(point: dict) -> float:
    return point["upper"] - point["lower"]
