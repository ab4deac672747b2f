"""One run, stage by stage: tokenise -> teacher -> soft labels -> student -> evaluate."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from budgetsim.data import metrics
from budgetsim.data.rows import Row
from budgetsim.data.splits import nested_order
from budgetsim.errors import InputError
from budgetsim.labelers import get_labeler
from budgetsim.learners.names import CPU_FAMILY, ENCODER_TEACHERS, is_cheap
from budgetsim.measure import wanted
from budgetsim.measure.resolve import Bench, Run, check_spec, vocabulary_mismatch
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import Stage, Work
from budgetsim.measure.wanted import Wanted
from budgetsim.store.records import Score

if TYPE_CHECKING:
    from budgetsim.learners.codec import Codec
    from budgetsim.learners.finetune import Optimisation, TrainExample


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave: its scores in percent, the main one first, and the stages it rests on."""

    scores: tuple[Score, ...]
    stages: tuple[Stage, ...]


def execute(spec: RunSpec, bench: Bench) -> Result:
    """Do a run; stages that are there already are not done again.

    raises : InputError where the task has too few rows, or student and teacher do not fit together
    """
    check_spec(spec, bench)
    run = Run(spec, bench)
    scores, stages = _cheap_student(run) if is_cheap(spec.student) else _seq2seq_student(run)
    part = getattr(run.split, bench.part)
    listed = [
        Score(metric=name, value=round(value, 4), n_test=len(part), is_main=i == 0)
        for i, (name, value) in enumerate(scores.items())
    ]
    return Result(tuple(listed), tuple(stages))


# Cheap students


def _cheap_student(run: Run) -> tuple[dict[str, float], list[Stage]]:
    spec = run.spec
    before: list[Stage] = []
    rows, labels = _hard_labels(run, before)
    features: list[tuple[np.ndarray, Stage]] = []
    if spec.student == "encoder-lr":
        features = [_encoded(run, part) for part in wanted.encoded_parts(run)]
        before += [stage for _, stage in features]

    def build(folder: Path) -> Work:
        answers = _cheap_answers(run, rows, labels, [f for f, _ in features])
        found = metrics.score(run.task, [], answers, [row.target for row in run.evaluated])
        _write_scores(folder, found)
        main = next(iter(found))
        return Work(examples=len(rows), metric=main, score=found[main])

    stage = _get(run, wanted.cheap_student(run), build)
    return _read_scores(stage), [*before, stage]


def _cheap_answers(run: Run, rows: Sequence[Row], labels: Sequence[str], features: Sequence[np.ndarray]) -> list[str]:
    from budgetsim.learners import encoder
    from budgetsim.learners import overlap as baselines

    sources = [row.source for row in run.evaluated]
    if run.spec.student == "overlap":
        return baselines.overlap_answers(
            run.task, [Row(r.source, label, "") for r, label in zip(rows, labels, strict=True)], sources
        )
    classes = np.array([run.task.labels.index(label) for label in labels])
    recipe = run.spec.recipe
    if run.spec.student == "tfidf-lr":
        train, (test,) = encoder.tfidf([row.source for row in rows], [sources])
        head = encoder.fit_logistic(train, classes, len(run.task.labels), recipe.cheap_l2)
    else:
        train = np.concatenate(_chosen(run, features))
        head = encoder.fit_logistic(train, classes, len(run.task.labels), recipe.encoder_l2)
        test = features[1]
    return [run.task.labels[i] for i in head.logits(test).argmax(1)]


def _chosen(run: Run, features: Sequence[np.ndarray]) -> list[np.ndarray]:
    order = nested_order(len(run.split.train), run.spec.seed, "labels")[: run.spec.n_labels]
    parts = [features[0][order]]
    return parts if run.pool is None else [*parts, features[2][run.text_order]]


# Seq2seq students


def _seq2seq_student(run: Run) -> tuple[dict[str, float], list[Stage]]:
    codec, before = _codec(run)
    if run.spec.strategy == "distill":
        examples, soft = _soft_examples(run, codec, before)
    else:
        rows, labels = _hard_labels(run, before)
        examples, soft = _examples(run, codec, rows, labels), None
    trained = _trained(run, codec, examples, soft)
    evaluated = _evaluated(run, codec, trained, run.spec.student, {"run": run.run_id})
    found = _read_scores(evaluated)
    run.bench.stages.drop(trained)
    return found, [*before, trained, evaluated]


def _trained(run: Run, codec: Codec, examples: list[TrainExample], soft: Any) -> Stage:
    from budgetsim.learners import finetune

    spec = run.spec
    epochs = spec.recipe.epochs(spec.strategy)
    how = _optimisation(run, spec.recipe.lr, spec.recipe.steps_for(len(examples), epochs))

    def build(folder: Path) -> Work:
        model = _fresh_model(run, spec.student, codec)
        trained = finetune.train(
            model, examples, how, soft=soft, checkpoints=folder / "checkpoints",
            checkpoint_every=run.bench.checkpoint_every, progress=run.tell("student"),
        )  # fmt: skip
        return _saved(folder, model, trained, examples)

    return _get(run, wanted.student(run), build)


