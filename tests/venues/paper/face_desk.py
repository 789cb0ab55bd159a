"""What the desks at both faces share: an exchange on a clock the test turns, and one client's socket without the socket.

A desk of a venue says what is listed and how its customers log in and order. Owns no expectation. Invariant: nothing
moves but what the test moves; a frame that has arrived is sorted once and kept until it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from actors.venues.paper.exchange import Exchange
from actors.venues.paper.run import PaperRun, build_exchange

F = TypeVar("F")


class CallError(Exception):
    """A JSON-RPC error the exchange answered."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(json.dumps(error))
        self.code = int(error["code"])
        self.data: str | None = error.get("data")


class QuietVenue(Generic[F]):
    """An exchange of two accounts without a world: 0 is the maker, 1 somebody else. `run` changes what it is built with."""

    def __init__(self, face: type[F], now_s: int, clock_ns: Callable[[], int] | None = None, /, **run: Any) -> None:
        self.now_ns = now_s * 1_000_000_000
        self.clock_ns = clock_ns or (lambda: self.now_ns)
        given = {"is_empty": True, "accounts": 2, "keep_records": True, "notices": "after", "fail_on_defect": True}
        settings = PaperRun(**{**given, **run})
        self.exchange: Exchange = build_exchange(settings, self.clock_ns)
        assert isinstance(self.exchange.face, face)
        self.face: F = self.exchange.face
        self.engine = self.exchange.engine
        if settings.is_empty:
            self.list_by_hand()

    def list_by_hand(self) -> None:
        """Instruments and prices, where no world sets them."""
        raise NotImplementedError

    def later(self, seconds: float = 0.0) -> None:
        """Move the clock and let the exchange do what is due."""
        self.now_ns += round(seconds * 1e9)
        self.exchange.pump()


class Socket:
    """One socket, without the socket: says text, sorts what comes into answers, notices and others."""

    def __init__(self, exchange: Exchange, clock_ns: Callable[[], int]) -> None:
        self.exchange = exchange
        self.session = exchange.enter("127.0.0.1")
        self.notices: list[tuple[str, Any]] = []
        self.others: list[Any] = []
        self._clock_ns = clock_ns
        self._answers: dict[Any, dict[str, Any]] = {}
        self._id = 0

    def say(self, text: str) -> None:
        self.exchange.hear(self.session, text)

    def take(self) -> list[Any]:
        """Every frame that has arrived, decoded; one that is no JSON is left as text."""
        frames = [decoded(text) for text in self.session.due(self._clock_ns())]
        for frame in frames:
            if isinstance(frame, str):
                self.others.append(frame)
            elif frame.get("method") == "subscription":
                self.notices.append((frame["params"]["channel"], frame["params"]["data"]))
            elif frame.get("id") is not None:
                self._answers[frame["id"]] = frame
            else:
                self.others.append(frame)
        return frames

    def ask(self, method: str, **params: Any) -> dict[str, Any] | None:
        """The whole answer frame; None when none came."""
        self._id += 1
        self.say(json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}))
        return self.answer_to(self._id)

    def answer_to(self, id_: int) -> dict[str, Any] | None:
        self.take()
        return self._answers.pop(id_, None)

    @property
    def last_id(self) -> int:
        return self._id

    def call(self, method: str, **params: Any) -> Any:
        answer = self.ask(method, **params)
        assert answer is not None, f"{method} was not answered"
        if "error" in answer:
            raise CallError(answer["error"])
        return answer["result"]

    def heard(self, channel: str) -> list[Any]:
        """What a channel brought so far; empties the list."""
        self.take()
        found = [data for name, data in self.notices if name == channel]
        self.notices = [(name, data) for name, data in self.notices if name != channel]
        return found

    def drop(self) -> None:
        self.exchange.leave(self.session)


def decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
