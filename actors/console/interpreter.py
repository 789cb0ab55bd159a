"""Was this Python built to be quick? Asked by the setup script of every Python it finds, and by the doctor of its own.

Run by path before anything is installed, so it imports the standard library alone, and little of that. Decides nothing.
Invariant: a Python of which nothing is known counts as quick, for nobody is to be sent looking for a better one in vain.
"""

from __future__ import annotations

import sys
import sysconfig
from importlib.util import find_spec

REMARK = "built without profile-guided optimisation: one that has it takes about a tenth less CPU"


def is_quick() -> bool:
    """Built with profile-guided optimisation, as far as it says.

    What a distribution ships (below /usr) is taken for such: Debian's does not say, and is as quick as one. pyenv leaves
    it out unless it is told. What it is worth: docs/performance.md.
    """
    arguments = sysconfig.get_config_var("CONFIG_ARGS")
    return not arguments or "--enable-optimizations" in arguments or sys.base_prefix == "/usr"


def can_make_environments() -> bool:
    """Debian packs what `venv` needs apart; without it an environment would have no pip."""
    return find_spec("ensurepip") is not None


def verdict() -> int:
    """An exit status: 0 quick and fit to make an environment, 1 not quick, 2 not fit."""
    if not is_quick():
        return 1
    return 0 if can_make_environments() else 2


if __name__ == "__main__":
    sys.exit(verdict())
