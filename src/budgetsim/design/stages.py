"""Names of the stages that a cost is made of, as tables and JSON have them."""

from __future__ import annotations

from typing import Final

LABELS: Final = "labels"  # of people
LLM_LABELS: Final = "llm_labels"
TEXTS: Final = "texts"  # unlabelled
TEACHER: Final = "teacher"  # tuning it
LABELLING: Final = "labelling"  # the teacher labels texts
DISTILLATION: Final = "distillation"  # the student is trained on soft labels
STUDENT: Final = "student"  # the student is trained on labels; a part that does not depend on its examples
DEV_AND_TEST_LABELS: Final = "dev_and_test_labels"
FIXED: Final = "fixed"

PURCHASES: Final = (LABELS, LLM_LABELS, TEXTS)  # stages whose units, once paid, are owned
COMPUTE_STAGES: Final = (TEACHER, LABELLING, DISTILLATION, STUDENT)
LABEL_STAGES: Final = (LABELS, DEV_AND_TEST_LABELS)  # in proportion to the price of a label
PROJECT_STAGES: Final = (DEV_AND_TEST_LABELS, FIXED)  # paid once a project, whatever is trained
