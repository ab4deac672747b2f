"""Splits by the group that leaks: no sentence, claim or text on two sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from budgetsim.data.loading import TaskData
from budgetsim.data.rows import Row, nfc
from budgetsim.design.identity import canonical_hash
from budgetsim.errors import InputError

SPLIT_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRule:
    """How rows are shared out; with the hash of the data it makes the split id.

    `pooled`: the rows of all files together, groups dealt out in random order to test, dev, train and
    unlabelled. `files`: the test file is the test split; dev is cut from the train file by group.
    """

    kind: str = "pooled"
    n_test: int = 2000
    n_dev: int = 500
    n_train: int = 3000
    seed: int = 0
    version: int = SPLIT_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Disjoint parts of a task; `unlabeled` rows keep a hidden target where one is known (else "")."""

    split_id: str
    rule: SplitRule
    train: tuple[Row, ...]
    dev: tuple[Row, ...]
    test: tuple[Row, ...]
    unlabeled: tuple[Row, ...]


def split_task(data: TaskData, rule: SplitRule) -> Split:
    """Share the rows of a task out by the rule.

    raises : InputError where a part would be empty
    """
    split_id = canonical_hash({"data": data.data_hash, "rule": asdict(rule)})
    deal = _pooled if rule.kind == "pooled" and data.task.origin != "custom" else _by_files
    train, dev, test, unlabeled = deal(data, rule)
    for name, part in (("train", train), ("dev", dev), ("test", test)):
        if not part:
            raise InputError(
                f"The {name} split of {data.task.name} is empty: {len(data.train)} train and {len(data.test)} test "
                f"rows were found. Give the task more rows, or the missing file."
            )
    return Split(split_id=split_id, rule=rule, train=train, dev=dev, test=test, unlabeled=unlabeled)


def nested_order(n: int, seed: int, what: str) -> np.ndarray:
    """A permutation of range(n) whose prefixes are the nested subsets of a seed.

    >>> a = nested_order(10, 0, "labels")
    >>> sorted(a.tolist()) == list(range(10))
    True
    """
    stream = {"labels": 1, "texts": 2}[what]
    return np.random.default_rng([seed, stream]).permutation(n)


Parts = tuple[tuple[Row, ...], tuple[Row, ...], tuple[Row, ...], tuple[Row, ...]]


def _pooled(data: TaskData, rule: SplitRule) -> Parts:
    rows = _distinct([*data.train, *data.test])
    groups = _shuffled_groups(rows, rule.seed)
    n = len(rows)
    test, groups = _take(groups, min(rule.n_test, n // 5))
    dev, groups = _take(groups, min(rule.n_dev, n // 20))
    train, groups = _take(groups, min(rule.n_train, n * 35 // 100))
    rest = [row for group in groups for row in group]
    own = [Row(text, "", nfc(text)) for text in data.unlabeled]
    return train, dev, test, tuple(rest + own)


def _by_files(data: TaskData, rule: SplitRule) -> Parts:
    if not data.train:
        raise InputError(
            f"{data.task.name} has no train file here, and the rule `files` needs one. Put it into the folder that "
            f"BUDGETSIM_DATA_DIR names, pass --trust-first-use on a networked machine, or use --preset cpu, which "
            f"splits the test file."
        )
    held = {row.group for row in data.test}
    rows = [row for row in _distinct(data.train) if row.group not in held]
    groups = _shuffled_groups(rows, rule.seed)
    dev, groups = _take(groups, min(rule.n_dev, len(rows) // 10))
    train = tuple(row for group in groups for row in group)
    seen = held | {row.group for row in rows}
    texts = dict.fromkeys(text for text in data.unlabeled if nfc(text) not in seen)
    return train, dev, data.test, tuple(Row(text, "", nfc(text)) for text in texts)


def _distinct(rows: Sequence[Row]) -> list[Row]:
    return list({nfc(row.source): row for row in reversed(rows)}.values())[::-1]


def _shuffled_groups(rows: Sequence[Row], seed: int) -> list[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    order = np.random.default_rng(seed).permutation(len(groups))
    listed = list(groups.values())
    return [listed[i] for i in order]


def _take(groups: list[list[Row]], n: int) -> tuple[tuple[Row, ...], list[list[Row]]]:
    """The first whole groups that reach n rows, cut to n; and the groups that are left."""
    taken: list[Row] = []
    used = 0
    while len(taken) < n and used < len(groups):
        taken.extend(groups[used])
        used += 1
    return tuple(taken[:n]), groups[used:]
