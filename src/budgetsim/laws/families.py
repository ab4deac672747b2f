"""Learning-curve and scaling-law families, a short file each."""

from budgetsim.laws.bounded_power import BOUNDED_POWER
from budgetsim.laws.family import Family, Frame
from budgetsim.laws.one_break import ONE_BREAK
from budgetsim.laws.power_floor import POWER_FLOOR
from budgetsim.laws.rectified import RECTIFIED
from budgetsim.laws.shifted_power import SHIFTED_POWER

FAMILIES: dict[str, Family] = {f.name: f for f in (POWER_FLOOR, SHIFTED_POWER, BOUNDED_POWER, RECTIFIED, ONE_BREAK)}

__all__ = [
    "BOUNDED_POWER",
    "FAMILIES",
    "ONE_BREAK",
    "POWER_FLOOR",
    "RECTIFIED",
    "SHIFTED_POWER",
    "Family",
    "Frame",
]
