"""Soft labels: two exact caches of a teacher, and the losses that read them.

`label`: probabilities over the task's label words, the rest of the vocabulary in one bucket: another
objective than the paper's, and the only one for teachers that are not seq2seq.
`full`: the teacher's last decoder states and its output matrix, from which its logits over the whole
vocabulary are one matrix product: equals running the teacher inside the step, within fp16.
Source of the full objective: Kang, Xu and Ritter (2023): KL at temperature 2, times 4, on
teacher-generated sequences; here padding is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F  # noqa: N812

from budgetsim.errors import InputError

IGNORE = -100


@dataclass(frozen=True, slots=True)
class LabelHead:
    """First token of each class, and the temperature of the teacher's probabilities."""

    token_ids: tuple[int, ...]
    temperature: float


@dataclass(frozen=True, slots=True)
class StateHead:
    """The teacher's output matrix, (vocabulary, d_teacher), the factor on its states, the temperature."""

    matrix: torch.Tensor
    scale: float
    temperature: float
    _moved: dict[tuple[torch.device, torch.dtype], torch.Tensor] = field(
        default_factory=dict, repr=False, compare=False
    )

    def matrix_for(self, states: torch.Tensor) -> torch.Tensor:
        """The matrix beside states, moved there once: it is larger than what passes in a step."""
        place = (states.device, states.dtype)
        if place not in self._moved:
            self._moved[place] = self.matrix.to(states)
        return self._moved[place]


def label_loss(logits: torch.Tensor, labels: torch.Tensor, probs: torch.Tensor, head: LabelHead) -> torch.Tensor:
    r"""KL of the class buckets at the first output token, plus cross entropy of what follows it.

    .. math:: T^2 \sum_c p_c (\log p_c - \log q_c), \quad q = \mathrm{softmax}(z / T)_{\text{label tokens}}

    logits : (batch, tokens, vocabulary); labels : (batch, tokens), -100 where padded
    probs : (batch, classes), the teacher's at the temperature; its bucket of other words is empty
    """
    student = F.log_softmax(logits[:, 0] / head.temperature, dim=-1)[:, list(head.token_ids)]
    kl = F.kl_div(student, probs, reduction="sum") / len(labels) * head.temperature**2
    rest = labels[:, 1:]
    if rest.numel() == 0:
        return kl
    return kl + F.cross_entropy(logits[:, 1:].transpose(1, 2), rest, ignore_index=IGNORE)


def state_loss(
    logits: torch.Tensor, labels: torch.Tensor, states: torch.Tensor, is_gold: torch.Tensor, head: StateHead
) -> torch.Tensor:
    r"""KL over the whole vocabulary at every output token that is not padding, times T squared.

    logits : (batch, tokens, vocabulary); states : (batch, tokens, d_teacher)
    is_gold : (batch,), rows with a human label instead: cross entropy
    """
    teacher = (states * head.scale) @ head.matrix_for(states).T
    soft = kl_tokens(logits, teacher, head.temperature)
    hard = F.cross_entropy(logits.transpose(1, 2), labels.clamp_min(0), reduction="none")
    mask = labels != IGNORE
    return torch.where(is_gold[:, None], hard, soft)[mask].mean()


