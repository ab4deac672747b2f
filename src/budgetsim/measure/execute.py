"""One run, stage by stage: tokenise -> teacher -> soft labels -> student -> evaluate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from budgetsim.design import canonical_hash
from budgetsim.errors import InputError
from budgetsim.measure.pool import Pool, load_pool, simulate_labels
from budgetsim.measure.recipe import TARGET_TOKENS
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import Stage, StageStore, Work
from budgetsim.store.records import Score
from budgetsim.tasks import Task, get_task
from budgetsim.train import metrics
from budgetsim.train.baselines import has_overlap_rule
from budgetsim.train.data import Access, load_task
from budgetsim.train.names import CPU_FAMILY, ENCODER_TEACHERS, is_cheap, model_id
from budgetsim.train.rows import Row
from budgetsim.train.splits import Split, nested_order, split_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from budgetsim.train.codec import Codec
    from budgetsim.train.finetune import Optimisation, TrainExample

CHECKPOINT_EVERY = 200  # steps; a killed run loses at most as many


@dataclass(slots=True)
class Bench:
    """What runs share in one process: the stages on disk, and splits, pools and codecs in memory."""

    stages: StageStore
    access: Access = field(default_factory=Access)
    progress: Callable[[str, int, int], None] | None = None
    part: str = "test"  # dev where a choice is being made
    checkpoint_every: int = CHECKPOINT_EVERY
    _splits: dict[str, Split] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    _pools: dict[tuple[str, str], Pool] = field(default_factory=dict)

    def split(self, spec: RunSpec) -> Split:
        """The split of a run's task, by its recipe's rule."""
        key = canonical_hash({"task": spec.task, "rule": repr(spec.recipe.split)})
        if key not in self._splits:
            data = load_task(spec.task, self.access)
            self._splits[key] = split_task(data, spec.recipe.split)
            self._hashes[self._splits[key].split_id] = data.data_hash
        return self._splits[key]

    def data_hash(self, split: Split) -> str:
        """SHA-256 of the files behind a split."""
        return self._hashes[split.split_id]

    def pool(self, spec: RunSpec) -> Pool | None:
        """The unlabelled texts of a run, None where it uses none."""
        if not spec.uses_pool:
            return None
        split = self.split(spec)
        key = (split.split_id, spec.unlabeled)
        if key not in self._pools:
            self._pools[key] = load_pool(spec.unlabeled, split, self.access)
        return self._pools[key]


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
    run = _Run(spec, bench)
    scores, stages = _cheap_student(run) if is_cheap(spec.student) else _seq2seq_student(run)
    part = getattr(run.split, bench.part)
    listed = [
        Score(metric=name, value=round(value, 4), n_test=len(part), is_main=i == 0)
        for i, (name, value) in enumerate(scores.items())
    ]
    return Result(tuple(listed), tuple(stages))


def check_spec(spec: RunSpec, bench: Bench) -> None:
    """Refuse what the task's rows cannot give, or the models cannot learn.

    raises : InputError saying how many rows there are, or which student or teacher would do
    """
    split, pool = bench.split(spec), bench.pool(spec)
    wanted = {"n_labels": (spec.n_labels, len(split.train), "labelled rows")}
    if pool is not None:
        wanted["n_unlabeled"] = (spec.n_unlabeled, len(pool.rows), "unlabelled texts")
        wanted["n_llm_labels"] = (spec.n_llm_labels, len(pool.rows), "unlabelled texts")
    for name, (asked, there, what) in wanted.items():
        if asked > there:
            raise InputError(f"{spec.title}: {name} is {asked}, but {spec.task} has {there} {what} in this split.")
    _check_models(spec, get_task(spec.task))


def _check_models(spec: RunSpec, task: Task) -> None:
    if is_cheap(spec.student) and (task.kind != "classification" or spec.strategy == "distill"):
        raise InputError(
            f"{spec.student} learns hard labels of a classification; {task.name} is {task.kind}, the strategy "
            f"{spec.strategy}. Use a seq2seq student."
        )
    if spec.student == "overlap" and not has_overlap_rule(task):
        raise InputError(f"overlap answers tasks of two texts and two labels; {task.name} is none.")
    if spec.teacher in ENCODER_TEACHERS and not task.labels:
        raise InputError(f"{spec.teacher} teaches classifications; {task.name} is {task.kind}. Use a seq2seq teacher.")


@dataclass(slots=True)
class _Run:
    """A run at work: the spec with everything it resolves to."""

    spec: RunSpec
    bench: Bench
    split: Split = field(init=False)
    pool: Pool | None = field(init=False)
    task: Task = field(init=False)

    def __post_init__(self) -> None:
        self.task = get_task(self.spec.task)
        self.split, self.pool = self.bench.split(self.spec), self.bench.pool(self.spec)

    @property
    def labelled(self) -> list[Row]:
        """The human-labelled rows: a nested prefix of the seed's order."""
        order = nested_order(len(self.split.train), self.spec.seed, "labels")[: self.spec.n_labels]
        return [self.split.train[i] for i in order]

    @property
    def text_order(self) -> list[int]:
        """Places in the pool of the texts this run uses: a nested prefix of the seed's order."""
        if self.pool is None:
            return []
        n = self.spec.n_unlabeled or self.spec.n_llm_labels
        return [int(i) for i in nested_order(len(self.pool.rows), self.spec.seed, "texts")[:n]]

    @property
    def evaluated(self) -> tuple[Row, ...]:
        part: tuple[Row, ...] = getattr(self.split, self.bench.part)
        return part

    @property
    def run_id(self) -> str:
        return self.spec.design(self.split.split_id, self.pool.source if self.pool else None).run_id

    @property
    def target_tokens(self) -> int:
        return max(self.spec.recipe.target_tokens, TARGET_TOKENS.get(self.task.name, 0))

    def prefixed(self, rows: Sequence[Row]) -> list[str]:
        head = f"{self.task.name}: " if self.spec.recipe.prefix else ""
        return [head + row.source for row in rows]

    def about(self, model: str | None = None, **counts: Any) -> dict[str, Any]:
        return {"task": self.task.name, "model": model, **counts}

    def tell(self, what: str) -> Callable[[int, int], None] | None:
        progress = self.bench.progress
        return None if progress is None else lambda done, of: progress(what, done, of)


