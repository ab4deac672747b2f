"""T5s: text to text, of the CPU family or of a checkpoint; they teach by states where vocabularies are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.design.models import T5_SHAPES
from budgetsim.errors import InputError
from budgetsim.learners.checks import check_examples, check_kind
from budgetsim.learners.finetuned import TRAINS
from budgetsim.learners.names import CPU_FAMILY, model_id
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.protocol import Desk, Effort, Examples, Facts, Probabilities, Signal, Training
from budgetsim.learners.weights import check_weights, resolve, weigh

if TYPE_CHECKING:
    from budgetsim.learners.codec import Codec
    from budgetsim.learners.distill import LabelHead, StateHead
    from budgetsim.learners.finetune import TrainExample

VOCABULARY: Final = 4000  # pieces of the CPU family, which learns its own from the examples' sources
BATCH: Final = 128


def parse(name: str, rest: str) -> Seq2Seq:
    """The learner of a name of the CPU family, of a size of T5 v1.1, of a folder or of the hub."""
    return Seq2Seq(name)


@dataclass(frozen=True, slots=True)
class Seq2Seq:
    """An encoder-decoder that writes its answer."""

    model: str
    learns: frozenset[Signal] = frozenset({"labels", "probabilities", "texts", "states"})
    gives: frozenset[Signal] = frozenset({"labels", "probabilities", "texts", "states"})
    kinds: frozenset[TaskKind] = frozenset({"classification", "tagging", "generation", "qa"})
    is_cheap: bool = False
    usual_l2: float = 0.0
    encoders: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return model_id(self.model)

    @property
    def usual_lr(self) -> float:
        return 1e-3

    def identity(self, how: Training) -> dict[str, object]:
        named = {key: getattr(how, key) for key in (*TRAINS, "target_tokens", "lora_rank")}
        return {**named, "vocabulary": VOCABULARY} if self.model in CPU_FAMILY else named

    def check(self, task: Task) -> None:
        check_kind(self, task)
        if self.model not in CPU_FAMILY:
            weights = resolve(_target(self.model))
            if weights.gguf is not None:
                raise InputError(f"{self.model} is a gguf, which is no encoder-decoder here; use lm:{self.model}.")
            config = check_weights(weights)
            if not config.get("is_encoder_decoder", True):
                raise InputError(f"{self.model} is no encoder-decoder; fine-tune it as ft:{self.model}.")
            from budgetsim.learners.models import SEQ2SEQ
            from budgetsim.learners.pretrained import check_checkpoint, is_none

            check_checkpoint(weights, SEQ2SEQ, is_none)

    def facts(self) -> Facts:
        from budgetsim.learners.models import build_meta, parameters

        if self.model in CPU_FAMILY:
            return self._facts(None, "trained from nothing", "parameters depend on the vocabulary that it learns")
        if self.model in T5_SHAPES:
            return self._facts(parameters(build_meta(self.model)), "the hub", "T5 v1.1, its output matrix of its own")
        weights = resolve(self.model)
        held = weigh(weights)
        place = weights.target if held else "the hub"
        return self._facts(held.numbers if held else None, place, "a seq2seq checkpoint")

    def _facts(self, n: int | None, place: str, note: str) -> Facts:
        licence = "Apache-2.0" if self.model in T5_SHAPES else None
        size = None if n is None else round(4e-6 * n, 1)
        return Facts(
            kind="T5", parameters=n, trainable=n, megabytes=size, licence=licence, place=place, notes=(note,)
        )  # fmt: skip

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> Seq2SeqFitted:
        from budgetsim.learners import finetune, lora

        self.check(task)
        check_examples(self, task, examples)
        codec = self._codec(task, examples)
        rows, soft = _training_rows(task, examples, codec, how)
        fresh = self._fresh(codec, how.seed)
        model = lora.wrap(fresh, how.lora_rank, how.precision)
        trained = finetune.train(
            model, rows, finetune.Optimisation.of(how), soft=soft, checkpoints=desk.folder / "checkpoints",
            checkpoint_every=desk.checkpoint_every, progress=desk.progress,
        )  # fmt: skip
        effort = Effort(examples=trained.examples, tokens=trained.tokens, resumed_at=trained.resumed_at)
        lengths = (how.max_tokens, how.target_tokens)
        return Seq2SeqFitted(self.name, task, lora.merge(model).eval(), codec, lengths, effort)

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> Seq2SeqFitted:
        from budgetsim.learners import models
        from budgetsim.learners.codec import PieceCodec, checkpoint_codec

        notes = read_notes(folder, self.name, task)
        lengths = (int(notes["max_tokens"]), int(notes["target_tokens"]))
        codec: Codec
        model: Any
        if self.model in CPU_FAMILY:
            codec = PieceCodec((folder / "pieces.model").read_bytes(), task.labels)
            model = models.load_cpu(self.model, codec.vocab_size, folder)
        else:
            codec, model = checkpoint_codec(str(folder)), models.load_checkpoint(str(folder))
        return Seq2SeqFitted(self.name, task, models.placed(model), codec, lengths, effort_of(notes))

    def _codec(self, task: Task, examples: Examples) -> Codec:
        from budgetsim.learners.codec import PieceCodec, checkpoint_codec, train_pieces

        if self.model not in CPU_FAMILY:
            return checkpoint_codec(_target(self.model))
        texts = [*examples.sources, *([] if task.labels else examples.answers)]
        return PieceCodec(train_pieces(texts, task.labels, VOCABULARY), task.labels)

    def _fresh(self, codec: Codec, seed: int) -> Any:
        from budgetsim.learners import models

        if self.model in CPU_FAMILY:
            return models.build_cpu(self.model, codec.vocab_size, seed)
        return models.load_checkpoint(self.model)


@dataclass(frozen=True, slots=True)
class Seq2SeqFitted:
    """A T5 with its codec; lengths are the most tokens of a source and of an answer."""

    name: str
    task: Task
    model: Any
    codec: Codec
    lengths: tuple[int, int]
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        from budgetsim.learners import evaluate

        return evaluate.answer(
            self.model, self.codec, sources, source_tokens=self.lengths[0], target_tokens=self.lengths[1], batch=BATCH,
            labels=self.task.labels,
        )  # fmt: skip

    def logits(self, sources: Sequence[str]) -> Probabilities:
        from budgetsim.learners import evaluate

        if not self.task.labels:
            raise InputError(f"{self.task.name} has no labels to give probabilities of; teach by states or by texts.")
        found = evaluate.first_logits(
            self.model, self.codec.encode(sources, self.lengths[0]), _first_tokens(self.codec, self.task), batch=BATCH
        )
        return np.asarray(found, dtype=np.float32)

    def states(self, sources: Sequence[str]) -> Any:
        from budgetsim.learners.distill import cache_states

        ids = self.codec.encode(sources, self.lengths[0])
        return cache_states(self.model, ids, max_tokens=self.lengths[1], batch=BATCH)

    def save(self, folder: Path) -> None:
        from budgetsim.learners.codec import CheckpointCodec, PieceCodec

        write_notes(
            folder, self.name, self.task, self.effort, max_tokens=self.lengths[0], target_tokens=self.lengths[1]
        )  # fmt: skip
        self.model.save_pretrained(folder)
        if isinstance(self.codec, PieceCodec):
            (folder / "pieces.model").write_bytes(self.codec.model)
        elif isinstance(self.codec, CheckpointCodec):
            self.codec.tokenizer.save_pretrained(folder)


def _target(model: str) -> str:
    from budgetsim.learners.models import hub_name

    return hub_name(model)


def _first_tokens(codec: Codec, task: Task) -> tuple[int, ...]:
    from budgetsim.learners.distill import check_label_tokens

    return check_label_tokens([ids[0] for ids in codec.encode_labels(task.labels)], task.labels)


def _training_rows(
    task: Task, examples: Examples, codec: Codec, how: Training
) -> tuple[list[TrainExample], LabelHead | StateHead | None]:
    from budgetsim.learners.finetune import TrainExample

    sources = codec.encode(examples.sources, how.max_tokens)
    if examples.states is not None:
        return _state_rows(task, examples, codec, how, sources)
    targets = _targets(task, examples.answers, codec, how)
    hard = [TrainExample(source, target) for source, target in zip(sources, targets, strict=True)]
    return _label_rows(task, examples, codec, how, hard) if examples.is_soft else (hard, None)


def _targets(task: Task, answers: Sequence[str], codec: Codec, how: Training) -> list[list[int]]:
    if task.kind != "classification":
        return codec.encode(answers, how.target_tokens)
    Examples(sources=answers, answers=answers).classes(task.labels)
    words = dict(zip(task.labels, codec.encode_labels(task.labels), strict=True))
    return [words[answer] for answer in answers]


def _label_rows(
    task: Task, examples: Examples, codec: Codec, how: Training, hard: Sequence[TrainExample]
) -> tuple[list[TrainExample], LabelHead]:
    import torch

    from budgetsim.learners.distill import LabelHead
    from budgetsim.learners.finetune import TrainExample

    if task.kind != "classification":
        raise InputError(f"{task.name} is no classification: teach a T5 by states or by texts.")
    probs = torch.from_numpy(examples.targets(task.labels, how.temperature))
    rows = [TrainExample(e.source, e.target, label_probs=p) for e, p in zip(hard, probs, strict=True)]
    return rows, LabelHead(_first_tokens(codec, task), how.temperature)


def _state_rows(
    task: Task, examples: Examples, codec: Codec, how: Training, sources: Sequence[list[int]]
) -> tuple[list[TrainExample], StateHead]:
    from budgetsim.learners.distill import StateHead
    from budgetsim.learners.finetune import TrainExample

    cache = examples.states
    if len(cache.matrix) < codec.vocab_size:
        raise InputError(
            f"The teacher knows {len(cache.matrix)} pieces and the student {codec.vocab_size}: states need one "
            f"vocabulary. Teach by probabilities (objective `label`) or by texts."
        )
    gold = np.zeros(len(examples), dtype=bool) if examples.is_gold is None else examples.is_gold
    targets = _targets(task, examples.answers, codec, how)
    taught = zip(sources, cache.sequences, cache.rows(), targets, gold.tolist(), strict=True)
    rows = [
        TrainExample(source, target) if sure else TrainExample(source, said, states=states)
        for source, said, states, target, sure in taught
    ]
    return rows, StateHead(cache.matrix, cache.scale, how.temperature)
