"""The one file that talks to a server: a question goes out, a reply or a named failure comes back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from budgetsim.errors import BudgetsimError, EndpointError, InputError, MissingExtraError
from budgetsim.labelers.backoff import retry_after
from budgetsim.labelers.prompt import Question, chat_body, decisions_body, systemone_body
from budgetsim.labelers.replies import Reply, chat_reply, decisions_reply, systemone_reply
from budgetsim.labelers.server import KEY_VARIABLE, NO_KEY, Server

# What some servers do not take, with the words by which they say so; tried in this order.
OPTIONAL: Final = {
    "response_format": ("response_format", "json_schema", "schema", "grammar"),
    "logprobs": ("logprobs",),
    "max_completion_tokens": ("max_completion_tokens",),
    "temperature": ("temperature",),
}
_ANSWERS: Final = 300  # characters of a server's error that are shown


class Lost(Exception):  # noqa: N818 - an event on the way, not an error of the user's
    """A try that failed and may be tried again.

    wait : what the server asked for, in seconds; reached : whether it answered at all
    """

    def __init__(self, why: str, wait: float | None = None, *, reached: bool = True) -> None:
        super().__init__(why)
        self.wait, self.reached = wait, reached


@dataclass(slots=True)
class Client:
    """An open connection; `without` is learned: what this server does not take."""

    server: Server
    without: frozenset[str] = frozenset()
    decisions: bool = False  # whether decisions go to `/decisions` instead of `/systemone`
    _key: str = field(init=False, repr=False)
    _openai: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        openai = load_openai()
        from budgetsim.labelers.bounded import UNPACKED, limits  # what openai rests on

        self._key = self.server.key
        web = openai.DefaultAsyncHttpxClient(trust_env=not self.server.is_loopback, **limits(self.server.url))
        self._openai = openai.AsyncOpenAI(
            api_key=self._key,
            base_url=self.server.url,
            max_retries=0,
            timeout=self.server.timeout,
            default_headers=UNPACKED,
            http_client=web,
        )

    async def close(self) -> None:
        """End the connection."""
        await self._openai.close()

    async def ask(self, question: Question) -> Reply:
        """The reply to a question.

        raises : Lost where it is worth trying again, EndpointError or InputError where it is not
        """
        while True:
            without, decisions = self.without, self.decisions
            body = await self._send(*self._request(question, without, decisions))
            if isinstance(body, _NotTaken):
                self._learn(question, body, without, decisions)
                continue
            try:
                return self._read(question, body, decisions)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
                raise Lost(f"its answer is not one of a {question.kind} endpoint ({type(error).__name__})") from None

    def _request(self, question: Question, without: frozenset[str], decisions: bool) -> tuple[str, dict[str, Any]]:
        if question.kind == "chat":
            return "/chat/completions", chat_body(question.content, without)
        if decisions:
            return "/decisions", decisions_body(question.content)
        return "/systemone", systemone_body(question.content)

    def _read(self, question: Question, body: Mapping[str, Any], decisions: bool) -> Reply:
        if question.kind == "chat":
            return chat_reply(body)
        return decisions_reply(body) if decisions else systemone_reply(body)

    async def _send(self, path: str, body: Mapping[str, Any]) -> Any:
        raw = await self._guard(self._openai.post(path, body=body, cast_to=str), path)
        if isinstance(raw, _NotTaken):
            return raw
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise Lost("its answer is not JSON, or breaks off") from None

    async def _guard(self, work: Awaitable[Any], path: str) -> Any:
        """What a call of the library gives, or that its question was not taken.

        raises : Lost, EndpointError and InputError instead of the library's errors
        """
        openai = load_openai()
        try:
            return await work
        except openai.APITimeoutError:
            raise Lost(f"no answer within {self.server.timeout:g} seconds", reached=False) from None
        except openai.APIStatusError as error:
            return self._refused(error.status_code, error.response.headers, self._words(error), path)
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, EndpointError):
                raise error.__cause__ from None
            raise Lost(f"no connection ({type(error.__cause__ or error).__name__})", reached=False) from None
        except openai.OpenAIError as error:
            raise Lost(self.hide(str(error))[:_ANSWERS]) from None
        except (ValueError, LookupError) as error:  # bytes that are no text of the encoding they claim
            raise Lost(f"its answer cannot be read ({type(error).__name__})") from None

    def _refused(self, status: int, headers: Mapping[str, str], said: str, path: str) -> _NotTaken:
        """What comes of an answer with an error's status.

        raises : Lost where later may be better, InputError where the question is at fault
        """
        url = self.server.url
        if status in (408, 409, 425, 429) or status >= 500:
            if status == 429 and "insufficient_quota" in said:
                raise EndpointError(f"{url} says that your account's money or quota is used up: {said}")
            raise Lost(f"status {status}", retry_after(headers))
        if status in (401, 403):
            have = "a key was sent" if self._key != NO_KEY else f"no key was sent; {KEY_VARIABLE} holds it"
            raise InputError(f"{url} refuses the key (status {status}, {have}): {said}")
        if status in (400, 404, 405, 422):
            return _NotTaken(status, said, path)
        raise EndpointError(f"{url}{path} answers with status {status}: {said}")

    def _learn(self, question: Question, no: _NotTaken, without: frozenset[str], decisions: bool) -> None:
        """Ask this server otherwise from now on.

        raises : InputError where there is no other way to ask
        """
        if (self.without, self.decisions) != (without, decisions):
            return  # another request has learned it meanwhile
        low = no.said.casefold()
        if question.kind == "chat" and no.status in (400, 422):
            for name, words in OPTIONAL.items():
                if name not in without and any(word in low for word in words):
                    self.without |= {name}
                    return
        if question.kind == "decide" and not decisions and no.status in (404, 405) and "model" not in low:
            self.decisions = True
            return
        raise InputError(self._told(question, no))

    def _told(self, question: Question, no: _NotTaken) -> str:
        model = question.content["model"]
        if no.status in (404, 405):
            way = (
                "Name the model as the server lists it (GET /v1/models), and the address with --llm-url."
                if question.kind == "chat"
                else "It may have no decisions (transformers serve and OpenAI have): write chat: instead of decide:."
            )
            return f"{self.server.url}{no.path} has no {model!r} (status {no.status}): {no.said} {way}"
        return f"{self.server.url}{no.path} refuses the question (status {no.status}): {no.said}"

    def _words(self, error: Any) -> str:
        """What a server says of an error, short, on one line and without the key."""
        body = error.body
        inner = body.get("error", body) if isinstance(body, dict) else body
        said = inner.get("message") or inner.get("detail") if isinstance(inner, dict) else inner
        code = f" [{inner['code']}]" if isinstance(inner, dict) and inner.get("code") else ""
        words = " ".join(str(said if said is not None else _text(error.response)).split())
        return self.hide(words)[:_ANSWERS] + code

    def hide(self, words: str) -> str:
        """Words without the key, should a server repeat it."""
        return words if self._key == NO_KEY else words.replace(self._key, "(the key)")

    async def models(self) -> tuple[str, ...] | None:
        """Ids of the models that the server lists; None where it lists none.

        raises : EndpointError where it cannot be reached, InputError where it refuses the key
        """
        try:
            page = await self._guard(self._openai.get("/models", cast_to=str), "/models")
            if isinstance(page, _NotTaken):
                return None
            return tuple(str(model["id"]) for model in json.loads(page)["data"]) or None
        except Lost as lost:
            if lost.reached:  # transformers serve fails at its list where it has no hub
                return None
            raise unreachable(self.server, str(lost)) from None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

    # Batches

    async def send_batch(self, questions: Sequence[Question], name: str) -> str:
        """Hand in questions to be answered within a day; the batch's id.

        raises : Lost, EndpointError, InputError where the server has no batches
        """
        lines = [
            {"custom_id": q.key, "method": "POST", "url": "/v1/chat/completions", "body": chat_body(q.content)}
            for q in questions
        ]
        data = "".join(json.dumps(line) + "\n" for line in lines).encode("utf-8")
        file = await self._take(self._openai.files.create(file=("budgetsim.jsonl", data), purpose="batch"), "/files")
        batch = await self._take(
            self._openai.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
                metadata={"budgetsim": name},
            ),
            "/batches",
        )  # fmt: skip
        return str(batch.id)

    async def batch(self, batch_id: str) -> Any:
        """How a batch stands: `status`, `output_file_id`, `error_file_id`.

        raises : as `send_batch`
        """
        return await self._take(self._openai.batches.retrieve(batch_id), "/batches")

    async def file(self, file_id: str) -> str:
        """The text of a file of results.

        raises : as `send_batch`
        """
        content = await self._take(self._openai.files.content(file_id), "/files")
        return str(content.text)

    async def _take(self, work: Awaitable[Any], path: str) -> Any:
        found = await self._guard(work, path)
        if isinstance(found, _NotTaken):
            raise InputError(
                f"{self.server.url}{path} takes no batch (status {found.status}): {found.said} Leave :batch out to ask "
                f"at once; what is answered is kept."
            )
        return found


def _text(response: Any) -> str:
    """What an answer says, as far as it can be read."""
    return bytes(response.content).decode("utf-8", errors="replace")


@dataclass(frozen=True, slots=True)
class _NotTaken:
    """A request that was refused for what stood in it."""

    status: int
    said: str
    path: str


def unreachable(server: Server, why: str) -> BudgetsimError:
    """The error of a server that does not answer."""
    return EndpointError(
        f"{server.url} does not answer: {why}. See that it runs and that --llm-url is its address; the same command "
        f"goes on from the answers that are there."
    )


def load_openai() -> Any:
    """The library that speaks to servers.

    raises : MissingExtraError where it is not installed
    """
    try:
        import openai
    except ImportError:
        raise MissingExtraError(
            "Asking an LLM needs the extra `llm`: pip install 'budgetsim[llm]' (simulated:accuracy=0.8 needs nothing)."
        ) from None
    return openai