def _evaluated(run: Run, codec: Codec, trained: Stage, name: str, of: dict[str, str]) -> Stage:
    from budgetsim.learners import evaluate

    rows = run.evaluated

    def build(folder: Path) -> Work:
        model = _saved_model(name, trained.folder, codec)
        answers = evaluate.answer(
            model, codec, run.prefixed(rows), source_tokens=run.spec.recipe.source_tokens,
            target_tokens=run.target_tokens, batch=128, labels=run.task.labels,
        )  # fmt: skip
        found = metrics.score(run.task, [r.source for r in rows], answers, [r.target for r in rows])
        _write_scores(folder, found)
        main = next(iter(found))
        return Work(examples=len(rows), metric=main, score=found[main])

    return _get(run, wanted.evaluation(run, name, of), build)


def _soft_examples(run: Run, codec: Codec, before: list[Stage]) -> tuple[list[TrainExample], Any]:
    """Texts with the teacher's soft labels, and the head that reads them."""
    if run.spec.teacher in ENCODER_TEACHERS:
        return _label_examples(run, codec, before)
    return _state_examples(run, codec, before)


def _label_examples(run: Run, codec: Codec, before: list[Stage]) -> tuple[list[TrainExample], Any]:
    from safetensors.numpy import load_file

    from budgetsim.learners.distill import LabelHead, check_label_tokens, label_probabilities, one_hot

    assert run.pool is not None
    labels = run.task.labels
    words = codec.encode_labels(labels)
    tokens = check_label_tokens([ids[0] for ids in words], labels)
    teacher = _encoder_teacher(run, before)
    soft = _encoder_soft_labels(run, teacher, before)
    temperature = run.spec.recipe.temperature
    logits = load_file(soft.folder / "logits.safetensors")["logits"][run.text_order]
    probs = label_probabilities(logits, temperature)
    rows = [run.pool.rows[i] for i in run.text_order]
    best = logits.argmax(1).tolist()
    hard = _examples(run, codec, rows, [labels[i] for i in best])
    examples = [_with_probs(e, p) for e, p in zip(hard, probs, strict=True)]
    if run.spec.recipe.gold:
        gold = run.labelled
        sure = one_hot([labels.index(row.target) for row in gold], len(labels))
        made = _examples(run, codec, gold, [row.target for row in gold])
        examples += [_with_probs(e, p) for e, p in zip(made, sure, strict=True)]
    return examples, LabelHead(tokens, temperature)


def _with_probs(example: TrainExample, probs: Any) -> TrainExample:
    from budgetsim.learners.finetune import TrainExample

    return TrainExample(example.source, example.target, label_probs=probs)


def _encoder_teacher(run: Run, before: list[Stage]) -> Stage:
    from safetensors.numpy import save_file

    from budgetsim.learners.encoder import fit_logistic

    spec = run.spec
    features, encoded = _encoded(run, "train")
    test, encoded_test = _encoded(run, run.bench.part)
    order = nested_order(len(run.split.train), spec.seed, "labels")[: spec.n_labels]
    rows = [run.split.train[i] for i in order]

    def build(folder: Path) -> Work:
        classes = np.array([run.task.labels.index(row.target) for row in rows])
        head = fit_logistic(features[order], classes, len(run.task.labels), spec.recipe.encoder_l2)
        save_file({"weights": head.weights, "intercepts": head.intercepts}, folder / "head.safetensors")
        answers = [run.task.labels[i] for i in head.logits(test).argmax(1)]
        found = metrics.score(run.task, [], answers, [row.target for row in run.evaluated])
        main = next(iter(found))
        return Work(examples=len(rows), metric=main, score=found[main])

    stage = _get(run, wanted.teacher(run), build)
    before += [encoded, encoded_test, stage]
    return stage


def _encoder_soft_labels(run: Run, teacher: Stage, before: list[Stage]) -> Stage:
    from safetensors.numpy import load_file, save_file

    from budgetsim.learners.encoder import LogisticHead

    assert run.pool is not None
    features, encoded = _encoded(run, "pool")
    n = len(run.pool.rows)

    def build(folder: Path) -> Work:
        saved = load_file(teacher.folder / "head.safetensors")
        logits = LogisticHead(saved["weights"], saved["intercepts"]).logits(features).astype(np.float32)
        save_file({"logits": logits}, folder / "logits.safetensors")
        return Work(examples=n)

    stage = _get(run, wanted.soft_labels(run, teacher.key), build)
    before += [encoded, stage]
    return stage


