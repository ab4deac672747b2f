"""Which examples each optimiser step sees: whole epochs, grouped by length, decided by the seed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_MEGA = 50  # batches that are sorted together; as in transformers' LengthGroupedSampler


def batch_order(
    lengths: Sequence[int], *, batch: int, steps: int, seed: int, grouped: bool = True
) -> NDArray[np.int64]:
    """Row numbers in the order of training, (steps * batch,); each epoch holds every row once.

    Within an epoch, chunks of many batches are sorted by length and their batches shuffled, so that
    batches hardly pad. With fewer than eight batches of rows, order is random.

    >>> order = batch_order([3] * 10, batch=2, steps=5, seed=0)
    >>> sorted(order.tolist()) == list(range(10))
    True
    """
    rng = np.random.default_rng([seed, 3])
    size = np.asarray(lengths)
    mega = min(len(size) // (batch * 4), MAX_MEGA) * batch
    chunks: list[NDArray[np.int64]] = []
    drawn = 0
    while drawn < steps * batch:
        epoch = rng.permutation(len(size))
        chunks.append(_grouped(epoch, size, batch, mega, rng) if grouped and mega > batch else epoch)
        drawn += len(epoch)
    return np.concatenate(chunks)[: steps * batch]


def _grouped(
    epoch: NDArray[np.int64], size: NDArray[np.int64], batch: int, mega: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(epoch), mega):
        chunk = epoch[start : start + mega]
        chunk = chunk[np.argsort(size[chunk], kind="stable")]
        batches.extend(chunk[i : i + batch] for i in range(0, len(chunk), batch))
    whole = [b for b in batches if len(b) == batch]
    rest = [b for b in batches if len(b) < batch]
    shuffled = [whole[i] for i in rng.permutation(len(whole))]
    return np.concatenate([*shuffled, *rest])
