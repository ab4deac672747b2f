"""The server that is asked: its address, and how hard it may be asked. Keys are no part of it."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from budgetsim.errors import InputError

URL_VARIABLES: Final = ("BUDGETSIM_LLM_URL", "OPENAI_BASE_URL")
KEY_VARIABLE: Final = "OPENAI_API_KEY"
DEFAULT_URL: Final = "https://api.openai.com/v1"
NO_KEY: Final = "none-needed"  # what a server is sent that needs no key


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An OpenAI-compatible server; answers do not depend on where it stands."""

    url: str = DEFAULT_URL
    concurrency: int = 8  # requests under way at once
    per_minute: float | None = None  # requests begun in a minute, at most
    timeout: float = 60.0  # seconds until a request counts as lost
    retries: int = 6  # of one request

    def __post_init__(self) -> None:
        if not self.concurrency >= 1:
            raise InputError(f"The concurrency is {self.concurrency}; wanted 1 or more requests at once.")
        if self.per_minute is not None and not self.per_minute > 0:
            raise InputError(f"The rate is {self.per_minute} requests a minute; wanted more than zero.")

    @classmethod
    def at(cls, url: str | None = None, *, concurrency: int = 8, per_minute: float | None = None) -> Server:
        """The server at an address, else at that of the environment, else OpenAI's.

        raises : InputError where the address is none

        >>> Server.at("http://127.0.0.1:8000").url
        'http://127.0.0.1:8000/v1'
        """
        named = url or next((os.environ[name] for name in URL_VARIABLES if os.environ.get(name)), DEFAULT_URL)
        return cls(url=_base(named), concurrency=concurrency, per_minute=per_minute)

    @property
    def is_loopback(self) -> bool:
        """Whether it is this very machine."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def key(self) -> str:
        """The key of the environment; what stands in for it where none is needed, or none may be sent.

        raises : InputError where the server wants one and there is none
        """
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if self.is_loopback:
            return key or NO_KEY
        if urlsplit(self.url).scheme == "http":
            return NO_KEY  # a key would go over the wire in clear
        if not key:
            raise InputError(
                f"{self.url} wants a key: put it into the environment, {KEY_VARIABLE}=... (it is never stored or "
                f"shown), or name another server with --llm-url. A server on this machine needs none."
            )
        return key


def _base(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"--llm-url: found {_bare(url)!r}, wanted the base address of an OpenAI-compatible server, such as "
            f"http://127.0.0.1:8000/v1 or {DEFAULT_URL}."
        )
    if parts.username or parts.password or parts.query:
        raise InputError(
            f"--llm-url: found {_bare(url)!r} with a user name, password or query beside it; write the address alone "
            f"and put the key into the environment as {KEY_VARIABLE}."
        )
    try:
        parts.port  # noqa: B018 - it is parsed when it is read
    except ValueError:
        raise InputError(f"--llm-url: {_bare(url)!r} has a port that is none; wanted a number up to 65535.") from None
    path = parts.path.rstrip("/") or "/v1"
    for end in ("/chat/completions", "/systemone", "/decisions"):
        path = path.removesuffix(end)
    return f"{parts.scheme}://{parts.netloc}{path}"


def _bare(url: str) -> str:
    """An address without what may be secret in it."""
    front, _, behind = url.strip().rpartition("@")
    scheme = front.split("//")[0] + "//" if "//" in front else ""
    return (scheme + behind if front else url.strip()).partition("?")[0]
