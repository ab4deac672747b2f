"""What every kind of learner keeps: one suite, inherited by all of them on tiny random checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

import torch  # noqa: E402

from budgetsim.data.tasks import Task  # noqa: E402
from budgetsim.errors import InputError  # noqa: E402
from budgetsim.learners.protocol import Desk, Examples, Fitted, Learner, Training, softmax  # noqa: E402
from budgetsim.learners.registry import parse_learner  # noqa: E402
from tiny_models import made_texts, make_task, save_model, teacher_logits, true_answers  # noqa: E402

HOW = Training(steps=8, batch=8, lr=5e-3, seed=1, max_tokens=64, target_tokens=4, weight_decay=0.01)
LONGER = replace(HOW, steps=30, lr=1e-2)


@dataclass(frozen=True)
class Case:
    """A learner on trial: what builds its weights and the rest of its name."""

    name: str
    save: Callable[[Path], Path] | None = None
    kind: str = "classification"
    suffix: str = ""
    trains: bool = True  # by steps, from checkpoints
    seeded: bool = True  # whether another seed gives another learner
    how: Training = HOW


def _tiny(kind: str, auto: str = "AutoModel") -> Callable[[Path], Path]:
    return lambda folder: save_model(folder, kind, auto=auto)


CASES = {
    "tfidf": Case("tfidf-lr", trains=False, seeded=False),
    "window": Case("window-lr", kind="tagging", trains=False, seeded=False),
    "frozen": Case("encoder-lr:", _tiny("bert"), trains=False, seeded=False),
    "bert": Case("ft:", _tiny("bert")),
    "bert one layer": Case("ft:", _tiny("bert"), suffix=":layers=1"),
    "modernbert": Case("ft:", _tiny("modernbert")),
    "deberta": Case("ft:", _tiny("deberta")),
    "mpnet lora": Case("ft:", _tiny("mpnet"), suffix=":lora=4"),
    "qwen3": Case("ft:", _tiny("qwen3")),
    "qwen3 lora": Case("ft:", _tiny("qwen3"), suffix=":lora=4"),
    "tagger": Case("ft:", _tiny("bert"), kind="tagging"),
    "tagger lora": Case("ft:", _tiny("modernbert"), kind="tagging", suffix=":lora=4"),
    "causal": Case("lm:", _tiny("llama", "AutoModelForCausalLM"), suffix=":shots=2", trains=False),
    "causal lora": Case("lm:", _tiny("qwen3", "AutoModelForCausalLM"), suffix=":lora=4"),
    "t5": Case("", _tiny("t5"), seeded=False, how=replace(HOW, steps=24, lr=2e-2)),  # no dropout, no new weights
    "pico": Case("pico"),
    "ensemble": Case("ensemble:tfidf-lr+ft:", _tiny("bert")),
}


@dataclass(frozen=True)
class Trial:
    """A case at work: its learner, its task, and a first learner that was taught hard labels."""

    case: Case
    written: str
    learner: Learner
    task: Task
    hard: Examples
    folder: Path
    fitted: Fitted

    @property
    def texts(self) -> list[str]:
        return made_texts(10, 7)

    def fit(self, examples: Examples, how: Training, desk: Desk) -> Fitted:
        return self.learner.fit(self.task, examples, how, desk)


# learners that are another case but for a part with tests of its own: layers in test_heads_and_rates.py, adapters in
# test_learners.py
SLOW = ("bert one layer", "tagger")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, id=name.replace(" ", "-"), marks=[pytest.mark.slow] if name in SLOW else [])
        for name in CASES
    ],
)
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return begin_trial(CASES[request.param], tmp_path_factory.mktemp("trial"))


def begin_trial(case: Case, home: Path) -> Trial:
    """A case at work in a folder."""
    torch.set_num_threads(1)
    model = str(case.save(home / "model")) if case.save else ""
    written = f"{case.name}{model}{case.suffix}"
    learner, task = parse_learner(written), make_task(case.kind)
    texts = made_texts(40, 3)
    hard = Examples(sources=texts, answers=true_answers(task, texts))
    fitted = learner.fit(task, hard, case.how, _desk(home, case))
    return Trial(case, written, learner, task, hard, home, fitted)


def _desk(home: Path, case: Case) -> Desk:
    return Desk(home / "desk", checkpoint_every=case.how.steps // 2)


def soft_examples(task: Task) -> Examples:
    texts = made_texts(40, 5)
    return Examples(sources=texts, answers=true_answers(task, texts), logits=teacher_logits(task, texts))


def divergence(teacher: np.ndarray, student: np.ndarray) -> float:
    """Mean KL(teacher || student) of rows of logits."""
    p, q = softmax(teacher), softmax(student)
    return float((p * (np.log(p) - np.log(q))).sum(1).mean())


def test_the_same_seed_gives_the_same_bits(trial: Trial, tmp_path: Path) -> None:
    again = trial.fit(trial.hard, trial.case.how, Desk(tmp_path))
    assert np.array_equal(again.logits(trial.texts), trial.fitted.logits(trial.texts))


def test_another_seed_gives_another_learner(trial: Trial, tmp_path: Path) -> None:
    if not trial.case.seeded:
        pytest.skip("nothing of it is drawn")
    other = trial.fit(trial.hard, replace(trial.case.how, seed=2), Desk(tmp_path))
    assert not np.array_equal(other.logits(trial.texts), trial.fitted.logits(trial.texts))


def test_resumed_training_gives_the_same_bits(trial: Trial) -> None:
    if not trial.case.trains:
        pytest.skip("it is taught in one step")
    how = trial.case.how
    late = sorted(trial.folder.glob(f"desk/**/checkpoint-{how.steps}"))
    assert late
    for place in late:
        place.rename(trial.folder / f"gone-{place.parent.parent.name}")
    again = trial.fit(trial.hard, how, _desk(trial.folder, trial.case))
    assert again.effort.resumed_at == how.steps // 2
    assert np.array_equal(again.logits(trial.texts), trial.fitted.logits(trial.texts))


def test_probabilities_rank_as_its_own_answers(trial: Trial) -> None:
    logits, answers = trial.fitted.logits(trial.texts), trial.fitted.answer(trial.texts)
    said = [trial.task.labels[i] for i in logits.argmax(1)]
    assert " ".join(said) == " ".join(answers)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_a_text_is_answered_alike_alone_and_among_others(trial: Trial) -> None:
    alone = np.concatenate([trial.fitted.logits([text]) for text in trial.texts])
    np.testing.assert_allclose(alone, trial.fitted.logits(trial.texts), atol=2e-5)


def test_saved_and_loaded_gives_the_same_logits(trial: Trial, tmp_path: Path) -> None:
    trial.fitted.save(tmp_path / "saved")
    loaded = trial.learner.load(trial.task, tmp_path / "saved")
    assert np.array_equal(loaded.logits(trial.texts), trial.fitted.logits(trial.texts))
    assert loaded.answer(trial.texts) == trial.fitted.answer(trial.texts)
    assert loaded.effort == trial.fitted.effort
    assert not list((tmp_path / "saved").rglob("*.bin")) + list((tmp_path / "saved").rglob("*.pt"))


def test_what_was_saved_for_other_labels_is_refused(trial: Trial, tmp_path: Path) -> None:
    trial.fitted.save(tmp_path / "saved")
    other = replace(trial.task, labels=("O", "B-x", "B-bad") if trial.case.kind == "tagging" else ("a", "b"))
    with pytest.raises(InputError, match="train it again"):
        trial.learner.load(other, tmp_path / "saved")
    with pytest.raises(InputError, match="holds no saved learner"):
        trial.learner.load(trial.task, tmp_path / "nothing")


def test_soft_labels_move_it_towards_the_teacher(trial: Trial, tmp_path: Path) -> None:
    """The divergence of what is taught falls below that of one that takes all answers for alike."""
    soft = soft_examples(trial.task)
    assert soft.logits is not None
    taught = trial.fit(soft, LONGER, Desk(tmp_path)).logits(soft.sources)
    assert divergence(soft.logits, taught) < divergence(soft.logits, np.zeros_like(soft.logits))


def test_gold_rows_are_taught_their_hard_answers(trial: Trial, tmp_path: Path) -> None:
    """A teacher who is wrong on every row is not listened to where all are gold: as if it had not spoken."""
    soft = soft_examples(trial.task)
    assert soft.logits is not None
    wrong = replace(soft, logits=soft.logits[:, ::-1].copy(), is_gold=np.ones(len(soft), dtype=bool))
    how = replace(trial.case.how, l2=1e-3, temperature=1.0)  # a T5's gold rows are taught at the temperature
    mixed = trial.fit(wrong, how, Desk(tmp_path / "a")).logits(trial.texts)
    hard = trial.fit(replace(soft, logits=None), how, Desk(tmp_path / "b")).logits(trial.texts)
    exact = "states" not in trial.learner.learns  # a T5's two losses also weigh the end mark differently
    np.testing.assert_allclose(softmax(mixed), softmax(hard), atol=2e-2 if exact else 0.2)


def test_its_effort_counts_what_it_saw(trial: Trial) -> None:
    effort = trial.fitted.effort
    assert effort.examples >= len(trial.hard) // 2
    if trial.case.trains:
        assert effort.examples >= trial.case.how.steps * HOW.batch
        assert effort.tokens >= effort.examples


def test_a_task_it_cannot_do_is_refused_with_a_way_out(trial: Trial) -> None:
    generation = make_task("generation")
    if "generation" in trial.learner.kinds:
        pytest.skip("it writes texts")
    with pytest.raises(InputError, match=r"made_generation is a generation task.*pico"):
        trial.learner.check(generation)


def test_unknown_labels_and_no_examples_are_refused(trial: Trial, tmp_path: Path) -> None:
    strange = Examples(sources=["the room"], answers=["perhaps perhaps"])
    with pytest.raises(InputError, match="none of the labels"):
        trial.fit(strange, HOW, Desk(tmp_path))
    with pytest.raises(InputError, match="no examples"):
        trial.fit(Examples(sources=[], answers=[]), HOW, Desk(tmp_path))


def test_states_are_refused_where_it_reads_none(trial: Trial, tmp_path: Path) -> None:
    if "states" in trial.learner.learns:
        pytest.skip("it reads them")
    states: Any = object()
    with pytest.raises(InputError, match="cannot be taught by states"):
        trial.fit(replace(trial.hard, states=states), HOW, Desk(tmp_path))
    with pytest.raises(InputError, match="seq2seq"):
        trial.fitted.states(trial.texts)


def test_a_teacher_of_other_classes_is_refused(trial: Trial, tmp_path: Path) -> None:
    soft = soft_examples(trial.task)
    assert soft.logits is not None
    with pytest.raises(InputError, match=r"speaks of 7 classes"):
        trial.fit(replace(soft, logits=np.zeros((len(soft.logits), 7), dtype=np.float32)), HOW, Desk(tmp_path))


def test_facts_and_name_are_values(trial: Trial) -> None:
    facts = trial.learner.facts()
    assert facts.notes
    assert facts.place
    assert trial.learner.name == parse_learner(trial.written).name
    assert str(trial.folder) not in trial.learner.name  # a folder counts by its content, not by its place
    assert trial.learner.identity(HOW) == trial.learner.identity(replace(HOW, seed=5))  # a seed is no recipe


def test_states_teach_a_student_of_the_same_vocabulary(tmp_path: Path) -> None:
    """A T5 taught by the states of another agrees with it more than one that was not."""
    task, texts = make_task(), made_texts(40, 3)
    hard = Examples(sources=texts, answers=true_answers(task, texts))
    teacher = parse_learner(str(save_model(tmp_path / "teacher", "t5", seed=1)))
    student = parse_learner(str(save_model(tmp_path / "student", "t5", seed=2)))
    taught_by = teacher.fit(task, hard, LONGER, Desk(tmp_path / "t"))
    states = replace(hard, states=taught_by.states(texts))
    taught = student.fit(task, states, LONGER, Desk(tmp_path / "s"))
    raw = student.fit(task, hard, replace(HOW, lr=0.0), Desk(tmp_path / "r"))
    wanted = taught_by.logits(texts)
    assert divergence(wanted, taught.logits(texts)) < divergence(wanted, raw.logits(texts))
