"""Our promises, one small class each; every one sees every row of the ledger.

Owns what counts as broken and the sentence that says so. Pure. A check never trusts what the makers believed: it looks
at the replay of the exchange's record, and at the terms that the run was held under. Invariant: a check without a
finding has seen the whole ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs

from actors.rehearsal.excuses import Excuses
from actors.rehearsal.floor_replay import ZERO, FloorReplay
from actors.rehearsal.terms import Claim, Proven, Silence, Terms, belongs
from actors.rehearsal.tongues import MOST_AHEAD_MS, Asked, Row

MS = 1_000_000
"""Orders tell the time of their sending in whole milliseconds."""
SLACK_NS = 50_000_000
"""Venue time is kept to the millisecond and the exchange moves in steps: two clocks may differ by so much."""
BUNCHING = frozenset({"delay", "duplicate", "reorder", "stall", "clock_jump"})
EXCUSE_NS = 15_000_000_000
"""How long a fault that bunches or doubles requests may excuse a request over the rate limit."""


@attrs.frozen
class Violation:
    """`n` and `t`: the ledger row and the venue's time (ns) at which it shows."""

    invariant: str
    n: int
    t: int
    text: str


class Check:
    """One promise."""

    name = ""

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        self.replay = replay
        self.terms = terms
        self._report = report
        self._row: Row = {"n": 0, "t": 0}

    def ahead(self, row: Row) -> None:
        """Before the replay takes this row: the floor as it stood until now."""

    def see(self, row: Row) -> None:
        """The replay has taken this row."""
        self._row = row
        step = getattr(self, f"on_{row['kind']}", None)
        if step is not None:
            step(row)

    def close(self) -> None:
        """The ledger is at its end."""

    def broken(self, text: str, row: Row | None = None) -> None:
        at = row or self._row
        self._report(Violation(self.name, at["n"], at["t"], text))

    def is_ours(self, row: Row) -> bool:
        """An order or a fill of ours."""
        return bool(row["account"] == self.terms.account and self.replay.tag(row).startswith(self.terms.ours))

    def asked(self, row: Row) -> list[Asked]:
        """Orders of ours that a request asks for."""
        return [asked for asked in self.replay.asked(row) if asked.tag.startswith(self.terms.ours)]


class NothingLeft(Check):
    """No order of ours rests after the end."""

    name = "nothing left behind"

    def close(self) -> None:
        for order in self.replay.resting.values():
            if order.label.startswith(self.terms.ours):
                self.broken(f"{order.side} {order.remaining} {order.instrument} at {order.price} ({order.label}) rests")


class WithinLimits(Check):
    """No order raises worst-case position or exposure above its limit."""

    name = "within limits"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._excuses = Excuses(replay, terms)
        self._worst: dict[str, Decimal] = {}

    def see(self, row: Row) -> None:
        self._excuses.see(row)
        super().see(row)

    def on_order(self, row: Row) -> None:
        if not self.is_ours(row) or not self.replay.tag(row).startswith(self.terms.cell):
            return
        name = row["instrument"]
        worst = self.replay.worst(name, self.terms.cell)
        before = self._worst.get(name, ZERO)
        if row["status"] == "open" and not self._excuses.hold(row["t"]):
            self._weigh(row, name, worst, before)
        self._worst[name] = worst

    def on_fill(self, row: Row) -> None:
        if row["account"] == self.terms.account:
            self._worst[row["instrument"]] = self.replay.worst(row["instrument"], self.terms.cell)

    def _weigh(self, row: Row, name: str, worst: Decimal, before: Decimal) -> None:
        if worst > before and worst > self.terms.max_position:
            self.broken(f"{name}: worst case {worst} after {row['side']} {row['amount']}, limit {self.terms.max_position}")
        total = self.replay.exposure(self.terms.cell)
        if worst > before and total > self.terms.max_exposure:
            self.broken(f"exposure {total} after {row['side']} {row['amount']} {name}, limit {self.terms.max_exposure}")


