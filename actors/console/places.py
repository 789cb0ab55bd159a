"""Where files may go: what can be said of a path before anything is written there.

Looks at the disk, and changes nothing on it. Invariant: an answer is empty, or ends with what to do instead.
"""

from __future__ import annotations

from pathlib import Path


def unwritable(path: str | Path) -> str:
    """Why no file could be made there, as far as it shows without trying; empty when it could, or for no path."""
    if not str(path) or "\0" in str(path):  # what is wrong with a NUL is said of every text
        return ""
    file = Path(path).absolute()
    if file.is_dir():
        return "is a folder; give the name of a file"
    return "" if file.parent.is_dir() else "its folder does not exist; make it first"
