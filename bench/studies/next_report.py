"""Tables and the figure of the replays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from next_policies import ALONE, HEDGED
from scoring import print_table

from budgetsim.design.arrays import Floats

SHARES = np.round(np.geomspace(0.005, 0.5, 41), 5)
SHOWN = (0.02, 0.05, 0.1, 0.2, 0.4)
KINDS = ("paper", "measured", "fine-tuning", "surface")
POLICIES = ("next", HEDGED, "random", "cheapest", "v-optimal", "v-optimal per dollar")
COLOURS = dict(
    zip(
        (*POLICIES, *ALONE),
        ("#c03030", "#e080b0", "#808080", "#2060b0", "#309050", "#90c090", "#e0a030", "#c0c0c0"),
        strict=True,
    )
)


def at_share(line: dict, shares: Sequence[float]) -> Floats:
    """Regret of the choice when no more than a share of the budget has been spent; NaN before the pilot is paid."""
    steps = np.array(line["steps"])
    last = np.searchsorted(steps[:, 0], np.asarray(shares) + 1e-9, side="right") - 1
    return np.where(last >= 0, steps[np.maximum(last, 0), 1], np.nan)


def replays(lines: list[dict]) -> dict[tuple[str, str, float], dict[str, list[dict]]]:
    """Lines by replay (kind, world, budget) and policy."""
    out: dict = defaultdict(lambda: defaultdict(list))
    for line in lines:
        out[(line["kind"], line["world"], line["budget"])][line["policy"]].append(line)
    return {key: value for key, value in out.items() if set(value) >= set(POLICIES)}


def shown(found: dict) -> list[str]:
    """Policies that every one of some replays has."""
    return [p for p in (*POLICIES, *ALONE) if all(p in value for value in found.values())]


def curve(found: dict, policy: str, shares: Sequence[float]) -> Floats:
    """Mean regret over replays of one policy: (shares,), from where every replay's pilot is paid."""
    each = [np.mean([at_share(line, shares) for line in value[policy]], axis=0) for value in found.values()]
    return np.mean(each, axis=0)


def report(lines: list[dict]) -> None:
    everything = replays(lines)
    for kind in KINDS:
        found = {k: v for k, v in everything.items() if k[0] == kind}
        if found:
            _regrets(kind, found)
            _halves(found)
            _goal(found)
            _excess(kind, [line for line in lines if line["kind"] == kind])


def _excess(kind: str, lines: list[dict]) -> None:
    """Regret after 5 and 20 % of the budget beyond that of who knows the fit of every run, and how often right."""
    oracle = {(line["world"], line["budget"]): line for line in lines if line["policy"] == "oracle"}
    body: list[list[object]] = []
    for policy in dict.fromkeys(line["policy"] for line in lines):
        mine = [line for line in lines if line["policy"] == policy and (line["world"], line["budget"]) in oracle]
        for share in (0.05, 0.2):
            over = [
                float(np.nan_to_num(at_share(line, [share])[0], nan=line["steps"][0][1]))
                - oracle[line["world"], line["budget"]]["steps"][0][1]
                for line in mine
            ]
            right = np.mean([_right(line) for line in mine]) if mine else 0.0
            if over:
                body.append([policy, f"{share:.0%}", len(over), f"{np.mean(over):+.2f}", f"{right:.0%}"])
    if body:
        print(f"\n{kind}: regret beyond the oracle's, points; right after 5 %")
        print_table(["policy", "spent", "replays", "excess", "right"], body)


def _regrets(kind: str, found: dict) -> None:
    shares = [max(v["next"][0]["steps"][0][0] for v in found.values()), *SHOWN]
    start = shares[0]
    shares = [start, *(s for s in SHOWN if s > start)]
    print(f"\n## {kind}: mean regret in points over {len(found)} replays, by share of the budget spent on measuring")
    body: list[list[object]] = [[p, *(f"{v:.2f}" for v in curve(found, p, shares))] for p in shown(found)]
    print_table(["policy", f"pilot ({start:.1%} at most)", *(f"{s:.0%}" for s in shares[1:])], body)


def _halves(found: dict) -> None:
    """Money beyond the pilot that each policy needs for the regret that random order reaches."""
    start = max(v["next"][0]["steps"][0][0] for v in found.values())
    extra = np.geomspace(0.001, 0.5, 200)
    names = shown(found)
    curves = {p: _beyond(found, p, extra) for p in names}
    body: list[list[object]] = []
    for share in (0.05, 0.1, 0.2, 0.4):
        aim = float(np.interp(share, extra, curves["random"]))
        row: list[object] = [f"{share:.0%}", f"{aim:.2f}"]
        for p in names:
            reached = np.flatnonzero(curves[p] <= aim + 1e-9)
            row.append(f"{extra[reached[0]]:.1%}" if len(reached) else "not reached")
        body.append(row)
    print(f"\nShare of the budget beyond the pilot ({start:.1%} at most) for the regret that random order has reached:")
    print_table(["random order at", "regret", *names], body)


