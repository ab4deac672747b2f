"""The laws of one learning curve, by name."""

from typing import Final

from budgetsim.laws.bounded_power import BOUNDED_POWER
from budgetsim.laws.law import Law
from budgetsim.laws.one_break import ONE_BREAK
from budgetsim.laws.power_floor import POWER_FLOOR
from budgetsim.laws.rectified import RECTIFIED
from budgetsim.laws.shifted_power import SHIFTED_POWER

LAWS: Final[dict[str, Law]] = {
    law.name: law for law in (POWER_FLOOR, SHIFTED_POWER, BOUNDED_POWER, RECTIFIED, ONE_BREAK)
}
