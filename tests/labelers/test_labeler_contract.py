"""What every labeler keeps to: a new one is a line in CASES, and is tested here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from budgetsim.data.rows import Row
from budgetsim.data.tasks import get_task
from budgetsim.errors import BudgetsimError, InputError
from budgetsim.labelers import LABELERS, Brief, Labeler, get_labeler
from fake_server import Fake, serve
from made_labelers import TASK, brief_of, rows_of

pytest.importorskip("openai")

OWNED = rows_of(40, 1)
ROWS = rows_of(30, 2)


@dataclass(frozen=True)
class Case:
    """A labeler by its name, whether it gives probabilities, and the faults of a server it must get over."""

    name: str
    is_soft: bool = True
    faults: tuple[str, ...] = ()


CASES = (
    Case("simulated:accuracy=0.8", is_soft=False),
    Case(f"recorded:{Path(__file__).parent / 'recorded.csv'}", is_soft=False),
    Case("chat:fake:owned=40", faults=("429", "500", "torn", "cut", "hang up")),
    Case("chat:fake:owned=40:format=text:logprobs=no", faults=("429", "torn")),
    Case("chat:fake:owned=40:batch"),
    Case("decide:fake:owned=40", faults=("429", "500", "torn", "hang up")),
)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serve() as server:
        yield server


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    made: Case = request.param
    return made


@pytest.fixture
def labeler(case: Case) -> Labeler:
    return get_labeler(case.name)


@pytest.fixture
def brief(fake: Fake, tmp_path: Path) -> Brief:
    return brief_of(fake, tmp_path / "answers", owned=OWNED)


def test_every_kind_is_tested_here() -> None:
    assert {case.name.partition(":")[0] for case in CASES} == set(LABELERS)


def test_its_name_reads_back_to_itself(labeler: Labeler) -> None:
    assert get_labeler(labeler.name) == labeler


def test_the_same_seed_gives_the_same_labels(labeler: Labeler, brief: Brief) -> None:
    first = labeler.label(ROWS, brief)
    again = labeler.label(ROWS, brief)
    assert first.answers == again.answers
    assert len(first.answers) == len(ROWS)
    assert set(first.answers) <= set(TASK.labels)


def test_labels_stay_with_their_texts(labeler: Labeler, brief: Brief) -> None:
    """Whatever subset is asked about and in whatever order: an LLM says of a text what it says of it."""
    if not labeler.asks:
        pytest.skip("its errors follow places, so that they are spread evenly over the pool")
    said = dict(zip([row.source for row in ROWS], labeler.label(ROWS, brief).answers, strict=True))
    back = ROWS[20:5:-1]
    assert list(labeler.label(back, brief).answers) == [said[row.source] for row in back]


def test_what_was_answered_is_not_asked_again(case: Case, labeler: Labeler, brief: Brief, fake: Fake) -> None:
    labeler.label(ROWS[:12], brief)
    labeler.label(ROWS, brief)
    before = fake.requests
    fresh = get_labeler(case.name)
    fresh.label(ROWS, brief)
    assert fake.requests == before
    assert all(n == 1 for n in fake.asked.values())


def test_it_goes_on_where_it_was_ended(case: Case, labeler: Labeler, brief: Brief, fake: Fake) -> None:
    """A server that goes away leaves what was answered; the labels are those of a pass that nothing ended."""
    if not labeler.asks:
        return
    once = labeler.label(ROWS, replace(brief, desk=replace(brief.desk, folder=brief.desk.folder / "whole")))
    fake.asked.clear()
    if not case.name.endswith("batch"):
        fake.faults.extend([*[""] * 20, *["500"] * 200])
        hurried = replace(brief.desk, server=replace(brief.desk.server, retries=0))
        with pytest.raises(BudgetsimError, match="answered and kept"):
            labeler.label(ROWS, replace(brief, desk=hurried))
        fake.faults.clear()
    assert labeler.label(ROWS, brief).answers == once.answers
    assert all(n == 1 for n in fake.asked.values())


def test_faults_lose_nothing(case: Case, labeler: Labeler, brief: Brief, fake: Fake) -> None:
    smooth = labeler.label(ROWS, replace(brief, desk=replace(brief.desk, folder=brief.desk.folder / "smooth")))
    fake.faults.extend([f for fault in case.faults for f in (fault, "")])
    rough = labeler.label(ROWS, brief)
    assert rough.answers == smooth.answers
    assert not fake.faults
    assert rough.bill == smooth.bill


def test_soft_labels_rank_as_its_answers(case: Case, labeler: Labeler, brief: Brief) -> None:
    if not case.is_soft:
        with pytest.raises(InputError, match="chat:MODEL or decide:MODEL"):
            labeler.probabilities(ROWS, brief)
        return
    p = labeler.probabilities(ROWS, brief)
    assert p.shape == (len(ROWS), len(TASK.labels))
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert [TASK.labels[i] for i in p.argmax(axis=1)] == list(labeler.label(ROWS, brief).answers)


def test_its_accuracy_is_measured_on_owned_labels(case: Case, labeler: Labeler, brief: Brief) -> None:
    trial = labeler.examine(brief)
    assert trial is not None
    assert trial.n_asked == (36 if labeler.asks else 40)  # four are shown
    low, high = trial.interval
    assert low < trial.accuracy < high or trial.accuracy == 1.0
    assert trial.accuracy == pytest.approx(0.85, abs=0.15)


def test_nothing_is_sent_for_rows_that_people_labelled_but_those_held_out(
    labeler: Labeler, brief: Brief, fake: Fake
) -> None:
    if labeler.asks:
        labeler.examine(brief)
        assert fake.answered == 36


def test_it_refuses_a_task_that_is_no_classification(labeler: Labeler, brief: Brief) -> None:
    with pytest.raises(InputError, match=r"classification"):
        labeler.check(get_task("nq"), ROWS, OWNED)


def test_its_labels_depend_on_no_server(labeler: Labeler, brief: Brief) -> None:
    """A stage's key hashes `identity`: it must not change with the address, and must with what the prompt shows."""
    elsewhere = replace(brief, desk=replace(brief.desk, folder=None))
    assert labeler.identity(brief) == labeler.identity(elsewhere)
    others = replace(brief, owned=[Row(f"{row.source} x", row.target, "") for row in OWNED])
    assert (labeler.identity(brief) == labeler.identity(others)) is not labeler.asks


def test_empty_work_is_no_work(labeler: Labeler, brief: Brief) -> None:
    assert labeler.label([], brief).answers == ()
