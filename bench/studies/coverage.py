"""How far the intervals hold: leave-one-collection-out and leave-one-task-out coverage by horizon.

For every target, the prior and the growth of the discrepancy come from the others: the prior from
the tables without it, the growths by the interval score on each other task. Against PCHIP with a
constant width and a residual bootstrap of the rectified law. revisiting_nsl was used for nothing.
Writes the reliability diagram to docs/method/reliability.svg with --picture.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from curve_data import Curve, Floats, lcdb11, rectified_sft, revisiting_nsl
from scipy.interpolate import PchipInterpolator
from scoring import cluster_range, crps, interval_score, print_table

from budgetsim.laws.curve import fit_curve
from budgetsim.laws.ensemble import DEFAULT, drift
from budgetsim.laws.law import Frame
from budgetsim.laws.levenberg import Problem, solve
from budgetsim.laws.rectified import RECTIFIED

LEVELS = (0.5, 0.8, 0.9, 0.95)
GROWTH = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
N_DRAWS = 400
HORIZONS = ("inside", "2x", "4x", "8x", "16x", "32x", "64x")


@dataclass(frozen=True, slots=True)
class Record:
    """One prediction: draws of the log error about a centre, before the discrepancy, and the truth."""

    collection: str
    task: str
    cluster: str
    horizon: int  # 0 inside, else the nearest power of two
    beyond: float  # e-folds outside the data
    noise: float  # of a run about the curve, log error
    slope: float  # fall of the log error an e-fold at the end of the data
    draws: Floats  # (draws,), log error less the truth


def inside(curve: Curve) -> Curve:
    """The curve with every other of its inner points to predict, all others to fit."""
    x, e = curve.sizes[curve.sizes > 0], curve.errors[curve.sizes > 0]
    hide = np.zeros(len(x), dtype=bool)
    hide[1:-1:2] = True
    return Curve(curve.collection, curve.task, curve.name, x[~hide], e[~hide], x[hide], e[hide])


def targets() -> list[Curve]:
    """Splits of all collections: 5, 8 and 11 points of fine-tuning curves, three cuts of tabular ones."""
    curves = [c for n in (5, 8, 11) for c in rectified_sft(n, zero=False)]
    curves += [inside(c) for c in rectified_sft()]
    for cut in (4, 16, 64):
        curves += lcdb11(cut)[::3]
    curves += [inside(c) for c in lcdb11(1)[::3]]
    return curves


def horizon(factor: Floats) -> list[int]:
    """Index into HORIZONS."""
    out: list[int] = np.where(factor > 1, np.clip(np.round(np.log2(factor)), 1, 6), 0).astype(int).tolist()
    return out


def ours(curve: Curve, prior: str) -> list[Record]:
    """Records of our fit with the discrepancy switched off."""
    options = replace(DEFAULT, growths=(0.0,), prior=prior)
    fit = fit_curve(curve.sizes, curve.errors, options=options)
    found = fit.predict(curve.later_sizes)
    last = curve.sizes.max()
    end = np.log(fit.predict([last / np.e, last]).mean)
    slope, gap = abs(end[1] - end[0]), np.log(found.draws) - np.log(curve.later_errors)
    return [
        Record(curve.collection, curve.task, f"{curve.task} {curve.name}", h, b, fit.noise, slope, gap[:, j])
        for j, (h, b) in enumerate(zip(horizon(found.factor), np.log(found.factor), strict=True))
    ]


def pchip(curve: Curve) -> list[Record]:
    """PCHIP in logs, its last value beyond; one width, from leaving each inner point out."""
    x, e = curve.sizes[curve.sizes > 0], curve.errors[curve.sizes > 0]
    lx, y, at = np.log(x), np.log(e), np.log(curve.later_sizes)
    centre = PchipInterpolator(lx, y)(np.clip(at, lx[0], lx[-1]))
    left = [PchipInterpolator(np.delete(lx, i), np.delete(y, i))(lx[i]) - y[i] for i in range(1, len(x) - 1)]
    sd = float(np.sqrt(np.mean(np.square(left)))) + 1e-6
    noise = sd * np.random.default_rng(0).standard_normal(N_DRAWS)
    return _records(curve, centre[None] + noise[:, None])


def bootstrap(curve: Curve) -> list[Record]:
    """The rectified law refitted to 200 resamplings of its residuals, plus a resampled residual."""
    x, e = curve.sizes[curve.sizes > 0], curve.errors[curve.sizes > 0]
    x0, unit = float(np.exp(np.log(x).mean())), float(e.min())
    lx, y = np.log(x / x0), np.log(e / unit)
    frame = Frame(first=lx.min(), last=lx.max(), level=float(np.interp(0, lx, y)), highest=float(y.max()))
    mean, sd = RECTIFIED.prior(frame)
    rng = np.random.default_rng(0)

    def refit(targets: Floats, start: Floats) -> Floats:
        n = len(targets)
        problem = Problem(
            y=targets,
            weight=np.ones(targets.shape),
            mean=np.tile(mean, (n, 1)),
            precision=np.tile((5 * sd) ** -2.0, (n, 1)),
            noise_prior=0.01,
            noise_rows=0.1,
        )
        with np.errstate(all="ignore"):
            return solve(lambda t: RECTIFIED.log_error(t, lx, frame), start, problem).theta

    best = refit(y[None], mean[None])
    fitted = RECTIFIED.log_error(best, lx, frame)[0][0]
    residual = y - fitted
    again = refit(fitted + rng.choice(residual, size=(200, len(y))), np.tile(best, (200, 1)))
    later = RECTIFIED.log_error(again, np.log(curve.later_sizes / x0), frame)[0] + np.log(unit)
    return _records(curve, later + rng.choice(residual, size=later.shape))


def _records(curve: Curve, log_draws: Floats) -> list[Record]:
    factor = np.maximum(curve.later_sizes / curve.sizes.max(), 1.0)
    gap = log_draws - np.log(curve.later_errors)
    return [
        Record(curve.collection, curve.task, f"{curve.task} {curve.name}", h, 0.0, 0.0, 0.0, gap[:, j])
        for j, h in enumerate(horizon(factor))
    ]


def widened(records: Sequence[Record], growths: Sequence[float]) -> Floats:
    """Draws (draws, records) less the truth, with a discrepancy added; they take the growths in turn."""
    rng = np.random.default_rng(5)
    draws = np.column_stack([r.draws for r in records])
    options = replace(DEFAULT, growths=tuple(growths))
    scale = [drift(options, r.noise, r.slope, np.array([r.beyond]), len(draws))[:, 0] for r in records]
    out: Floats = draws + np.column_stack(scale) * rng.standard_t(4, size=draws.shape)
    return out


def choose_growth(records: Sequence[Record]) -> float:
    """The one growth of the discrepancy with the best mean 90 % interval score beyond the data."""
    out = [r for r in records if r.horizon > 0]

    def score(growth: float) -> float:
        low, high = np.quantile(widened(out, [growth]), [0.05, 0.95], axis=0)
        return float(interval_score(low, high, np.zeros(len(out)), 0.9).mean())

    return min(GROWTH, key=score)


def left_out(by_task: bool, curves: Sequence[Curve]) -> tuple[list[Record], Floats, Floats, dict[str, float]]:
    """Our records and widened draws, with nothing of the target's task or collection behind them.

    Draws of the other tasks' growths in turn, then of the one growth that serves them best together;
    last the growth of each task.
    """
    prior: Callable[[Curve], str]
    if by_task:
        prior = lambda c: f"finetuning_without_{c.task}" if c.collection == "rectified_sft" else "finetuning"  # noqa: E731
    else:
        prior = lambda c: "tabular" if c.collection == "rectified_sft" else "finetuning"  # noqa: E731
    records = [r for c in curves for r in ours(c, prior(c))]
    key: Callable[[Record], str] = (lambda r: r.task) if by_task else (lambda r: r.collection)
    kept: list[Record] = []
    draws, single = [], []
    collection = {r.task: r.collection for r in records}
    growths = {task: choose_growth([r for r in records if r.task == task]) for task in sorted(collection)}
    for target in sorted({key(r) for r in records}):
        mine = [r for r in records if key(r) == target]
        kept += mine
        others = [g for task, g in growths.items() if target not in (task, collection[task])]
        draws.append(widened(mine, others))
        single.append(widened(mine, [choose_growth([r for r in records if key(r) != target])]))
    return kept, np.concatenate(draws, axis=1), np.concatenate(single, axis=1), growths


def held(draws: Floats, level: float) -> Floats:
    """Whether the central interval of each column holds zero, the truth."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    out: Floats = ((low <= 0) & (high >= 0)).astype(np.float64)
    return out