# Cheap students


def _cheap_student(run: _Run) -> tuple[dict[str, float], list[Stage]]:
    spec = run.spec
    before: list[Stage] = []
    rows, labels = _hard_labels(run, before)
    features: list[tuple[np.ndarray, Stage]] = []
    if spec.student == "encoder-lr":
        features = [_encoded(run, "train", run.split.train), _encoded(run, run.bench.part, run.evaluated)]
        if run.pool is not None:
            features.append(_encoded(run, "pool", run.pool.rows))
        before += [stage for _, stage in features]

    def build(folder: Path) -> Work:
        answers = _cheap_answers(run, rows, labels, [f for f, _ in features])
        found = metrics.score(run.task, [], answers, [row.target for row in run.evaluated])
        _write_scores(folder, found)
        main = next(iter(found))
        return Work(examples=len(rows), metric=main, score=found[main])

    stage = run.bench.stages.get(
        "train_student", {"run": run.run_id, "part": run.bench.part}, build, **_student_about(run)
    )
    return _read_scores(stage), [*before, stage]


def _cheap_answers(run: _Run, rows: Sequence[Row], labels: Sequence[str], features: Sequence[np.ndarray]) -> list[str]:
    from budgetsim.train import baselines, encoder

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


def _chosen(run: _Run, features: Sequence[np.ndarray]) -> list[np.ndarray]:
    order = nested_order(len(run.split.train), run.spec.seed, "labels")[: run.spec.n_labels]
    parts = [features[0][order]]
    return parts if run.pool is None else [*parts, features[2][run.text_order]]


