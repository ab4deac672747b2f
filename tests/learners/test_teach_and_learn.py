"""The models that people deploy, from tiny random configs: trained, distilled, labelling, saved, loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

from budgetsim.learners.protocol import Desk, Examples, Training, softmax  # noqa: E402
from budgetsim.learners.registry import parse_learner  # noqa: E402
from tiny_models import made_texts, make_task, save_model, true_answers  # noqa: E402

HOW = Training(steps=30, batch=8, lr=1e-2, seed=1, max_tokens=32, target_tokens=4)
WAYS = {
    "modernbert": ("ft:", ""),
    "deberta": ("ft:", ""),
    "qwen3": ("ft:", ":lora=4"),
    "t5": ("", ""),
}
ENCODERS = (
    "modernbert",
    "deberta",
)  # each is taught hard and soft labels, saved and loaded in test_learner_contract.py


@pytest.mark.parametrize("kind", ["t5", "qwen3", *(pytest.param(k, marks=pytest.mark.slow) for k in ENCODERS)])
def test_it_is_taught_teaches_labels_and_is_kept(kind: str, tmp_path: Path) -> None:
    """A student that has seen no label of a person answers as its teacher does, and so does its saved copy.

    The two have different weights to begin with; texts of the student are none of the teacher's. Always answering the
    more frequent label agrees on about half.
    """
    before, after = WAYS[kind]
    task, owned, pool, test = make_task(), made_texts(40, 1), made_texts(80, 2), made_texts(40, 3)
    models = [save_model(tmp_path / who, kind, seed=seed) for seed, who in enumerate(("teacher", "student"))]
    teacher, student = (parse_learner(f"{before}{model}{after}") for model in models)
    taught = teacher.fit(task, Examples(sources=owned, answers=true_answers(task, owned)), HOW, Desk(tmp_path / "t"))
    said = Examples(sources=pool, answers=taught.answer(pool), logits=taught.logits(pool))
    distilled = student.fit(task, said, replace(HOW, steps=50), Desk(tmp_path / "s"))
    labels = distilled.answer(test)
    assert set(labels) <= set(task.labels)
    agreed = np.mean([a == b for a, b in zip(labels, taught.answer(test), strict=True)])
    assert agreed >= 0.8
    distilled.save(tmp_path / "saved")
    kept = student.load(task, tmp_path / "saved")
    assert np.array_equal(kept.logits(test), distilled.logits(test))
    assert kept.answer(test) == labels
    assert not np.array_equal(softmax(kept.logits(test)), softmax(taught.logits(test)))
