"""`--dry-run`: asks the venue for its listing and index, prints the plan, sends no order.

Owns the few questions that a plan needs; the plan itself is `plan.py`'s. On paper the exchange is started for the
purpose and ended after it; elsewhere only public data is read, without logging in. Invariant: nothing is signed here.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import trio

from actors.console import logs
from actors.console.config import Effective
from actors.console.exits import Exit
from actors.console.page import Page
from actors.console.plan import make_plan, print_plan
from actors.paper_process import PaperProcess, access_of, follow_renaming
from actors.preflight import look_at_all
from actors.trading.errors import leading_error
from actors.venues.access import Access


def dry_run(effective: Effective) -> int:
    """Prints the plan; the exit code. Raises ConfigError and VenueUnreachable as a run would."""
    logs.set_up("WARNING", stream=sys.stderr)
    try:
        return trio.run(_dry_run, effective)
    except BaseExceptionGroup as group:
        raise leading_error(group) from None


async def _dry_run(effective: Effective) -> int:
    settings = effective.settings
    with tempfile.TemporaryDirectory() as folder:
        paper: PaperProcess | None = None
        try:
            if settings.is_paper and not settings.venue.url:
                paper = PaperProcess(settings, str(Path(folder) / "ledger.jsonl"), None)
                facts = await paper.start()
                for line in follow_renaming(settings, facts):
                    print(line)
                access = access_of(settings, facts)
            else:
                access = Access.of(settings)
            found = await look_at_all(settings, access)
        finally:
            if paper is not None:
                paper.end()
    endpoints = {"WebSocket": access.ws_url, "REST": access.rest_url}
    print_plan(make_plan(effective, found, None, endpoints), Page())
    return Exit.OK