# Seq2seq students


def _seq2seq_student(run: _Run) -> tuple[dict[str, float], list[Stage]]:
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


def _trained(run: _Run, codec: Codec, examples: list[TrainExample], soft: Any) -> Stage:
    from budgetsim.train import finetune

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

    return run.bench.stages.get("train_student", {"run": run.run_id}, build, **_student_about(run))


def _evaluated(run: _Run, codec: Codec, trained: Stage, name: str, key: dict[str, str]) -> Stage:
    from budgetsim.train import evaluate

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

    counts = {"n_labels": run.spec.n_labels, "seed": run.spec.seed}
    return run.bench.stages.get(
        "evaluate", {**key, "part": run.bench.part}, build, **run.about(model_id(name), **counts)
    )  # fmt: skip


def _soft_examples(run: _Run, codec: Codec, before: list[Stage]) -> tuple[list[TrainExample], Any]:
    """Texts with the teacher's soft labels, and the head that reads them."""
    if run.spec.teacher in ENCODER_TEACHERS:
        return _label_examples(run, codec, before)
    return _state_examples(run, codec, before)


def _label_examples(run: _Run, codec: Codec, before: list[Stage]) -> tuple[list[TrainExample], Any]:
    from safetensors.numpy import load_file

    from budgetsim.train.distill import LabelHead, check_label_tokens, label_probabilities, one_hot

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
    from budgetsim.train.finetune import TrainExample

    return TrainExample(example.source, example.target, label_probs=probs)


def _encoder_teacher(run: _Run, before: list[Stage]) -> Stage:
    from safetensors.numpy import save_file

    from budgetsim.train.encoder import fit_logistic

    spec = run.spec
    features, encoded = _encoded(run, "train", run.split.train)
    test, encoded_test = _encoded(run, run.bench.part, run.evaluated)
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

    stage = run.bench.stages.get("finetune_teacher", _teacher_key(run), build, **_teacher_about(run))
    before += [encoded, encoded_test, stage]
    return stage


def _encoder_soft_labels(run: _Run, teacher: Stage, before: list[Stage]) -> Stage:
    from safetensors.numpy import load_file, save_file

    from budgetsim.train.encoder import LogisticHead

    assert run.pool is not None
    features, encoded = _encoded(run, "pool", run.pool.rows)
    n = len(run.pool.rows)

    def build(folder: Path) -> Work:
        saved = load_file(teacher.folder / "head.safetensors")
        logits = LogisticHead(saved["weights"], saved["intercepts"]).logits(features).astype(np.float32)
        save_file({"logits": logits}, folder / "logits.safetensors")
        return Work(examples=n)

    stage = run.bench.stages.get(
        "soft_label", {"teacher": teacher.key, "pool": run.pool.pool_id, "cache": "label"}, build,
        **_teacher_about(run), n_unlabeled=n,
    )  # fmt: skip
    before += [encoded, stage]
    return stage


def _encoded(run: _Run, what: str, rows: Sequence[Row]) -> tuple[np.ndarray, Stage]:
    """Features of the frozen encoder for a part of the data; one pass serves every teacher and student."""
    from safetensors.numpy import load_file, save_file

    from budgetsim.train.encoder import encode_sources

    texts = canonical_hash({"texts": [row.source for row in rows]})

    def build(folder: Path) -> Work:
        features = encode_sources([row.source for row in rows], run.task.fields)
        save_file({"features": features}, folder / "features.safetensors")
        return Work(examples=len(rows), provenance={"part": what})

    stage = run.bench.stages.get(
        "encode", {"texts": texts, "fields": list(run.task.fields), "encoder": "all-MiniLM-L6-v2"}, build,
        **run.about("minilm", n_unlabeled=len(rows) if what == "pool" else None),
    )  # fmt: skip
    return load_file(stage.folder / "features.safetensors")["features"], stage


