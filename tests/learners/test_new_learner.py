"""The learner of docs/extending.md, registered for a moment, keeps the contract of all learners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

from budgetsim.learners import registry  # noqa: E402
from budgetsim.learners.survey import kinds  # noqa: E402
from extending import code_of, line_of, module_of, said_lines  # noqa: E402
from learners.test_learner_contract import *  # noqa: E402, F403  the tests themselves
from learners.test_learner_contract import Case, Trial, begin_trial  # noqa: E402

del globals()["test_states_teach_a_student_of_the_same_vocabulary"]  # of T5s alone
FILE = "src/budgetsim/learners/letters.py"


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    line = line_of("src/budgetsim/learners/registry.py")
    kind = eval(line, {"Kind": registry.Kind})  # noqa: S307
    with pytest.MonkeyPatch.context() as patch, module_of(FILE):
        patch.setattr(registry, "KINDS", (*registry.KINDS, kind))
        patch.setattr("budgetsim.learners.survey.KINDS", registry.KINDS)
        registry._parsed.cache_clear()
        yield
    registry._parsed.cache_clear()


@pytest.fixture(scope="module")
def trial(registered: None, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return begin_trial(Case("letters-lr", trains=False, seeded=False), tmp_path_factory.mktemp("trial"))


def test_it_is_listed() -> None:
    assert "letters-lr" in {row.grammar for row in kinds()}


def test_the_table_counts_its_lines() -> None:
    assert len(code_of(FILE).splitlines()) == said_lines(FILE)


def test_it_teaches_another(trial: Trial, tmp_path: Path) -> None:
    """What gives probabilities teaches what takes them: nothing in either knows of the other."""
    from budgetsim.learners.protocol import Desk, Examples
    from tiny_models import made_texts

    pool = made_texts(60, 9)
    said = Examples(sources=pool, answers=trial.fitted.answer(pool), logits=trial.fitted.logits(pool))
    student = registry.parse_learner("tfidf-lr").fit(trial.task, said, trial.case.how, Desk(tmp_path))
    assert sum(a == b for a, b in zip(student.answer(pool), said.answers, strict=True)) >= 50
