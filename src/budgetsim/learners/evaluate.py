"""Answers of a seq2seq model, by greedy generation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence

from budgetsim.learners.codec import EOS, PAD, Codec, PieceCodec


@torch.no_grad()
def generate(model: Any, sources: Sequence[list[int]], *, max_tokens: int, batch: int) -> list[list[int]]:
    """Greedy answers as ids up to and with the end mark (added where the answer was cut), in order."""
    device = next(model.parameters()).device
    model.eval()
    answers: list[list[int]] = [[]] * len(sources)
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        ids, mask = pad_sources([sources[i] for i in rows], device)
        out = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=max_tokens, num_beams=1, do_sample=False
        )  # fmt: skip
        for row, i in enumerate(rows):
            answers[i] = _clean(out[row].tolist()[1:])
    return answers


@torch.no_grad()
def first_tokens(model: Any, sources: Sequence[list[int]], *, batch: int) -> list[list[int]]:
    """The first token of each greedy answer: enough where every label is one token."""
    answers: list[list[int]] = [[]] * len(sources)
    for rows, logits in _first_steps(model, sources, batch):
        for i, token in zip(rows, logits.argmax(-1).tolist(), strict=True):
            answers[i] = [token]
    return answers


@torch.no_grad()
def first_logits(model: Any, sources: Sequence[list[int]], tokens: Sequence[int], *, batch: int) -> NDArray[np.float32]:
    """Logits of some tokens at the first place of the answer, (sources, tokens)."""
    made = np.zeros((len(sources), len(tokens)), dtype=np.float32)
    for rows, logits in _first_steps(model, sources, batch):
        made[rows] = logits[:, list(tokens)].float().cpu().numpy()
    return made


def _first_steps(model: Any, sources: Sequence[list[int]], batch: int) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Rows of each batch, and their logits at the first place of the answer, (rows, vocabulary)."""
    device = next(model.parameters()).device
    model.eval()
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        ids, mask = pad_sources([sources[i] for i in rows], device)
        begin = torch.full((len(rows), 1), PAD, device=device)
        yield rows, model(input_ids=ids, attention_mask=mask, decoder_input_ids=begin).logits[:, 0]


def answer(
    model: Any, codec: Codec, sources: Sequence[str], *, source_tokens: int, target_tokens: int, batch: int,
    labels: Sequence[str] = (),
) -> list[str]:  # fmt: skip
    """Texts that a model answers to sources."""
    ids = codec.encode(sources, source_tokens)
    if labels and isinstance(codec, PieceCodec):
        tokens_of = first_tokens(model, ids, batch=batch)
        words = {codec.encode_labels([label])[0][0]: label for label in labels}
        return [words.get(tokens[0], "") for tokens in tokens_of]
    return [codec.decode(tokens) for tokens in generate(model, ids, max_tokens=target_tokens, batch=batch)]


def pad_sources(sources: Sequence[list[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """(batch, longest) ids and their mask."""
    ids = pad_sequence([torch.tensor(s) for s in sources], batch_first=True, padding_value=PAD).to(device)
    return ids, (ids != PAD).long()


def _clean(tokens: Sequence[int]) -> list[int]:
    kept = []
    for token in tokens:
        if token == EOS:
            break
        if token != PAD:
            kept.append(token)
    return [*kept, EOS]
