"""The conductor: design points that are not in the store -> stages -> runs in the store."""

from budgetsim.measure.conductor import Campaign, Outcome, run_campaign
from budgetsim.measure.grid import Grid, grid_names, load_grid
from budgetsim.measure.limits import Limits
from budgetsim.measure.recipe import PRESETS, Recipe, get_preset
from budgetsim.measure.spec import RunSpec, make_spec

__all__ = [
    "PRESETS",
    "Campaign",
    "Grid",
    "Limits",
    "Outcome",
    "Recipe",
    "RunSpec",
    "get_preset",
    "grid_names",
    "load_grid",
    "make_spec",
    "run_campaign",
]
