"""Names, weights and losses of learners: what needs no training, or a few steps of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budgetsim.errors import InputError, MissingExtraError
from budgetsim.learners.hub import load_there
from budgetsim.learners.protocol import Desk, Examples, Training, softmax
from budgetsim.learners.registry import KINDS, Kind, able, parse_learner
from tiny_models import edit_config, edit_weights, made_texts, make_task, save_model, teacher_logits, true_answers

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from budgetsim.learners import features, linear, tagger, tuning  # noqa: E402
from budgetsim.learners.heads import mixed_loss  # noqa: E402
from budgetsim.learners.pretrained import load_tokenizer  # noqa: E402
from budgetsim.learners.prompting import choose_shots, fit_scores, label_scores  # noqa: E402
from budgetsim.learners.weights import Weights, resolve  # noqa: E402

HOW = Training(steps=4, batch=8, lr=1e-2, seed=1)


# Names


def test_the_registry_needs_no_torch() -> None:
    code = (
        "import sys; from budgetsim.learners.registry import parse_learner as p; "
        "[p(n) for n in ('tfidf-lr', 'ft:minilm:layers=2:lora', 'lm:smollm2', 'encoder-lr', 'pico', 'overlap', "
        "'ensemble:tfidf-lr+ft:mpnet')]; "
        "sys.exit(sum(m in sys.modules for m in ('torch', 'transformers', 'sklearn', 'peft')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("tfidf-lr", "tfidf-lr"),
        ("encoder-lr", "encoder-lr"),
        ("encoder-lr:mpnet", "encoder-lr:mpnet"),
        ("minilm-lr", "minilm-lr"),
        ("ft:minilm", "ft:minilm"),
        ("ft:minilm:lora:layers=2", "ft:minilm:layers=2:lora=8"),
        ("ft:answerdotai/ModernBERT-base:lora=16", "ft:answerdotai/ModernBERT-base:lora=16"),
        ("lm:smollm2", "lm:smollm2:shots=4"),
        ("lm:smollm2:shots=0", "lm:smollm2:shots=0"),
        ("lm:smollm2:lora", "lm:smollm2:shots=0:lora=8"),
        ("pico", "pico"),
        ("google/flan-t5-small", "google/flan-t5-small"),
        ("ensemble:tfidf-lr+encoder-lr:mpnet", "ensemble:tfidf-lr+encoder-lr:mpnet"),
    ],
)
def test_a_name_is_parsed_to_its_full_form(written: str, name: str) -> None:
    learner = parse_learner(written)
    assert learner.name == name
    assert parse_learner(name).name == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tfidf", r"no learner 'tfidf'; the nearest is tfidf-lr\. Names are: tfidf-lr"),
        ("picco", "the nearest is pico"),
        ("fine:minilm", "no learner 'fine:minilm'"),
        ("tfidf-lr:minilm", "takes no model"),
        ("overlap:2", "takes no model"),
        ("ft", "names no model"),
        ("ft:", "names no model"),
        ("ft:minilm:layer=2", r"option 'layer=2', which is unknown; the nearest is layers\. Write ft:MODEL"),
        ("ft:minilm:layers", "gives layers no number"),
        ("ft:minilm:layers=0", "whole number from 1"),
        ("ft:minilm:layers=two", "whole number from 1"),
        ("ft:minilm:layers=2:layers=3", "sets layers twice"),
        ("ft:minilm:lora=-1", "whole number from 1"),
        ("ft:min lm", "is no model: give an alias"),
        ("lm:smollm2:layers=2", "option 'layers=2', which is unknown"),
        ("ensemble:tfidf-lr", "fewer than two learners"),
        ("ensemble:tfidf-lr+", "fewer than two learners"),
        ("ensemble:tfidf-lr+overlap", "overlap gives no probabilities"),
        ("", "There is no learner ''"),
    ],
)
def test_a_bad_name_is_refused_with_the_grammar(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_learner(name)


def test_every_kind_of_task_has_a_learner() -> None:
    assert "ft:MODEL" in able("tagging")
    assert "tfidf-lr" not in able("generation")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_the_registry_says_what_a_kind_does(kind: Kind) -> None:
    written = {"ft": "ft:minilm", "lm": "lm:smollm2", "ensemble": "ensemble:tfidf-lr+encoder-lr"}
    assert parse_learner(written.get(kind.word, kind.word)).kinds == set(kind.does)


# Weights


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return save_model(tmp_path / "bert", "bert")


def test_missing_models_say_how_they_are_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"budgetsim models fetch mpnet.*sentence-transformers/all-mpnet-base-v2"):
        parse_learner("encoder-lr:mpnet").check(make_task())
    with pytest.raises(InputError, match="There is no folder"):
        parse_learner(f"ft:{tmp_path}/gone").check(make_task())


def test_an_alias_lies_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from budgetsim.data.pins import cache_dir

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    save_model(cache_dir() / "models" / "mpnet", "mpnet")
    assert resolve("mpnet").folder == cache_dir() / "models" / "mpnet"
    parse_learner("ft:mpnet").check(make_task())


def test_a_gguf_is_for_language_models(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"nothing")
    with pytest.raises(InputError, match="does not train"):
        parse_learner(f"ft:{tmp_path}").check(make_task())
    with pytest.raises(InputError, match="is no encoder"):
        parse_learner(f"encoder-lr:{tmp_path}").check(make_task())
    with pytest.raises((InputError, MissingExtraError), match=r"gguf"):
        parse_learner(f"lm:{tmp_path}").check(make_task())


def test_a_hub_name_nobody_reaches_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client that lists a repository is the one part that cannot run here."""
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    def fail(error: Exception) -> Callable[..., object]:
        def listing(*_: object, **__: object) -> object:
            raise error

        return listing

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail(ConnectionError("no route")))
    with pytest.raises(InputError, match="hub cannot be reached"):
        parse_learner("ft:nobody/nothing").check(make_task())
    unknown = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail(unknown))
    with pytest.raises(InputError, match=r"The hub knows no model minillm.*nearest name known here is minilm"):
        parse_learner("ft:minillm").check(make_task())


