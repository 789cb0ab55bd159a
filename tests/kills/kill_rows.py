"""What is killed, how, and what is promised: the rows of the kill table, as data, and how one kill is carried out.

Owns the list and the measuring of single kills against a running maker. Every figure comes from the exchange's ledger.
Invariant: a sample that broke a promise carries the reason in `broken`; a time alone never decides.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import attrs
from kill_kit import Exchange, Maker, alive, children_of, until, wall_ns
from kill_venues import DERIVE, DERIVE_LIFE_S, KillVenue
from network_cut import cut

HEARTBEAT_BOUND_S = 3.0
SETTLED_ORDERS = 6
SETTLED_LINK_NS = 11_000_000_000
"""A connection that lived shorter makes the next pause longer."""
GUARD_BACK_S = 2.0
"""Within this a killed guard is replaced, and a frozen one after its heartbeat bound."""
SPARE_S = 1.0
"""What a spare guard needs to do its imports."""
LATE_S = 30.0
"""Beyond its bound a slow row is waited for this long, so that the table says how late it was."""
SLACK_S = 0.3
"""After a guard's death its cells hear of it within this; what they send later is "new"."""


@attrs.define
class Sample:
    """One kill. `zero_s`: from the signal until none of our orders rested; `back_s`: until trading could go on."""

    row: str
    zero_s: float | None
    back_s: float | None = None
    exit_code: int | None = None
    broken: str = ""


@attrs.frozen
class Row:
    """`who` gets `number`; the run is expected to end with `exit_code`, or to go on when it is None."""

    name: str
    who: tuple[str, ...]
    number: int
    bound_s: float | None
    ends: bool
    exit_code: int | None = None
    means: str = ""
    """What happens, for the table."""
    carry_out: Callable[[Row, Exchange, Maker], Sample] | None = None
    is_slow: bool = False
    """Minutes: once in a full sitting."""


