r"""Work on machines that may be taken away at any moment: what is paid for, with restarts from checkpoints.

Losses come at random, at a constant rate: the time to the next one is exponential, whatever went before. Work that is
saved every `checkpoint` seconds is a chain of segments, each of which has to be got through without a loss; after one,
starting anew and the segment have to be. With mean life M, restart R and segment c a segment is expected to take

.. math:: M e^{R/M} (e^{c/M} - 1)

source : J. T. Daly (2006), A higher order estimate of the optimum checkpoint interval, FGCS 22(3), eq. 13, without the
    cost of writing a checkpoint, which is within the seconds of the work
"""

from __future__ import annotations

import math

MOST_LIVES = 50.0  # segments longer than so many mean lives are never got through


def paid_seconds(work: float, *, checkpoint: float, restart: float, mean_life: float) -> float:
    """Expected seconds of a machine until so much work is done; waiting for a new machine is not paid for.

    work : seconds without losses
    checkpoint : seconds of work that a loss takes at most; infinite where nothing is saved on the way
    restart : seconds from a new machine to where the work was
    mean_life : seconds from one loss to the next, on average; infinite where there are none
    returns : infinite where a segment is longer than any machine lives

    >>> round(paid_seconds(3600, checkpoint=300, restart=60, mean_life=4 * 3600))
    3653
    >>> round(paid_seconds(3600, checkpoint=math.inf, restart=60, mean_life=4 * 3600))
    4107
    >>> paid_seconds(3600, checkpoint=300, restart=60, mean_life=math.inf)
    3600.0
    """
    for name, value in (("work", work), ("restart", restart)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}; wanted seconds, zero or more.")
    if not checkpoint > 0 or not mean_life > 0:
        raise ValueError(f"checkpoint is {checkpoint}, mean_life {mean_life}; wanted more than zero.")
    if math.isinf(mean_life):
        return float(work)
    whole, rest = (0, work) if math.isinf(checkpoint) else divmod(work, checkpoint)
    segments = (whole * _segment(checkpoint, mean_life) if whole else 0.0) + _segment(rest, mean_life)
    return mean_life * math.exp(min(restart / mean_life, MOST_LIVES)) * segments


def _segment(seconds: float, mean_life: float) -> float:
    lives = seconds / mean_life
    return math.inf if lives > MOST_LIVES else math.expm1(lives)
