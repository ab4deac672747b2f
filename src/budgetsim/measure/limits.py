"""Caps on a campaign: how much time and money is left, and whether something more fits."""

from __future__ import annotations

from dataclasses import dataclass

from budgetsim.errors import InputError

CLOSING = 4.0  # seconds kept back for ending the workers and merging what is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """A cap that would be passed: in hours of the clock, or in US dollars of devices."""

    hours: float | None = None
    usd: float | None = None
    seconds: float  # of the clock, or of one device, that it allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on a campaign; it starts nothing that would pass one, and cuts what turns out to."""

    max_hours: float | None = None  # wall clock
    max_cost_usd: float | None = None
    usd_per_hour: float | None = None  # of one worker's device
    preempted_every_hours: float | None = None  # where that device is taken away at times: on average

    def __post_init__(self) -> None:
        for name in ("max_hours", "max_cost_usd", "usd_per_hour"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InputError(f"{name} is {value}; wanted zero or more.")
        if self.max_cost_usd is not None and self.usd_per_hour is None:
            raise InputError("A cap in dollars needs a price of the device: name it with --rates.")

    def cost_usd(self, device_seconds: float) -> float | None:
        """Dollars of so many seconds of devices, None without a price.

        >>> Limits(usd_per_hour=2.0).cost_usd(1800)
        1.0
        """
        return None if self.usd_per_hour is None else device_seconds / 3600 * self.usd_per_hour

    def passed(self, *, wall: float, device: float, n_devices: int, paid_usd: float = 0.0) -> Cap | None:
        """The cap that a campaign would pass that ends after so many seconds; None if none.

        wall : seconds of the clock
        device : seconds that devices are paid for, all together
        n_devices : how many are paid for while the campaign closes
        paid_usd : dollars that went elsewhere, for requests to an LLM

        >>> Limits(max_hours=0.005).passed(wall=10, device=10, n_devices=1)
        >>> Limits(max_hours=0.005).passed(wall=20, device=20, n_devices=1)
        Cap(hours=0.005, usd=None, seconds=18.0)
        >>> Limits(max_cost_usd=1, usd_per_hour=2).passed(wall=900, device=1799, n_devices=2)
        Cap(hours=None, usd=1, seconds=1800.0)
        """
        if self.max_hours is not None and wall + CLOSING > self.max_hours * 3600:
            return Cap(hours=self.max_hours, seconds=self.max_hours * 3600)
        left = self._device_seconds(paid_usd)
        if device + CLOSING * n_devices > left:
            return Cap(usd=self.max_cost_usd, seconds=left)
        return None

    def seconds_left(self, *, wall: float, device: float, n_devices: int, paid_usd: float = 0.0) -> float | None:
        """Seconds until a cap is passed if as many devices go on working; None without a cap.

        >>> Limits(max_hours=1).seconds_left(wall=3590, device=0, n_devices=1)
        6.0
        >>> Limits(max_cost_usd=1, usd_per_hour=2).seconds_left(wall=0, device=1000, n_devices=2)
        396.0
        >>> Limits(max_cost_usd=1, usd_per_hour=2).seconds_left(wall=0, device=0, n_devices=1, paid_usd=0.5)
        896.0
        """
        seconds = (self.max_hours or 0.0) * 3600 - wall if self.max_hours is not None else float("inf")
        seconds = min(seconds, (self._device_seconds(paid_usd) - device) / max(1, n_devices)) - CLOSING
        return None if seconds == float("inf") else max(0.0, seconds)

    def _device_seconds(self, paid_usd: float) -> float:
        if self.max_cost_usd is None or not self.usd_per_hour:
            return float("inf")
        return max(0.0, self.max_cost_usd - paid_usd) / self.usd_per_hour * 3600
