"""Unlabelled texts of a run: the split's own, a user's file, another task's, or a mixture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from budgetsim.data.loading import Access, load_task
from budgetsim.data.rows import Row, nfc, parse_texts, read_text
from budgetsim.data.splits import Split, split_task
from budgetsim.errors import InputError

LABELLED: Final = "labelled"  # the training part as a pool


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPool:
    """Texts to label, in the order of the split; `source` names them in a run's identity."""

    source: str
    rows: tuple[Row, ...]  # a row whose answer is not known has target ""
    pool_id: str


def load_pool(described: str, split: Split, access: Access) -> TextPool:
    """The texts that `pool`, `labelled`, `task:NAME[:share=S]` or `FILE[:share=S]` describe.

    `labelled` is the labelled training part: its answers are known, which a simulated labeler needs. A run that takes
    people's labels, too, leaves the texts of those out. A share mixes that part of foreign texts into the split's own;
    texts of dev and test never enter.

    raises : InputError where there are none, or the description is malformed
    """
    kind, share = _parse(described)
    if kind == "pool":
        return _pool("pool", split.unlabeled, "the split has no unlabelled texts: pass --unlabeled FILE")
    if kind == LABELLED:
        return _pool(LABELLED, split.train, "the task has no labelled rows")
    if kind.startswith("task:"):
        name = kind.removeprefix("task:")
        foreign: Sequence[Row] = split_task(load_task(name, access), split.rule).unlabeled
        rows, source = [Row(r.source, "", r.group) for r in foreign], f"task:{name}"
    else:
        file = read_text(Path(kind).expanduser())
        rows, source = [Row(t, "", nfc(t)) for t in parse_texts(file, "source")], f"file:{file.sha256[:12]}"
    held = {row.group for part in (split.dev, split.test) for row in part}
    rows = [row for row in rows if row.group not in held and nfc(row.source) not in held]
    mixed = _mix(split.unlabeled, rows, share)
    return _pool(f"{source}:share={share:g}", mixed, f"{described} holds no text that is not in dev or test")


def _parse(described: str) -> tuple[str, float]:
    kind, _, option = described.rpartition(":share=")
    if not kind:
        return described, 1.0
    try:
        share = float(option)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise InputError(f"The share of {described!r} is {option!r}; write a number above 0 and at most 1.")
    return kind, share


def _mix(own: Sequence[Row], foreign: Sequence[Row], share: float) -> tuple[Row, ...]:
    """As many texts as both sides allow, the share of foreign ones."""
    if share == 1.0:
        return tuple(foreign)
    total = int(min(len(foreign) / share, len(own) / (1 - share)))
    n_foreign = round(total * share)
    return (*foreign[:n_foreign], *own[: total - n_foreign])


def _pool(source: str, rows: Sequence[Row], advice: str) -> TextPool:
    if not rows:
        raise InputError(f"There are no unlabelled texts: {advice}.")
    digest = hashlib.sha256("\n".join(row.source for row in rows).encode("utf-8")).hexdigest()
    return TextPool(source=source, rows=tuple(rows), pool_id=digest)
