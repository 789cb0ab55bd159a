"""The cell process with a sampler in it: every millisecond of CPU one look at the stack; a profile that distorts little.

Started in place of `actors.cell_process` with a file's name as argument; at its end writes the share of samples in each
function (itself, and with all it called) to that file. Python functions only: time in C is its caller's.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from actors.cell_process import work
from actors.child import main

PERIOD_S = 0.001


class Sampler:
    def __init__(self) -> None:
        self.itself: Counter[str] = Counter()
        self.within: Counter[str] = Counter()
        self.samples = 0

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._look)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, PERIOD_S, PERIOD_S)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        self.samples += 1
        seen: set[str] = set()
        while frame is not None:
            code = frame.f_code
            name = f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}"
            if not seen:
                self.itself[f"{name}:{frame.f_lineno}"] += 1
            seen.add(name)
            frame = frame.f_back
        self.within.update(seen)

    def report(self, most: int = 90) -> str:
        lines = [f"{self.samples} samples of {PERIOD_S * 1000:g} ms of CPU", "", "with all it calls"]
        lines += [f"{count / self.samples:7.1%}  {name}" for name, count in self.within.most_common(most)]
        lines += ["", "itself"]
        lines += [f"{count / self.samples:7.1%}  {name}" for name, count in self.itself.most_common(most)]
        return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sampler = Sampler()
    sampler.start()
    status = main(work)
    signal.setitimer(signal.ITIMER_PROF, 0)
    Path(sys.argv[1]).write_text(sampler.report())
    sys.exit(status)
