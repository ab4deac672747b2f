"""Training for real, on models of a few thousand parameters: `pytest -m train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

import torch  # noqa: E402

from budgetsim.costs.hours import forward_flops  # noqa: E402
from budgetsim.data.custom import TaskFiles, add_task  # noqa: E402
from budgetsim.data.loading import Access  # noqa: E402
from budgetsim.design.models import T5_SHAPES  # noqa: E402
from budgetsim.learners import finetune, flops, models  # noqa: E402
from budgetsim.learners.codec import PieceCodec, checkpoint_codec, train_pieces  # noqa: E402
from budgetsim.learners.distill import LabelHead, StateCache, StateHead, cache_states, kl_tokens, label_loss  # noqa: E402
from budgetsim.learners.evaluate import first_tokens, generate  # noqa: E402
from budgetsim.measure.recipe import PRESETS, Recipe  # noqa: E402
from budgetsim.measure.record import measure_one  # noqa: E402
from budgetsim.measure.spec import from_json, make_spec, to_json  # noqa: E402
from budgetsim.measure.stages import plan_stages  # noqa: E402
from budgetsim.measure.worker import open_workspace  # noqa: E402
from budgetsim.store.database import open_reader  # noqa: E402
from budgetsim.store.location import StorePaths  # noqa: E402
from budgetsim.store.merge import check, merge  # noqa: E402
from budgetsim.store.records import read_shards  # noqa: E402
from tiny import save_tiny_t5, write_tiny_task  # noqa: E402

UNTIED = {
    "t5-v1_1-small": 76_961_152,
    "t5-v1_1-base": 247_577_856,
    "t5-v1_1-large": 783_150_080,
    "t5-v1_1-xl": 2_849_757_184,
    "t5-v1_1-xxl": 11_135_332_352,
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return save_tiny_t5(tmp_path / "tiny-t5")


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "store" / "budgetsim.duckdb")


def tiny_paper(tiny: Path, **changes: object) -> Recipe:
    """The paper's recipe on a tiny model: a few epochs, a rate that moves random weights."""
    base = replace(
        PRESETS["paper"], epochs_annotate=2, epochs_distill=3, epochs_teacher=2, batch=8, lr=1e-2, teacher_lr=1e-2,
        student=str(tiny), teacher=str(tiny), prefix=False,
    )  # fmt: skip
    return replace(base, **changes)


@pytest.mark.parametrize(("name", "count"), UNTIED.items())
def test_untied_parameter_counts_on_the_meta_device(name: str, count: int) -> None:
    assert models.parameters(models.build_meta(name)) == count == T5_SHAPES[name].n_parameters


@pytest.mark.parametrize("training", [False, True])
def test_two_layers_tell_what_a_whole_model_counts(training: bool) -> None:
    shape = {"source_tokens": 87, "target_tokens": 4, "training": training}
    whole = flops.count_step(models.build_meta("t5-v1_1-small"), batch=1, **shape)
    assert flops.count_size("t5-v1_1-small", **shape) == whole


@pytest.mark.parametrize("name", ["t5-v1_1-small", "t5-v1_1-xxl"])
def test_flops_formula_agrees_with_the_counter(name: str) -> None:
    forward, step = (flops.count_size(name, source_tokens=87, target_tokens=4, training=t) for t in (False, True))
    assert forward_flops(T5_SHAPES[name], 87, 4).total == pytest.approx(forward, rel=0.01)
    assert step == pytest.approx(3 * forward, rel=0.01)


def test_a_cpu_model_answers_the_same_after_it_was_saved(tmp_path: Path) -> None:
    model = models.build_cpu("pico", 100, seed=0).eval()
    model.save_pretrained(tmp_path / "m")
    again = models.load_cpu("pico", 100, tmp_path / "m").eval()
    ids = torch.arange(3, 13)[None]
    assert torch.equal(model(input_ids=ids, labels=ids).logits, again(input_ids=ids, labels=ids).logits)


def test_an_untied_checkpoint_stays_untied_after_it_was_saved(tiny: Path) -> None:
    model = models.load_checkpoint(str(tiny))
    assert model.lm_head.weight.data_ptr() != model.shared.weight.data_ptr()
    assert not model.config.scale_decoder_outputs


