"""A language model as a classifier: prompts, scores of label words, calibration, adapters.

A label is scored by the logit of its first token where those differ, which takes one pass a text; else by the mean
log-probability of its tokens, which takes one pass a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812

from budgetsim.data.tasks import Task
from budgetsim.learners.causal import Causal
from budgetsim.learners.checks import check_answers
from budgetsim.learners.features import longest
from budgetsim.learners.heads import mixed_loss, soft_rows
from budgetsim.learners.lora import adapt, load_adapters
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.pretrained import device, is_none, load_config, load_model, load_tokenizer
from budgetsim.learners.protocol import Desk, Effort, Examples, Probabilities, Stateless, Training
from budgetsim.learners.trainer import Batch, Optimisation, train
from budgetsim.learners.weights import open_weights

BATCH: Final = 16
MOST_CALIBRATED: Final = 256  # examples that the slope and offsets are fitted to, at most
OFFSET_STD: Final = 3.0  # of the prior of an offset, in logits; that of the slope's logarithm is 1


@dataclass(frozen=True, slots=True)
class Prompter:
    """What turns a text into the tokens before its label.

    shots : (text, label) pairs that stand before it; max_tokens : of the text, the rest of the prompt not counted
    """

    tokenizer: Any
    labels: tuple[str, ...]
    shots: tuple[tuple[str, str], ...]
    max_tokens: int
    longest: int

    def __call__(self, sources: Sequence[str]) -> list[list[int]]:
        """Token ids of the prompts; shots are left out from the first where all would not fit."""
        end = bare(self.tokenizer, "\nLabel:")
        texts = [bare(self.tokenizer, f"Text: {source}")[: self.max_tokens] for source in sources]
        room = self.longest - len(end) - max((len(ids) for ids in self.words()), default=0)
        head = f"Choose the label of each text: {', '.join(self.labels)}.\n\n"
        shown = [f"Text: {text}\nLabel: {label}\n\n" for text, label in self.shots]
        return [before(self.tokenizer, head, shown, room - len(ids)) + ids[: max(1, room)] + end for ids in texts]

    def words(self) -> list[list[int]]:
        """Token ids of each label, as it follows the prompt."""
        return [bare(self.tokenizer, f" {label}") for label in self.labels]


def before(tokenizer: Any, head: str, shown: Sequence[str], room: int) -> list[int]:
    """Token ids of what stands before a text: the head and as many of the last shots as have room, or nothing."""
    for first in range(len(shown) + 1):
        ids: list[int] = tokenizer(head + "".join(shown[first:]))["input_ids"]
        if len(ids) <= room:
            return ids
    return []


def bare(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text without marks of its beginning and end."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt to be trained on, its class, and the teacher's logits where it is taught by them."""

    prompt: list[int]
    answer: int
    teacher: NDArray[np.float32] | None


def calibrate(learner: Causal, task: Task, examples: Examples, how: Training) -> Prompted:
    """The model as it is, with shots of the examples, and its scores fitted to the rest by a slope and offsets."""
    shown = choose_shots(examples, learner.shots, how.seed)
    model, tokenizer = open_model(learner)
    shots = tuple((examples.sources[i], examples.answers[i]) for i in shown)
    prompter = _prompter(tokenizer, model, task, shots, how.max_tokens)
    asked = [i for i in range(len(examples)) if i not in shown] or shown
    asked = asked[:MOST_CALIBRATED]
    scores = score(model, prompter, [examples.sources[i] for i in asked])
    part = _subset(examples, asked)
    gold = np.zeros(len(part), dtype=bool) if part.is_gold is None else part.is_gold
    hard = gold | (part.logits is None)
    slope, offsets = fit_scores(
        scores, part.targets(task.labels, how.temperature), np.where(hard, 1.0, how.temperature)
    )
    effort = Effort(examples=len(part))
    return Prompted(learner.name, task, model, prompter, slope, offsets, 0, effort)


