"""What a campaign came to, as pages: scores with the trivial baselines beside them."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any, Final

from budgetsim.errors import InputError
from budgetsim.measure.conductor import Campaign, Outcome, Tell, find_missing
from budgetsim.measure.estimate import SETUP_GUESS, Estimator
from budgetsim.measure.execute import Bench
from budgetsim.measure.spec import RunSpec, to_json
from budgetsim.measure.stages import Device, StageStore
from budgetsim.report.grid import Grid, Page
from budgetsim.store.records import RunRecord, read_shards
from budgetsim.tasks import get_task
from budgetsim.train import baselines, metrics
from budgetsim.train.names import is_cheap

OVERLAP_LABELS: Final = 100  # labels the word-overlap rule is fitted on


def baseline_rows(campaign: Campaign) -> dict[str, dict[str, float]]:
    """Scores of the answers that cost nothing or next to it, by task, on the very split measured."""
    bench = Bench(StageStore(campaign.cache, Device("cpu", "")), campaign.access)
    return {spec.task: _baselines(spec, bench) for spec in {s.task: s for s in campaign.specs}.values()}


def _baselines(spec: RunSpec, bench: Bench) -> dict[str, float]:
    split, task = bench.split(spec), get_task(spec.task)
    sources, truth = [r.source for r in split.test], [r.target for r in split.test]

    def main_score(answers: list[str]) -> float:
        return round(next(iter(metrics.score(task, sources, answers, truth).values())), 2)

    if task.kind not in ("classification", "tagging"):
        return {"copy": main_score(sources)}
    constant = baselines.constant_answer(split.train) if task.labels else ""
    found = {f"constant ({constant or 'Amount'})": main_score([constant] * len(truth))}
    if baselines.has_overlap_rule(task):
        labelled = split.train[:OVERLAP_LABELS]
        found[f"overlap (N={OVERLAP_LABELS})"] = main_score(baselines.overlap_answers(task, labelled, sources))
    return found


def outcome_page(outcome: Outcome, beside: Mapping[str, Mapping[str, float]], campaign: Campaign) -> Page:
    """The runs of a campaign, by design, with what is beside them."""
    page: Page = []
    records = {run.design.run_id: run for run in read_shards(campaign.paths.runs)[0]}
    wanted = _wanted(campaign)
    for task, trivial in beside.items():
        runs = [records[i] for i in wanted.get(task, ()) if i in records]
        page += [_runs_grid(task, runs), _beside(task, runs, trivial), ""]
    page.append(summary(outcome))
    return page


def _wanted(campaign: Campaign) -> dict[str, list[str]]:
    bench = Bench(StageStore(campaign.cache, Device("cpu", "")), campaign.access)
    found: dict[str, list[str]] = {}
    for spec in campaign.specs:
        try:
            split, pool = bench.split(spec), bench.pool(spec)
        except InputError:
            continue  # was left out of the grid
        run_id = spec.design(split.split_id, pool.source if pool else None).run_id
        found.setdefault(spec.task, []).append(run_id)
    return found


def _runs_grid(task: str, runs: list[RunRecord]) -> Grid:
    cells: dict[tuple[Any, ...], list[float]] = {}
    for run in runs:
        d = run.design
        key = (d.strategy, d.teacher or d.labeler or "", d.student, d.n_labels, d.n_llm_labels, d.n_unlabeled)
        cells.setdefault(key, []).append(next(s.value for s in run.scores if s.is_main))
    rows = tuple(
        (
            *map(str, key[:3]),
            *(f"{n:,}" if n else "" for n in key[3:]),
            f"{fmean(found):.1f}",
            _range(found),
            str(len(found)),
        )
        for key, found in sorted(cells.items(), key=lambda item: (is_cheap(item[0][2]), item[0]))
    )
    headings = (
        "strategy",
        "teacher or labeler",
        "student",
        "labels",
        "LLM labels",
        "texts",
        get_task(task).metric,
        "range",
        "runs",
    )
    return Grid(title=f"{task}, measured here", headings=headings, rows=rows, text_columns=frozenset({0, 1, 2}))


def _range(found: list[float]) -> str:
    return f"{min(found):.1f}-{max(found):.1f}" if len(found) > 1 else ""


def _beside(task: str, runs: list[RunRecord], trivial: Mapping[str, float]) -> str:
    text = ", ".join(f"{name} {value:.1f}" for name, value in trivial.items())
    best = max(
        (next(s.value for s in r.scores if s.is_main) for r in runs if not is_cheap(r.design.student)), default=None
    )
    beaten = best is not None and best <= max(trivial.values())
    moot = f" No T5 run here beats them (best {best:.1f}): do not pay for one on this task." if beaten else ""
    return f"Beside them on {task}: {text}.{moot}"


def summary(outcome: Outcome) -> str:
    """One paragraph: what was done, how long it took, how good the predictions were."""
    words = [
        f"{outcome.done} runs done in {outcome.seconds / 60:.1f} min "
        f"({outcome.worker_seconds / 3600:.2f} worker-hours); {outcome.there_before} of {outcome.planned} were "
        f"there before."
    ]
    if outcome.prediction_error is not None and outcome.prediction_bias is not None:
        words.append(
            f"Predicted times of runs were off by {100 * outcome.prediction_error:.0f} % on average; in all, "
            f"{outcome.prediction_bias:.2f} of what it took."
        )
    if outcome.failed:
        words.append(f"{len(outcome.failed)} failed.")
    if outcome.stopped:
        words.append(f"Stopped early: {outcome.stopped}; run the command again to go on.")
    return " ".join(words)


def predict_campaign(campaign: Campaign, tell: Tell) -> dict[str, Any]:
    """What a campaign would do and take: counts, hours by task and strategy, dollars where a price is given."""
    there, missing = find_missing(campaign, tell)
    estimator = Estimator()
    estimator.prime(read_shards(campaign.paths.runs)[1])
    cells: dict[tuple[str, str, str], list[float]] = {}
    for spec in missing:
        cells.setdefault((spec.task, spec.strategy, spec.student), []).append(estimator.predict(spec))
    setup = SETUP_GUESS * len({spec.task for spec in missing})
    seconds = sum(map(sum, cells.values())) + setup
    price = campaign.limits.usd_per_hour
    return {
        "there": len(there),
        "missing": len(missing),
        "worker_hours": round(seconds / 3600, 3),
        "wall_hours": round(seconds / 3600 / campaign.workers, 3),
        "cost_usd": None if price is None else round(seconds / 3600 * price, 4),
        "cells": [
            {"task": t, "strategy": s, "student": m, "runs": len(c), "worker_hours": round(sum(c) / 3600, 4)}
            for (t, s, m), c in cells.items()
        ],
        "specs": [to_json(spec) for spec in missing],
    }


def dry_run_page(predicted: Mapping[str, Any]) -> Page:
    """The prediction for people."""
    rows = tuple(
        (c["task"], c["strategy"], c["student"], str(c["runs"]), f"{60 * c['worker_hours']:.1f}")
        for c in predicted["cells"]
    )
    headings = ("task", "strategy", "student", "runs", "worker-min")
    grid = Grid(title="Would run", headings=headings, rows=rows, text_columns=frozenset({0, 1, 2}))
    cost = "" if predicted["cost_usd"] is None else f", ${predicted['cost_usd']:,.2f}"
    return [
        grid,
        f"{predicted['missing']} runs to do, {predicted['there']} in the store: about "
        f"{60 * predicted['wall_hours']:.0f} min ({predicted['worker_hours']:.2f} worker-hours{cost}).",
    ]