def _encoded(run: Run, what: str) -> tuple[np.ndarray, Stage]:
    """Features of the frozen encoder for a part of the data; one pass serves every teacher and student."""
    from safetensors.numpy import load_file, save_file

    from budgetsim.learners.encoder import encode_sources

    rows = run.part(what)

    def build(folder: Path) -> Work:
        features = encode_sources([row.source for row in rows], run.task.fields)
        save_file({"features": features}, folder / "features.safetensors")
        return Work(examples=len(rows), provenance={"part": what})

    stage = _get(run, wanted.encoding(run, what), build)
    return load_file(stage.folder / "features.safetensors")["features"], stage


def _state_examples(run: Run, codec: Codec, before: list[Stage]) -> tuple[list[TrainExample], Any]:
    from budgetsim.learners.distill import StateCache, StateHead
    from budgetsim.learners.finetune import TrainExample

    assert run.pool is not None
    recipe = run.spec.recipe
    _check_vocabulary(run, codec)
    teacher = _seq2seq_teacher(run, codec, before)
    soft = _state_soft_labels(run, codec, teacher, before)
    cache = StateCache.load(soft.folder / "states.safetensors")
    states, chosen = cache.rows(), run.text_order
    sources = codec.encode(run.prefixed([run.pool.rows[i] for i in chosen]), recipe.source_tokens)
    examples = [
        TrainExample(source, cache.sequences[i], states=states[i])
        for i, source in zip(chosen, sources, strict=True)
    ]  # fmt: skip
    if recipe.gold:
        gold = run.labelled
        examples += _examples(run, codec, gold, [row.target for row in gold])
    return examples, StateHead(cache.matrix.float(), cache.scale, recipe.temperature)


def _seq2seq_teacher(run: Run, codec: Codec, before: list[Stage]) -> Stage:
    from budgetsim.learners import finetune, lora

    spec = run.spec
    name = run.teacher
    rows = run.labelled
    examples = _examples(run, codec, rows, [row.target for row in rows])
    how = _optimisation(run, spec.recipe.teacher_lr, spec.recipe.steps_for(len(rows), spec.recipe.epochs_teacher))

    def build(folder: Path) -> Work:
        model = _fresh_model(run, name, codec)
        trainable = lora.wrap(model, spec.recipe.lora_rank)
        trained = finetune.train(
            trainable, examples, how, checkpoints=folder / "checkpoints",
            checkpoint_every=run.bench.checkpoint_every, progress=run.tell("teacher"),
        )  # fmt: skip
        return _saved(folder, lora.merge(trainable), trained, examples)

    teacher = _get(run, wanted.teacher(run), build)
    scored = _evaluated(run, codec, teacher, name, {"teacher": teacher.key})
    before += [_with_score(teacher, scored), scored]
    return teacher


def _with_score(teacher: Stage, scored: Stage) -> Stage:
    """A teacher's score is its stage's, so that it is found in one place for teachers of every kind."""
    return Stage(teacher.folder, replace(teacher.record, metric=scored.record.metric, score=scored.record.score))


def _state_soft_labels(run: Run, codec: Codec, teacher: Stage, before: list[Stage]) -> Stage:
    from budgetsim.learners.distill import cache_states

    assert run.pool is not None
    rows = run.pool.rows

    def build(folder: Path) -> Work:
        model = _saved_model(run.teacher, teacher.folder, codec)
        sources = codec.encode(run.prefixed(rows), run.spec.recipe.source_tokens)
        cache = cache_states(model, sources, max_tokens=run.target_tokens, batch=run.spec.recipe.batch)
        cache.save(folder / "states.safetensors")
        return Work(examples=len(rows), tokens=len(cache.states))

    stage = _get(run, wanted.soft_labels(run, teacher.key), build)
    before.append(stage)
    return stage


# Shared parts


def _hard_labels(run: Run, before: list[Stage]) -> tuple[list[Row], list[str]]:
    """Rows and labels of the strategies that learn hard labels: people's, an LLM's, or both."""
    rows = run.labelled
    labels = [row.target for row in rows]
    if run.pool is not None and run.spec.n_llm_labels:
        said = _llm_labels(run)
        before.append(said)
        found = json.loads((said.folder / "labels.json").read_text(encoding="utf-8"))
        rows = rows + [run.pool.rows[i] for i in run.text_order]
        labels = labels + [run.task.labels[found[i]] for i in run.text_order]
    return rows, labels


