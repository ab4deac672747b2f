"""T5s: text to text, of the CPU family or of a checkpoint; they teach by states where vocabularies are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.design.models import T5_SHAPES
from budgetsim.errors import InputError
from budgetsim.learners.checks import check_answers, check_examples, check_kind
from budgetsim.learners.finetuned import TRAINS
from budgetsim.learners.names import CPU_FAMILY, model_id
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.protocol import Desk, Effort, Examples, Facts, Learner, Probabilities, Signal, Training
from budgetsim.learners.weights import check_weights, resolve, weigh

if TYPE_CHECKING:
    from budgetsim.learners.codec import Codec
    from budgetsim.learners.distill import LabelHead, StateCache, StateHead
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
    soft_kinds: frozenset[TaskKind] = frozenset({"classification"})  # tags it writes one after the other
    is_cheap: bool = False
    usual_l2: float = 0.0
    encoders: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return model_id(self.model)

    @property
    def usual_lr(self) -> float:
        return 1e-3

    @property
    def shares_pieces(self) -> bool:
        """The CPU family learns the word pieces of a split; checkpoints bring their own."""
        return self.model in CPU_FAMILY

    def has_vocabulary_of(self, other: Learner) -> bool:
        """Whether another seq2seq model writes in the tokens that this one reads.

        raises : InputError where a checkpoint's tokenizer cannot be loaded
        """
        from budgetsim.learners.codec import checkpoint_codec

        if not isinstance(other, Seq2Seq):
            return False
        pair = {self.model, other.model}
        if len(pair) == 1 or any(pair <= set(family) for family in (CPU_FAMILY, T5_SHAPES)):
            return True
        if pair & set(CPU_FAMILY):
            return False
        return checkpoint_codec(_target(self.model)).same_as(checkpoint_codec(_target(other.model)))

    def identity(self, how: Training) -> dict[str, object]:
        named = {key: getattr(how, key) for key in (*TRAINS, "target_tokens", "lora_rank")}
        return {**named, "vocabulary": VOCABULARY} if self.model in CPU_FAMILY else named

    def check(self, task: Task) -> None:
        check_kind(self, task)
        if self.model in CPU_FAMILY:
            return
        weights = resolve(_target(self.model))
        if self.model in T5_SHAPES and weights.folder is None:
            return  # the hub has it, and its sizes are known without asking
        if weights.gguf is not None:
            raise InputError(f"{self.model} is a gguf, which is no encoder-decoder here; use lm:{self.model}.")
        config = check_weights(weights)
        if not config.get("is_encoder_decoder", True):
            raise InputError(f"{self.model} is no encoder-decoder; fine-tune it as ft:{self.model}.")
        from budgetsim.learners.models import SEQ2SEQ
        from budgetsim.learners.pretrained import check_checkpoint, is_none

        check_checkpoint(weights, SEQ2SEQ, is_none)

    def check_soft(self, task: Task) -> None:
        """Refuse labels that its first token cannot tell apart, where its tokenizer is here to be asked.

        raises : InputError naming two of them
        """
        from budgetsim.learners.codec import checkpoint_codec

        if self.model not in CPU_FAMILY and resolve(_target(self.model)).folder is not None:
            _first_tokens(checkpoint_codec(_target(self.model)), task)

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
        codec = self._codec(task, examples, desk.pieces)
        rows, soft = _training_rows(task, examples, codec, how)
        fresh = self._fresh(codec, how.seed)
        model = lora.wrap(fresh, how.lora_rank, how.precision)
        trained = finetune.train(
            model, rows, finetune.Optimisation.of(how), soft=soft, checkpoints=desk.folder / "checkpoints",
            checkpoint_every=desk.checkpoint_every, progress=desk.progress,
        )  # fmt: skip
        whole = lora.merge(model).eval()
        effort = Effort(
            examples=trained.examples, tokens=trained.tokens, flops=_operations(whole, rows) * trained.tokens,
            resumed_at=trained.resumed_at,
        )  # fmt: skip
        reads = Reads(how.max_tokens, how.target_tokens, how.precision)
        return Seq2SeqFitted(self.name, task, whole, codec, reads, effort)

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> Seq2SeqFitted:
        from budgetsim.learners import models
        from budgetsim.learners.codec import PieceCodec, checkpoint_codec

        notes = read_notes(folder, self.name, task)
        reads = Reads(int(notes["max_tokens"]), int(notes["target_tokens"]), str(notes["precision"]))
        codec: Codec
        model: Any
        if self.model in CPU_FAMILY:
            codec = PieceCodec((folder / "pieces.model").read_bytes(), task.labels)
            model = models.load_cpu(self.model, codec.vocab_size, folder)
        else:
            codec, model = checkpoint_codec(str(folder)), models.load_checkpoint(str(folder))
        return Seq2SeqFitted(
            self.name, task, models.placed(model, reads.precision), codec, reads, effort_of(notes)
        )  # fmt: skip

    def _codec(self, task: Task, examples: Examples, pieces: Path | None) -> Codec:
        from budgetsim.learners.codec import PieceCodec, checkpoint_codec, train_pieces

        if self.model not in CPU_FAMILY:
            return checkpoint_codec(_target(self.model))
        if pieces is not None:
            return PieceCodec(pieces.read_bytes(), task.labels)
        texts = [*examples.sources, *([] if task.labels else examples.answers)]
        return PieceCodec(train_pieces(texts, task.labels, VOCABULARY), task.labels)

    def _fresh(self, codec: Codec, seed: int) -> Any:
        from budgetsim.learners import models

        if self.model in CPU_FAMILY:
            return models.build_cpu(self.model, codec.vocab_size, seed)
        return models.load_checkpoint(self.model)


@dataclass(frozen=True, slots=True)
class Reads:
    """The most tokens of a source and of an answer, and the precision that a GPU answers in."""

    max_tokens: int
    target_tokens: int
    precision: str


@dataclass(frozen=True, slots=True)
class Seq2SeqFitted:
    """A T5 with its codec."""

    name: str
    task: Task
    model: Any
    codec: Codec
    reads: Reads
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        from budgetsim.learners import evaluate

        return evaluate.answer(
            self.model, self.codec, sources, source_tokens=self.reads.max_tokens,
            target_tokens=self.reads.target_tokens, batch=BATCH, labels=self.task.labels,
        )  # fmt: skip

    def logits(self, sources: Sequence[str]) -> Probabilities:
        from budgetsim.learners import evaluate

        if not self.task.labels:
            raise InputError(f"{self.task.name} has no labels to give probabilities of; teach by states or by texts.")
        ids = self.codec.encode(sources, self.reads.max_tokens)
        found = evaluate.first_logits(self.model, ids, _first_tokens(self.codec, self.task), batch=BATCH)
        return check_answers(self.name, np.asarray(found, dtype=np.float32))

    def states(self, sources: Sequence[str]) -> Any:
        from budgetsim.learners.distill import cache_states

        ids = self.codec.encode(sources, self.reads.max_tokens)
        return cache_states(self.model, ids, max_tokens=self.reads.target_tokens, batch=BATCH)

    def written(self, states: StateCache) -> list[str]:
        """The texts of the answers behind some states."""
        return [self.codec.decode(ids) for ids in states.sequences]

    def save(self, folder: Path) -> None:
        from budgetsim.learners.codec import CheckpointCodec, PieceCodec

        write_notes(folder, self.name, self.task, self.effort, **asdict(self.reads))
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
    soft = [source for source, sure in zip(sources, gold, strict=True) if not sure]
    rows = [
        TrainExample(source, said, states=states)
        for source, said, states in zip(soft, cache.sequences, cache.rows(), strict=True)
    ]
    people = [i for i, sure in enumerate(gold) if sure]
    targets = _targets(task, [examples.answers[i] for i in people], codec, how)
    rows += [TrainExample(sources[i], target) for i, target in zip(people, targets, strict=True)]
    return rows, StateHead(cache.matrix.float(), cache.scale, how.temperature)


def _operations(model: Any, rows: Sequence[TrainExample]) -> float:
    """FLOPs per token of training on rows of their mean lengths."""
    from budgetsim.learners.flops import per_token

    source, target = (
        round(float(np.mean([len(ids) for ids in lengths])))
        for lengths in ([row.source for row in rows], [row.target for row in rows])
    )
    return per_token(model, source_tokens=source, target_tokens=target, training=True)