def _state_examples(run: _Run, codec: Codec, before: list[Stage]) -> tuple[list[TrainExample], Any]:
    from budgetsim.train.distill import StateCache, StateHead
    from budgetsim.train.finetune import TrainExample

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


def _seq2seq_teacher(run: _Run, codec: Codec, before: list[Stage]) -> Stage:
    from budgetsim.train import finetune, lora

    spec = run.spec
    name = _teacher_name(spec)
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

    teacher = run.bench.stages.get("finetune_teacher", _teacher_key(run), build, **_teacher_about(run))
    scored = _evaluated(run, codec, teacher, name, {"teacher": teacher.key})
    before += [_with_score(teacher, scored), scored]
    return teacher


def _with_score(teacher: Stage, scored: Stage) -> Stage:
    """A teacher's score is its stage's, so that it is found in one place for teachers of every kind."""
    return Stage(teacher.folder, replace(teacher.record, metric=scored.record.metric, score=scored.record.score))


def _state_soft_labels(run: _Run, codec: Codec, teacher: Stage, before: list[Stage]) -> Stage:
    from budgetsim.train.distill import cache_states

    assert run.pool is not None
    rows = run.pool.rows

    def build(folder: Path) -> Work:
        model = _saved_model(_teacher_name(run.spec), teacher.folder, codec)
        sources = codec.encode(run.prefixed(rows), run.spec.recipe.source_tokens)
        cache = cache_states(model, sources, max_tokens=run.target_tokens, batch=run.spec.recipe.batch)
        cache.save(folder / "states.safetensors")
        return Work(examples=len(rows), tokens=len(cache.states))

    stage = run.bench.stages.get(
        "soft_label", {"teacher": teacher.key, "pool": run.pool.pool_id, "cache": "full"}, build,
        **_teacher_about(run), n_unlabeled=len(rows),
    )  # fmt: skip
    before.append(stage)
    return stage


# Shared parts


def _hard_labels(run: _Run, before: list[Stage]) -> tuple[list[Row], list[str]]:
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


def _llm_labels(run: _Run) -> Stage:
    """One labelling pass of the pool; the labels are kept as numbers of the label list."""
    assert run.pool is not None
    assert run.spec.labeler is not None
    pool, labeler = run.pool, run.spec.labeler

    def build(folder: Path) -> Work:
        said = simulate_labels(pool.rows, run.task.labels, labeler, run.spec.seed)
        numbers = [run.task.labels.index(label) for label in said]
        (folder / "labels.json").write_text(json.dumps(numbers), encoding="utf-8")
        right = metrics.micro_f1(said, [row.target for row in pool.rows])
        return Work(examples=len(said), metric="accuracy", score=right)

    key = {"pool": pool.pool_id, "labeler": labeler, "seed": run.spec.seed, "task": run.task.name}
    return run.bench.stages.get(
        "llm_label", key, build, **run.about(labeler, n_llm_labels=len(pool.rows), seed=run.spec.seed)
    )


def _codec(run: _Run) -> tuple[Codec, list[Stage]]:
    """The tokenizer of the student: trained on the split's own train and pool texts, or a checkpoint's."""
    from budgetsim.train.codec import PieceCodec, checkpoint_codec, train_pieces
    from budgetsim.train.models import hub_name

    if run.spec.student not in CPU_FAMILY:
        return checkpoint_codec(hub_name(run.spec.student)), []
    texts = [row.source for row in (*run.split.train, *run.split.unlabeled)]
    if not run.task.labels:
        texts += [row.target for row in run.split.train]

    def build(folder: Path) -> Work:
        model = train_pieces(texts, run.task.labels, run.spec.recipe.vocabulary)
        (folder / "pieces.model").write_bytes(model)
        return Work(examples=len(texts))

    key = {
        "split": run.split.split_id, "task": run.task.name, "labels": list(run.task.labels),
        "vocabulary": run.spec.recipe.vocabulary,
    }  # fmt: skip
    stage = run.bench.stages.get("tokenise", key, build, **run.about("sentencepiece"))
    return PieceCodec((stage.folder / "pieces.model").read_bytes(), run.task.labels), [stage]