def report(title: str, records: Sequence[Record], draws: Floats) -> None:
    """Coverage, 90 % interval score and CRPS by horizon."""
    body: list[list[object]] = []
    at = np.array([r.horizon for r in records])
    clusters = np.array([r.cluster for r in records])
    for h, name in enumerate(HORIZONS):
        pick = at == h
        if not pick.any():
            continue
        d = draws[:, pick]
        covered = [float(held(d, level).mean()) for level in LEVELS]
        low, high = cluster_range(held(d, 0.9), clusters[pick].tolist(), lambda v: float(v.mean()))
        lo, hi = np.quantile(d, [0.05, 0.95], axis=0)
        score = float(interval_score(lo, hi, np.zeros(d.shape[1]), 0.9).mean())
        value = float(crps(d, np.zeros(d.shape[1])).mean())
        body.append([name, int(pick.sum()), *(f"{c:.2f}" for c in covered), f"{low:.2f}-{high:.2f}", score, value])
    print(f"\n## {title}")
    print_table(["horizon", "n", "50 %", "80 %", "90 %", "95 %", "90 %: range", "interval score", "CRPS"], body)


def report_collections(records: Sequence[Record], draws: Floats) -> None:
    """The same for each collection by itself, tasks of fine-tuning apart."""
    body: list[list[object]] = []
    groups = {"8x": (3,), "64x": (6,), "beyond": (1, 2, 3, 4, 5, 6)}
    for name in ("flan", "wmt19", "lcdb11", "IC", "BB", "NMT", "LM"):
        of_name = np.array([name in (r.task, r.collection) for r in records])
        for label, horizons in groups.items():
            pick = of_name & np.isin([r.horizon for r in records], horizons)
            if not pick.any():
                continue
            d, zero = draws[:, pick], np.zeros(int(pick.sum()))
            lo, hi = np.quantile(d, [0.05, 0.95], axis=0)
            covered = [f"{held(d, level).mean():.2f}" for level in LEVELS]
            score = float(interval_score(lo, hi, zero, 0.9).mean())
            body.append([name, label, len(zero), *covered, score, float(crps(d, zero).mean())])
    print_table(["collection", "horizon", "n", "50 %", "80 %", "90 %", "95 %", "interval score", "CRPS"], body)


