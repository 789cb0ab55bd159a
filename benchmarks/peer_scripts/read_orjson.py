"""Reads frames with orjson, untyped: dicts of strings."""

from typing import Any

import orjson  # type: ignore[import-not-found]

from benchmarks.peer_scripts.answering import Work, serve


def prepare(question: dict[str, Any]) -> Work:
    """The frames of the first question are read in turn; nothing of them is sent back."""
    frames = [frame.encode() for frame in question["frames"]]

    def read(number: int) -> None:
        orjson.loads(frames[number % len(frames)])

    return read


if __name__ == "__main__":
    serve(prepare)
