"""The formulas of memory against bytes that torch counts on tiny models."""

import pytest

from budgetsim.costs.memory import FP32, STATE, Load, Way, activations, training_memory
from budgetsim.design.architectures import PUBLISHED, from_config

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we
ROWS, SOURCE, TARGET, VOCABULARY = 5, 50, 18, 71  # no product of two of them is a width below
T5 = {
    "model_type": "t5", "d_model": 64, "d_kv": 24, "d_ff": 200, "num_layers": 3, "num_heads": 4,
    "vocab_size": VOCABULARY, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.0, "decoder_start_token_id": 0,
}  # fmt: skip
DECODER = {
    "model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 24, "intermediate_size": 200, "vocab_size": VOCABULARY,
    "tie_word_embeddings": False,
}  # fmt: skip
ENCODER = {
    "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 200,
    "vocab_size": VOCABULARY, "num_labels": 2, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
}  # fmt: skip
CONFIGS = {
    "t5": (T5, "AutoModelForSeq2SeqLM"),
    "qwen3": (DECODER, "AutoModelForCausalLM"),
    "qwen2": (DECODER | {"model_type": "qwen2", "head_dim": 16}, "AutoModelForCausalLM"),
    "llama": (DECODER | {"model_type": "llama", "head_dim": 16, "tie_word_embeddings": True}, "AutoModelForCausalLM"),
    "bert": (ENCODER | {"model_type": "bert"}, "AutoModelForSequenceClassification"),
    "modernbert": (ENCODER | {"model_type": "modernbert"}, "AutoModelForSequenceClassification"),
}


def build(kind, **changes):
    values, head = CONFIGS[kind]
    values = {**values, **changes}
    config = transformers.AutoConfig.for_model(**values)
    model = getattr(transformers, head).from_config(config)
    return model.train(), from_config(config.to_dict())


def loss_of(model, kind, rows=ROWS):
    ids = torch.randint(5, VOCABULARY - 1, (rows, SOURCE))
    mask = torch.ones(rows, SOURCE, dtype=torch.long)
    mask[0, -1] = 0
    if kind == "t5":
        return model(input_ids=ids, attention_mask=mask, labels=torch.randint(5, 60, (rows, TARGET))).loss
    out = model(
        input_ids=ids,
        attention_mask=mask,
        **({"logits_to_keep": 1, "use_cache": False} if "AutoModelForCausalLM" in CONFIGS[kind] else {}),
    )
    return out.logits.float().logsumexp(-1).mean()


def kept_bytes(model, kind, *, bf16):
    """Bytes of the arrays saved for the backward pass, each storage once; parameters and their copies aside."""
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    shapes = {tuple(p.shape) for p in model.parameters()} | {tuple(p.shape[::-1]) for p in model.parameters()}
    seen = {}

    def keep(array):
        storage = array.untyped_storage()
        is_copy = bf16 and array.dtype == torch.bfloat16 and tuple(array.shape) in shapes
        if storage._cdata not in own and not is_copy:
            seen[storage._cdata] = (storage.nbytes(), storage)  # held, so that no later array gets its place
        return array

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda array: array),
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16),
    ):
        loss = loss_of(model, kind)
    assert loss.requires_grad
    return sum(n for n, _ in seen.values())


def load_of(kind):
    return Load(rows=ROWS, source=SOURCE, target=TARGET if kind == "t5" else 0, scored=TARGET if kind == "t5" else 1)


@pytest.mark.parametrize("kind", CONFIGS)
def test_parameters_are_those_that_torch_has(kind):
    model, sizes = build(kind)
    assert sizes.n_parameters == sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_are_those_of_the_model_on_the_meta_device(name):
    values = dict(PUBLISHED[name])
    heads = {"qwen3": "AutoModelForCausalLM"}
    config = transformers.AutoConfig.for_model(**values, num_labels=2)
    with torch.device("meta"):
        model = getattr(
            transformers, heads.get(values["model_type"], "AutoModelForSequenceClassification")
        ).from_config(config)
    assert from_config(values).n_parameters == sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("kind", CONFIGS)
def test_activations_are_those_that_autograd_keeps(kind, bf16):
    model, sizes = build(kind)
    said = activations(sizes, Way(precision="bf16" if bf16 else "fp32"), load_of(kind), mask_bytes=0)
    assert said == pytest.approx(kept_bytes(model, kind, bf16=bf16), rel=0.06)


@pytest.mark.parametrize("kind", ["t5", "bert"])
def test_dropout_keeps_its_masks(kind):
    dropout = {"dropout_rate": 0.1} if kind == "t5" else {"hidden_dropout_prob": 0.1}
    model, sizes = build(kind, **dropout)
    said = activations(sizes, Way(), load_of(kind), mask_bytes=FP32)  # on a CPU a mask is as wide as what it masks
    counted = kept_bytes(model, kind, bf16=False)
    assert said == pytest.approx(counted, rel=0.06)


@pytest.mark.parametrize("kind", ["qwen3", "modernbert", "bert"])
def test_with_checkpointing_layers_keep_their_inputs_alone(kind):
    model, sizes = build(kind)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    counted = kept_bytes(model, kind, bf16=False)
    said = activations(sizes, Way(checkpointing=True), load_of(kind), mask_bytes=0)
    again = (
        activations(
            from_config({**CONFIGS[kind][0], "num_hidden_layers": 4}),
            Way(checkpointing=True),
            load_of(kind),
            mask_bytes=0,
        )
        - said
    )
    assert again == ROWS * SOURCE * 64 * FP32  # one more layer keeps one more input
    layer = activations(sizes, Way(), load_of(kind), 0) / 3
    assert counted < said < counted + 1.1 * layer  # beside what is kept, one layer is computed again


@pytest.mark.parametrize("name", ["adamw_torch_fused", "adafactor", "sgd"])
def test_gradients_and_the_optimisers_state_are_those_that_torch_holds(name):
    model, sizes = build("bert")
    made = {
        "adamw_torch_fused": lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True),
        "adafactor": lambda p: transformers.Adafactor(p, lr=1e-3, relative_step=False, scale_parameter=False),
        "sgd": lambda p: torch.optim.SGD(p, lr=1e-3),
    }[name](list(model.parameters()))
    loss_of(model, "bert").backward()
    made.step()
    said = training_memory(sizes, Way(optimizer=name), load_of("bert"))
    assert said.weights == sum(p.nbytes for p in model.parameters())
    assert said.gradients == sum(p.grad.nbytes for p in model.parameters())
    held = sum(v.nbytes for state in made.state.values() for v in state.values() if torch.is_tensor(v) and v.ndim)
    small = 4 * sum(sum(p.shape) for p in model.parameters())  # rows, columns and vectors: most of so small a model
    assert STATE[name] * sizes.n_parameters == pytest.approx(held, abs=0 if name != "adafactor" else small)


@pytest.mark.parametrize("kind", ["t5", "qwen3", "bert", "modernbert"])
def test_adapters_have_the_parameters_that_the_library_gives_them(kind):
    pytest.importorskip("peft")
    from budgetsim.learners.lora import adapt, wrap

    model, sizes = build(kind)
    task = {"qwen3": "CAUSAL_LM"}.get(kind, "SEQ_CLS")
    adapted = wrap(model, 4) if kind == "t5" else adapt(model, 4, task, ())
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    # a pooler that the checkpoint has gets adapters, one that it lacks is trained whole
    assert sizes.adapters(4) == pytest.approx(trained, abs=64 * 64 + 64 if kind == "bert" else 64)
