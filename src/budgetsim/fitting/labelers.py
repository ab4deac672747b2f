"""What the labels of an LLM are worth: an effective number of human labels that levels off.

.. math:: Q(M) = 1 / (1 / (q (M/1000)^g) + 1 / Q_\\infty), \\qquad H(Q_\\infty) = r

Human labels add to it: n = N + Q(M). Without LLM labels that is the annotation curve; LLM labels
alone never pass the share r of its rise, however many there are: the noise floor. Where the
labeler's accuracy a is known, k = (a - c) / (1 - c) is what it knows beyond a guess (c, the class
share). A label with independent flips carries k^2 of the information of a clean one, so q is near
1000 k^2; r = k^h, where h = 1 is a student that copies its labeler's errors (then its score tends to
the labeler's accuracy where endless human labels would give 1) and h = 0 one that sees through them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.onset import sigmoid
from budgetsim.fitting.parameters import Parameter, Values

UNKNOWN_ACCURACY: Final = (  # priors where nothing is known of a labeler
    Parameter("worth", 400.0, 1.2, "log", "human labels a 1000 of the labeler's", "chosen by us: two in five, wide"),
    Parameter(
        "power", 0.5, 1.2, "linear", "log odds of g", "chosen by us: more labels count for less, by how much open"
    ),
    Parameter("share", 1.0, 1.5, "linear", "log odds of r", "chosen by us: most of the rise, wide"),
)
KNOWN_ACCURACY: Final = (  # and where its accuracy is
    Parameter("worth", 1.0, 0.5, "log", "times 1000 k^2 human labels a 1000", "information of independent flips, k^2"),
    Parameter("power", 2.0, 1.0, "linear", "log odds of g", "chosen by us: near 1, as flips are independent"),
    Parameter("share", 0.3, 1.0, "log", "h, the power of k", "chosen by us: a student sees through independent flips"),
)
N_LABELER: Final = 3  # parameters that a labeler takes
LEAST_BEYOND_GUESS: Final = 0.05  # of k: a labeler no better than a guess still is worth something


@dataclass(frozen=True, slots=True)
class Labeler:
    """Who labels besides people; `beyond_guess` is k above, None where the accuracy is not known."""

    beyond_guess: float | None = None

    @classmethod
    def named(cls, name: str | None, guess: float) -> Labeler:
        """A labeler by its name; a simulated one states its accuracy there.

        name : e.g. `simulated:accuracy=0.8`; guess : score of a constant answer, a fraction

        >>> round(Labeler.named("simulated:accuracy=0.8", 0.5).beyond_guess, 6)
        0.6
        >>> Labeler.named("gpt-3.5", 0.5).beyond_guess is None
        True
        """
        _, found, number = (name or "").partition(":accuracy=")
        try:
            accuracy = float(number) if found else np.nan
        except ValueError:
            accuracy = np.nan
        return cls.of_accuracy(accuracy, guess) if 0.0 <= accuracy <= 1.0 else cls()

    @classmethod
    def of_accuracy(cls, accuracy: float, guess: float) -> Labeler:
        """A labeler whose accuracy is stated, or was measured on labels of people.

        accuracy, guess : fractions

        >>> Labeler.of_accuracy(0.75, 0.5).beyond_guess
        0.5
        """
        return cls(float(np.clip((accuracy - guess) / (1.0 - guess), LEAST_BEYOND_GUESS, 1.0)))

    @property
    def parameters(self) -> tuple[Parameter, Parameter, Parameter]:
        """Worth, power and share of the rise."""
        return UNKNOWN_ACCURACY if self.beyond_guess is None else KNOWN_ACCURACY

    def worth(self, z: Floats, n_llm_labels: Floats) -> Floats:
        """Human labels that LLM labels replace before they level off: q (M / 1000)^g.

        z : (particles, 3), standard normal a priori; n_llm_labels : (n,); returns : (particles, n)
        """
        values = Values(self.parameters, z)
        if self.beyond_guess is None:
            q = np.exp(values.log("worth"))
        else:
            q = 1000.0 * self.beyond_guess**2 * values["worth"]
        out: Floats = q * (n_llm_labels[None] / 1000.0) ** sigmoid(values["power"])
        return out

    def log_odds(self, z: Floats) -> Floats:
        """Log odds of r, the share of the rise that LLM labels alone can reach: (particles, 1)."""
        share = Values(self.parameters, z)["share"]
        if self.beyond_guess is None:
            return share
        r = np.clip(self.beyond_guess**share, 1e-9, 1 - 1e-9)
        out: Floats = np.log(r / (1.0 - r))
        return out

    def effective(self, z: Floats, n_llm_labels: Floats, middle: Floats, slope: Floats) -> Floats:
        """Effective number of human labels of LLM labels, levelling off where the Hill curve reaches r.

        middle, slope : (particles, 1), of the Hill curve over log(1 + n); returns : (particles, n)
        """
        most = np.expm1(np.clip(middle + self.log_odds(z) / slope, 1e-3, 50.0))
        worth = self.worth(z, n_llm_labels)
        out: Floats = worth / (1.0 + worth / most)
        return out
