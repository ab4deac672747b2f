"""One labelling pass of the whole pool by the teacher, and the training examples that come of it.

What the cache holds follows from the teacher: `label` (logits over the classes) of an encoder teacher, `full` (decoder
states, from which logits over the whole vocabulary follow) of a seq2seq one; the stage's record says which.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from budgetsim.learners.names import is_encoder, model_id
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.encode import load_features, plan_encoding
from budgetsim.measure.stages.planned import Build, Done, PlannedStage
from budgetsim.measure.stages.teacher import load_head, plan_teacher
from budgetsim.measure.stages.tokenise import load_codec
from budgetsim.measure.stages.training import encode_examples, load_trained
from budgetsim.measure.stagestore import Work

if TYPE_CHECKING:
    from budgetsim.learners.codec import Codec
    from budgetsim.learners.finetune import TrainExample

_LOGITS, _STATES = "logits.safetensors", "states.safetensors"


def plan_soft_labels(run: Run) -> PlannedStage:
    """The labelling pass."""
    teacher, n = plan_teacher(run), len(run.part("pool"))
    needs: tuple[PlannedStage, ...]
    build: Build
    if is_encoder(run.spec.teacher):
        encoded = plan_encoding(run, "pool")
        cache, needs, build = "label", (teacher, encoded), partial(_build_logits, run, teacher, encoded)
    else:
        cache, needs, build = "full", (teacher,), partial(_build_states, run, teacher)
    return PlannedStage(
        kind="soft_label",
        depends_on={"teacher": teacher.key, "pool": run.texts.pool_id, "cache": cache},
        about=run.about(
            model_id(run.spec.teacher), n_labels=run.design.n_labels, n_unlabeled=n, seed=run.spec.seed
        ),
        examples=n,
        needs=needs,
        build=build,
    )  # fmt: skip


def taught_examples(run: Run, codec: Codec, done: Done) -> tuple[list[TrainExample], Any]:
    """Texts with the teacher's soft labels, people's labels behind them where the recipe says gold, and the head that
    reads the targets."""
    folder = done[plan_soft_labels(run).key].folder
    if is_encoder(run.spec.teacher):
        return _label_examples(run, codec, folder)
    return _state_examples(run, codec, folder)


def _build_logits(run: Run, teacher: PlannedStage, encoded: PlannedStage, folder: Path, done: Done) -> Work:
    from safetensors.numpy import save_file

    features = load_features(encoded, done)
    logits = load_head(teacher, done).logits(features).astype(np.float32)
    save_file({"logits": logits}, folder / _LOGITS)
    return Work(examples=len(features), provenance={"cache": "label"})


def _build_states(run: Run, teacher: PlannedStage, folder: Path, done: Done) -> Work:
    from budgetsim.learners.distill import cache_states

    codec = load_codec(run, done)
    rows = run.texts.rows
    model = load_trained(run, run.spec.teacher, done[teacher.key].folder, codec)
    sources = codec.encode(run.prefixed(rows), run.recipe.source_tokens)
    cache = cache_states(model, sources, max_tokens=run.target_tokens, batch=run.recipe.batch)
    cache.save(folder / _STATES)
    return Work(examples=len(rows), tokens=len(cache.states), provenance={"cache": "full"})


def _label_examples(run: Run, codec: Codec, folder: Path) -> tuple[list[TrainExample], Any]:
    from safetensors.numpy import load_file

    from budgetsim.learners.distill import LabelHead, check_label_tokens, label_probabilities, one_hot

    labels, temperature = run.task.labels, run.recipe.t5_temperature
    tokens = check_label_tokens([ids[0] for ids in codec.encode_labels(labels)], labels)
    logits = load_file(folder / _LOGITS)["logits"][run.text_order]
    rows = [run.texts.rows[i] for i in run.text_order]
    hard = encode_examples(run, codec, rows, [labels[i] for i in logits.argmax(1).tolist()])
    examples = _with_probs(hard, label_probabilities(logits, temperature))
    if run.recipe.gold:
        certain = one_hot([labels.index(row.target) for row in run.labelled], len(labels))
        examples += _with_probs(_gold_examples(run, codec), certain)
    return examples, LabelHead(tokens, temperature)


def _state_examples(run: Run, codec: Codec, folder: Path) -> tuple[list[TrainExample], Any]:
    from budgetsim.learners.distill import StateCache, StateHead
    from budgetsim.learners.finetune import TrainExample

    cache = StateCache.load(folder / _STATES)
    states, order = cache.rows(), run.text_order
    sources = codec.encode(run.prefixed([run.texts.rows[i] for i in order]), run.recipe.source_tokens)
    examples = [
        TrainExample(source, cache.sequences[i], states=states[i]) for i, source in zip(order, sources, strict=True)
    ]
    if run.recipe.gold:
        examples += _gold_examples(run, codec)
    return examples, StateHead(cache.matrix.float(), cache.scale, run.recipe.t5_temperature)


def _gold_examples(run: Run, codec: Codec) -> list[TrainExample]:
    return encode_examples(run, codec, run.labelled, [row.target for row in run.labelled])


def _with_probs(examples: list[TrainExample], probs: Any) -> list[TrainExample]:
    from budgetsim.learners.finetune import TrainExample

    return [TrainExample(e.source, e.target, label_probs=p) for e, p in zip(examples, probs, strict=True)]