def test_of_what_is_nowhere_here_the_hub_is_asked_once_and_of_a_folder_not_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The libraries ask a hub that is not there six times: they are not let, unless it answers or the cache has some."""
    import huggingface_hub

    loaded: list[str] = []

    def load(name: str, *, trust_remote_code: bool) -> str:
        loaded.append(name)
        return f"tokenizer of {name}"

    def silent(*_: object, **__: object) -> object:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", silent)
    with pytest.raises(InputError, match=r"owner/t5 is not on this machine.*no route.*Name a folder"):
        load_there(load, "owner/t5")
    assert loaded == []
    load_there(load, str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: str(tmp_path / "config.json"))
        load_there(load, "owner/t5")
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: None)
    load_there(load, "owner/t5")
    assert loaded == [str(tmp_path), "owner/t5", "owner/t5"]


def test_a_tagger_wants_tags() -> None:
    task = make_task("tagging", labels=("Action", "Amount"))
    with pytest.raises(InputError, match=r"made_tagging is written otherwise \(it has 'Action'\)"):
        parse_learner("ft:minilm").check(task)


def test_more_layers_than_there_are(bert: Path) -> None:
    with pytest.raises(InputError, match="has 2 layers here; layers=3"):
        parse_learner(f"ft:{bert}:layers=3").check(make_task())


# Losses


def test_the_mixed_loss_is_kl_times_the_square_of_temperature() -> None:
    rng = np.random.default_rng(0)
    z, u, temperature = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), 3.0
    y, soft = np.array([0, 1, 2, 0, 1]), np.array([True, True, False, True, False])
    p, q = (np.exp(a / temperature) / np.exp(a / temperature).sum(1, keepdims=True) for a in (u, z))
    kl = temperature**2 * (p * np.log(p / q)).sum(1)
    ce = -np.log(np.exp(z) / np.exp(z).sum(1, keepdims=True))[np.arange(5), y]
    found = mixed_loss(*(torch.tensor(a) for a in (z, y, u, soft)), temperature)
    assert found.item() == pytest.approx(np.where(soft, kl, ce).mean(), rel=1e-5)


def test_the_gradient_of_soft_labels_hardly_depends_on_a_high_temperature() -> None:
    """T^2 KL at T tends to half the squared distance of centred logits over the classes, whatever T (Hinton et al.)."""
    z = torch.tensor([[0.3, -0.2, 0.1]], dtype=torch.float64)
    u = torch.tensor([[0.0, 0.5, -0.4]], dtype=torch.float64)
    gap = (z - z.mean()) - (u - u.mean())
    found = mixed_loss(z, torch.zeros(1).long(), u, torch.ones(1).bool(), 30.0)
    assert found.item() == pytest.approx((gap**2).sum().item() / 6, rel=3e-2)


@pytest.mark.parametrize("classes", [2, 4])
def test_one_row_a_text_fits_what_weighted_copies_fit(classes: int) -> None:
    """At temperature 1 the loss on probabilities is scikit-learn's on a copy of each row for each class."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x, p = rng.normal(size=(60, 3)), rng.dirichlet(np.ones(classes), size=60)
    ours = linear.fit_probabilities(x, linear.SoftTargets(p, np.ones(60)), l2=1e-2).logits(x)
    peer = LogisticRegression(C=1 / (1e-2 * 60), max_iter=2000, tol=1e-9)
    peer.fit(np.repeat(x, classes, axis=0), np.tile(np.arange(classes), 60), sample_weight=p.ravel())
    np.testing.assert_allclose(softmax(ours), peer.predict_proba(x), atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_linear_student_recovers_a_linear_teacher(temperature: float) -> None:
    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=(200, 3)), rng.normal(size=(3, 3))
    u = x @ weights
    targets = linear.SoftTargets(softmax(u, temperature).astype(np.float64), np.full(200, temperature))
    z = linear.fit_probabilities(x, targets, l2=0.0).logits(x)
    np.testing.assert_allclose(z - z.mean(1, keepdims=True), u - u.mean(1, keepdims=True), atol=2e-3)


