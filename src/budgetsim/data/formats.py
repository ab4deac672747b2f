"""How each task writes its examples: parts of a source, entities of a tagging target, derived tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from budgetsim.data.rows import Row, nfc

# Labels of the authors' WLP files that stand more than a hundred times; the rest is junk.
WLP_LABELS: Final = (
    "Action", "Reagent", "Modifier", "Location", "Amount", "Time", "Method", "Device", "Temperature",
    "Concentration", "Measure-Type", "Numerical", "Speed", "Generic-Measure", "Size", "Mention", "Seal", "pH",
)  # fmt: skip
_ENTITY: Final = re.compile(r"(.+?) \[([^\[\]]+)\](?: |$)")


def split_fields(source: str, fields: Sequence[str]) -> list[str]:
    """The parts of a source written `name: text name: text`; one part where it has no such names.

    >>> split_fields("claim: it rains tweet: no: it snows", ("claim", "tweet"))
    ['it rains', 'no: it snows']
    """
    if not fields:
        return [source]
    pattern = r"\s*" + r"\s+".join(rf"{re.escape(name)}:\s?(.*?)" for name in fields) + r"\s*$"
    match = re.match(pattern, source, flags=re.DOTALL)
    return [part.strip() for part in match.groups()] if match else [source]


def parse_entities(target: str) -> list[tuple[str, str]]:
    """The (entity, label) pairs of `entity [Label] entity [Label]`.

    >>> parse_entities("Mix [Action] 50 mL [Amount]")
    [('Mix', 'Action'), ('50 mL', 'Amount')]
    """
    return [(m.group(1).strip(), m.group(2)) for m in _ENTITY.finditer(target)]


def typing_rows(rows: Sequence[Row], labels: Sequence[str], seed: int = 0) -> list[Row]:
    """The derived task wlp_typing: one marked entity of each distinct sentence -> its label.

    One mention a sentence, drawn with `seed`; mentions whose label is not in `labels`, or whose text
    does not stand in the sentence in order, are left out.
    """
    rng = np.random.default_rng(seed)
    made: list[Row] = []
    seen: set[str] = set()
    for row in rows:
        if row.group in seen:
            continue
        seen.add(row.group)
        mentions = [m for m in _located(row) if m[2] in labels]
        if mentions:
            start, entity, label = mentions[int(rng.integers(len(mentions)))]
            marked = f"{row.source[:start]}<< {entity} >>{row.source[start + len(entity) :]}"
            made.append(Row(f"entity: {entity} sentence: {marked}", label, row.group))
    return made


def _located(row: Row) -> list[tuple[int, str, str]]:
    found: list[tuple[int, str, str]] = []
    position = 0
    for entity, label in parse_entities(row.target):
        start = row.source.find(entity, position)
        if start >= 0:
            found.append((start, entity, label))
            position = start + len(entity)
    return found


def paraphrase_rows(pairs: Sequence[Row]) -> list[Row]:
    """The training pairs of multipit_gen: the YES pairs of multipit_id, first sentence -> second."""
    made = []
    for row in pairs:
        parts = split_fields(row.source, ("sentence1", "sentence2"))
        if row.target == "YES" and len(parts) == 2:
            made.append(Row(parts[0], parts[1], row.group))
    return made


def leak_groups(sources: Sequence[str], fields: Sequence[str]) -> list[str]:
    """The text that must not stand on both sides of a split, for each source.

    One text: itself. claim + tweet: the claim. entity + sentence: the sentence. Two sentences of the
    same rank: the connected component of pairs that share a sentence.
    """
    parts = [[nfc(p) for p in split_fields(s, fields)] for s in sources]
    if not fields or any(len(p) != len(fields) for p in parts):
        return [nfc(s) for s in sources]
    if fields[0] == "claim":
        return [p[0] for p in parts]
    if len(fields) == 2:
        return _components(parts)
    return [nfc(s) for s in sources]


def _components(pairs: Sequence[Sequence[str]]) -> list[str]:
    parent: dict[str, str] = {}

    def root(text: str) -> str:
        parent.setdefault(text, text)
        while parent[text] != text:
            parent[text] = parent[parent[text]]
            text = parent[text]
        return text

    for first, second in pairs:
        parent[root(first)] = root(second)
    return [root(first) for first, _ in pairs]
