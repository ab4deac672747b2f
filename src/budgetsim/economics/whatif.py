"""Modelled surfaces: a teacher that stops getting better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from budgetsim.choosing.options import Option
from budgetsim.design.strategies import DISTILL
from budgetsim.design.surface import Surface


def capped(surface: Surface, plateau: float) -> Surface:
    """A distilled student's surface where its teacher never scores above a plateau: no world scores more.

    A student is taken to be at most as good as its teacher, and as good as before below that.

    plateau : fraction
    """
    return replace(surface, draws=np.minimum(surface.draws, plateau))


def with_plateau(options: Sequence[Option], plateau: float) -> list[Option]:
    """The options with every distilled student capped, marked as modelled."""
    return [modelled(o, capped(o.surface, plateau)) if o.route.kind is DISTILL else o for o in options]


def modelled(option: Option, surface: Surface) -> Option:
    """An option with a surface that is modelled from its evidence."""
    return replace(option, surface=surface, evidence=replace(option.evidence, source="modelled"))