def test_calibration_recovers_slope_and_offsets() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(4000, 3)).astype(np.float32)
    targets = softmax(2.0 * scores + np.array([1.0, 0.0, -1.0]))
    slope, offsets = fit_scores(scores, targets, np.ones(4000))
    assert slope == pytest.approx(2.0, rel=0.01)
    np.testing.assert_allclose(offsets, [1.0, 0.0, -1.0], atol=0.02)


# Layers and adapters


def _built(name: str, task: Any) -> Any:
    learner: Any = parse_learner(name)
    weights = resolve(learner.model)
    return tuning.build(learner, weights, load_tokenizer(weights), task, learner.rank, seed=0)[0]


@pytest.mark.parametrize("kind", ["bert", "mpnet", "modernbert", "deberta", "qwen3"])
def test_the_first_layers_are_kept(kind: str, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "m", kind, layers=3)
    held = load_file(folder / "model.safetensors")
    model = _built(f"ft:{folder}:layers=2", make_task())
    kept = {n.removeprefix(f"{model.base_model_prefix}."): w for n, w in model.state_dict().items()}
    layers = [name for name in held if ".0." in name or ".1." in name if "layer" in name]
    assert layers
    assert all(torch.equal(kept[name], held[name]) for name in layers)
    assert not [name for name in kept if "layer" in name and ".2." in name]