def kl_tokens(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(teacher || student) at each token, times T squared: (batch, tokens, vocabulary) to (batch, tokens)."""
    width = min(student.shape[-1], teacher.shape[-1])
    log_q = F.log_softmax(student[..., :width].float() / temperature, dim=-1)
    log_p = F.log_softmax(teacher[..., :width].float() / temperature, dim=-1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1) * temperature**2


@dataclass(frozen=True, slots=True)
class StateCache:
    """What a seq2seq teacher said of texts: its sequences and the states behind every token of them.

    sequences : ids of each text's answer, end mark included; states : (all tokens, d_teacher) fp16,
    text after text; matrix : (vocabulary, d_teacher) fp16; scale : factor on the states before the matrix
    """

    sequences: list[list[int]]
    states: torch.Tensor
    matrix: torch.Tensor
    scale: float

    def rows(self) -> list[torch.Tensor]:
        """States of each text, views of the one tensor."""
        return list(torch.split(self.states, [len(s) for s in self.sequences]))

    def save(self, place: Path, *, with_matrix: bool = True) -> None:
        """Write the cache; the matrix, which is large and the teacher's whatever the texts, once for several files."""
        flat = torch.tensor([t for s in self.sequences for t in s], dtype=torch.int32)
        lengths = torch.tensor([len(s) for s in self.sequences], dtype=torch.int32)
        tensors = {"tokens": flat, "lengths": lengths, "states": self.states}
        tensors |= {"matrix": self.matrix} if with_matrix else {}
        save_file(tensors, place, metadata={"scale": repr(self.scale)})

    @staticmethod
    def load(places: Sequence[Path], n_texts: int) -> StateCache:
        """The first texts of caches that one teacher filled one after the other; the first file holds its matrix."""
        from safetensors import safe_open

        with safe_open(places[0], framework="pt") as file:
            scale = float(file.metadata()["scale"])
        held = [load_file(place) for place in places]
        lengths = [n for tensors in held for n in tensors["lengths"].tolist()][:n_texts]
        tokens = torch.cat([tensors["tokens"] for tensors in held])[: sum(lengths)].long()
        states = torch.cat([tensors["states"] for tensors in held])[: sum(lengths)]
        return StateCache([part.tolist() for part in torch.split(tokens, lengths)], states, held[0]["matrix"], scale)


@torch.no_grad()
def cache_states(
    model: Any, sources: Sequence[list[int]], *, max_tokens: int, batch: int, dtype: torch.dtype = torch.float16
) -> StateCache:
    """One labelling pass: generate an answer to each source, then keep the states of its tokens.

    Sources are taken in order of length, so that batches hardly pad; the cache is in the given order.
    """
    from budgetsim.learners.evaluate import generate, pad_sources

    device = next(model.parameters()).device
    model.eval()
    sequences = generate(model, sources, max_tokens=max_tokens, batch=batch)
    states: list[torch.Tensor] = [torch.empty(0)] * len(sources)
    order = sorted(range(len(sources)), key=lambda i: (len(sources[i]), len(sequences[i])))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        ids, mask = pad_sources([sources[i] for i in rows], device)
        labels = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(sequences[i]) for i in rows], batch_first=True, padding_value=IGNORE
        ).to(device)
        hidden = _decoder_states(model, ids, mask, labels)
        for row, i in enumerate(rows):
            states[i] = hidden[row, : len(sequences[i])].to(dtype).cpu()
    scale = float(model.config.d_model**-0.5) if getattr(model.config, "scale_decoder_outputs", False) else 1.0
    matrix = model.lm_head.weight.detach().to(dtype).cpu().contiguous().clone()
    return StateCache(sequences, torch.cat(states), matrix, scale)


def _decoder_states(model: Any, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    inputs = model._shift_right(labels)
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask)[0]
    decoded: torch.Tensor = model.get_decoder()(
        input_ids=inputs, encoder_hidden_states=encoded, encoder_attention_mask=mask
    )[0]
    return decoded


def state_bytes(positions: int, d_teacher: int, vocabulary: int) -> int:
    """Bytes of a full cache in fp16: states and the output matrix.

    >>> state_bytes(1, 4096, 0)
    8192
    """
    return 2 * d_teacher * (positions + vocabulary)


def check_label_tokens(first_tokens: Sequence[int], labels: Sequence[str]) -> tuple[int, ...]:
    """First tokens of the labels, which the `label` cache needs to differ.

    raises : InputError naming two labels that begin alike
    """
    seen: dict[int, str] = {}
    for token, label in zip(first_tokens, labels, strict=True):
        if token in seen:
            raise InputError(
                f"Labels {seen[token]!r} and {label!r} begin with the same token, so soft labels over label words "
                f"cannot tell them apart. Use two seq2seq models of one vocabulary (states), or rename a label."
            )
        seen[token] = label
    return tuple(first_tokens)
