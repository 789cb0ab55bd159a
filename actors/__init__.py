"""The whole machine on one page. Plain modules of this package await (actors and what carries them); the packages below it
are what actors are made of.

Who is whose child (each arrow of birth is also, reversed, the order of death):

    supervisor.py            a run: preflight, processes, the last line
    |- guard                 kills and cancels when everybody else is dead; ends only by AllDone or with a proof
    |- paper exchange        only on paper; a session of its own, outlives the guard       (venues/paper)
    `- cell x N              cell_process.py holds one Cell (cell.py), the task tree:
       |- services           outlive the quoters, so that the last cancels can be answered
       |  |- journal         every request, fill and state, one line each
       |  |- public link     venues/link.py, never logged in
       |  |- private link    venues/link.py, logged in, cancel-on-disconnect on
       |  |- clerk.listen    what comes back -> order truth
       |  |- order desk      what is wanted -> the fewest requests, within the budget
       |  `- truth           reconcile, settle unknown orders, audit
       |- quoter x M         one per instrument, each under Cell._keep_quoting (restart, quarantine)
       |- crier              has quoters look at news, a few at a time, so that the links have their turn
       |- refresh, watch     one ticker for all quoters; ages, clock jumps, long sleeps
       |- valuation          surface fits and Greeks, off the tick path
       |- comparison          the venue's published smiles beside our surface: only shown
       `- way out            shielded: cancel all ours, ask until "none", only then hang up

The way of one tick (one direction, no hop to another process):

    public link -> MarketData.on_notice -> Picture -> Crier -> Quoter.act   latest wins, per instrument
    Quoter.decide  (pure: trading/quoting.py, strategies/)  -> QuotePair
    Risk.review    (a call: check and reservation together) -> RiskApproved | RiskRefused
    OrderDesk.want -> bag, newest per instrument -> trading/actions.plan -> dialect.place/replace/cancel, signed last
    private link, one write for all that was queued

What comes alone waits for no turn and no bag: the quoter looks at once, and an idle desk sends at once. Who cannot look
(busy, crashed, at his end) has his doorbell rung.

and of what comes back (memory channel; every one counts):

    private link -> Clerk -> OrderTable, Exposure, journal -> Crier, unless the answer would be to wait

Between processes: mailboxes.py's messages, one JSON line each, over the child's stdin and stdout (pipes.py, hosting.py,
child.py). End of file means that the other side died: a cell stops as on SIGTERM, the guard acts.
"""

import os

# loguru reads LOGURU_LEVEL on import and dies of a name it does not know; console/logs.py reads it, and says so.
os.environ["LOGURU_AUTOINIT"] = "0"
