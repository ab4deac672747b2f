"""What a labeler is: it says which texts it can label, how often it is right, and labels them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.errors import InputError
from budgetsim.labelers.bill import Bill
from budgetsim.labelers.purse import Purse, Quote
from budgetsim.labelers.server import Server
from budgetsim.labelers.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a labeler works: the server it asks, the folder of its answers, its money, and who is told."""

    folder: Path | None = None  # of answers; None: nothing can be asked
    server: Server = field(default_factory=Server)
    purse: Purse = field(default_factory=Purse)
    say: Callable[[str], None] = lambda words: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a labeler is given besides the texts.

    owned : rows that people labelled, in the order in which they are taken; none of the texts' answers
    """

    task: Task
    owned: Sequence[Row] = ()
    seed: int = 0
    desk: Desk = field(default_factory=Desk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What a labeler said of some texts, in their order."""

    answers: tuple[str | None, ...]  # None: it refused, or nobody could read what it wrote
    probabilities: Floats | None = None  # (texts, classes); a row of NaN where there is no answer
    trial: Trial | None = None  # how often it was right on labels of people, None where there were none
    bill: Bill = field(default_factory=Bill)  # of the answers used, whenever they were asked for
    n_refused: int = 0
    n_unreadable: int = 0


class Labeler(Protocol):
    """A source of class labels besides people."""

    @property
    def name(self) -> str:
        """As it is written in a run, `KIND:...`."""

    @property
    def n_owned(self) -> int:
        """Labels of people that it takes, at most: to be shown, to calibrate, to be tried on."""

    @property
    def asks(self) -> bool:
        """Whether it sends texts to a server, so that only those that are needed are labelled."""

    def check(self, task: Task, rows: Sequence[Row], owned: Sequence[Row]) -> None:
        """Refuse what it cannot label.

        raises : InputError with the way out
        """

    def knock(self, rows: Sequence[Row], brief: Brief) -> None:
        """See, at no cost, that it could answer what it has not answered yet.

        raises : EndpointError where its server is not there, InputError where key, model or price are wrong
        """

    def quote(self, rows: Sequence[Row], brief: Brief) -> Quote:
        """What labelling some rows still takes, the trial included, beyond what was answered before."""

    def identity(self, brief: Brief) -> Mapping[str, Any]:
        """What decides its labels besides its name, the texts and the seed; `desk` has no part in it."""

    def examine(self, brief: Brief) -> Trial | None:
        """How often it is right on the owned labels that it is not shown; None where there are none.

        raises : InputError as `check`, EndpointError where the server fails
        """

    def label(self, rows: Sequence[Row], brief: Brief) -> Labels:
        """A label for each row, in order; the same seed gives the same labels.

        raises : InputError as `check`, EndpointError where the server fails, InfeasibleBudgetError at the cap
        """

    def probabilities(self, rows: Sequence[Row], brief: Brief) -> Floats:
        """Calibrated class probabilities, (rows, classes), for a student; even ones where there is no answer.

        raises : InputError where it has none, and as `label`
        """


class Unasked:
    """What labelers have in common that ask no server: no requests, no dollars, hard labels alone."""

    @property
    def asks(self) -> bool:
        """It asks nobody."""
        return False

    def knock(self, rows: Sequence[Row], brief: Brief) -> None:
        """There is no server."""

    def quote(self, rows: Sequence[Row], brief: Brief) -> Quote:
        """Nothing is asked."""
        return Quote()

    def identity(self, brief: Brief) -> Mapping[str, Any]:
        """Its name and the seed say all."""
        return {}

    def probabilities(self, rows: Sequence[Row], brief: Brief) -> Floats:
        """It has none.

        raises : InputError with the ways out
        """
        raise InputError(
            f"{cast(Labeler, self).name} gives hard labels alone. For soft ones take a teacher that is trained "
            f"(--teacher), or an LLM: chat:MODEL or decide:MODEL."
        )
