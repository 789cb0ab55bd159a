"""Whether cancel-on-disconnect was on before us: remembered on disk, for a killed run cannot set it back.

Owns one small file in the journal folder, with the wallets whose setting we found off and switched on, and beside it a lock
that a wallet's runs share. The next run that finds the setting on then knows that it was us, and the last to stop cleanly
sets it back. Never asks the venue. Invariant: a wallet is in the file from before we switch the setting on until it was set
back; a disk that refuses costs only this memory, and what is known of other runs.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO
from zlib import crc32

import msgspec
from loguru import logger

NAME, LOCK = "left-on.json", "left-on.lock"
SHARED, ALONE = fcntl.LOCK_SH | fcntl.LOCK_NB, fcntl.LOCK_EX | fcntl.LOCK_NB


class LeftOn:
    """`who` names wallet and site."""

    def __init__(self, folder: Path, who: str) -> None:
        self._path = folder / NAME
        self._who = who
        self._byte = crc32(who.encode())
        """Of the lock file, and nobody's but this wallet's: its runs share it, and a run that dies lets go."""
        self._lock = _opened(folder / LOCK)

    def join(self) -> bool:
        """Runs on this wallet from now on, with others or alone; False while another sets it back and leaves."""
        return self._takes(SHARED)

    def is_last(self, *, leaving: bool = False) -> bool:
        """No other run lives on this wallet: whoever sets the setting back earlier takes the net from under the others.

        Who is `leaving` and hears of others lets go and asks again: of two that stop at once, one is the last.
        """
        if self._takes(ALONE):
            return True
        return leaving and self._takes(fcntl.LOCK_UN) and self._takes(ALONE)

    def _takes(self, kind: int) -> bool:
        try:
            if self._lock is not None:
                fcntl.lockf(self._lock, kind, 1, self._byte)
        except BlockingIOError:
            return False
        except OSError as exc:  # a file system without locks: as if nobody else ran
            logger.warning("{} cannot be locked: {}", LOCK, exc)
        return True

    def former(self, is_on: bool) -> bool:
        """The operator's own setting, given what the venue says now; notes that it is about to be switched on."""
        if not is_on:
            self._keep(self._read() | {self._who})
            return False
        return self._who not in self._read()

    def forget(self) -> None:
        """It was set back."""
        self._keep(self._read() - {self._who})

    def _read(self) -> set[str]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=set[str])
        except FileNotFoundError:
            return set()
        except (OSError, msgspec.DecodeError) as exc:
            logger.warning("{} cannot be read: {}", self._path, exc)
            return set()

    def _keep(self, wallets: set[str]) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(sorted(wallets)))
            os.replace(fresh, self._path)
        except OSError as exc:
            logger.warning("{} cannot be written ({}): a killed run will leave cancel-on-disconnect on", self._path, exc)


def _opened(path: Path) -> IO[bytes] | None:
    try:
        return path.open("ab+")
    except OSError as exc:
        logger.warning("{} cannot be opened ({}): other runs on this wallet are not seen", path, exc)
        return None