def reliability_svg(records: Sequence[Record], draws: Floats) -> str:
    """A reliability diagram: nominal against observed coverage, inside and beyond."""
    at = np.array([r.horizon for r in records])
    groups = (
        ("inside", at == 0, "#1b6ca8"),
        ("2x and 4x", (at == 1) | (at == 2), "#2e8b57"),
        ("8x to 64x", at > 2, "#c0392b"),
    )
    levels = np.linspace(0.05, 0.95, 19)
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 420" font-family="sans-serif" font-size="12">',
        '<rect width="420" height="420" fill="white"/>',
        '<path d="M50 360H370M50 360V40" stroke="black" fill="none"/>',
        '<path d="M50 360L370 40" stroke="gray" stroke-dasharray="4"/>',
        '<text x="150" y="400">nominal coverage</text>',
        '<text transform="translate(18 260) rotate(-90)">observed coverage</text>',
    ]
    for tick in (0, 0.5, 1):
        lines.append(f'<text x="{44 + 320 * tick:.0f}" y="376">{tick:g}</text>')
        lines.append(f'<text x="26" y="{364 - 320 * tick:.0f}">{tick:g}</text>')
    for i, (name, pick, colour) in enumerate(groups):
        seen = [float(held(draws[:, pick], float(v)).mean()) for v in levels]
        path = " ".join(f"{50 + 320 * v:.1f},{360 - 320 * s:.1f}" for v, s in zip(levels, seen, strict=True))
        lines.append(f'<polyline points="{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        lines.append(f'<text x="70" y="{60 + 18 * i}" fill="{colour}">{name} (n = {int(pick.sum())})</text>')
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    curves = targets()
    for title, by_task in (("one collection", False), ("one task", True)):
        records, draws, single, growths = left_out(by_task, curves)
        report(f"ours, leave {title} out", records, draws)
        report_collections(records, draws)
        report(f"the same with one growth for all, leave {title} out", records, single)
        print(f"growth of the discrepancy that serves each task best: {growths}")
    if "--picture" in sys.argv:
        path = Path(__file__).parents[2] / "docs" / "method" / "reliability.svg"
        path.write_text(reliability_svg(records, draws), encoding="utf-8")
        print(f"wrote {path.name}")
    report("ours, the frozen default's growths", records, widened(records, DEFAULT.growths))
    for title, method in (("PCHIP, constant width", pchip), ("residual bootstrap of the rectified law", bootstrap)):
        found = [r for c in curves for r in method(c)]
        report(title, found, np.column_stack([_same(r.draws) for r in found]))
    found = [r for c in revisiting_nsl() for r in ours(c, "finetuning")]
    report("ours on revisiting_nsl, used for nothing", found, widened(found, DEFAULT.growths))
    report_collections(found, widened(found, DEFAULT.growths))


def _same(draws: Floats) -> Floats:
    """As many draws from every method."""
    return np.resize(draws, N_DRAWS)


if __name__ == "__main__":
    main()