def _beyond(found: dict, policy: str, extra: Floats) -> Floats:
    """Mean regret by money beyond each replay's own pilot."""
    each = []
    for value in found.values():
        mine = [at_share(line, line["steps"][0][0] + extra) for line in value[policy]]
        each.append(np.mean(mine, axis=0))
    return np.mean(each, axis=0)


def _goal(found: dict) -> None:
    """Replays in which at most 5 % of the budget made the choice right, of those whose pilot costs no more."""
    able = {k: v for k, v in found.items() if v["next"][0]["steps"][0][0] <= 0.05}
    body: list[list[object]] = []
    for p in shown(found):
        right = [np.mean([_right(line) for line in v[p]]) for v in able.values()]
        body.append([p, f"{sum(right):.1f} of {len(able)}", f"{np.mean(right):.0%}" if right else "-"])
    print("\nChoice within 1 point or 2 standard errors of the best logged cell after at most 5 % of the budget:")
    print_table(["policy", "replays", "share"], body)
    for p in (p for p in shown(found) if p.startswith("next")):
        missed = [
            f"{k[1]} at {k[2]:.0f} ({at_share(v[p][0], [0.05])[0]:.1f})" for k, v in able.items() if not _right(v[p][0])
        ]
        print(f"{p} missed: {', '.join(missed) or 'none'}")
    _stops(found)


def _stops(found: dict) -> None:
    """Where `next` would have measured nothing more, and the regret there."""
    mine = [line for value in found.values() for line in value["next"] if line["stopped"] is not None]
    if mine:
        share, regret = np.mean([line["steps"][line["stopped"]] for line in mine], axis=0)
        print(
            f"\nIn {len(mine)} replays `next` says measure nothing more, on average after {share:.1%} of the budget, "
            f"with regret {regret:.2f}."
        )


def _right(line: dict) -> bool:
    return bool(at_share(line, [0.05])[0] <= max(1.0, 2 * line["se"]) + 1e-9)


def picture(lines: list[dict]) -> None:
    """docs/method/next-runs.svg: mean regret against money, a panel a kind of world."""
    everything = replays(lines)
    kinds = [k for k in KINDS if any(key[0] == k for key in everything)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {260 * len(kinds) + 20} 290" font-family="sans-serif" '
        'font-size="11">',
        f'<rect width="{260 * len(kinds) + 20}" height="290" fill="white"/>',
    ]
    for i, kind in enumerate(kinds):
        parts += _panel(50 + 260 * i, kind, {k: v for k, v in everything.items() if k[0] == kind})
    parts += [
        f'<text x="{30 + 128 * j}" y="282" fill="{colour}">{name}</text>'
        for j, (name, colour) in enumerate(COLOURS.items())
    ]
    path = Path(__file__).parents[2] / "docs" / "method" / "next-runs.svg"
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _panel(left: float, kind: str, found: dict) -> list[str]:
    extra = np.geomspace(0.002, 0.45, 40)
    curves = {p: _beyond(found, p, extra) for p in shown(found)}
    top = max(float(c.max()) for c in curves.values()) or 1.0
    x = left + 190 * np.log(extra / extra[0]) / np.log(extra[-1] / extra[0])
    out = [
        f'<path d="M{left} 230H{left + 195}M{left} 230V40" stroke="black" fill="none"/>',
        f'<text x="{left}" y="24">{kind}: {len(found)} replays</text>',
        f'<text x="{left - 34}" y="44">{top:.1f}</text><text x="{left - 14}" y="232">0</text>',
        f'<text x="{left}" y="262">share of the budget beyond the pilot</text>',
    ]
    for share in (0.01, 0.05, 0.2):
        at = left + 190 * np.log(share / extra[0]) / np.log(extra[-1] / extra[0])
        out.append(f'<text x="{at:.0f}" y="245" text-anchor="middle">{share:.0%}</text>')
    for name, values in curves.items():
        line = " ".join(f"{a:.1f},{230 - 185 * v / top:.1f}" for a, v in zip(x, values, strict=True))
        width = 2.2 if name == "next" else 1.2
        out.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="{width}"/>')
    return out
