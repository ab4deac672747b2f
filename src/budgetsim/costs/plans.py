"""Device plans: which ways of training and answering fit a card, and what each costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from budgetsim.costs.hours import ModelledSpeed
from budgetsim.costs.memory import GIB, Load, Memory, Precision, Way, answering_memory, training_memory
from budgetsim.costs.operations import forward_operations, training_operations
from budgetsim.design.architectures import Architecture

Method = Literal["fp32", "bf16", "8bit", "lora", "fsdp"]
METHODS: Final[tuple[Method, ...]] = ("fp32", "bf16", "8bit", "lora", "fsdp")
CARDS_GIB: Final = (24, 40, 80)
CONTEXT_GIB: Final = 1.0  # of a card that its driver and libraries take: an assumption, none was measured
LOST: Final = 0.05  # of the rest that is lost to fragments: an assumption
RANK: Final = 16  # of adapters, where a recipe names none
DEVICES: Final = (2, 4, 8, 16, 32, 64)
PIECES: Final = 4  # a batch is cut into so many at most before layers are computed twice instead
# Products in fp32 are so many times slower than in bf16 (NVIDIA A100 datasheet: 19.5 and 312 TFLOP/s; TF32 is off).
SLOWER_FP32: Final = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A stage as far as devices are concerned.

    load : one batch as long as it may be, which memory must hold; typical : as it is on average, which takes the time
    steps : how many; share : of the peak that the stage reaches in bf16
    trains : whether it trains, else it answers; rank : of adapters, where the stage asks for them
    """

    model: Architecture
    load: Load
    typical: Load
    steps: float
    share: float
    trains: bool = True
    rank: int = 0
    optimizer: str = "adamw_torch_fused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One method for one stage on one card.

    rows : of a batch that one device takes at a time; device_hours, usd : of all devices; None where it does not fit
    """

    method: Method
    card_gib: float
    way: Way
    rows: int
    memory: Memory
    fits: bool
    device_hours: float | None
    usd: float | None

    @property
    def trains_all(self) -> bool:
        """Whether every weight is trained."""
        return self.way.rank == 0


def usable_bytes(card_gib: float) -> float:
    """Bytes of a card that a model may take."""
    return max(0.0, card_gib - CONTEXT_GIB) * (1 - LOST) * GIB


def plans(
    work: Work, card_gib: float, speed: ModelledSpeed, usd_per_hour: float | None, methods: Sequence[Method] = METHODS
) -> tuple[Plan, ...]:
    """What each method takes for a stage on cards of a size, its cheapest form that fits; else its smallest.

    usd_per_hour : of one device
    """
    asked = [m for m in methods if _is_of(m, work)]
    return tuple(_plan(work, method, card_gib, speed, usd_per_hour) for method in asked)


def cheapest(found: Sequence[Plan], *, all_weights: bool = False) -> Plan | None:
    """The plan of least device-hours that fits; among equals that of fewest devices, then the first of `METHODS`.

    all_weights : of those that train every weight
    """
    fitting = [p for p in found if p.fits and (p.trains_all or not all_weights)]
    return min(
        fitting, key=lambda p: (float(f"{p.device_hours:.6g}"), p.way.devices, METHODS.index(p.method)), default=None
    )  # fmt: skip


def form_that_fits(work: Work, way: Way, room: float) -> tuple[Way, int] | None:
    """The cheapest form of one way to train that fits so many bytes: whether layers are computed twice, rows at a time.

    None where none does
    """
    for checkpointing in (False, True):
        for rows in _divisors(work.load.rows):
            if checkpointing or rows * PIECES >= work.load.rows:
                form = replace(way, checkpointing=checkpointing)
                if _memory(work, form, rows).total <= room:
                    return form, rows
    return None


def _is_of(method: Method, work: Work) -> bool:
    if not work.trains:
        return method in ("fp32", "bf16", "fsdp")
    return not work.rank or method == "lora"


def _plan(work: Work, method: Method, card_gib: float, speed: ModelledSpeed, usd: float | None) -> Plan:
    room = usable_bytes(card_gib)
    way, rows, memory = Way(), work.load.rows, Memory(weights=0.0)
    for way, rows in _forms(work, method):
        memory = _memory(work, way, rows)
        if memory.total <= room:
            hours = _hours(work, way, rows, speed)
            return _told(method, card_gib, way, rows, memory, hours, usd)
    return _told(method, card_gib, way, rows, memory, None, None)


def _told(
    method: Method, card_gib: float, way: Way, rows: int, memory: Memory, hours: float | None, usd: float | None
) -> Plan:
    dollars = None if hours is None or usd is None else hours * usd
    return Plan(
        method=method, card_gib=card_gib, way=way, rows=rows, memory=memory, fits=hours is not None,
        device_hours=hours, usd=dollars,
    )  # fmt: skip


def _forms(work: Work, method: Method) -> Iterator[tuple[Way, int]]:
    """Forms of a method, the cheapest first: whole batches, batches in pieces, layers computed twice."""
    base = _way(work, method)
    for devices in DEVICES if method == "fsdp" else (1,):
        of_one = max(1, work.load.rows // devices)
        for checkpointing in (False, True) if work.trains and method != "fp32" else (False,):
            for rows in _divisors(of_one):
                if checkpointing or not work.trains or rows * PIECES >= of_one:
                    yield replace(base, devices=devices, checkpointing=checkpointing), rows


def _way(work: Work, method: Method) -> Way:
    precision: Precision = "fp32" if method == "fp32" else "bf16"
    rank = (work.rank or RANK) if method == "lora" else 0
    return Way(precision=precision, rank=rank, optimizer="adamw_8bit" if method == "8bit" else work.optimizer)


def _divisors(rows: int) -> Iterator[int]:
    """Rows that cut a batch into equal pieces, the most first.

    >>> list(_divisors(12))
    [12, 6, 4, 3, 2, 1]
    """
    return (n for n in range(rows, 0, -1) if rows % n == 0)


def _memory(work: Work, way: Way, rows: int) -> Memory:
    load = replace(work.load, rows=rows * way.devices)
    if work.trains:
        return training_memory(work.model, way, load)
    return answering_memory(work.model, way.precision, load, way.devices)


def _hours(work: Work, way: Way, rows: int, speed: ModelledSpeed) -> float:
    """Device-hours of all steps; talk between devices is not counted."""
    slower = SLOWER_FP32 if way.precision == "fp32" else 1.0
    count = (
        training_operations(work.model, way, work.load) if work.trains else forward_operations(work.model, work.load)
    )
    by_work = speed.hours(slower * count, work.share)
    pieces = -(-work.load.rows // (rows * way.devices))
    waiting = speed.seconds_per_step * pieces * way.devices / 3600 if work.trains else 0.0
    return work.steps * max(by_work, waiting)