class NoCrossing(Check):
    """Post-only, never against ourselves: no taker fill, no self-trade, no refusal for crossing our own order."""

    name = "no crossing"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._makers: dict[str, int] = {}

    def on_fill(self, row: Row) -> None:
        if row["role"] == "maker":
            self._makers[row["trade_id"]] = row["account"]
        elif row["account"] == self._makers.pop(row["trade_id"], None):
            self.broken(f"self-trade of {row['amount']} {row['instrument']} at {row['price']}")
        if row["role"] == "taker" and self.is_ours(row):
            self.broken(f"we took {row['amount']} {row['instrument']} at {row['price']}")

    def on_answer(self, row: Row) -> None:
        if self.replay.tongue.self_crossing in codes_of(row):
            self.broken("an order would have crossed one of the account's own")


class OnGrid(Check):
    """Every price on its tick, every amount on its step, every order post-only."""

    name = "on tick and step"

    def on_request(self, row: Row) -> None:
        for asked in self.asked(row):
            grid = self.replay.grids.get(asked.instrument)
            if grid is None:
                self.broken(f"{asked.instrument} was never listed to us")
                continue
            if asked.price is not None and not grid.has_price(asked.price):
                self.broken(f"{asked.instrument}: price {asked.price} is off its tick {grid.ticks}")
            if asked.amount is not None and not grid.has_amount(asked.amount):
                self.broken(f"{asked.instrument}: amount {asked.amount} is off its step {grid.step}")
            if not asked.is_plain:
                self.broken(f"{asked.instrument}: not sent as post-only: {row['params']}")


class Deadline(Check):
    """Every order carries a deadline at most a second ahead of its sending, by the venue's clock."""

    name = "a deadline on every order"

    def on_request(self, row: Row) -> None:
        for asked in self.asked(row):
            ahead_ms = asked.deadline_ms - row["t"] // MS
            if ahead_ms > MOST_AHEAD_MS:
                self.broken(f"{asked.instrument}: may still take effect in {ahead_ms} ms")


class FiguresAgree(Check):
    """What a cell claims at its end is the exchange's, to the last digit, every fill counted once."""

    name = "figures agree"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._claims = sorted(terms.claims, key=lambda claim: claim.at_ns)
        self._fills: list[Row] = []
        self._read_from: dict[str, int] = {}
        """Peer -> row of its first reading of the fills: earlier ones are in the positions it reads then."""

    def ahead(self, row: Row) -> None:
        while self._claims and (self._claims[0].at_ns < row["t"] or self._has_left(self._claims[0], row)):
            self._compare(self._claims.pop(0))

    def _has_left(self, claim: Claim, row: Row) -> bool:
        """In the very nanosecond of its claim, but after it hung up where fills are told: of that it knows nothing."""
        told = [door for door in self.replay.doors.values() if door.peer in claim.sessions and door.wallet]
        return claim.at_ns == row["t"] and all(door.closed_ns for door in told)

    def close(self) -> None:
        for claim in self._claims:
            self._compare(claim)

    def on_request(self, row: Row) -> None:
        door = self.replay.doors.get(row["session"])
        if door is not None and row["method"] == self.replay.tongue.reads_fills:
            self._read_from.setdefault(door.peer, row["n"])

    def on_fill(self, row: Row) -> None:
        if row["account"] == self.terms.account:
            self._fills.append(row)

    def _compare(self, claim: Claim) -> None:
        held = {name: amount for name, amount in self.replay.positions.items() if amount}
        told = {name: amount for name, amount in claim.positions.items() if amount}
        if held != told:
            wrong = {name: (told.get(name, ZERO), held.get(name, ZERO)) for name in {**held, **told}}
            words = [f"{name}: {ours}, really {real}" for name, (ours, real) in wrong.items() if ours != real]
            self.broken(f"{claim.label}: positions differ ({'; '.join(words)})")
        starts = [n for peer, n in self._read_from.items() if peer in claim.sessions]
        if starts:
            self._compare_fills(claim, min(starts))

    def _compare_fills(self, claim: Claim, start: int) -> None:
        counted = [row for row in self._fills if row["n"] > start and self.replay.tag(row).startswith(self.terms.cell)]
        fees = sum((Decimal(row["fee"]) for row in counted), ZERO)
        if len(counted) != claim.fills:
            self.broken(f"{claim.label}: counted {claim.fills} fills, there were {len(counted)}")
        if fees != claim.fees:
            self.broken(f"{claim.label}: counted {claim.fees} of fees, they were {fees}")


