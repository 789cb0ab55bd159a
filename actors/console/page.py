"""What a command prints with rich, so that it ends as plain `print` does.

Owns one class. Invariant: a reader that went away (a pager, `head`) is told as BrokenPipeError, which `cli.main` takes for
no error; rich by itself would end the process with code 1.
"""

from __future__ import annotations

from rich.console import Console


class Page(Console):
    """A rich console for a command's output."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
