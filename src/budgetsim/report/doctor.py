"""A machine in words: what it has, what runs on it, what to install for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budgetsim.costs.speeds import Speeds
from budgetsim.report.table import Page, Table


def doctor_page(found: Mapping[str, Any]) -> Page:
    """An examination as plain values, for people."""
    return [
        f"budgetsim {found['budgetsim']}, Python {found['python']}, {found['system']}",
        f"  processor: {found['cpu']}, {found['cores']} cores{_number(found['load'], ', load {}')}",
        f"  memory: {_number(found['memory_gib'], '{} GiB')}{_number(found['free_memory_gib'], ', {} GiB free')}",
        *_torch(found["torch"]),
        *(_place(place) for place in found["places"]),
        f"  extras: {', '.join(_extra(extra) for extra in found['extras'])}",
        f"  engines on the path: {', '.join(found['programs']) or 'none'}",
        *([] if found["endpoint"] is None else [_endpoint(found["endpoint"])]),
        _abilities(found["abilities"]),
    ]


def speeds_table(speeds: Speeds) -> Table:
    """Tokens a second of each learner."""
    lines: dict[tuple[str, str], dict[str, tuple[float, float | None]]] = {}
    for row in speeds.rows:
        lines.setdefault((row.kind, row.model), {})[row.does] = (row.tokens_per_s, row.tflops)
    rows = tuple(
        (kind, model, *(cell for does in ("train", "answer") for cell in _cells(told.get(does))))
        for (kind, model), told in lines.items()
    )
    return Table(
        title=f"{speeds.device}: {_figures(1000 * speeds.peak_tflops)} GFLOP/s in a large product, "
        f"{1000 * speeds.seconds_per_step:.3g} ms a step at least",
        headings=("learner", "model", "trains, tokens/s", "GFLOP/s", "answers, tokens/s", "GFLOP/s"),
        rows=rows, text_columns=frozenset({0, 1}),
    )  # fmt: skip


def _cells(told: tuple[float, float | None] | None) -> tuple[str, str]:
    if told is None:
        return "", ""
    tokens, tflops = told
    return _figures(tokens), "" if tflops is None else _figures(1000 * tflops)


def _figures(value: float) -> str:
    """Three figures, thousands apart.

    >>> _figures(123456.0), _figures(0.1234)
    ('123,000', '0.123')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


def _number(value: float | None, words: str) -> str:
    return "" if value is None else words.format(f"{value:g}")


def _torch(torch: Mapping[str, Any] | None) -> list[str]:
    if torch is None:
        return ["  torch: not installed"]
    build = f"CUDA {torch['cuda']}" if torch["cuda"] else "for processors"
    gpus = [
        f"  GPU: {g['name']}, {g['memory_gib']:g} GiB, capability {g['capability']}{', bf16' if g['bf16'] else ''}"
        for g in torch["gpus"]
    ]
    return [
        f"  torch {torch['version']}: build {build}, {torch['cpu_capability']}, {torch['threads']} threads",
        *(gpus or ["  GPU: none that torch can use"]),
    ]


def _place(place: Mapping[str, Any]) -> str:
    state = "" if place["there"] else ", not there yet"
    state += "" if place["writable"] else ", cannot be written"
    return f"  {place['what']}: {place['path']}, {place['free_gib']:g} GiB free{state}"


def _extra(extra: Mapping[str, Any]) -> str:
    if extra["missing"] is None:
        return f"{extra['name']} (not of this build)"
    return f"{extra['name']} ({'lacks ' + ', '.join(extra['missing']) if extra['missing'] else 'whole'})"


def _endpoint(endpoint: Mapping[str, Any]) -> str:
    if endpoint["problem"] is not None:
        return f"  LLM: {endpoint['problem']}"
    listed = endpoint["models"]
    models = "it lists no models" if listed is None else f"{len(listed)} models: {', '.join(listed[:5])}"
    return f"  LLM: {endpoint['url']} answers; {models}"


def _abilities(abilities: list[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (a["what"], "yes" if a["missing"] is None else "no", a["missing"] or a["note"]) for a in abilities
    )  # fmt: skip
    return Table(
        title="What can run here", headings=("what", "", "what it lacks"), rows=rows, text_columns=frozenset({0, 1, 2})
    )
