"""What a careful reader would want to know of the rows of a task before paying for anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from budgetsim.data.rows import nfc
from budgetsim.data.tasks import TaskKind

PRESET_TOKENS: Final = {"cpu": 64, "paper": 128}  # where each preset cuts a source
CHARACTERS: Final = 4  # a token, about
RARE: Final = 10  # rows; a label with fewer in train is hardly learned
LABELLED_KINDS: Final[tuple[TaskKind, ...]] = ("classification", "tagging")  # kinds whose labels are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomData:
    """Rows of a user's task, as they stand in its files."""

    train: list[tuple[str, str]]
    test: list[tuple[str, str]]
    unlabeled: list[str]
    data_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the check of a user's files found; shares are fractions. In a tagging, labels are tags of words."""

    n_train: int
    n_test: int
    n_unlabeled: int
    labels: dict[str, int]  # of train
    unknown_test_labels: tuple[str, ...]
    shared_texts: int  # texts of test that also stand in train; such train rows are not trained on
    duplicate_train_texts: int
    contradicting_texts: int  # texts of train with two labels
    unlabeled_in_test: int
    long_shares: dict[str, float]  # by preset: sources that it would cut
    rare_labels: tuple[str, ...]  # labels of fewer than 10 train rows
    majority_share: float  # of the test labels: what a constant answer scores
    majority_label: str
    test_labels: dict[str, int] = field(default_factory=dict)
    n_usable_texts: int = 0  # distinct unlabelled texts that stand neither in train nor in test
    unlabeled_in_train: int = 0  # unlabelled texts that stand in train, and not in test
    duplicate_unlabeled: int = 0  # of the others those that stand there once more
    n_blank: int = 0  # rows without a text or a label, which are left out
    understood: tuple[str, ...] = ()  # what was guessed of the files, in words

    @property
    def n_distinct_train(self) -> int:
        """Texts of train that can be learned from: each once, and none that stands in test."""
        return max(0, self.n_train - self.duplicate_train_texts - self.shared_texts)


def inspect_rows(
    data: CustomData, kind: TaskKind = "classification", *, n_blank: int = 0, understood: tuple[str, ...] = ()
) -> Findings:
    """Counts of labels, duplicates, overlaps and lengths."""
    test_texts = {nfc(text) for text, _ in data.test}
    train_texts = [nfc(text) for text, _ in data.train]
    distinct = set(train_texts)
    texts = [nfc(text) for text in data.unlabeled]
    labels, test_labels = _labels(data.train, kind), _labels(data.test, kind)
    answers = Counter(label for _, label in data.test)
    majority, n_majority = answers.most_common(1)[0] if answers else ("", 0)
    sources = [text for text, _ in (*data.train, *data.test)]
    seen = test_texts | distinct
    others = [own for own, text in zip(data.unlabeled, texts, strict=True) if text not in seen]
    usable, in_test = set(others), sum(text in test_texts for text in texts)
    return Findings(
        n_train=len(data.train),
        n_test=len(data.test),
        n_unlabeled=len(data.unlabeled),
        labels=dict(labels.most_common()),
        unknown_test_labels=tuple(sorted(set(test_labels) - set(labels))),
        shared_texts=len(test_texts & distinct),
        duplicate_train_texts=len(train_texts) - len(distinct),
        contradicting_texts=_contradictions(data.train, train_texts),
        unlabeled_in_test=in_test,
        long_shares={
            preset: sum(len(s) > CHARACTERS * tokens for s in sources) / max(1, len(sources))
            for preset, tokens in PRESET_TOKENS.items()
        },
        rare_labels=tuple(label for label, n in labels.most_common() if n < RARE),
        majority_share=n_majority / max(1, len(data.test)),
        majority_label=majority,
        test_labels=dict(test_labels.most_common()),
        n_usable_texts=len(usable),
        unlabeled_in_train=len(texts) - in_test - len(others),
        duplicate_unlabeled=len(others) - len(usable),
        n_blank=n_blank,
        understood=understood,
    )


def _labels(rows: Sequence[tuple[str, str]], kind: TaskKind) -> Counter[str]:
    """How often each label stands; of a tagging, each tag. Free text has none."""
    if kind not in LABELLED_KINDS:
        return Counter()
    if kind == "tagging":
        return Counter(tag for _, tags in rows for tag in tags.split())
    return Counter(label for _, label in rows)


def _contradictions(rows: Sequence[tuple[str, str]], texts: Sequence[str]) -> int:
    first: dict[str, str] = {}
    torn = {text for text, (_, label) in zip(texts, rows, strict=True) if first.setdefault(text, label) != label}
    return len(torn)
