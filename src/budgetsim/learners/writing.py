"""A language model that writes its answer after a prompt: generation by shots alone, or by adapters trained on answers.

The prompt shows answered texts, then the text at hand; what is written up to the end mark or the end of the line is the
answer. It teaches a student of any vocabulary by those answers (sequence-level distillation).

source : Kim and Rush (2016), arXiv 1606.07947, for teaching by what the teacher writes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional as F  # noqa: N812

from budgetsim.data.tasks import Task
from budgetsim.errors import InputError
from budgetsim.learners.causal import Causal
from budgetsim.learners.features import longest
from budgetsim.learners.lora import adapt, load_adapters
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.prompting import BATCH, bare, before, choose_shots, open_model
from budgetsim.learners.protocol import Desk, Effort, Examples, Probabilities, Stateless, Training
from budgetsim.learners.trainer import IGNORE, Batch, Optimisation, pad, train

INSTRUCTION: Final = "Write the answer to each text.\n\n"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What turns a text into the tokens before its answer.

    shots : (text, answer) pairs that stand before it; max_tokens, target_tokens : of a text, of an answer;
    longest : tokens that the model can take, prompt and answer together
    """

    tokenizer: Any
    shots: tuple[tuple[str, str], ...]
    max_tokens: int
    target_tokens: int
    longest: int

    def __call__(self, sources: Sequence[str]) -> list[list[int]]:
        """Token ids of the prompts; shots are left out from the first where all would not fit."""
        end = bare(self.tokenizer, "\nAnswer:")
        room = self.longest - self.target_tokens - len(end)
        shown = [f"Text: {text}\nAnswer: {answer}\n\n" for text, answer in self.shots]
        texts = [bare(self.tokenizer, f"Text: {source}")[: self.max_tokens] for source in sources]
        return [
            before(self.tokenizer, INSTRUCTION, shown, room - len(ids)) + ids[: max(1, room)] + end for ids in texts
        ]  # fmt: skip

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of answers as they follow the prompt, with the end mark, cut to the longest."""
        end = self.tokenizer.eos_token_id
        return [[*bare(self.tokenizer, f" {text}")[: self.target_tokens - 1], end] for text in texts]

    def read(self, ids: Sequence[int]) -> str:
        """The answer that tokens say: to the end of its first line."""
        lines = str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip().splitlines()
        return lines[0].strip() if lines else ""


@dataclass(frozen=True, slots=True)
class Writer(Stateless):
    """A language model with its prompt."""

    name: str
    task: Task
    model: Any
    prompt: Prompt
    rank: int
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        return [self.prompt.read(ids) for ids in write(self.model, self.prompt, sources)]

    def logits(self, sources: Sequence[str]) -> Probabilities:
        raise InputError(f"{self.task.name} has no labels to give probabilities of; teach by the texts it writes.")

    def save(self, folder: Path) -> None:
        write_notes(
            folder, self.name, self.task, self.effort, max_tokens=self.prompt.max_tokens,
            target_tokens=self.prompt.target_tokens, shots=[list(shot) for shot in self.prompt.shots],
        )  # fmt: skip
        if self.rank:
            self.model.save_pretrained(folder)


def fit_writer(learner: Causal, task: Task, examples: Examples, how: Training, desk: Desk) -> Writer:
    """The model with shots of the examples, and adapters trained on all answers where its name says so."""
    torch.manual_seed(how.seed)
    shown = choose_shots(examples, learner.shots, how.seed)
    model, tokenizer = open_model(learner)
    shots = tuple((examples.sources[i], examples.answers[i]) for i in shown)
    prompt = _prompt(tokenizer, model, shots, how.max_tokens, how.target_tokens)
    if not learner.rank:
        return Writer(learner.name, task, model.eval(), prompt, 0, Effort(examples=len(shown)))
    adapted = adapt(model, learner.rank, "CAUSAL_LM", (), how.precision)
    rows = [*zip(prompt(examples.sources), prompt.answers(examples.answers), strict=True)]
    trained = train(
        adapted, rows, Optimisation.of(how), lengths=([len(p) + len(a) for p, a in rows],),
        collate=Collate(tokenizer.pad_token_id), loss=loss_of_answers, checkpoints=desk.folder / "checkpoints",
        checkpoint_every=desk.checkpoint_every, progress=desk.progress,
    )  # fmt: skip
    effort = Effort(examples=trained.examples, tokens=trained.tokens, resumed_at=trained.resumed_at)
    return Writer(learner.name, task, adapted.eval(), prompt, learner.rank, effort)


def load_writer(learner: Causal, task: Task, folder: Path) -> Writer:
    """One that was saved.

    raises : InputError where the folder does not hold one
    """
    notes = read_notes(folder, learner.name, task)
    model, tokenizer = open_model(learner)
    shots = tuple((text, answer) for text, answer in notes["shots"])
    prompt = _prompt(tokenizer, model, shots, int(notes["max_tokens"]), int(notes["target_tokens"]))
    if learner.rank:
        model = load_adapters(model, folder, learner.name)
    return Writer(learner.name, task, model.eval(), prompt, learner.rank, effort_of(notes))


@torch.no_grad()
def write(model: Any, prompt: Prompt, sources: Sequence[str]) -> list[list[int]]:
    """Greedy answers as token ids, in order."""
    model.eval()
    pad_id, end = prompt.tokenizer.pad_token_id, prompt.tokenizer.eos_token_id
    where = next(model.parameters()).device
    prompts = prompt(sources)
    made: list[list[int]] = [[]] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        width = max(len(prompts[i]) for i in rows)
        ids = torch.tensor([[pad_id] * (width - len(prompts[i])) + prompts[i] for i in rows], device=where)
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in rows], device=where)
        out = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=prompt.target_tokens, do_sample=False, num_beams=1,
            pad_token_id=pad_id, eos_token_id=end,
        )  # fmt: skip
        for i, found in zip(rows, out[:, width:].tolist(), strict=True):
            made[i] = found[: found.index(end)] if end in found else found
    return made


@dataclass(frozen=True, slots=True)
class Collate:
    """What makes a batch of prompts with their answers: padded on the right, answers alone are scored."""

    pad_id: int

    def __call__(self, batch: Sequence[tuple[list[int], list[int]]]) -> Batch:
        joined = [[*prompt, *answer] for prompt, answer in batch]
        return {
            "input_ids": pad(joined, self.pad_id),
            "attention_mask": pad([[1] * len(ids) for ids in joined], 0),
            "labels": pad([[IGNORE] * len(prompt) + answer for prompt, answer in batch], IGNORE),
        }


def loss_of_answers(model: Any, batch: Batch) -> torch.Tensor:
    """Cross entropy of the tokens of an answer, the mean over each, then over the batch."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    wanted = batch["labels"][:, 1:]
    found = F.cross_entropy(logits.transpose(1, 2).float(), wanted, ignore_index=IGNORE, reduction="none")
    counts = (wanted != IGNORE).sum(1).clamp_min(1)
    return (found.sum(1) / counts).mean()


def _prompt(
    tokenizer: Any, model: Any, shots: tuple[tuple[str, str], ...], max_tokens: int, target_tokens: int
) -> Prompt:
    return Prompt(tokenizer, shots, max_tokens, target_tokens, longest(tokenizer, model.config))
