"""A language model behind a server as a labeler: shown some owned labels, tried and calibrated on the others.

Policy: a text whose answer was refused or cannot be read gets no label. It is no example for a student, counts as
wrong in the model's own score, and is told. A model that labels fewer than half of the owned texts is not asked on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.identity import canonical_hash
from budgetsim.errors import EndpointError, InputError
from budgetsim.labelers.asking import Terms, ask, missing, run
from budgetsim.labelers.bill import Bill, add_up
from budgetsim.labelers.calibration import Calibration, cross_fitted, fit_calibration, log_loss, no_calibration, softmax
from budgetsim.labelers.client import Client
from budgetsim.labelers.labeler import Brief, Desk, Labels
from budgetsim.labelers.ledger import Ledger, Record
from budgetsim.labelers.options import Options
from budgetsim.labelers.prompt import VERSION, Question, choose_shots
from budgetsim.labelers.purse import Account, Quote
from budgetsim.labelers.replies import Reading, read_reply
from budgetsim.labelers.trial import Trial

LEAST_ANSWERED: Final = 0.5  # share of the owned texts that must get a label

MakeQuestion = Callable[[Task, Options, Sequence[Row], str], Question]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A labeler that was tried: what it is shown, how it did, and how its scores are made true."""

    shots: tuple[Row, ...]
    trial: Trial | None
    calibration: Calibration
    bill: Bill


