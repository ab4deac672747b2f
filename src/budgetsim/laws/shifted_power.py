"""Power law of a shifted inverse size: e = exp(b) (1/x + g)^c, which levels off at x = 1/g.

source : M3 of Alabdulmohsin, Neyshabur & Zhai (2022), arXiv 2209.06640
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.family import Family, Frame


def _log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
    b, k, g = (theta[:, [i]] for i in range(3))
    c = np.exp(k)
    shifted = np.logaddexp(-log_size, g)
    share = np.exp(g - shifted)
    return b + c * shifted, np.stack([np.ones_like(shifted), c * shifted, c * share], axis=-1)


def _prior(frame: Frame) -> tuple[Floats, Floats]:
    return np.array([frame.level, np.log(0.4), -frame.last - 1.0]), np.array([2.0, 0.8, 2.0])


SHIFTED_POWER = Family(
    name="shifted_power", parameters=("level", "log_exponent", "log_shift"), log_error=_log_error, prior=_prior
)
