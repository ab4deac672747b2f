"""Hyper-parameters of the published runs (Kang et al. 2023; results/evidence/README.md)."""

from __future__ import annotations

from typing import Final

TEACHER_EPOCHS: Final = 20
ANNOTATE_EPOCHS: Final = 20
DISTILL_EPOCHS: Final = 50
BATCH: Final = 32
