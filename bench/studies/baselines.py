"""What the product is compared with, re-written from the equations of the papers.

M1 to M4 of Alabdulmohsin et al. (2022): square log loss, one start, no prior.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from budgetsim.laws.bounded_power import BOUNDED_POWER
from budgetsim.laws.law import Frame, Law
from budgetsim.laws.one_break import ONE_BREAK
from budgetsim.laws.power_floor import POWER_FLOOR
from budgetsim.laws.rectified import RECTIFIED
from budgetsim.laws.shifted_power import SHIFTED_POWER

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]

FORMS: dict[str, Law] = {
    "M2": POWER_FLOOR,
    "M3": SHIFTED_POWER,
    "M4": BOUNDED_POWER,
    "rectified": RECTIFIED,
    "one break": ONE_BREAK,
}


def power(sizes: Floats, errors: Floats) -> Curve:
    """M1: e = b x^c by linear regression of logs."""
    slope, level = np.polyfit(np.log(sizes), np.log(errors), 1)
    return lambda x: np.exp(level + slope * np.log(x))


def one_start(law: Law, sizes: Floats, errors: Floats) -> Curve:
    """A form fitted by least squares of logs from its usual start, nothing else."""
    x0, unit = float(np.exp(np.log(sizes).mean())), float(errors.min())
    lx, y = np.log(sizes / x0), np.log(errors / unit)
    frame = Frame(first=lx.min(), last=lx.max(), level=float(np.interp(0, lx, y)), highest=float(y.max()))
    start, sd = law.prior(frame)

    def residual(theta: Floats) -> Floats:
        out: Floats = np.clip(np.nan_to_num(law.log_error(theta[None], lx, frame)[0][0] - y, nan=1e3), -1e3, 1e3)
        return out

    with np.errstate(all="ignore"):
        found = least_squares(residual, start, x_scale=sd, max_nfev=400)
    return lambda x: unit * np.exp(law.log_error(found.x[None], np.log(x / x0), frame)[0][0])


def all_forms(sizes: Floats, errors: Floats) -> dict[str, Curve]:
    """M1 to M4 on one curve."""
    fitted = {name: one_start(FORMS[name], sizes, errors) for name in ("M2", "M3", "M4")}
    return {"M1": power(sizes, errors), **fitted}
