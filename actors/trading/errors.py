"""The errors of the product, sorted by what their reader can do about them (design law 8).

`VenueUnreachable`: wait. `VenueRefused`: our request was wrong. `OutcomeUnknown`: reconcile. `LimitBreached`: stop.
`ConfigError`: fix the file. `ClockWrong`: set the clock. No message ever holds a secret: callers name the field, never a
key's text.
"""

from __future__ import annotations


class StrikemakerError(Exception):
    """What every error of ours is; an exception outside this tree is a defect."""


class VenueUnreachable(StrikemakerError):
    """No connection, or it broke before the request was handed to the socket: nothing happened there."""


class VenueRefused(StrikemakerError):
    """The venue answered with an error: the request had no effect, except where the venue's reference says otherwise."""

    def __init__(self, code: int, meaning: str, detail: str = "") -> None:
        super().__init__(f"{code} {meaning}" + (f": {detail}" if detail else ""))
        self.code = code
        self.meaning = meaning
        self.detail = detail


class NotGranted(VenueRefused):
    """Credentials that are not taken, or a right that they do not carry: the text names the field and what to do."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.args = (text,)


class OutcomeUnknown(StrikemakerError):
    """The request may or may not have taken effect: only evidence from the venue settles it."""


class LimitBreached(StrikemakerError):
    """A limit of the operator's does not hold and cannot be restored by not quoting."""


class ClockWrong(StrikemakerError):
    """This machine's clock is too far off the venue's: signatures and freshness would lie. Set the clock."""


class Relisted(StrikemakerError):
    """The venue changed tick, step or smallest order of what is quoted: a new life of the cell reads them afresh."""


class ConfigError(StrikemakerError):
    """The operator's input is wrong. Each problem names the field, the value and the fix."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def leading_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a nursery's group that a person should read: ours before others, the first of its kind."""
    leaves: list[BaseException] = []

    def gather(part: BaseExceptionGroup[BaseException]) -> None:
        for exc in part.exceptions:
            if isinstance(exc, BaseExceptionGroup):
                gather(exc)
            else:
                leaves.append(exc)

    gather(group)
    return next((exc for exc in leaves if isinstance(exc, StrikemakerError)), leaves[0])