def _llm_labels(run: Run) -> Stage:
    """One labelling pass of the pool; the labels are kept as numbers of the label list."""
    assert run.pool is not None
    assert run.spec.labeler is not None
    pool, labeler = run.pool, run.spec.labeler

    def build(folder: Path) -> Work:
        said = get_labeler(labeler).label(pool.rows, run.task.labels, run.spec.seed)
        numbers = [run.task.labels.index(label) for label in said]
        (folder / "labels.json").write_text(json.dumps(numbers), encoding="utf-8")
        right = metrics.micro_f1(said, [row.target for row in pool.rows])
        return Work(examples=len(said), metric="accuracy", score=right)

    return _get(run, wanted.llm_labels(run), build)


def _codec(run: Run) -> tuple[Codec, list[Stage]]:
    """The tokenizer of the student: trained on the split's own train and pool texts, or a checkpoint's."""
    from budgetsim.learners.codec import PieceCodec, checkpoint_codec, train_pieces
    from budgetsim.learners.models import hub_name

    if run.spec.student not in CPU_FAMILY:
        return checkpoint_codec(hub_name(run.spec.student)), []
    texts = wanted.tokeniser_texts(run)

    def build(folder: Path) -> Work:
        model = train_pieces(texts, run.task.labels, run.spec.recipe.vocabulary)
        (folder / "pieces.model").write_bytes(model)
        return Work(examples=len(texts))

    stage = _get(run, wanted.tokeniser(run), build)
    return PieceCodec((stage.folder / "pieces.model").read_bytes(), run.task.labels), [stage]


def _examples(run: Run, codec: Codec, rows: Sequence[Row], targets: Sequence[str]) -> list[TrainExample]:
    from budgetsim.learners.finetune import TrainExample

    sources = codec.encode(run.prefixed(rows), run.spec.recipe.source_tokens)
    if run.task.labels:
        ids = dict(zip(run.task.labels, codec.encode_labels(run.task.labels), strict=True))
        unknown = sorted(set(targets) - set(ids))
        if unknown:
            raise InputError(f"{run.task.name} has a row labelled {unknown[0]!r}, which is none of its labels.")
        answers = [ids[target] for target in targets]
    else:
        answers = codec.encode(list(targets), run.target_tokens)
    return [TrainExample(source, answer) for source, answer in zip(sources, answers, strict=True)]


def _optimisation(run: Run, lr: float, steps: int) -> Optimisation:
    from budgetsim.learners.finetune import Optimisation

    recipe = run.spec.recipe
    gpu = run.bench.stages.device.kind == "gpu"
    return Optimisation(
        steps=steps,
        batch=recipe.batch,
        lr=lr,
        warmup_share=recipe.warmup_share,
        optimizer=recipe.optimizer,
        scheduler=recipe.scheduler,
        precision=recipe.precision if gpu else "fp32",
        temperature=recipe.temperature,
        seed=run.spec.seed,
    )


def _fresh_model(run: Run, name: str, codec: Codec) -> Any:
    from budgetsim.learners.models import build_cpu, load_checkpoint

    if name in CPU_FAMILY:
        return build_cpu(name, codec.vocab_size, run.spec.seed)
    return load_checkpoint(name)


def _saved(folder: Path, model: Any, trained: Any, examples: Sequence[TrainExample]) -> Work:
    """Keep the weights, drop the checkpoints, and report what training took."""
    import shutil

    from budgetsim.learners.flops import per_token

    model.save_pretrained(folder / "model")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    source = round(float(np.mean([len(e.source) for e in examples])))
    target = round(float(np.mean([len(e.target) for e in examples])))
    flops = per_token(model, source_tokens=source, target_tokens=target, training=True) * trained.tokens
    return Work(
        examples=trained.examples, tokens=trained.tokens, flops=flops, provenance={"resumed_at": trained.resumed_at}
    )  # fmt: skip


def _saved_model(name: str, folder: Path, codec: Codec) -> Any:
    from budgetsim.learners.models import load_checkpoint, load_cpu

    if name in CPU_FAMILY:
        return load_cpu(name, codec.vocab_size, folder / "model")
    return load_checkpoint(str(folder / "model"))


def _check_vocabulary(run: Run, codec: Codec) -> None:
    from budgetsim.learners.codec import PieceCodec, checkpoint_codec
    from budgetsim.learners.models import hub_name

    teacher = run.teacher
    own = teacher in CPU_FAMILY
    same = isinstance(codec, PieceCodec) if own else codec.same_as(checkpoint_codec(hub_name(teacher)))
    if not same:
        raise vocabulary_mismatch(run.spec)


def _get(run: Run, stage: Wanted, build: Callable[[Path], Work]) -> Stage:
    return run.bench.stages.get(stage.kind, stage.depends_on, build, **stage.about)


def _write_scores(folder: Path, found: dict[str, float]) -> None:
    (folder / "scores.json").write_text(json.dumps(found), encoding="utf-8")


def _read_scores(stage: Stage) -> dict[str, float]:
    found: dict[str, float] = json.loads((stage.folder / "scores.json").read_text(encoding="utf-8"))
    return found
