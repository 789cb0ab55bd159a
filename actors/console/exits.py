"""The exit codes of every command, once. They are documented in docs/configuration.md from here."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a script that starts us may rely on."""

    OK = 0
    NOT_CONFIRMED = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done; after a run: the venue answered an open-orders query with none of ours, or no order was ever sent",
    Exit.NOT_CONFIRMED: "failed, or stopped without that proof: orders may still rest; the last line says what is known",
    Exit.BAD_INPUT: "the configuration or the command line is wrong; nothing was sent anywhere",
    Exit.UNREACHABLE: "the venue could not be reached within venue.give_up_after_s",
    Exit.REFUSED: "the venue refused us for good: wrong credentials, missing rights",
    Exit.INTERRUPTED: "Ctrl-C in a command that places no orders",
}
