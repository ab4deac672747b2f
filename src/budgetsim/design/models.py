"""Models by name: their kinds, and their sizes where they are T5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

T5_VOCABULARY: Final = 32128


@dataclass(frozen=True, slots=True, kw_only=True)
class T5Shape:
    """Sizes of a model of T5 v1.1's kind: gated feed-forward, untied output matrix."""

    d_model: int
    d_ff: int
    n_heads: int
    n_layers: int  # of the encoder, and again of the decoder
    d_kv: int = 64

    @property
    def attention(self) -> int:
        """Parameters of one attention block."""
        return 4 * self.d_model * self.n_heads * self.d_kv

    @property
    def feed_forward(self) -> int:
        return 3 * self.d_model * self.d_ff

    @property
    def n_parameters(self) -> int:
        """All parameters with the vocabulary of T5: its two matrices, blocks, norms, relative position biases.

        >>> T5_SHAPES["t5-v1_1-small"].n_parameters
        76961152
        """
        blocks = self.n_layers * (3 * self.attention + 2 * self.feed_forward)
        norms = self.d_model * (5 * self.n_layers + 2)
        return 2 * T5_VOCABULARY * self.d_model + blocks + norms + 2 * 32 * self.n_heads


T5_SHAPES: Final[Mapping[str, T5Shape]] = {
    "t5-v1_1-small": T5Shape(d_model=512, d_ff=1024, n_heads=6, n_layers=8),
    "t5-v1_1-base": T5Shape(d_model=768, d_ff=2048, n_heads=12, n_layers=12),
    "t5-v1_1-large": T5Shape(d_model=1024, d_ff=2816, n_heads=16, n_layers=24),
    "t5-v1_1-xl": T5Shape(d_model=2048, d_ff=5120, n_heads=32, n_layers=24),
    "t5-v1_1-xxl": T5Shape(d_model=4096, d_ff=10240, n_heads=64, n_layers=24),
}
CPU_SHAPES: Final[Mapping[str, T5Shape]] = {  # trained from nothing, with a vocabulary of their own
    "pico": T5Shape(d_model=64, d_kv=16, d_ff=128, n_layers=2, n_heads=4),
    "nano": T5Shape(d_model=96, d_kv=24, d_ff=192, n_layers=2, n_heads=4),
    "micro": T5Shape(d_model=192, d_kv=32, d_ff=384, n_layers=4, n_heads=6),
    "mini": T5Shape(d_model=256, d_kv=32, d_ff=640, n_layers=6, n_heads=8),
}
SHAPES: Final[Mapping[str, T5Shape]] = {**CPU_SHAPES, **T5_SHAPES}
