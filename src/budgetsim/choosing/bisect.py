"""The nearest price or factor at which another option wins, by a walk and a bisection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Winner = TypeVar("Winner")


def first_change(
    winner: Callable[[float], Winner], now: Winner, places: Sequence[float], close: float, least: float = 0.0
) -> tuple[float, Winner] | None:
    """The first place on a walk at which another option wins, narrowed by bisection, and which; None for none.

    A change that is undone between two places next to each other is not seen.

    winner : the option that wins at a place
    now : the option that wins at the first place
    places : in the order of the walk, rising or falling; all above zero, or the first is
        zero and `least` is not
    close : the place is known to this ratio, above 1
    least : what lies below it is not told apart from zero
    raises : ValueError where no bisection on a log scale would end: `close` 1 or less, or zero without `least`

    >>> place, who = first_change(lambda x: "dear" if x > 50 else "cheap", "cheap", (1.0, 4.0, 32.0, 256.0), 1.02)
    >>> round(place), who
    (50, 'dear')
    """
    if close <= 1 or (min(places) <= 0 and least <= 0):
        raise ValueError(f"close is {close:g}, least {least:g}: wanted above 1, and above 0 where a walk meets 0.")
    low = places[0]
    for high in places[1:]:
        other = winner(high)
        if other != now:
            break
        low = high
    else:
        return None
    while max(low, high) > close * max(min(low, high), least):
        middle = (max(low, least) * high) ** 0.5
        middle_winner = winner(middle)
        low, high, other = (middle, high, other) if middle_winner == now else (low, middle, middle_winner)
    return high, other
