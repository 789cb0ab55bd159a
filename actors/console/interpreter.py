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

    What distributions ship (below /usr) always is, though Debian's does not say so; pyenv and `make install` leave it out
    unless they are told. What it is worth: docs/performance.md.
    """
    arguments = sysconfig.get_config_var("CONFIG_ARGS")
    return not arguments or "--enable-optimizations" in arguments or sys.base_prefix == "/usr"


def can_make_environments() -> bool:
    """Debian packs what `venv` needs apart; without it an environment would have no pip."""
    return find_spec("ensurepip") is not None


if __name__ == "__main__":
    sys.exit(0 if is_quick() and can_make_environments() else 1)