@dataclass(frozen=True, slots=True)
class LanguageLabeler:
    """A model asked through one kind of endpoint; the kinds differ in the questions they make."""

    name: str
    kind: str
    options: Options
    make_question: MakeQuestion = field(repr=False)

    @property
    def n_owned(self) -> int:
        """Labels of people that it may use."""
        return self.options.owned

    @property
    def asks(self) -> bool:
        """It sends texts to a server."""
        return True

    def check(self, task: Task, rows: Sequence[Row], owned: Sequence[Row]) -> None:
        """Refuse tasks and owned labels that it cannot work with; no server is asked.

        raises : InputError with the way out
        """
        if task.kind != "classification" or len(task.labels) < 2:
            raise InputError(
                f"{self.name} chooses one of a task's labels; {task.name} is a {task.kind} task"
                f"{' without labels' if not task.labels else ''}. LLM labels serve classifications alone."
            )
        twice = {label.casefold() for label in task.labels}
        if len(twice) < len(task.labels):
            raise InputError(f"{task.name} has labels that differ by case alone; {self.name} cannot tell them apart.")
        have = min(len(owned), self.options.owned)
        if self.options.shots and have < 2 * self.options.shots:
            raise InputError(
                f"{self.name} shows {self.options.shots} labelled rows, and at most half of the owned ones are shown; "
                f"{task.name} has {have} to give. Write :shots={have // 2}."
            )
        strange = sorted({row.target for row in self._owned(owned)} - set(task.labels))
        if strange:
            raise InputError(f"{task.name} has a row labelled {strange[0]!r}, which is none of its labels.")

    def identity(self, brief: Brief) -> Mapping[str, Any]:
        """The words of the prompt, and the owned rows that are shown or calibrate."""
        rows = [[row.source, row.target] for row in self._owned(brief.owned)]
        words = self.make_question(brief.task, self.options, (), "")
        return {"prompt": canonical_hash({"version": VERSION, "words": words.key, "owned": rows})}

    def examine(self, brief: Brief) -> Trial | None:
        """How often it is right on the owned labels that it is not shown.

        raises : as `label`
        """
        return self._prepare(brief).trial

    def label(self, rows: Sequence[Row], brief: Brief) -> Labels:
        """A label for each row; its accuracy is measured, and told, before the rows are asked about.

        raises : InputError as `check`, EndpointError where the server fails or too few texts get a label,
            InfeasibleBudgetError at the cap
        """
        prepared = self._prepare(brief)
        ledger = self._ledger(brief.desk)
        questions = self._questions(rows, prepared.shots, brief)
        if missing(questions, ledger):
            self._tell(prepared, len(missing(questions, ledger)), brief)
        records = ask(questions, ledger, self._terms(brief.desk))
        answers = [records[question.key] for question in questions]
        readings = [read_reply(record.reply, brief.task.labels) for record in answers]
        probabilities = _calibrated(readings, prepared.calibration, len(brief.task.labels))
        return Labels(
            answers=tuple(brief.task.labels[int(p.argmax())] if np.isfinite(p).all() else None for p in probabilities),
            probabilities=probabilities,
            trial=prepared.trial,
            bill=prepared.bill + _bill(answers),
            n_refused=sum(reading.status == "refused" for reading in readings),
            n_unreadable=sum(reading.status == "unreadable" for reading in readings),
        )

    def probabilities(self, rows: Sequence[Row], brief: Brief) -> Floats:
        """Calibrated probabilities, (rows, classes); even ones where there is no answer.

        raises : as `label`
        """
        found = self.label(rows, brief).probabilities
        assert found is not None
        even = 1.0 / len(brief.task.labels)
        return np.where(np.isfinite(found), found, even)

    def quote(self, rows: Sequence[Row], brief: Brief) -> Quote:
        """Requests that labelling these rows still takes, its trial included, and what they may cost at most."""
        shots, held = self._parts(brief)
        ledger, purse = self._ledger(brief.desk), replace(brief.desk.purse, cap_usd=None)
        tried = missing(self._questions(held, shots, brief), ledger)
        asked = {question.key for question in tried}
        later = [q for q in missing(self._questions(rows, shots, brief), ledger) if q.key not in asked]
        account = Account(purse, purse.price_of(self.options.model, brief.desk.server))
        for questions, batched in ((tried, False), (later, self.options.batch)):
            for question in questions:
                account.hold(question.characters, question.most_output, batched)
        usd = None if account.price is None and (tried or later) else account.held
        return Quote(n_requests=len(tried) + len(later), usd=usd)

    def knock(self, rows: Sequence[Row], brief: Brief) -> None:
        """See that the server is there, takes the key and has the model; not where every answer is on disk.

        raises : EndpointError where it cannot be reached, InputError where it refuses key or model,
            MissingPriceError where there is a cap and no price
        """
        if not self.quote(rows, brief).n_requests:
            return
        desk = brief.desk
        desk.purse.price_of(self.options.model, desk.server)
        listed = run(_listed(desk))
        if listed is not None and self.options.model not in listed and not desk.server.is_loopback:
            import difflib

            near = ", ".join(difflib.get_close_matches(self.options.model, listed, 3) or listed[:3])
            raise InputError(f"{desk.server.url} lists no model {self.options.model!r}; it has {near}.")

    # How it works

    def _owned(self, owned: Sequence[Row]) -> Sequence[Row]:
        return owned[: self.options.owned]

    def _parts(self, brief: Brief) -> tuple[tuple[Row, ...], list[Row]]:
        """Owned rows that are shown, and those held out."""
        self.check(brief.task, (), brief.owned)
        owned = self._owned(brief.owned)
        shown = choose_shots(owned, self.options.shots, brief.seed)
        return tuple(owned[i] for i in shown), [row for i, row in enumerate(owned) if i not in set(shown)]

    def _questions(self, rows: Sequence[Row], shots: Sequence[Row], brief: Brief) -> list[Question]:
        return [self.make_question(brief.task, self.options, shots, row.source) for row in rows]

    def _ledger(self, desk: Desk) -> Ledger:
        if desk.folder is None:
            raise InputError(f"{self.name} needs a folder for its answers.")
        return Ledger(desk.folder, self.kind, self.options.model)

    def _terms(self, desk: Desk, *, at_once: bool = False) -> Terms:
        batched = self.options.batch and not at_once
        return Terms(
            server=desk.server, purse=desk.purse, model=self.options.model, batched=batched, say=desk.say
        )  # fmt: skip

    def _prepare(self, brief: Brief) -> Prepared:
        """Try it on the owned rows that it is not shown; those few are asked at once, a batch waits for them."""
        shots, held = self._parts(brief)
        questions = self._questions(held, shots, brief)
        records = ask(questions, self._ledger(brief.desk), self._terms(brief.desk, at_once=True))
        answers = [records[question.key] for question in questions]
        readings = [read_reply(record.reply, brief.task.labels) for record in answers]
        trial, calibration = examine_answers(readings, [row.target for row in held], brief.task.labels)
        if trial is not None and trial.answered < LEAST_ANSWERED:
            raise EndpointError(
                f"{self.name} gave a label to {trial.n_answered} of {trial.n_asked} owned texts: "
                f"{_first_words(readings, answers)} Nothing more was asked. Try another model, :format=text, or more "
                f":shots=."
            )
        return Prepared(shots, trial, calibration, _bill(answers))

    def _tell(self, prepared: Prepared, n: int, brief: Brief) -> None:
        trial, guess = prepared.trial, 1.0 / len(brief.task.labels)
        if trial is not None:
            brief.desk.say(f"{self.name}: {describe_trial(trial)}.")
            if trial.interval[0] <= guess:
                brief.desk.say(f"{self.name}: that may be no better than a guess, {100 * guess:.1f} %; end it to save.")
        each = prepared.bill.usd_per_million_texts
        cost = "" if each is None else f", about ${float(each) / 1e6 * n * (0.5 if self.options.batch else 1):.4g}"
        brief.desk.say(f"{self.name}: {n:,} texts to be asked about{cost}.")


