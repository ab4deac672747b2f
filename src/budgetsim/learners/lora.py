"""Low-rank adapters for teachers too large to train whole."""

from __future__ import annotations

from typing import Any


def wrap(model: Any, rank: int) -> Any:
    """The model with adapters of that rank on its linear layers; rank 0 leaves it as it is."""
    if rank == 0:
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(task_type="SEQ_2_SEQ_LM", r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return get_peft_model(model, config)


def merge(model: Any) -> Any:
    """The model with its adapters added to its weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