@pytest.mark.parametrize(("kind", "head"), [("mpnet", "classifier"), ("qwen3", "score"), ("modernbert", "head")])
def test_adapters_change_no_base_weight_and_save_the_head_once(kind: str, head: str, tmp_path: Path) -> None:
    task, texts = make_task(), made_texts(16, 0)
    folder = save_model(tmp_path / "m", kind)
    held = load_file(folder / "model.safetensors")
    examples = Examples(sources=texts, answers=true_answers(task, texts))
    fitted: Any = parse_learner(f"ft:{folder}:lora=2").fit(task, examples, HOW, Desk(tmp_path / "desk"))
    base = {
        n.replace(".base_layer", ""): w for n, w in fitted.model.get_base_model().state_dict().items() if "lora_" not in n
    }  # fmt: skip
    prefix = fitted.model.get_base_model().base_model_prefix
    kept = [name for name in held if f"{prefix}.{name}" in base]  # mpnet's classifier leaves the pooler out
    assert len(kept) >= len(held) - 2
    assert all(torch.equal(base[f"{prefix}.{name}"], held[name]) for name in kept)
    fitted.save(tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "adapter_model.safetensors")
    heads = [name for name in saved if f".{head}." in name]
    assert heads
    assert len({name.replace("modules_to_save.", "") for name in heads}) == len(heads)
    assert not [name for name in heads if "lora_" in name]
    assert not (tmp_path / "saved" / "model.safetensors").exists()


def test_pairs_are_read_as_pairs(bert: Path) -> None:
    from budgetsim.learners.heads import encode_texts

    tokenizer = load_tokenizer(Weights("bert", str(bert), bert, None))
    task = make_task(fields=("a", "b"))
    (encoded,), places = encode_texts(tokenizer, task, ["a: the room b: bad view"], 64)
    assert places is None
    assert encoded["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert tokenizer.decode(encoded["input_ids"]) == "[CLS] the room [SEP] bad view [SEP]"


# Words


def test_words_are_asked_at_their_first_piece(bert: Path) -> None:
    tokenizer = load_tokenizer(Weights("bert", str(bert), bert, None))
    (encoded,), places = tagger.encode_words(tokenizer, make_task("tagging"), ["w12 good was"], 64)
    pieces = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert pieces == ["[CLS]", "w", "##1", "##2", "good", "was", "[SEP]"]
    assert places == [[1, 4, 5]]


def test_words_beyond_reach_are_outside(bert: Path, tmp_path: Path) -> None:
    task, texts = make_task("tagging"), made_texts(16, 0)
    examples = Examples(sources=texts, answers=true_answers(task, texts))
    fitted = parse_learner(f"ft:{bert}").fit(task, examples, replace(HOW, max_tokens=5), Desk(tmp_path))
    (answer,) = fitted.answer(["good good good good good good"])
    assert len(answer.split()) == 6
    assert answer.split()[3:] == ["O"] * 3
    assert fitted.logits(["good good good good"]).shape == (4, 3)


def test_tags_and_words_must_be_as_many(bert: Path, tmp_path: Path) -> None:
    task = make_task("tagging")
    with pytest.raises(InputError, match="Example 1 has 3 words and 2 tags"):
        parse_learner(f"ft:{bert}").fit(task, Examples(sources=["a good room"], answers=["O O"]), HOW, Desk(tmp_path))


# Features, prompts


def test_features_are_read_once_and_kept(bert: Path, tmp_path: Path) -> None:
    weights = Weights("bert", str(bert), bert, None)
    texts = made_texts(6, 0)
    first = features.encode(weights, texts, (), 64, tmp_path)
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-6)
    (shard,) = (tmp_path / "features").rglob("*.safetensors")
    written = shard.stat().st_mtime_ns
    assert np.array_equal(features.encode(weights, texts[::-1], (), 64, tmp_path), first[::-1])
    assert shard.stat().st_mtime_ns == written
    features.encode(weights, [*texts, "the night"], (), 64, tmp_path)
    assert len(list((tmp_path / "features").rglob("*.safetensors"))) == 2
    shard.write_bytes(b"torn")
    np.testing.assert_allclose(features.encode(weights, texts, (), 64, tmp_path), first, atol=1e-6)


