"""Curves that the benches read from BUDGETSIM_CURVES_DIR, and how a missing folder is said."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from budgetsim.design.arrays import Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of a collection: sizes and errors to fit, and those to predict."""

    collection: str
    task: str
    name: str
    sizes: Floats
    errors: Floats
    later_sizes: Floats
    later_errors: Floats


def folder(name: str) -> Path:
    """The folder of a collection; ends the bench with one line if it is not there."""
    root = os.environ.get("BUDGETSIM_CURVES_DIR")
    if not root:
        print("BUDGETSIM_CURVES_DIR is not set; point it at the folder of curve collections.", file=sys.stderr)
        raise SystemExit(0)
    path = Path(root) / name
    if not path.is_dir():
        print(f"{name} is not in BUDGETSIM_CURVES_DIR ({root}); nothing to run.", file=sys.stderr)
        raise SystemExit(0)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV file as dictionaries."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(table: list[dict[str, str]], name: str) -> Floats:
    """A column of numbers."""
    return np.array([float(row[name]) for row in table])


def published() -> dict[str, dict[str, object]]:
    """Published figures of every collection."""
    found: dict[str, dict[str, object]] = json.loads((folder(".") / "published.json").read_text(encoding="utf-8"))
    return found


def revisiting_nsl() -> list[Curve]:
    """Language and image curves with their own split; duplicate rows dropped, sizes sorted."""
    groups: dict[tuple[str, str, str], set[tuple[float, float, int]]] = defaultdict(set)
    for file in sorted(folder("revisiting_nsl").glob("*.csv")):
        for r in rows(file):
            key = (r["Domain"], r["Task"], r["Model"])
            groups[key].add((float(r["Seen Examples"]), float(r["Loss"]), int(float(r["Training"]))))
    curves = []
    for (domain, task, model), found in groups.items():
        v = np.array(sorted(found))
        fit, later = v[v[:, 2] == 1], v[v[:, 2] == 0]
        label = model if domain in ("NMT", "LM") else f"{task} {model}"
        curves.append(Curve(domain, task, label, fit[:, 0], fit[:, 1], later[:, 0], later[:, 1]))
    return curves


def rectified_sft(n_points: int | None = None, *, zero: bool = True) -> list[Curve]:
    """Fine-tuning losses; the first n_points trained sizes to fit (and size 0), the rest to predict."""
    curves = []
    for file in sorted(folder("rectified_sft").glob("*.csv")):
        if file.stem == "rmsd":
            continue
        table = rows(file)
        sizes = [name for name in table[0] if name.isdigit()]
        x = np.array([float(s) for s in sizes])
        for r in table:
            e = np.array([float(r[s]) for s in sizes])
            cut = len(x) if n_points is None else n_points + 1
            first = 0 if zero else 1
            curves.append(
                Curve("rectified_sft", file.stem, r["config name"], x[first:cut], e[first:cut], x[cut:], e[cut:])
            )
    return curves


def lcdb11(cut: float, *, step: int = 4, least: int = 36) -> list[Curve]:
    """Tabular error rates: sizes up to 1 / cut of the largest to fit, later ones to predict."""
    root = folder("lcdb11")
    meta = json.loads((root / "meta.json").read_text(encoding="utf-8"))
    anchors = np.array(meta["anchors"], dtype=np.float64)
    curves = []
    for file in sorted(p for p in root.glob("*.json") if p.stem.isdigit()):
        table = np.array(json.loads(file.read_text(encoding="utf-8")), dtype=np.float64)
        for i, learner in enumerate(meta["learners"]):
            e = table[i, 0, :, 2]
            ok = np.isfinite(e) & (e > 0)
            if learner == "DummyClassifier" or ok.sum() < least:
                continue
            x, e = anchors[ok][::-1][::step][::-1], e[ok][::-1][::step][::-1]
            early = x <= x[-1] / cut * 1.01
            if early.sum() >= 6:
                curves.append(Curve("lcdb11", file.stem, learner, x[early], e[early], x[~early], e[~early]))
    return curves


def thin(curve: Curve, n: int) -> Curve:
    """The curve with n of its points to fit, evenly spaced in log size, the last one kept."""
    at = np.log(curve.sizes)
    pick = sorted({int(np.abs(at - v).argmin()) for v in np.linspace(at[0], at[-1], n)})
    return Curve(
        curve.collection,
        curve.task,
        curve.name,
        curve.sizes[pick],
        curve.errors[pick],
        curve.later_sizes,
        curve.later_errors,
    )