class FreshOnly(Check):
    """No order on stale data: book and index were heard within their bounds when it was sent."""

    name = "no order on stale data"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._heard: dict[str, list[int]] = {}
        """Subject -> when it was delivered; an order on its way is held against what was there when it left."""

    def on_notice(self, row: Row) -> None:
        for subject in self.replay.tongue.subjects(row["channel"]):
            if self.replay.heard(subject) == row["t"]:
                self._heard.setdefault(subject, []).append(row["t"])

    def on_fault(self, row: Row) -> None:
        """The frame just written was struck: it was not delivered after all."""
        times = self._heard.get(self.replay.lost_subject)
        if times and times[-1] == row["t"]:
            times.pop()

    def on_request(self, row: Row) -> None:
        for asked in self.asked(row):
            name, sent = asked.instrument, self.terms.sent(asked, row["t"]).at_ns
            self._hold(f"book {name}", sent, self.terms.max_book_age_s, f"{name}: book")
            self._hold(f"index {self.terms.underlying}", sent, self.terms.max_index_age_s, f"{name}: index")

    def _hold(self, subject: str, sent_ns: int, bound_s: float, what: str) -> None:
        last = next((at for at in reversed(self._heard.get(subject, ())) if at <= sent_ns + MS), None)
        if last is None:
            self.broken(f"{what} was never heard when the order was sent")
        elif sent_ns - last > bound_s * 1e9 + SLACK_NS:
            self.broken(f"{what} was {(sent_ns - last) / 1e9:.2f} s old when the order was sent, bound {bound_s:g} s")


class PulledWhenSilent(Check):
    """Quotes are pulled while the feed is silent: past its bound, and the time that the pull takes, nothing rests."""

    name = "pulled when silent"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._named: set[str] = set()

    def ahead(self, row: Row) -> None:
        self._row = row
        for silence in self.terms.silences:
            if silence.from_ns < row["t"] < silence.to_ns:
                self._look(silence)

    def _look(self, silence: Silence) -> None:
        for order in self.replay.resting.values():
            is_left = order.instrument in silence.names and order.label.startswith(self.terms.ours)
            if is_left and order.order_id not in self._named:
                self._named.add(order.order_id)
                self.broken(f"{order.side} {order.remaining} {order.instrument} at {order.price} rests in the silence")


class NothingWhileHalted(Check):
    """No order is sent while it is known that none may be: no guard, an MMP freeze that was heard."""

    name = "nothing while halted"

    def on_request(self, row: Row) -> None:
        for asked in self.asked(row):
            sent = self.terms.sent(asked, row["t"])
            for halt in self.terms.halts:
                if halt.from_ns < sent.at_ns < halt.to_ns - sent.slack_ns and asked.tag.startswith(halt.label):
                    self.broken(f"{asked.instrument}: sent {(sent.at_ns - halt.from_ns) / 1e9:.3f} s into: {halt.why}")


class WithinBudget(Check):
    """No request over the venue's rate limit, unless a fault bunched or doubled what we had spread."""

    name = "rate budget respected"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._excuse_ns = -EXCUSE_NS
        self._injected = 0

    def on_fault(self, row: Row) -> None:
        if row["fault"] == "rate_limit":
            self._injected += 1
        elif row["fault"] in BUNCHING:
            self._excuse_ns = row["t"]

    def on_answer(self, row: Row) -> None:
        if self.replay.tongue.rate_limited not in codes_of(row):
            return
        if self._injected:
            self._injected -= 1
        elif row["t"] - self._excuse_ns > EXCUSE_NS:
            self.broken(f"{row['method']} drew a rate limit")