def test_features_do_not_depend_on_the_batch_and_agree_with_the_library(bert: Path) -> None:
    """Against sentence-transformers' definition, written plainly: mean of the states of all tokens, unit length."""
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(bert).eval(), AutoTokenizer.from_pretrained(bert)
    texts = made_texts(6, 1)
    ours = features.encode(Weights("bert", str(bert), bert, None), texts, (), 64, None)
    for text, vector in zip(texts, ours, strict=True):
        with torch.no_grad():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_shots_are_balanced_and_drawn_by_the_seed() -> None:
    examples = Examples(sources=[str(i) for i in range(20)], answers=["yes"] * 17 + ["no"] * 3)
    shown = choose_shots(examples, 4, seed=0)
    assert sorted(examples.answers[i] for i in shown) == ["no", "no", "yes", "yes"]
    assert shown == choose_shots(examples, 4, seed=0)
    assert len(choose_shots(examples, 100, seed=0)) == 10


@pytest.mark.parametrize("words", [[[7], [9]], [[7, 8], [7]]])
def test_label_scores_are_of_the_words_after_the_prompt(words: list[list[int]], tmp_path: Path) -> None:
    """A plain second implementation: one unpadded pass a prompt and label."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        save_model(tmp_path / "m", "llama", auto="AutoModelForCausalLM")
    ).eval()
    prompts = [[5, 6, 7], [8, 9, 10, 11, 12]]
    with torch.no_grad():
        found = torch.log_softmax(label_scores(model, prompts, words, pad_id=0), -1)
        plain = torch.zeros(2, 2)
        for i, prompt in enumerate(prompts):
            for k, ids in enumerate(words):
                log_q = torch.log_softmax(model(torch.tensor([[*prompt, *ids]])).logits[0], -1)
                plain[i, k] = torch.stack([log_q[len(prompt) - 1 + j, t] for j, t in enumerate(ids)]).mean()
    torch.testing.assert_close(found, torch.log_softmax(plain, -1), atol=1e-5, rtol=1e-4)


def test_an_ensemble_averages_probabilities(bert: Path, tmp_path: Path) -> None:
    task, texts = make_task(), made_texts(20, 0)
    examples = Examples(sources=texts, answers=true_answers(task, texts), logits=teacher_logits(task, texts))
    fitted: Any = parse_learner(f"ensemble:tfidf-lr+ft:{bert}").fit(task, examples, HOW, Desk(tmp_path))
    mean = np.mean([softmax(member.logits(texts)) for member in fitted.members], axis=0)
    np.testing.assert_allclose(softmax(fitted.logits(texts)), mean, atol=1e-6)


def test_overlap_answers_by_shared_words(tmp_path: Path) -> None:
    task = make_task(fields=("a", "b"))
    pairs = [("the room", "the room"), ("a bed", "a bed"), ("the room", "bad view"), ("a bed", "very night")]
    sources = [f"a: {a} b: {b}" for a, b in pairs]
    learner = parse_learner("overlap")
    fitted = learner.fit(task, Examples(sources=sources, answers=["yes", "yes", "no", "no"]), HOW, Desk(tmp_path))
    assert fitted.answer(sources) == ["yes", "yes", "no", "no"]
    fitted.save(tmp_path / "saved")
    assert learner.load(task, tmp_path / "saved").answer(sources) == fitted.answer(sources)
    with pytest.raises(InputError, match="gives no probabilities"):
        fitted.logits(sources)
    with pytest.raises(InputError, match="Use tfidf-lr"):
        learner.check(make_task())


def test_half_precision_weights_are_trained_in_full(bert: Path) -> None:
    edit_weights(bert, lambda t: t.update({name: tensor.half() for name, tensor in t.items()}))
    edit_config(bert, dtype="float16")
    model = _built(f"ft:{bert}", make_task())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
