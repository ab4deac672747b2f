"""A language model that writes: what it is trained on, that its answers stay with their texts, and that they teach."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

import torch  # noqa: E402

from budgetsim.data.custom import TaskFiles, add_task  # noqa: E402
from budgetsim.data.loading import Access  # noqa: E402
from budgetsim.errors import InputError  # noqa: E402
from budgetsim.learners.protocol import Desk, Examples, Training, signal_between  # noqa: E402
from budgetsim.learners.registry import parse_learner  # noqa: E402
from budgetsim.learners.writing import Collate, loss_of_answers, write  # noqa: E402
from budgetsim.measure.execute import execute  # noqa: E402
from budgetsim.measure.recipe import PRESETS  # noqa: E402
from budgetsim.measure.spec import make_spec  # noqa: E402
from budgetsim.measure.stagestore import Device, StageStore  # noqa: E402
from budgetsim.measure.workspace import Workspace  # noqa: E402
from tiny_models import made_texts, make_task, save_model  # noqa: E402

TASK = make_task("generation")
HOW = Training(steps=60, batch=8, lr=3e-2, seed=1, max_tokens=40, target_tokens=4)
TEXTS = made_texts(32, 3)


def answer_to(text: str) -> str:
    return "good room" if "good" in text.split() else "bad bed night"


EXAMPLES = Examples(sources=TEXTS, answers=[answer_to(text) for text in TEXTS])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_model(tmp_path_factory.mktemp("lm") / "model", "llama", auto="AutoModelForCausalLM")


@pytest.fixture(scope="module")
def taught(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    desk = Desk(tmp_path_factory.mktemp("desk"), checkpoint_every=30)
    return parse_learner(f"lm:{model}:lora=8").fit(TASK, EXAMPLES, HOW, desk)


def test_it_learns_to_write_what_it_was_shown(taught: Any) -> None:
    """Two answers by one word of the text: adapters on a random model get nearly all, a constant half."""
    said = taught.answer(TEXTS)
    right = sum(a == b for a, b in zip(said, EXAMPLES.answers, strict=True))
    assert {*EXAMPLES.answers} == {"good room", "bad bed night"}
    assert right >= 28


def test_answers_stay_with_their_texts_whatever_stands_beside_them(taught: Any) -> None:
    """Batches go by length and are padded on the left: alone, a text is answered alike."""
    texts = made_texts(20, 9)
    assert [taught.answer([text])[0] for text in texts] == taught.answer(texts)


def test_the_same_seed_gives_the_same_writer_and_one_that_was_saved_is_the_same(
    model: Path, taught: Any, tmp_path: Path
) -> None:
    learner = parse_learner(f"lm:{model}:lora=8")
    again = learner.fit(TASK, EXAMPLES, HOW, Desk(tmp_path / "a"))
    ids = write(taught.model, taught.prompt, TEXTS)
    assert write(again.model, again.prompt, TEXTS) == ids
    taught.save(tmp_path / "saved")
    loaded = learner.load(TASK, tmp_path / "saved")
    assert write(loaded.model, loaded.prompt, TEXTS) == ids
    assert loaded.effort == taught.effort
    with pytest.raises(InputError, match="holds no saved learner"):
        learner.load(TASK, tmp_path / "nothing")


def test_answers_alone_are_scored_each_as_much_as_another(model: Path) -> None:
    """By hand: the mean over the tokens of an answer, then over rows; the prompt and the padding count nothing."""
    from budgetsim.learners.prompting import open_model

    lm, tokenizer = open_model(parse_learner(f"lm:{model}"))  # type: ignore[arg-type]
    rows = [([20, 21, 22], [6, 7, 1]), ([23], [8, 1])]
    batch = Collate(tokenizer.pad_token_id)(rows)
    by_hand = []
    for prompt, answer in rows:
        log_q = torch.log_softmax(lm(torch.tensor([[*prompt, *answer]])).logits[0], dim=-1)
        by_hand.append(-torch.stack([log_q[len(prompt) - 1 + i, token] for i, token in enumerate(answer)]).mean())
    torch.testing.assert_close(loss_of_answers(lm, batch), torch.stack(by_hand).mean())


def test_shots_stand_in_the_prompt_as_far_as_there_is_room(model: Path) -> None:
    learner = parse_learner(f"lm:{model}:shots=2")
    fitted: Any = learner.fit(TASK, EXAMPLES, HOW, Desk(Path("unused")))
    assert len(fitted.prompt.shots) == 2
    assert fitted.effort.examples == 2
    (ids,) = fitted.prompt([TEXTS[0]])
    text = fitted.prompt.tokenizer.decode(ids)
    assert text.count("Text") == 3
    long = " ".join(TEXTS[:6])
    (ids,) = fitted.prompt([long])
    assert len(ids) + HOW.target_tokens <= fitted.prompt.longest  # the model's 64 places hold prompt and answer
    assert fitted.prompt.tokenizer.decode(ids).count("Text") < 3


def test_the_end_of_the_line_ends_an_answer(taught: Any) -> None:
    ids = taught.prompt.tokenizer("good room", add_special_tokens=False)["input_ids"]
    assert taught.prompt.read(ids) == "good room"
    assert taught.prompt.read([]) == ""


def test_it_gives_no_probabilities_of_a_generation(model: Path, taught: Any) -> None:
    with pytest.raises(InputError, match="has no labels to give probabilities of"):
        taught.logits(TEXTS)
    lm, pico = parse_learner(f"lm:{model}"), parse_learner("pico")
    assert signal_between(lm, pico, TASK) == "texts"
    assert signal_between(lm, pico, make_task()) == "probabilities"
    assert signal_between(lm, parse_learner("ft:minilm"), make_task()) == "probabilities"
    assert signal_between(pico, parse_learner("micro"), TASK) == "states"


def test_a_t5_of_another_vocabulary_is_distilled_from_what_it_writes(model: Path, tmp_path: Path) -> None:
    """A task of texts from files to a score: the language model is tuned on 24 answers, and teaches pico 20 texts."""
    rows = [{"text": text, "label": answer_to(text)} for text in made_texts(90, 11)]
    parts = {"train": rows[:40], "test": rows[40:60]}
    files = {part: tmp_path / f"{part}.jsonl" for part in parts}
    for part, lines in parts.items():
        files[part].write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    files["unlabeled"] = tmp_path / "unlabeled.txt"
    files["unlabeled"].write_text("\n".join(str(row["text"]) for row in rows[60:]), encoding="utf-8")
    add_task(tmp_path / "tasks", "written", TaskFiles(**files), "exact_match", kind="generation")
    workspace = Workspace(StageStore(tmp_path / "cache", Device("cpu", "")), Access(download=False))
    recipe = replace(PRESETS["modern"], steps=5, batch=8, vocabulary=60)
    spec = make_spec(
        task="written", strategy="distill", teacher=f"lm:{model}:lora=4", student="pico", n_labels=24, n_unlabeled=20,
        recipe=recipe,
    )  # fmt: skip
    result = execute(spec, workspace)
    (said,) = (s for s in result.stages if s.record.kind == "soft_label")
    assert said.record.provenance["cache"] == "texts"
    assert len(json.loads((said.folder / "answers.json").read_text())) == said.record.examples
    assert 0 <= result.scores[0].value <= 100
