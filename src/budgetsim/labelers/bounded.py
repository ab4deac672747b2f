"""How much of an answer is read: a server that never ends one, or packs gigabytes into little, fills no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2

from budgetsim.errors import EndpointError

MOST_ANSWER: Final = 16_000_000  # bytes: an answer with all its probabilities has some thousands
MOST_FILE: Final = 400_000_000  # of the file of a batch, which may have 50,000 answers
UNPACKED: Final = {"Accept-Encoding": "identity"}


class TooMuchError(EndpointError):
    """An answer of more bytes than any that is one."""


def limits(url: str) -> dict[str, Any]:
    """What a client of httpx2 is made with so that it reads no answer of a server whole that is too long.

    url : of the server, for messages
    """

    async def bound(response: httpx2.Response) -> None:
        packed = response.headers.get("content-encoding", "identity").strip().casefold()
        if packed not in ("", "identity"):
            raise TooMuchError(
                f"{url} packs its answers ({packed[:40]!r}) though it is asked for plain ones, so that nobody knows "
                f"how long they are; wanted no Content-Encoding. Turn compression off in the server, or in the proxy "
                f"before it."
            )
        most = MOST_FILE if response.request.url.path.endswith("/content") else MOST_ANSWER
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream, most, url)

    return {"event_hooks": {"response": [bound]}}


class _Bounded(httpx2.AsyncByteStream):
    """The bytes of an answer, up to so many."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int, url: str) -> None:
        self._stream, self._most, self._url = stream, most, url

    async def __aiter__(self) -> AsyncIterator[bytes]:
        n = 0
        async for part in self._stream:
            n += len(part)
            if n > self._most:
                raise TooMuchError(
                    f"{self._url} sends an answer of more than {self._most:,} bytes; wanted at most that, and an "
                    f"answer of labels has some thousands. See that --llm-url is the address of an LLM's server; the "
                    f"same command goes on from the answers that are there."
                )
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
