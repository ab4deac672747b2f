"""Names of models, known without importing torch."""

from __future__ import annotations

from typing import Final

CPU_FAMILY: Final = ("pico", "nano", "micro", "mini")
T5_NAMES: Final = ("t5-v1_1-small", "t5-v1_1-base", "t5-v1_1-large", "t5-v1_1-xl", "t5-v1_1-xxl")
CHEAP_STUDENTS: Final = ("tfidf-lr", "encoder-lr", "overlap")
ENCODER_TEACHERS: Final = ("minilm-lr",)


def is_cheap(student: str) -> bool:
    """Whether a student trains in seconds without T5."""
    return student in CHEAP_STUDENTS
