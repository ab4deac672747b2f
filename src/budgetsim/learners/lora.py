"""Low-rank adapters for models too large to train whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from budgetsim.errors import InputError
from budgetsim.learners.tensors import check_tensors


def wrap(model: Any, rank: int, precision: str = "fp32") -> Any:
    """The model with adapters of that rank on its linear layers; rank 0 leaves it as it is.

    precision : of the weights that stay as they are; adapters are in fp32
    """
    if rank == 0:
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(task_type="SEQ_2_SEQ_LM", r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return _frozen_in(precision, get_peft_model(model, config))


def adapt(model: Any, rank: int, task_type: str, new: Sequence[str], precision: str = "fp32") -> Any:
    """The model with adapters on every linear layer of its base, and its head trained whole beside them.

    Layers are named one by one: `all-linear` would put adapters into heads of several layers, which are trained (and
    saved) whole already, and into poolers that are new.
    task_type : SEQ_CLS, TOKEN_CLS or CAUSAL_LM; new : names of the weights that the checkpoint did not have
    precision : as of `wrap`
    """
    from peft import LoraConfig, get_peft_model

    heads = [] if task_type == "CAUSAL_LM" else sorted(_head_modules(model) | _new_modules(model, new))
    config = LoraConfig(
        task_type=task_type, r=rank, lora_alpha=2 * rank, target_modules=_linear_layers(model, heads),
        modules_to_save=heads or None,
    )  # fmt: skip
    return _frozen_in(precision, get_peft_model(model, config))


def load_adapters(model: Any, folder: Path, name: str) -> Any:
    """The model with adapters that were saved, which never come from a pickle.

    raises : InputError where the folder holds none, or not of this model
    """
    from peft import PeftModel

    place = folder / "adapter_model.safetensors"
    if not place.is_file():
        raise InputError(f"{folder} holds no {place.name}; train {name} again.")
    check_tensors([place])
    try:
        return PeftModel.from_pretrained(model, str(folder)).eval()
    except Exception as error:  # on broken files the library raises errors of any class
        raise InputError(f"{folder} holds no adapters of {name} ({type(error).__name__}); train it again.") from None


def merge(model: Any) -> Any:
    """The model with its adapters added to its weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def _frozen_in(precision: str, model: Any) -> Any:
    """The model with its frozen weights in bf16 where that is the precision: half of what they would take."""
    import torch

    for weight in model.parameters() if precision == "bf16" else ():
        if not weight.requires_grad:
            weight.data = weight.data.to(torch.bfloat16)
    return model


def _head_modules(model: Any) -> set[str]:
    """Parts of a classifier beside its base model that have weights."""
    return {
        name
        for name, part in model.named_children()
        if name != model.base_model_prefix and any(True for _ in part.parameters())
    }


def _new_modules(model: Any, new: Sequence[str]) -> set[str]:
    """Modules inside the base model whose weights are new: poolers."""
    return {name.rsplit(".", 1)[0] for name in new if name.startswith(f"{model.base_model_prefix}.")}


def _linear_layers(model: Any, heads: Sequence[str]) -> list[str]:
    from torch import nn

    output = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return [
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and part is not output and not any(_within(name, head) for head in heads)
    ]


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")
