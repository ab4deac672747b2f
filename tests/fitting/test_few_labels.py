"""Runs on few labels stray further: measured ones, by labels of people and of an LLM; published ones alike."""

import numpy as np

from budgetsim.fitting.few_labels import FEW, few_of, spread_of
from budgetsim.fitting.task import fit_task
from made import make_row


def rows(source="measured", seeds=9):
    """A curve whose runs have a standard deviation of a point at 1,000 labels, and more on fewer."""
    rng = np.random.default_rng(7)
    out = []
    for n in (30, 60, 120, 250, 500, 1000, 1700):
        wide = 0.01 * np.sqrt((1 + FEW / n) / (1 + FEW / 1000))
        for seed in range(seeds):
            score = 0.85 - 0.5 * (1 + n / 40) ** -0.7 + wide * rng.standard_normal()
            out.append(make_row(key=f"{n}-{seed}", n_labels=n, seed=seed, score=score, source=source,
                                evidence_set=f"{source}-cpu-x", strategy="annotate", teacher=None))  # fmt: skip
    return out


def test_measured_runs_stray_by_all_their_labels_and_published_ones_alike():
    mixed = [make_row(n_labels=100, n_llm_labels=90, source="measured", strategy="annotate_plus_llm", labeler="l")]
    np.testing.assert_allclose(spread_of(mixed), np.sqrt((1 + FEW / 190) / (1 + FEW / 1000)))
    assert few_of(mixed) == FEW
    assert spread_of(rows("published:x")).tolist() == [1.0] * 63


def test_an_interval_is_as_wide_as_runs_of_its_size_scatter():
    """Made with a point at 1,000 labels: 4.1 points at 30, .8 at 1,700; a fit told so has them to a third."""
    (surface,) = fit_task(rows(), n_draws=200).surfaces
    assert surface.few == FEW
    at = surface.deviations([[30], [1000], [1700]]).std(axis=0)
    wanted = 0.01 * np.sqrt((1 + FEW / np.array([30, 1000, 1700])) / (1 + FEW / 1000))
    assert (np.abs(np.log(at / wanted)) < np.log(1.34)).all()