def choose_shots(examples: Examples, k: int, seed: int) -> list[int]:
    """Rows to be shown in the prompt, by turns of each class, drawn by a seed; at most half of the rows."""
    order = np.random.default_rng([seed, 5]).permutation(len(examples)).tolist()
    turns: dict[str, int] = {}
    ranked = []
    for i in order:
        turns[examples.answers[i]] = turns.get(examples.answers[i], 0) + 1
        ranked.append((turns[examples.answers[i]], i))
    ranked.sort(key=lambda pair: pair[0])
    return [i for _, i in ranked[: min(k, len(examples) // 2)]]


def fit_scores(
    scores: Probabilities, targets: Probabilities, temperatures: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    r"""A slope above 0 and an offset a class: the logits are `slope * scores + offsets`.

    The most probable ones under priors: offsets normal with deviation 3, the slope's logarithm with deviation 1.
    scores, targets : (rows, classes); temperatures : (rows,), at which the targets are
    source : Platt (1999); Guo et al. (2017), arXiv 1706.04599; Zhao et al. (2021), arXiv 2102.09690, for the offsets
    """
    from scipy.optimize import minimize

    t = temperatures[:, None]

    def loss(x: NDArray[np.float64]) -> float:
        z = (np.exp(x[0]) * scores + x[1:]) / t
        z = z - z.max(axis=1, keepdims=True)
        log_q = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        prior = x[0] ** 2 / 2 + ((x[1:] / OFFSET_STD) ** 2).sum() / 2
        return float(-(t**2 * targets * log_q).sum() + prior)

    solve: Any = minimize
    found = solve(loss, np.zeros(scores.shape[1] + 1), method="L-BFGS-B").x
    return float(np.exp(found[0])), found[1:]


def tune(learner: Causal, task: Task, examples: Examples, how: Training, desk: Desk) -> Prompted:
    """The model with adapters that are trained on the label words."""
    torch.manual_seed(how.seed)
    shown = choose_shots(examples, learner.shots, how.seed)
    base, tokenizer = open_model(learner)
    shots = tuple((examples.sources[i], examples.answers[i]) for i in shown)
    prompter = _prompter(tokenizer, base, task, shots, how.max_tokens)
    model = adapt(base, learner.rank, "CAUSAL_LM", (), how.precision)
    rows = _rows(task, examples, prompter)
    trained = train(
        model, rows, Optimisation.of(how),
        lengths=([len(row.prompt) for row in rows],),
        collate=Collate(len(task.labels)),
        loss=LossOfPrompts(prompter.words(), tokenizer.pad_token_id, how.temperature),
        checkpoints=desk.folder / "checkpoints", checkpoint_every=desk.checkpoint_every, progress=desk.progress,
    )  # fmt: skip
    effort = Effort(examples=trained.examples, tokens=trained.tokens, resumed_at=trained.resumed_at)
    return Prompted(
        learner.name, task, model.eval(), prompter, 1.0, np.zeros(len(task.labels)), learner.rank, effort
    )  # fmt: skip


def load_prompted(learner: Causal, task: Task, folder: Path) -> Prompted:
    """One that was saved.

    raises : InputError where the folder does not hold one
    """
    notes = read_notes(folder, learner.name, task)
    model, tokenizer = open_model(learner)
    shots = tuple((text, label) for text, label in notes["shots"])
    prompter = _prompter(tokenizer, model, task, shots, notes["max_tokens"])
    if learner.rank:
        model = load_adapters(model, folder, learner.name)
    return Prompted(
        learner.name, task, model, prompter, notes["slope"], np.array(notes["offsets"]), learner.rank, effort_of(notes)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prompted(Stateless):
    """A language model with its prompt and calibration."""

    name: str
    task: Task
    model: Any
    prompter: Prompter
    slope: float
    offsets: NDArray[np.float64]
    rank: int
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        return [self.task.labels[i] for i in self.logits(sources).argmax(1)]

    def logits(self, sources: Sequence[str]) -> Probabilities:
        found = self.slope * score(self.model, self.prompter, sources) + self.offsets
        return check_answers(self.name, np.asarray(found, dtype=np.float32))

    def save(self, folder: Path) -> None:
        write_notes(
            folder, self.name, self.task, self.effort, max_tokens=self.prompter.max_tokens,
            shots=[list(shot) for shot in self.prompter.shots], slope=self.slope, offsets=self.offsets.tolist(),
        )  # fmt: skip
        if self.rank:
            self.model.save_pretrained(folder)


@torch.no_grad()
def score(model: Any, prompter: Prompter, sources: Sequence[str]) -> Probabilities:
    """Log-probabilities of the labels after each prompt, before calibration, (sources, classes)."""
    model.eval()
    prompts = prompter(sources)
    words, pad_id = prompter.words(), prompter.tokenizer.pad_token_id
    made = np.zeros((len(sources), len(words)), dtype=np.float32)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        found = label_scores(model, [prompts[i] for i in rows], words, pad_id)
        made[rows] = F.log_softmax(found.float(), dim=-1).cpu().numpy()
    return made


def label_scores(model: Any, prompts: Sequence[list[int]], words: Sequence[list[int]], pad_id: int) -> torch.Tensor:
    """Scores of the labels after each prompt, (prompts, labels); gradients flow."""
    first = [ids[0] for ids in words]
    if len(set(first)) == len(first):
        return _logits(model, prompts, pad_id, keep=1)[:, -1, first]
    keep = max(len(ids) for ids in words)
    joined = [[*prompt, *ids] for prompt in prompts for ids in words]
    logits = _logits(model, joined, pad_id, keep=keep + 1)
    log_q = F.log_softmax(logits.float(), dim=-1)
    ends = [(i, words[i % len(words)]) for i in range(len(joined))]
    means = [log_q[i, -1 - len(ids) : -1].gather(1, _column(ids, log_q)).mean() for i, ids in ends]
    return torch.stack(means).view(len(prompts), len(words))


def _column(ids: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(ids, device=like.device)[:, None]


def _logits(model: Any, rows: Sequence[list[int]], pad_id: int, keep: int) -> torch.Tensor:
    """Logits of the last places of rows that are padded on the left, (rows, keep, vocabulary)."""
    width = max(len(ids) for ids in rows)
    ids = torch.tensor([[pad_id] * (width - len(r)) + list(r) for r in rows])
    mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows])
    where = next(model.parameters()).device
    places = (mask.cumsum(1) - 1).clamp_min(0)
    out = model(
        input_ids=ids.to(where), attention_mask=mask.to(where), position_ids=places.to(where), logits_to_keep=keep
    )  # fmt: skip
    logits: torch.Tensor = out.logits
    return logits


def _rows(task: Task, examples: Examples, prompter: Prompter) -> list[Row]:
    classes, prompts, soft = examples.classes(task.labels).tolist(), prompter(examples.sources), soft_rows(examples)
    logits = examples.logits
    return [
        Row(prompts[i], classes[i], logits[i] if logits is not None and soft[i] else None) for i in range(len(examples))
    ]


@dataclass(frozen=True, slots=True)
class Collate:
    """What makes a batch of rows."""

    classes: int

    def __call__(self, batch: Sequence[Row]) -> Batch:
        none = np.zeros(self.classes, dtype=np.float32)
        return {
            "prompts": [row.prompt for row in batch],
            "classes": torch.tensor([row.answer for row in batch]),
            "teacher": torch.from_numpy(np.stack([none if r.teacher is None else r.teacher for r in batch])).float(),
            "is_soft": torch.tensor([row.teacher is not None for row in batch]),
        }


@dataclass(frozen=True, slots=True)
class LossOfPrompts:
    """The loss of a batch that `Collate` made; words : tokens of each label."""

    words: list[list[int]]
    pad_id: int
    temperature: float

    def __call__(self, model: Any, batch: Batch) -> torch.Tensor:
        scores = label_scores(model, batch["prompts"], self.words, self.pad_id)
        return mixed_loss(scores, batch["classes"], batch["teacher"], batch["is_soft"], self.temperature)


def open_model(learner: Causal) -> tuple[Any, Any]:
    """The language model of a learner, with its tokenizer."""
    weights = open_weights(learner.model)
    tokenizer = load_tokenizer(weights)
    model, _ = load_model(weights, "AutoModelForCausalLM", load_config(weights), fresh=is_none)
    return model.to(device()), tokenizer


def _prompter(tokenizer: Any, model: Any, task: Task, shots: tuple[tuple[str, str], ...], max_tokens: int) -> Prompter:
    return Prompter(tokenizer, task.labels, shots, max_tokens, longest(tokenizer, model.config))


def _subset(examples: Examples, rows: Sequence[int]) -> Examples:
    return Examples(
        sources=[examples.sources[i] for i in rows],
        answers=[examples.answers[i] for i in rows],
        logits=None if examples.logits is None else examples.logits[list(rows)],
        is_gold=None if examples.is_gold is None else examples.is_gold[list(rows)],
    )
