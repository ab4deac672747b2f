"""Which state of a text a head reads: the first token's, as most encoders are made, or the mean of all."""

from __future__ import annotations

import json
from typing import Any, Final

import torch

from budgetsim.learners.catalogue import ALIASES
from budgetsim.learners.weights import Weights

_POOLING: Final = "1_Pooling/config.json"  # how sentence encoders say what they were trained to be read by
_SENTENCES: Final = "sentence-transformers/"  # owner of checkpoints that are read by their mean


def reads_mean(weights: Weights, layers: int) -> bool:
    """Whether the mean is what a checkpoint was trained to be read by, or all that it can be.

    Sentence encoders were trained by their mean (Reimers and Gurevych 2019, arXiv 1908.10084). Where upper layers were
    dropped, the first token is not yet what it is at the top. On dev, two layers of MiniLM gain 0 to 20 points by it
    (docs/measuring.md).
    """
    if layers:
        return True
    if weights.folder is not None and (place := weights.folder / _POOLING).is_file():
        try:
            return bool(json.loads(place.read_text(encoding="utf-8")).get("pooling_mode_mean_tokens"))
        except (OSError, ValueError, AttributeError):
            return False
    hub = ALIASES[weights.model].hub if weights.model in ALIASES else weights.model
    return hub.startswith(_SENTENCES)


def read_mean(model: Any) -> bool:
    """Put the mean of a text's states in the place of the first token's, where the head finds it.

    model : an encoder with a head, called with `attention_mask`; others are left as they are
    returns : whether it was done; its config then says so, where it is saved
    """
    encoder = getattr(model.base_model, "encoder", None)
    if encoder is None or getattr(model.config, "is_encoder_decoder", False):
        return False
    reader = _MeanReader()
    model.config.reads_mean = True
    model.register_forward_pre_hook(reader.note, with_kwargs=True)
    encoder.register_forward_hook(reader.pool)
    return True


class _MeanReader:
    """Two hooks that share a mask; an object and not a closure, since processes hand it on."""

    def __init__(self) -> None:
        self.mask: torch.Tensor | None = None

    def note(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.mask = kwargs["attention_mask"]

    def pool(self, module: Any, args: Any, output: Any) -> Any:
        assert self.mask is not None
        states = output["last_hidden_state"]
        pooled = torch.cat([mean_of(states, self.mask).unsqueeze(1), states[:, 1:]], dim=1)
        output["last_hidden_state"] = pooled
        if output.get("hidden_states") is not None:  # DeBERTa reads the last of them
            output["hidden_states"] = (*output["hidden_states"][:-1], pooled)
        return output


def mean_of(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the states of real tokens: (texts, tokens, width) and (texts, tokens) to (texts, width).

    >>> mean_of(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[1, 1, 0]])).tolist()
    [[2.0]]
    """
    real = mask.unsqueeze(-1).to(states.dtype)
    return (states * real).sum(1) / real.sum(1).clamp_min(1)
