"""RateCard: YAML text in, checked prices out.

Prices are Decimals on the card and floats in the array mathematics. Every price names where and
when it was read; a price that is missing is an error when it is asked for, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from budgetsim.doors.documents import load_yaml
from budgetsim.doors.values import Count, Name, Number, Text, found, shorten, wanted
from budgetsim.errors import InputError, MissingPriceError, RateCardError


def _day(value: object, info: ValidationInfo) -> str:
    text = str(value)
    parts = re.fullmatch(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", text, re.ASCII)
    try:
        day = date(*(int(part or 1) for part in parts.groups())) if parts else None
    except ValueError:
        day = None
    if day is None:
        raise ValueError("the day the source was read, as YYYY, YYYY-MM or YYYY-MM-DD")
    today = (info.context or {}).get("today")
    if today is not None and day > today + timedelta(days=1):  # somewhere it is tomorrow already
        raise ValueError(f"a day that is past, up to {today}")
    return text


def _money(amount: Decimal) -> Decimal:
    if 0 < amount < Decimal("1e-12"):
        raise ValueError("0, or 1e-12 or more")
    return amount


MOST_PROBLEMS = 20  # told at once

Usd = Annotated[Decimal, Number, Field(ge=0, le=1_000_000_000, allow_inf_nan=False), AfterValidator(_money)]
Share = Annotated[float, Number, Field(ge=0, le=0.999, allow_inf_nan=False)]
Positive = Annotated[float, Number, Field(ge=1e-6, le=1_000_000, allow_inf_nan=False)]
Used = Annotated[float, Number, Field(ge=1e-6, le=1, allow_inf_nan=False)]  # share of a device's peak
Speed = Annotated[float, Number, Field(gt=0, le=1e15, allow_inf_nan=False)]
Few = Annotated[int, Number, Field(ge=1, le=10_000)]
Day = Annotated[str, BeforeValidator(_day)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class _Sourced(_Part):
    source: Text  # page or paper the numbers come from
    as_of: Day  # when it was read or printed


class LabelPrice(_Sourced):
    """What a human label costs: a price, or seconds times a wage."""

    usd_per_label: Usd | None = None
    seconds_per_label: Positive | None = None
    usd_per_hour: Usd | None = None  # wage of the annotator
    annotators_per_item: Positive = 1.0
    rejected_share: Share = 0.0  # share of labels paid for and thrown away
    available: Count | None = None  # labels people can give, besides those owned; None: no bound
    note: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> LabelPrice:
        by_time = (self.seconds_per_label is not None, self.usd_per_hour is not None)
        if self.usd_per_label is not None and any(by_time):
            raise ValueError("either usd_per_label, or seconds_per_label with usd_per_hour")
        if self.usd_per_label is None and not all(by_time):
            raise ValueError("usd_per_label, or seconds_per_label with usd_per_hour")
        return self

    @property
    def usd(self) -> Decimal:
        """US dollars for one label that is kept."""
        price = self.usd_per_label
        if price is None:
            price = Decimal(str(self.seconds_per_label)) / 3600 * (self.usd_per_hour or Decimal(0))
        return price * Decimal(str(self.annotators_per_item)) / (1 - Decimal(str(self.rejected_share)))


class DevicePrice(_Sourced):
    """What a rented machine costs an hour; `count` devices come with it."""

    model: Name
    usd_per_hour: Usd
    count: Few = 1
    scope: Literal["per device", "whole instance", "device only"] = "per device"
    price_type: Literal["on-demand", "spot", "reserved", "not stated"] = "not stated"
    mean_hours_between_preemptions: Positive | None = None  # of a spot machine that is taken away
    note: Text | None = None

    @model_validator(mode="after")
    def _one_meaning(self) -> DevicePrice:
        if self.mean_hours_between_preemptions is not None and self.price_type != "spot":
            raise ValueError("mean_hours_between_preemptions with price_type spot alone")
        if self.scope == "per device" and self.count != 1:
            raise ValueError("count 1 with scope `per device`, or the price of all of them with `whole instance`")
        return self

    @property
    def usd_per_device_hour(self) -> Decimal:
        return self.usd_per_hour / self.count


class LlmPrice(_Sourced):
    """What an LLM costs, and how a prompt is built."""

    model: Name  # provider/model
    usd_per_mtok_input: Usd
    usd_per_mtok_output: Usd
    usd_per_mtok_cached: Usd | None = None  # input that the server kept from an earlier request; None: as other input
    usd_per_mtok_input_batch: Usd | None = None  # of answers that may take a day
    usd_per_mtok_output_batch: Usd | None = None
    batch: Annotated[bool, Field(strict=True)] = False  # labels are asked for in batches
    examples_cached: Annotated[bool, Field(strict=True)] = False  # the prompt's examples are kept by the server
    prompt_examples: Count = 0  # labelled examples in the prompt
    note: Text | None = None

    @model_validator(mode="after")
    def _asked_as_priced(self) -> LlmPrice:
        if self.batch and (self.usd_per_mtok_input_batch is None or self.usd_per_mtok_output_batch is None):
            raise ValueError("usd_per_mtok_input_batch and usd_per_mtok_output_batch with batch: true")
        if self.examples_cached and (self.batch or self.usd_per_mtok_cached is None):
            raise ValueError("usd_per_mtok_cached with examples_cached: true, and no batch")
        return self

    @property
    def paid_input(self) -> Decimal:
        """US dollars a million tokens of input as labels are asked for."""
        batched = self.usd_per_mtok_input_batch if self.batch else None
        return self.usd_per_mtok_input if batched is None else batched

    @property
    def paid_examples(self) -> Decimal:
        """As `paid_input`, of the examples that every prompt begins with."""
        cached = self.usd_per_mtok_cached if self.examples_cached else None
        return self.paid_input if cached is None else cached

    @property
    def paid_output(self) -> Decimal:
        """As `paid_input`, of output."""
        batched = self.usd_per_mtok_output_batch if self.batch else None
        return self.usd_per_mtok_output if batched is None else batched


class Pool(_Sourced):
    """Unlabelled texts: how many there are, and what one costs."""

    size: Count
    usd_per_text: Usd = Decimal(0)
    note: Text | None = None


class Overheads(_Part):
    """What a project pays besides; all default to nothing but one run a model."""

    dev_labels: Count = 0  # labels of the development split
    test_labels: Count = 0
    runs_per_model: Few = 1  # seeds, search
    fixed_usd: Usd = Decimal(0)
    charge_student_training: Annotated[bool, Field(strict=True)] = (
        True  # the paper charges nothing for training the student on labels
    )


class LearnerSpeed(_Part):
    """How fast a model of one kind of learner was on a device: tokens a second, and counted operations, in 1e12."""

    kind: Name  # word of the learner: t5, ft, lm, encoder-lr, tfidf-lr
    model: Name
    train_tokens_per_s: Speed | None = None
    answer_tokens_per_s: Speed | None = None
    train_tflops: Speed | None = None
    answer_tflops: Speed | None = None


class Utilisation(_Sourced):
    """How well modelled compute uses the device; only `cached` and `modern` hours rest on it.

    device : what it was measured on; None where it is stated
    """

    peak_tflops: Positive
    teacher_training: Used
    labelling: Used
    student_training: Used
    seconds_per_step: Annotated[float, Number, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 0.0
    device: Name | None = None
    measured: Annotated[tuple[LearnerSpeed, ...], Field(max_length=100)] = ()

    def tflops(self, kind: str, *, trains: bool) -> float | None:
        """Counted operations a second of a kind of learner, in 1e12, the median of its models; None where none was."""
        name = "train_tflops" if trains else "answer_tflops"
        rates = sorted(rate for s in self.measured if s.kind == kind and (rate := getattr(s, name)) is not None)
        return rates[len(rates) // 2] if rates else None


class RateCard(_Part):
    """Prices that turn work into US dollars."""

    schema_version: Annotated[Literal[1], Number]
    name: Name
    about: Text | None = None  # what the card is, in a line
    currency: Literal["USD"]
    labels: Annotated[dict[Name, LabelPrice], Field(min_length=1)]  # by task; `default` for the others
    gpu: DevicePrice | None = None
    cpu: DevicePrice | None = None
    llm: LlmPrice | None = None
    pools: dict[Name, Pool] = {}  # by task; `default` for the others
    overheads: Overheads = Overheads()
    utilisation: Utilisation | None = None
    cpu_utilisation: Utilisation | None = None

    def label_price(self, task: str) -> LabelPrice | None:
        """Price of a label of that task, or of any task, or None."""
        return self.labels.get(task) or self.labels.get("default")

    def available(self, task: str) -> int | None:
        """How many labels of that task people can give, or None: then nothing bounds them."""
        price = self.label_price(task)
        return None if price is None else price.available

    def pool(self, task: str) -> Pool | None:
        """The pool of unlabelled texts of that task, or None: then nothing bounds it."""
        return self.pools.get(task) or self.pools.get("default")

    def has_device(self, device_class: str) -> bool:
        """Whether the card has a price for a `gpu` or `cpu`."""
        return getattr(self, device_class) is not None

    def device(self, device_class: str) -> DevicePrice:
        """Price of a `gpu` or `cpu`.

        raises : MissingPriceError where the card has none
        """
        price: DevicePrice | None = getattr(self, device_class)
        if price is None:
            raise MissingPriceError(
                f"The card {self.name!r} has no price for a {device_class}; add a `{device_class}:`."
            )
        return price


def parse_rates(text: str, name: str = "rates.yaml", *, today: date | None = None) -> RateCard:
    """Read and check a rate card.

    today : prices read after it are refused; None looks at no clock
    raises : RateCardError, one line a mistake, each with file, line, key, what was found and wanted

    >>> parse_rates("schema_version: 2", "my.yaml")
    Traceback (most recent call last):
    ...
    budgetsim.errors.RateCardError: my.yaml, line 1, schema_version: found 2, wanted 1
    my.yaml, line 1, name: found nothing, wanted a value
    my.yaml, line 1, currency: found nothing, wanted a value
    my.yaml, line 1, labels: found nothing, wanted a value
    """
    data = _load(text, name)
    try:
        return RateCard.model_validate(_plain(data), context={"today": today})
    except ValidationError as error:
        problems = error.errors(include_url=False)
        lines = list(dict.fromkeys(_explain(problem, data, name) for problem in problems[:MOST_PROBLEMS]))
        more = len(problems) - MOST_PROBLEMS
        raise RateCardError("\n".join([*lines, f"{name}: {more} more"] if more > 0 else lines)) from None


def _load(text: str, name: str) -> CommentedMap:
    try:
        data = load_yaml(text, name, with_lines=True)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        key = re.search(r'found duplicate key "([^"]*)"', str(error))
        twice = key.group(1) if key else "a key"
        raise RateCardError(f"{name}, line {line}, {twice}: the key stands twice; keep one of them.") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise RateCardError(f"{name}, line {line}: not YAML ({error.problem}); mend that line.") from None
    except InputError as error:
        raise RateCardError(str(error)) from None
    except (YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise RateCardError(f"{name}: not YAML ({problem}); start from `budgetsim rates init`.") from None
    if not isinstance(data, CommentedMap):
        what = "nothing" if data is None else type(data).__name__.removeprefix("Commented").lower()
        raise RateCardError(f"{name}: found {what}, wanted keys and values; start from `budgetsim rates init`.")
    return data


def _plain(node: object) -> object:
    if isinstance(node, Mapping):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(v) for v in node]
    return node


def _explain(problem: Any, data: CommentedMap, name: str) -> str:
    """One mistake in words: file, line, key, what was found, what was wanted."""
    path = [str(part) for part in problem["loc"]]
    key = shorten(".".join(path))
    line = _line_of(data, path)
    what = "nothing" if problem["type"] == "missing" else found(problem["input"])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(path[:-1]))
        return f"{name}, line {line}, {key}: found an unknown key, wanted one of {known}"
    return f"{name}, line {line}, {key}: found {what}, wanted {wanted(problem)}"


def _line_of(data: CommentedMap, path: list[str]) -> int:
    """Line of the deepest key of the path that the file holds."""
    node: object = data
    line = 1
    for part in path:
        if not isinstance(node, CommentedMap):
            break
        key = next((k for k in node if str(k) == part), None)
        if key is None:
            break
        line = node.lc.key(key)[0] + 1
        node = node[key]
    return line


def _known_keys(path: list[str]) -> Iterator[str]:
    parts: dict[str, type[BaseModel]] = {
        "labels": LabelPrice, "gpu": DevicePrice, "cpu": DevicePrice, "llm": LlmPrice, "pools": Pool,
        "overheads": Overheads, "utilisation": Utilisation, "cpu_utilisation": Utilisation,
    }  # fmt: skip
    model = parts.get(path[0], RateCard) if path else RateCard
    yield from sorted(model.model_fields)
