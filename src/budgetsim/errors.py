"""What can go wrong, as a tree; each branch has its exit code.

BudgetsimError                1  failure
├── InputError                2  a file, argument or value that cannot be used
│   ├── RateCardError         2  a rate card with a wrong, missing or undated price
│   └── MissingPriceError     2  a strategy was asked for that the card cannot price
├── InfeasibleBudgetError     3  no strategy fits the budget
├── NoEvidenceError           4  nothing was measured or published for the question
├── StoreError                1  the store is damaged or of another version
│   └── StoreLockedError      5  another process holds the store
├── EndpointError             1  a server of labels fails, or is not there
├── DiskFullError             1  a disk has no room for what a run writes
├── StoppedError            130  somebody interrupted the work (Ctrl-C)
│   ├── TerminatedError     143  the system, or another program, ended it
│   └── HungUpError         129  the terminal it ran in went away
└── MissingExtraError         1  a part of the tool that is not installed
"""

from __future__ import annotations

from typing import ClassVar


class BudgetsimError(Exception):
    """An expected failure: the message says what was found, what was wanted and what to do."""

    exit_code: ClassVar[int] = 1


class InputError(BudgetsimError):
    """A file, argument or value that cannot be used."""

    exit_code = 2


class RateCardError(InputError):
    """A rate card with a wrong, missing or undated price."""


class MissingPriceError(InputError):
    """A strategy was asked for by name and the rate card has no price for it."""


class InfeasibleBudgetError(BudgetsimError):
    """No strategy fits the budget."""

    exit_code = 3


class NoEvidenceError(BudgetsimError):
    """Nothing was measured or published for the question."""

    exit_code = 4


class StoreError(BudgetsimError):
    """The store is damaged, or was written by another version."""


class StoreLockedError(StoreError):
    """Another process holds the store."""

    exit_code = 5


class EndpointError(BudgetsimError):
    """A server of labels fails, or is not there."""


class DiskFullError(BudgetsimError):
    """A disk has no room for what a run writes."""


class StoppedError(BudgetsimError):
    """Somebody interrupted the work; what was done is kept."""

    exit_code = 130


class TerminatedError(StoppedError):
    """The system, or another program, ended the work."""

    exit_code = 143


class HungUpError(StoppedError):
    """The terminal went away that the work was started in."""

    exit_code = 129


class MissingExtraError(BudgetsimError):
    """A part of the tool that is not installed."""
