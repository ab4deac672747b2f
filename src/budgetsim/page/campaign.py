"""A campaign in progress as the page tells it: a plain value that whoever measures fills in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPoint:
    """The finished runs of one design: percent, mean over them."""

    task: str
    label: str
    inputs: tuple[str, ...]
    counts: tuple[int, ...]
    metric: str
    score: float
    n_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignState:
    """What a page says of a campaign; hours are of devices, `wall_hours_ahead` of the clock, moments ISO 8601 in UTC.

    refresh_s : after how many seconds the page opens itself again; None where nothing more will come
    """

    name: str
    planned: int
    done: int
    hours: float
    cost_usd: float | None
    hours_ahead: float
    wall_hours_ahead: float
    cost_ahead_usd: float | None
    looked_at: str
    last_at: str | None
    ends_at: str | None
    refresh_s: int | None
    points: tuple[CampaignPoint, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