def examine_answers(
    readings: Sequence[Reading], truth: Sequence[str], labels: Sequence[str]
) -> tuple[Trial | None, Calibration]:
    """The trial of some answers beside the labels of people, and the calibration that they give.

    readings, truth : of the same texts; returns : no trial and no calibration where there are none
    """
    if not readings:
        return None, no_calibration(len(labels))
    kept = [(r.scores, labels.index(t)) for r, t in zip(readings, truth, strict=True) if r.scores is not None]
    if not kept:
        return Trial(n_asked=len(readings), n_answered=0, n_right=0), no_calibration(len(labels))
    scores, classes = np.array([s for s, _ in kept]), np.array([c for _, c in kept])
    fair = cross_fitted(scores, classes)
    raw = [r.label == t for r, t in zip(readings, truth, strict=True) if r.scores is not None]
    trial = Trial(
        n_asked=len(readings),
        n_answered=len(kept),
        n_right=int((fair.argmax(axis=1) == classes).sum()),
        n_right_raw=sum(raw),
        log_loss=log_loss(fair, classes),
        log_loss_raw=log_loss(softmax(scores), classes),
    )
    return trial, fit_calibration(scores, classes)


def describe_trial(trial: Trial) -> str:
    """A trial in words.

    >>> describe_trial(Trial(n_asked=96, n_answered=96, n_right=72, n_right_raw=63))
    'right on 72 of 96 held-out labels of people, 75.0 % (95 % interval 65.5 to 82.6), 65.6 % before calibration'
    """
    low, high = trial.interval
    raw = trial.n_right_raw
    before = "" if raw is None or not trial.n_answered else f", {raw / trial.n_answered:.1%} before calibration"
    none = f"; no label for {trial.n_asked - trial.n_answered}" if trial.n_answered < trial.n_asked else ""
    return (
        f"right on {trial.n_right} of {trial.n_answered} held-out labels of people, {100 * trial.accuracy:.1f} % "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f}){before.replace('%', ' %')}{none}"
    )


def _calibrated(readings: Sequence[Reading], calibration: Calibration, n_classes: int) -> Floats:
    out = np.full((len(readings), n_classes), np.nan)
    for i, reading in enumerate(readings):
        if reading.scores is not None:
            out[i] = calibration(reading.scores)
    return out


def _bill(records: Sequence[Record]) -> Bill:
    return add_up((record.reply.usage, record.usd) for record in {r.key: r for r in records}.values())


def _first_words(readings: Sequence[Reading], records: Sequence[Record]) -> str:
    for reading, record in zip(readings, records, strict=True):
        if reading.scores is None:
            said = " ".join((record.reply.refusal or record.reply.text or "nothing").split())
            return f"one was {reading.status}, {said[:80]!r}."
    return ""


async def _listed(desk: Desk) -> tuple[str, ...] | None:
    client = Client(desk.server)
    try:
        return await client.models()
    finally:
        await client.close()