def strike(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """Signal, wait for the end (or for the return to quoting), read the ledger."""
    at_ns = maker.strike(row.number, *row.who)
    if row.ends:
        return _ended(row, exchange, maker, at_ns)
    return _survived(row, exchange, maker, at_ns)


def _ended(row: Row, exchange: Exchange, maker: Maker, at_ns: int) -> Sample:
    until(maker.all_gone, f"{row.name}: everybody is gone\n{maker.output[-2000:]}")
    time.sleep(SLACK_S)
    reader = exchange.caught_up()
    zero_s = reader.last_rest_s(at_ns)
    code = maker.wait()
    sample = Sample(row.name, zero_s, exit_code=code)
    if row.exit_code is not None and code != row.exit_code:
        sample.broken = f"exit code {code}"
    elif row.exit_code == 0 and "confirmed: zero orders rest" not in maker.output:
        sample.broken = "no confirmation in the last line"
    return sample


def _survived(row: Row, exchange: Exchange, maker: Maker, at_ns: int) -> Sample:
    """First zero, then quoting again: by reconciling first, never by luck."""
    reader = exchange.reader
    zero_s = until(lambda: _zero(reader.read(), at_ns), f"{row.name}: no order rests\n{maker.output[-2000:]}")
    until(lambda: reader.read().resting >= SETTLED_ORDERS, f"{row.name}: quoting again\n{maker.output[-2000:]}")
    first_s = next(((at - at_ns) / 1e9 for at, _ in reader.sent if at > at_ns + zero_s[0] * 1e9), None)
    sample = Sample(row.name, zero_s[0], back_s=first_s)
    sample.broken = _unreconciled(exchange, at_ns)
    maker.find()
    return sample


def _zero(reader: Any, at_ns: int) -> tuple[float] | None:
    found = reader.zero_s(at_ns)
    return None if found is None else (found,)


def _unreconciled(exchange: Exchange, at_ns: int) -> str:
    """A new socket must ask for open orders and positions before it sends its first order."""
    venue = exchange.venue
    asked: dict[int, set[str]] = {}
    opened = {row["session"] for row in exchange.reader.of("open", at_ns)}
    for row in exchange.reader.of("request", at_ns):
        if row["session"] in opened:
            seen = asked.setdefault(row["session"], set())
            seen.add(row["method"])
            if row["method"] in venue.ordering and not venue.reconciling <= seen:
                return "an order was sent before open orders and positions had been asked for"
    return ""


def strike_guard(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """Orders may rest; between its death and its successor's first answer from the venue nothing new is sent."""
    until(lambda: "spare" in children_of(maker.process.pid), f"{row.name}: a spare is awake")
    old = maker.find()["guard"]
    time.sleep(random.uniform(SPARE_S, SPARE_S + 1))
    at_ns = maker.strike(row.number, "guard")
    until(lambda: _new_guard(maker, old), f"{row.name}: a new guard is born")
    reader = exchange.reader
    back = until(lambda: _guard_asked(reader.read(), at_ns), f"{row.name}: the new guard has asked the venue")
    until(lambda: any(at > back for at, _ in reader.read().sent), f"{row.name}: trading goes on\n{maker.output[-2000:]}")
    frozen_ns = int(HEARTBEAT_BOUND_S * 1e9) if row.number == signal.SIGSTOP else 0
    sample = Sample(row.name, None, back_s=(back - at_ns) / 1e9)
    late = reader.sent_between(at_ns + frozen_ns + int(SLACK_S * 1e9), back)
    if late and not frozen_ns:
        sample.broken = f"{late} orders were sent while there was no guard"
    elif (back - at_ns - frozen_ns) / 1e9 > GUARD_BACK_S:
        sample.broken = f"the guard was back after {(back - at_ns) / 1e9:.1f} s only"
    maker.find()
    return sample


def _new_guard(maker: Maker, old: int) -> bool:
    born = children_of(maker.process.pid).get("guard")
    return born is not None and born != old


def _guard_asked(reader: Any, at_ns: int) -> int | None:
    """Wall time of the new guard's first question: no cell has leave to send before it is answered."""
    return next((row["w"] for row in reader.of("request", at_ns) if row["session"] == 0), None)


def ignored(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """Nothing happens: everybody lives, and orders go on resting."""
    at_ns = maker.strike(row.number, *row.who)
    time.sleep(SLACK_S * 2)
    reader = exchange.caught_up()
    sample = Sample(row.name, None)
    if not all(alive(pid) for pid in maker.pids.values()):
        sample.broken = "somebody died of it"
    elif reader.zero_s(at_ns) is not None:
        sample.broken = "orders were pulled"
    return sample


def twice(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """A second Ctrl-C, at any moment of the stop, is only data."""
    at_ns = maker.strike(row.number, *row.who)
    time.sleep(random.uniform(0.0, 1.2))
    if alive(maker.process.pid):
        maker.strike(row.number, *row.who)
    return _ended(row, exchange, maker, at_ns)


def whole_group(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """As the terminal does it: supervisor and cells at once."""
    at_ns = wall_ns()
    os.killpg(maker.process.pid, row.number)
    return _ended(row, exchange, maker, at_ns)


def frozen_supervisor(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """The guard acts; awakened, the supervisor sees it and stops."""
    at_ns = maker.strike(signal.SIGSTOP, *row.who)
    guard = maker.pids["guard"]
    until(lambda: not alive(guard), f"{row.name}: the guard has proven and left")
    os.kill(maker.process.pid, signal.SIGCONT)
    return _ended(row, exchange, maker, at_ns)


def cut_connections(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """The exchange drops every socket without a goodbye; they are old enough for the first pause to be the short one."""
    opened_ns = exchange.reader.read().of("open")[-1]["w"]
    until(lambda: wall_ns() - opened_ns > SETTLED_LINK_NS, "the links have settled", every_s=0.2)
    at_ns = wall_ns()
    exchange.lever("kill", abrupt=True)
    return _survived(row, exchange, maker, at_ns)


def without_net(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """Everybody is dead and the venue does not notice: the signatures' end is the last net."""
    exchange.lever("late_cancel", seconds=1e6)
    at_ns = maker.strike(row.number, *row.who)
    zero_s = _until_zero(row, exchange, at_ns)
    exchange.lever("clear")
    return Sample(row.name, zero_s)


def cut_network(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    """Packets vanish, nobody hangs up; when they pass again the maker reconciles and goes on."""
    with cut(exchange.proxy):
        zero_s = _until_zero(row, exchange, wall_ns())
    healed_ns = wall_ns()
    until(lambda: exchange.reader.read().resting >= SETTLED_ORDERS, f"{row.name}: quoting again", 120)
    first = next(at for at, _ in exchange.reader.sent if at > healed_ns)
    return Sample(row.name, zero_s, back_s=(first - healed_ns) / 1e9, broken=_unreconciled(exchange, healed_ns))


def _until_zero(row: Row, exchange: Exchange, at_ns: int) -> float:
    """For a net that takes its time."""
    patience_s = (row.bound_s or 0.0) + LATE_S
    (zero_s,) = until(lambda: _zero(exchange.reader.read(), at_ns), f"{row.name}: no order rests", patience_s, 0.2)
    return float(zero_s)


INT, TERM, KILL, STOP = signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP
ROWS = (
    Row("supervisor SIGINT", ("supervisor",), INT, 1.0, True, 0, "clean stop, with proof"),
    Row("supervisor SIGTERM", ("supervisor",), TERM, 1.0, True, 0, "clean stop, with proof"),
    Row("supervisor SIGINT twice", ("supervisor",), INT, 1.0, True, 0, "the second changes nothing", twice),
    Row("whole group SIGINT", ("supervisor", "cell"), INT, 1.0, True, 0, "Ctrl-C in a terminal: clean stop", whole_group),
    Row("everything SIGTERM", ("supervisor", "cell", "guard"), TERM, 1.0, True, 0, "clean stop; the guard stays to the end"),
    Row("cell SIGTERM", ("cell",), TERM, 1.0, False, None, "it pulls its quotes, proves it, and is started again"),
    Row("cell SIGINT", ("cell",), INT, None, False, None, "ignored: the supervisor decides", ignored),
    Row("guard SIGTERM", ("guard",), TERM, None, False, None, "ignored", ignored),
    Row("guard SIGINT", ("guard",), INT, None, False, None, "ignored", ignored),
    Row("supervisor SIGKILL", ("supervisor",), KILL, 2.0, True, -9, "cells pull at end of file, the guard proves"),
    Row("cell SIGKILL", ("cell",), KILL, 2.0, False, None, "cancel-on-disconnect; a new cell reconciles and quotes"),
    Row("guard SIGKILL", ("guard",), KILL, None, False, None, "nothing new is sent until it is back", strike_guard),
    Row("supervisor + cell SIGKILL", ("supervisor", "cell"), KILL, 2.0, True, -9, "cancel-on-disconnect, the guard proves"),
    Row("supervisor + guard SIGKILL", ("supervisor", "guard"), KILL, 2.0, True, -9, "cells pull and prove at end of file"),
    Row("cell + guard SIGKILL", ("cell", "guard"), KILL, 2.0, False, None, "cancel-on-disconnect; both are started again"),
    Row(
        "everything SIGKILL", ("supervisor", "cell", "guard"), KILL, 2.0, True, -9, "cancel-on-disconnect alone is left",
    ),
    Row("cell SIGSTOP", ("cell",), STOP, HEARTBEAT_BOUND_S + 2, False, None, "silent: killed, and started again"),
    Row(
        "supervisor SIGSTOP", ("supervisor",), STOP, HEARTBEAT_BOUND_S + 2, True, 0,
        "the guard kills the cells and proves; awakened, the supervisor stops", frozen_supervisor,
    ),
    Row(
        "supervisor + cell SIGSTOP", ("supervisor", "cell"), STOP, HEARTBEAT_BOUND_S + 2, True, 0,
        "the same", frozen_supervisor,
    ),
    Row("guard SIGSTOP", ("guard",), STOP, None, False, None, "silent: killed, and started again", strike_guard),
    Row("connections cut", (), 0, 2.0, False, None, "cancel-on-disconnect; reconnected, reconciled", cut_connections),
)
def slow_rows(venue: KillVenue) -> tuple[Row, ...]:
    """The nets that take minutes; only on Derive does an order end by itself."""
    cut_off = Row("network cut, no close", (), 0, venue.cut_bound_s, False, None, venue.cut_means, cut_network, True)
    return (NO_NET, cut_off) if venue is DERIVE else (cut_off,)


# The cell dies first: told by the supervisor's death it would pull its quotes, on a busy machine before its own.
NO_NET = Row(
    "everything SIGKILL, no cancel-on-disconnect", ("cell", "guard", "supervisor"), KILL, DERIVE_LIFE_S + 2, True, None,
    "the signatures end", without_net, True,
)  # fmt: skip
BY_NAME = {row.name: row for row in ROWS}