class ForeignUntouched(Check):
    """The operator's orders end by his hand, a fill, their time, MMP or the wallet's cancel-on-disconnect; not by us."""

    name = "foreign orders untouched"
    BY_SOMEBODY = "user_request"

    def on_order(self, row: Row) -> None:
        if row["account"] != self.terms.account or self.is_ours(row):
            return
        if row["status"] == "cancelled" and row["reason"] == self.BY_SOMEBODY and row["t"] not in self.terms.by_hand_ns:
            self.broken(f"{row['label'] or 'an order without label'} on {row['instrument']} was cancelled for its owner")


class StandsStill(Check):
    """In a market that does not move nobody improves on himself."""

    name = "no self-improvement"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._last: dict[tuple[str, str], tuple[Decimal, Decimal | None]] = {}
        self._aged: dict[tuple[str, str], None] = {}

    def on_order(self, row: Row) -> None:
        if not self.terms.is_frozen or row["account"] != self.terms.account:
            return
        if not self.is_ours(row):  # the operator's hand changes what we must keep clear of
            self._last = {key: last for key, last in self._last.items() if key[0] != row["instrument"]}
            return
        if row["status"] != "open":
            return
        key, price = (row["instrument"], row["side"]), Decimal(row["price"])
        best = self.replay.others.get(row["instrument"], (None, None))[row["side"] == "ask"]
        before = self._last.get(key)
        self._last[key] = price, best
        if before is None or before[1] is None or best is None:
            return
        sign = 1 if row["side"] == "bid" else -1
        if (price - before[0]) * sign > 0 and (best - before[1]) * sign <= 0:
            if self.terms.ages and key not in self._aged:
                self._aged[key] = None
                return
            moves = f"from {before[0]} to {price}, others' best from {before[1]} to {best}"
            self.broken(f"{row['instrument']}: {row['side']} {moves}")


class ProvenMeansNone(Check):
    """After "nothing of ours rests" nothing under those labels rests or comes to rest."""

    name = "a proof holds"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._proofs = sorted(terms.proofs, key=lambda proof: proof.at_ns)
        self._over: dict[str, str] = {}

    def ahead(self, row: Row) -> None:
        while self._proofs and self._proofs[0].at_ns < row["t"]:
            self._begin(self._proofs.pop(0))

    def _begin(self, proof: Proven) -> None:
        self._over.update(dict.fromkeys(proof.labels, proof.who))
        for order in self.replay.resting.values():
            if any(belongs(order.label, label) for label in proof.labels):
                self.broken(f"{proof.who} said none rests, and {order.instrument} at {order.price} ({order.label}) did")

    def on_order(self, row: Row) -> None:
        if row["account"] != self.terms.account or row["status"] != "open" or row["filled"].strip("0."):
            return
        tag = self.replay.tag(row)
        for label, who in self._over.items():
            if belongs(tag, label):
                self.broken(f"{who} said none rests, and {row['instrument']} ({tag}) came to")


def codes_of(row: Row) -> list[int]:
    """The errors an answer carries, also of a replace whose new half failed, and of each side of a mass quote."""
    body = row["body"]
    result = body.get("result")
    errors = [body.get("error")]
    if isinstance(result, dict):
        errors += [result.get("create_order_error"), *(each.get("error") for each in result.get("errors") or ())]
    return [int(error["code"]) for error in errors if error]


EVERY: tuple[type[Check], ...] = (
    NothingLeft,
    WithinLimits,
    NoCrossing,
    OnGrid,
    Deadline,
    FiguresAgree,
    FreshOnly,
    PulledWhenSilent,
    NothingWhileHalted,
    WithinBudget,
    ForeignUntouched,
    StandsStill,
    ProvenMeansNone,
)