def test_the_first_token_is_that_of_generation() -> None:
    model = models.build_cpu("pico", 100, seed=1)
    sources = [[5, 6, 7, 1], [8, 9, 1], [10, 1]]
    assert [g[:1] for g in generate(model, sources, max_tokens=3, batch=2)] == first_tokens(model, sources, batch=2)


def test_cached_states_give_the_loss_of_a_teacher_inside_the_step(tiny: Path) -> None:
    teacher, student = models.load_checkpoint(str(tiny)).eval(), models.load_checkpoint(str(tiny)).eval()
    torch.nn.init.normal_(student.lm_head.weight, std=0.5)
    sources = [[5, 9, 4, 1], [7, 1], [8, 8, 8, 8, 1]]
    cache = cache_states(teacher, sources, max_tokens=5, batch=2)
    examples = [
        finetune.TrainExample(s, q, states=r) for s, q, r in zip(sources, cache.sequences, cache.rows(), strict=True)
    ]
    batch = finetune.collate(examples)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
    with torch.no_grad():
        said, taught = student(**inputs).logits, teacher(**inputs).logits
    mask = batch["labels"] != -100
    inline = kl_tokens(said, taught, 2.0)[mask].mean()
    from budgetsim.learners.distill import state_loss

    head = StateHead(cache.matrix.float(), cache.scale, 2.0)
    cached = state_loss(said, batch["labels"], batch["states"], batch["is_gold"], head)
    assert float(cached) == pytest.approx(float(inline), rel=2e-3)
    assert float(inline) > 0


def test_the_cache_survives_the_disk(tiny: Path, tmp_path: Path) -> None:
    cache = cache_states(models.load_checkpoint(str(tiny)), [[5, 1], [6, 7, 1]], max_tokens=4, batch=2)
    cache.save(tmp_path / "states.safetensors")
    again = StateCache.load([tmp_path / "states.safetensors"], 2)
    assert again.sequences == cache.sequences
    assert torch.equal(again.states, cache.states)
    assert torch.equal(again.matrix, cache.matrix)
    assert again.scale == cache.scale


def test_padding_does_not_change_the_label_loss() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, probs = torch.randn(2, 3, 20, generator=rng), torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    labels = torch.tensor([[3, 1, -100], [4, 1, -100]])
    head = LabelHead((3, 4), 2.0)
    assert torch.equal(label_loss(logits, labels, probs, head), label_loss(logits[:, :2], labels[:, :2], probs, head))


