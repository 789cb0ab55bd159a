"""What every client of `tick_to_order` does first: read what it is asked, trust the authority, say that it is ready.

Standard library only, for it runs in every peer's environment.
"""

from __future__ import annotations

import json
import ssl
import sys
from typing import Any


def first_question() -> tuple[str, ssl.SSLContext | None, dict[str, Any]]:
    """(the venue's address, the context for `wss` or None, what orders are made and signed with)."""
    question = json.loads(sys.stdin.readline())
    context = None
    if question["url"].startswith("wss"):
        context = ssl.create_default_context(cafile=question["authority"])
    print(json.dumps({"ready": True}), flush=True)
    return question["url"], context, question["order"]