def _examples(run: _Run, codec: Codec, rows: Sequence[Row], targets: Sequence[str]) -> list[TrainExample]:
    from budgetsim.train.finetune import TrainExample

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


def _optimisation(run: _Run, lr: float, steps: int) -> Optimisation:
    from budgetsim.train.finetune import Optimisation

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


def _fresh_model(run: _Run, name: str, codec: Codec) -> Any:
    from budgetsim.train.models import build_cpu, load_checkpoint

    if name in CPU_FAMILY:
        return build_cpu(name, codec.vocab_size, run.spec.seed)
    return load_checkpoint(name)


def _saved(folder: Path, model: Any, trained: Any, examples: Sequence[TrainExample]) -> Work:
    """Keep the weights, drop the checkpoints, and report what training took."""
    import shutil

    from budgetsim.train.flops import per_token

    model.save_pretrained(folder / "model")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    source = round(float(np.mean([len(e.source) for e in examples])))
    target = round(float(np.mean([len(e.target) for e in examples])))
    flops = per_token(model, source_tokens=source, target_tokens=target, training=True) * trained.tokens
    return Work(
        examples=trained.examples, tokens=trained.tokens, flops=flops, provenance={"resumed_at": trained.resumed_at}
    )  # fmt: skip


def _saved_model(name: str, folder: Path, codec: Codec) -> Any:
    from budgetsim.train.models import load_checkpoint, load_cpu

    if name in CPU_FAMILY:
        return load_cpu(name, codec.vocab_size, folder / "model")
    return load_checkpoint(str(folder / "model"))


def _check_vocabulary(run: _Run, codec: Codec) -> None:
    from budgetsim.train.codec import PieceCodec, checkpoint_codec
    from budgetsim.train.models import hub_name

    teacher = _teacher_name(run.spec)
    own = teacher in CPU_FAMILY
    same = isinstance(codec, PieceCodec) if own else codec.same_as(checkpoint_codec(hub_name(teacher)))
    if not same:
        raise InputError(
            f"{teacher} and {run.spec.student} have different vocabularies, so the teacher's probabilities do not fit "
            f"the student's tokens. Use two models of one family, an encoder teacher ({', '.join(ENCODER_TEACHERS)}) "
            f"for a classification, or the teacher's hard labels through llm_annotate."
        )


def _teacher_name(spec: RunSpec) -> str:
    assert spec.teacher is not None
    return spec.teacher


def _teacher_key(run: _Run) -> dict[str, Any]:
    spec = run.spec
    return {
        "split": run.split.split_id, "task": run.task.name, "teacher": model_id(_teacher_name(spec)),
        "n_labels": spec.n_labels,
        "seed": spec.seed, "recipe": spec.recipe.teacher_identity(_teacher_name(spec)), "part": run.bench.part,
    }  # fmt: skip


def _teacher_about(run: _Run) -> dict[str, Any]:
    return run.about(model_id(_teacher_name(run.spec)), n_labels=run.spec.n_labels, seed=run.spec.seed)


def _student_about(run: _Run) -> dict[str, Any]:
    spec = run.spec
    return run.about(
        model_id(spec.student), n_labels=spec.n_labels, n_llm_labels=spec.n_llm_labels, n_unlabeled=spec.n_unlabeled,
        seed=spec.seed,
    )  # fmt: skip


def _write_scores(folder: Path, found: dict[str, float]) -> None:
    (folder / "scores.json").write_text(json.dumps(found), encoding="utf-8")


def _read_scores(stage: Stage) -> dict[str, float]:
    found: dict[str, float] = json.loads((stage.folder / "scores.json").read_text(encoding="utf-8"))
    return found