def train_pico(folder: Path | None, *, steps: int, every: int = 0) -> torch.Tensor:
    """The output matrix after some steps on made examples."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    rows = [finetune.TrainExample([*rng.integers(3, 50, 6).tolist(), 1], [3 + i % 2, 1]) for i in range(40)]
    model = models.build_cpu("pico", 60, seed=0)
    how = finetune.Optimisation(steps=steps, batch=8, lr=1e-3)
    finetune.train(model, rows, how, checkpoints=folder, checkpoint_every=every)
    weight: torch.Tensor = model.shared.weight.detach().clone()
    return weight


def test_the_same_training_gives_the_same_bits() -> None:
    assert torch.equal(train_pico(None, steps=6), train_pico(None, steps=6))


def test_a_resumed_training_gives_the_same_bits(tmp_path: Path) -> None:
    whole = train_pico(tmp_path / "a", steps=8, every=2)
    for late in (tmp_path / "a").glob("checkpoint-8"):
        late.rename(tmp_path / "gone")
    assert torch.equal(train_pico(tmp_path / "a", steps=8, every=2), whole)


def test_a_damaged_checkpoint_is_put_aside_and_training_still_ends_in_the_same_bits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = train_pico(tmp_path / "a", steps=8, every=2)
    for place in (tmp_path / "a").glob("checkpoint-*"):
        weights = place / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    assert torch.equal(train_pico(tmp_path / "a", steps=8, every=2), whole)
    assert "is damaged" in caplog.text
    assert list((tmp_path / "a").glob("damaged-*"))


def test_pieces_are_the_same_for_the_same_texts_and_labels_are_one_token() -> None:
    texts = [f"some words about thing {i} and more of it" for i in range(200)]
    model = train_pieces(texts, ("no", "yes"), 300)
    assert model == train_pieces(texts, ("no", "yes"), 300)
    codec = PieceCodec(model, ("no", "yes"))
    assert [len(ids) for ids in codec.encode_labels(("no", "yes"))] == [2, 2]
    assert codec.decode(codec.encode_labels(("yes",))[0]) == "yes"
    assert codec.decode(codec.encode(["some words about"], 64)[0]) == "some words about"


def test_paper_path_end_to_end(tiny: Path, paths: StorePaths, tmp_path: Path) -> None:
    """Teacher, soft labels over the whole vocabulary, student, evaluation, store: the GPU path on a tiny T5."""
    places = write_tiny_task(tmp_path / "data")
    add_task(paths.folder / "tasks", "tiny_task", TaskFiles(**places), "accuracy")
    workspace = open_workspace(paths, tmp_path / "cache", Access(download=False))
    recipe = tiny_paper(tiny)
    specs = [
        make_spec(task="tiny_task", strategy="annotate", student=str(tiny), n_labels=40, recipe=recipe),
        make_spec(
            task="tiny_task", strategy="distill", student=str(tiny), teacher=str(tiny), n_labels=40, n_unlabeled=24,
            recipe=recipe,
        ),
        make_spec(
            task="tiny_task", strategy="distill", student=str(tiny), teacher=str(tiny), n_labels=40, n_unlabeled=32,
            recipe=replace(recipe, gold=True),
        ),
        make_spec(
            task="tiny_task", strategy="distill", student=str(tiny), teacher=str(tiny), n_labels=40, n_unlabeled=32,
            recipe=replace(recipe, lora_rank=2),
        ),
    ]  # fmt: skip
    for spec in specs:
        finished = measure_one(from_json(to_json(spec)), workspace, paths)
        assert set(finished.record.stages) == {stage.key for stage in plan_stages(spec, workspace)}  # known beforehand
        assert 0 <= finished.record.scores[0].value <= 100
        assert finished.record.evidence_set.startswith("measured-cpu-t5v11-")
        assert str(tmp_path) not in finished.shard.read_text()
    runs, stages = read_shards(paths.runs)
    kinds = [s.kind for s in stages]
    assert len(runs) == 4
    assert kinds.count("finetune_teacher") == 2  # one served two runs; LoRA is another recipe
    assert kinds.count("soft_label") == 2
    assert kinds.count("train_student") == 4
    assert all(s.flops and s.flops > 0 for s in stages if s.kind == "train_student")
    merge(paths)
    assert check(paths) == []
    with open_reader(paths.database) as connection:  # each distilled run finds its teacher's own score
        rows = connection.execute("SELECT run_id, score FROM teacher_scores").fetchall()
    assert len(rows) == len({run_id for run_id, _ in rows}) == 3
    assert all(0 <= score <= 100 for _, score in rows)


def test_a_run_twice_gives_the_same_score_and_is_stored_once(tiny: Path, paths: StorePaths, tmp_path: Path) -> None:
    places = write_tiny_task(tmp_path / "data")
    add_task(paths.folder / "tasks", "tiny_twice", TaskFiles(**places), "accuracy")
    spec = make_spec(task="tiny_twice", strategy="annotate", student=str(tiny), n_labels=40, recipe=tiny_paper(tiny))
    first = measure_one(spec, open_workspace(paths, tmp_path / "one", Access(download=False)), paths)
    second = measure_one(spec, open_workspace(paths, tmp_path / "two", Access(download=False)), paths)
    assert first.record.scores == second.record.scores
    assert first.shard == second.shard
    merge(paths)
    assert merge(paths).total == 0
    assert check(paths) == []


def test_a_checkpoint_is_told_apart_by_what_is_in_it(tmp_path: Path) -> None:
    from budgetsim.learners.names import model_id

    a, b = save_tiny_t5(tmp_path / "a" / "m", seed=0), save_tiny_t5(tmp_path / "b" / "m", seed=1)
    same = save_tiny_t5(tmp_path / "c" / "m", seed=0)
    assert model_id(str(a)) == model_id(str(same)) != model_id(str(b))
    assert checkpoint_codec(str(a)).same_as(checkpoint_codec(str(b)))
