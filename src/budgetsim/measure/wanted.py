"""The stages of a run by name, before any of them is built: what each depends on, and how much work it holds.

The one place that says what a stage's key is; `execute` builds what is missing, `estimate` says how long that takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from budgetsim.design.identity import canonical_hash
from budgetsim.learners.names import CPU_FAMILY, ENCODER_TEACHERS, is_cheap, model_id
from budgetsim.measure.resolve import Bench, Run
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import stage_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A stage that a run rests on.

    depends_on : what its key hashes
    about : fields of its record that are known beforehand
    examples : how many it will process, epochs included; as its record will say
    """

    kind: str
    depends_on: Mapping[str, Any]
    about: Mapping[str, Any]
    examples: int

    @property
    def key(self) -> str:
        """The stage's id."""
        return stage_key(self.kind, self.depends_on)

    @property
    def model(self) -> str | None:
        """The model that will work."""
        return self.about.get("model")


def wanted_stages(spec: RunSpec, bench: Bench) -> list[Wanted]:
    """Every stage of a run, in the order they are built, whether there already or not."""
    run = Run(spec, bench)
    stages = _cheap(run) if is_cheap(spec.student) else _seq2seq(run)
    return list({stage.key: stage for stage in stages}.values())


def _cheap(run: Run) -> list[Wanted]:
    found = [llm_labels(run)] if run.spec.n_llm_labels else []
    if run.spec.student == "encoder-lr":
        found += [encoding(run, part) for part in encoded_parts(run)]
    return [*found, cheap_student(run)]


def _seq2seq(run: Run) -> list[Wanted]:
    spec = run.spec
    found = [tokeniser(run)] if spec.student in CPU_FAMILY else []
    if spec.strategy == "distill":
        made = teacher(run)
        if spec.teacher in ENCODER_TEACHERS:
            found += [encoding(run, part) for part in encoded_parts(run)]
            found += [made, soft_labels(run, made.key)]
        else:
            found += [made, evaluation(run, spec.teacher or "", {"teacher": made.key}), soft_labels(run, made.key)]
    elif spec.n_llm_labels:
        found.append(llm_labels(run))
    return [*found, student(run), evaluation(run, spec.student, {"run": run.run_id})]


def encoded_parts(run: Run) -> list[str]:
    """Parts of the data that the frozen encoder reads."""
    return ["train", run.bench.part, *(["pool"] if run.pool is not None else [])]


def encoding(run: Run, part: str) -> Wanted:
    """Features of the frozen encoder for a part of the data; one pass serves every teacher and student."""
    rows = run.part(part)
    return Wanted(
        kind="encode",
        depends_on={
            "texts": run.bench.remembered(
                (run.split.split_id, run.spec.unlabeled, part), lambda: _texts_hash(run, part)
            ),
            "fields": list(run.task.fields),
            "encoder": "all-MiniLM-L6-v2",
        },
        about=run.about("minilm", n_unlabeled=len(rows) if part == "pool" else None),
        examples=len(rows),
    )


def _texts_hash(run: Run, part: str) -> str:
    place = (run.split.split_id, run.spec.unlabeled, part)
    return run.bench.remembered(place, lambda: canonical_hash({"texts": [row.source for row in run.part(part)]}))


def tokeniser(run: Run) -> Wanted:
    """The word pieces of the CPU family, learned on the split's own train and pool texts."""
    task, recipe = run.task, run.spec.recipe
    return Wanted(
        kind="tokenise",
        depends_on={
            "split": run.split.split_id,
            "task": task.name,
            "labels": list(task.labels),
            "vocabulary": recipe.vocabulary,
        },
        about=run.about("sentencepiece"),
        examples=len(tokeniser_texts(run)),
    )


def tokeniser_texts(run: Run) -> Sequence[str]:
    """The texts that word pieces are learned on."""
    texts = [row.source for row in (*run.split.train, *run.split.unlabeled)]
    return texts if run.task.labels else texts + [row.target for row in run.split.train]


def teacher(run: Run) -> Wanted:
    """The fine-tuned teacher; one serves every number of texts."""
    spec = run.spec
    name = run.teacher
    counted = spec.n_labels
    if name not in ENCODER_TEACHERS:
        counted = spec.recipe.batch * spec.recipe.steps_for(spec.n_labels, spec.recipe.epochs_teacher)
    return Wanted(
        kind="finetune_teacher",
        depends_on={
            "split": run.split.split_id, "task": run.task.name, "teacher": model_id(name), "n_labels": spec.n_labels,
            "seed": spec.seed, "recipe": spec.recipe.teacher_identity(name), "part": run.bench.part,
        },
        about=_teacher_about(run),
        examples=counted,
    )  # fmt: skip


def soft_labels(run: Run, teacher_key: str) -> Wanted:
    """One labelling pass of the whole pool."""
    assert run.pool is not None
    cache = "label" if run.teacher in ENCODER_TEACHERS else "full"
    n = len(run.pool.rows)
    return Wanted(
        kind="soft_label",
        depends_on={"teacher": teacher_key, "pool": run.pool.pool_id, "cache": cache},
        about={**_teacher_about(run), "n_unlabeled": n},
        examples=n,
    )


def llm_labels(run: Run) -> Wanted:
    """One labelling pass of the pool by an LLM, or a simulated one."""
    assert run.pool is not None
    n, seed = len(run.pool.rows), run.spec.seed
    return Wanted(
        kind="llm_label",
        depends_on={
            "pool": run.pool.pool_id, "labeler": run.spec.labeler, "seed": seed, "task": run.task.name,
        },
        about=run.about(run.spec.labeler, n_llm_labels=n, seed=seed),
        examples=n,
    )  # fmt: skip


def student(run: Run) -> Wanted:
    """The trained student of a run."""
    spec = run.spec
    n = spec.n_labels * (spec.strategy != "distill" or spec.recipe.gold) + spec.n_llm_labels + spec.n_unlabeled
    steps = spec.recipe.steps_for(n, spec.recipe.epochs(spec.strategy))
    return Wanted(
        kind="train_student",
        depends_on={"run": run.run_id},
        about=_student_about(run),
        examples=steps * spec.recipe.batch,
    )


def cheap_student(run: Run) -> Wanted:
    """A cheap student, trained and scored in one stage."""
    return Wanted(
        kind="train_student",
        depends_on={"run": run.run_id, "part": run.bench.part},
        about=_student_about(run),
        examples=run.spec.n_labels + run.spec.n_llm_labels,
    )


def evaluation(run: Run, name: str, of: Mapping[str, str]) -> Wanted:
    """The score of a model on the test items.

    of : {"run": run_id} for the student, {"teacher": key} for the teacher
    """
    about = run.about(model_id(name), n_labels=run.spec.n_labels, seed=run.spec.seed)
    return Wanted(
        kind="evaluate", depends_on={**of, "part": run.bench.part}, about=about, examples=len(run.evaluated)
    )  # fmt: skip


def _teacher_about(run: Run) -> dict[str, Any]:
    return run.about(model_id(run.teacher), n_labels=run.spec.n_labels, seed=run.spec.seed)


def _student_about(run: Run) -> dict[str, Any]:
    spec = run.spec
    return run.about(
        model_id(spec.student), n_labels=spec.n_labels, n_llm_labels=spec.n_llm_labels, n_unlabeled=spec.n_unlabeled,
        seed=spec.seed,
    )  # fmt: skip
