"""Greek and scenario limits as a promise, recomputed from what the exchange published and what rested on its book.

Owns the judge's own Greeks: Black-76 at the venue's published forward and mark volatility, summed over the positions and
resting orders of the replay. Pure; takes nothing from the makers' books. What they could have known is what was published
around then: every option counts with the mildest of its tickers from `KNOWN_NS` before the order to `AHEAD_NS` after it
(an index move reaches the maker before the next ticker tells of it), and a limit is broken only beyond `TOLERANCE` (a
smile of ours may differ from the venue's mark by so much). Invariant: an order that is reported raised a worst case that
was over its limit by any mixture of those tickers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import attrs

from actors.console.settings import LimitSettings
from actors.rehearsal.excuses import Excuses
from actors.rehearsal.floor_replay import FloorReplay
from actors.rehearsal.invariants import Check, Violation
from actors.rehearsal.terms import Terms
from actors.rehearsal.tongues import Row
from actors.trading.instruments import OptionKind
from actors.trading.pricing import SECONDS_PER_YEAR, black76, greeks
from actors.venues.names import parse_name

KNOWN_NS = 15_000_000_000
AHEAD_NS = 1_500_000_000
TOLERANCE = 0.02
"""Part of the limit."""

Vector = tuple[float, ...]
Holding = tuple[float, float, float]
"""Position, and what resting orders of ours could still buy and sell; contracts."""


@attrs.frozen
class Top:
    """One limit: the entry of a metric vector that it holds for, and how far it may go each way."""

    name: str
    entry: int
    most: float
    both_ways: bool = True
    """False: only losses are limited."""


def tops_of(limits: LimitSettings) -> tuple[Top, ...]:
    """Those that are set; scenarios follow the four Greeks, spot shocks outer, vol shocks inner."""
    firsts = (limits.max_delta, limits.max_gamma, limits.max_vega, limits.max_theta)
    names = ("max_delta", "max_gamma", "max_vega", "max_theta")
    tops = [Top(name, i, most) for i, (name, most) in enumerate(zip(names, firsts, strict=True)) if most is not None]
    if limits.max_scenario_loss is not None:
        shocks = [(spot, vol) for spot in limits.scenario_spot for vol in limits.scenario_vol]
        for i, (spot, vol) in enumerate(shocks, len(names)):
            tops.append(Top(f"max_scenario_loss (spot {spot:+g}, vol {vol:+g})", i, limits.max_scenario_loss, False))
    return tuple(tops)


@attrs.define
class Option:
    """One option's tickers of the last moments: (ns, forward, vol, discount), and metrics worked out when asked for."""

    strike: float
    expiry_s: int
    is_call: bool
    told: deque[tuple[int, float, float, float]] = attrs.field(factory=deque)
    _metrics: dict[int, Vector] = attrs.field(factory=dict)

    def hear(self, at_ns: int, forward: float, vol: float, discount: float) -> None:
        self.told.append((at_ns, forward, vol, discount))
        while self.told[0][0] < at_ns - 2 * KNOWN_NS:
            self._metrics.pop(self.told.popleft()[0], None)

    def metrics(self, from_ns: int, to_ns: int, limits: LimitSettings) -> list[Vector]:
        """One contract's, by each ticker of that stretch; by the last before it when there is none in it."""
        told = [one for one in self.told if one[0] <= to_ns]
        return [self._at(one, limits) for one in [one for one in told if one[0] >= from_ns] or told[-1:]]

    def _at(self, told: tuple[int, float, float, float], limits: LimitSettings) -> Vector:
        if told[0] not in self._metrics:
            self._metrics[told[0]] = self._work_out(told, limits)
        return self._metrics[told[0]]

    def _work_out(self, told: tuple[int, float, float, float], limits: LimitSettings) -> Vector:
        at_ns, forward, vol, discount = told
        years = (self.expiry_s - at_ns / 1e9) / SECONDS_PER_YEAR
        now = greeks(forward, self.strike, years, vol, self.is_call, discount)
        firsts = (now.delta, now.gamma, now.vega / 100, now.theta / 365)
        if limits.max_scenario_loss is None:
            return firsts
        shocked = (
            black76(forward * (1 + spot), self.strike, years, vol * (1 + shock), self.is_call, discount) - now.price
            for spot in limits.scenario_spot
            for shock in limits.scenario_vol
        )
        return (*firsts, *shocked)


@attrs.frozen
class Weighing:
    """An order as it came to rest, and the floor as it stood then."""

    row: Row
    at_ns: int
    name: str
    bought: float
    sold: float
    """What the order itself may still buy or sell."""
    holdings: dict[str, Holding]


class WithinGreekLimits(Check):
    """No order raises the worst case of a Greek or of a scenario's loss above its limit."""

    name = "within Greek limits"

    def __init__(self, replay: FloorReplay, terms: Terms, report: Callable[[Violation], None]) -> None:
        super().__init__(replay, terms, report)
        self._limits = terms.greek_limits
        self._tops = () if terms.greek_limits is None else tops_of(terms.greek_limits)
        self._options: dict[str, Option] = {}
        self._left: dict[str, float] = {}
        """Order -> what was left of it when last told: only what is new or grown is weighed."""
        self._waiting: deque[Weighing] = deque()
        self._excuses = Excuses(replay, terms)

    def see(self, row: Row) -> None:
        if self._tops:
            while self._waiting and self._waiting[0].at_ns + AHEAD_NS < row["t"]:
                self._weigh(self._waiting.popleft())
            self._excuses.see(row)
            super().see(row)

    def close(self) -> None:
        for weighing in self._waiting:
            self._weigh(weighing)

    def on_notice(self, row: Row) -> None:
        if not row["channel"].startswith("ticker"):
            return
        name = row["channel"].split(".")[1]
        told = published(row["body"]["params"]["data"])
        if told is None:
            return
        if name not in self._options:
            parsed = parse_name(name)
            if parsed.kind is None:
                return
            self._options[name] = Option(float(parsed.strike), parsed.expiry_s, parsed.kind is OptionKind.CALL)
        self._options[name].hear(row["t"], *told)

    def on_order(self, row: Row) -> None:
        order = self.replay.resting.get(row["order_id"])
        if order is None or not self.is_ours(row) or not order.label.startswith(self.terms.cell):
            return
        left = float(order.remaining)
        is_more = left > self._left.get(order.order_id, 0.0)
        self._left[order.order_id] = left
        if is_more and not self._excuses.hold(row["t"]):
            own = (left, 0.0) if row["side"] == "bid" else (0.0, left)
            self._waiting.append(Weighing(row, row["t"], row["instrument"], *own, self._holdings()))

    def _holdings(self) -> dict[str, Holding]:
        held = {name: [float(amount), 0.0, 0.0] for name, amount in self.replay.positions.items() if amount}
        for order in self.replay.resting.values():
            if order.label.startswith(self.terms.cell):
                held.setdefault(order.instrument, [0.0, 0.0, 0.0])[1 if order.side == "bid" else 2] += float(order.remaining)
        return {name: (position, bids, asks) for name, (position, bids, asks) in held.items()}

    def _weigh(self, order: Weighing) -> None:
        limits, own = self._limits, self._options.get(order.name)
        if own is None or limits is None:
            self.broken(f"{order.name}: an order rested before any ticker told its Greeks", order.row)
            return
        span = order.at_ns - KNOWN_NS, order.at_ns + AHEAD_NS
        vectors = {name: self._options[name].metrics(*span, limits) for name in order.holdings if name in self._options}
        alone = {name: each for name, each in vectors.items() if self._options[name].expiry_s == own.expiry_s}
        for top in self._tops:
            for way in (1.0, -1.0) if top.both_ways else (-1.0,):
                if not self._hold(order, top, way, 1.0, vectors):
                    self._hold(order, top, way, limits.expiry_share, alone)

    def _hold(self, order: Weighing, top: Top, way: float, share: float, vectors: dict[str, list[Vector]]) -> bool:
        """One limit in one direction; True when it is broken."""
        held = order.holdings
        mildest = {name: mildest_worst(held[name], each, top.entry, way) for name, each in vectors.items()}
        total = sum(mildest.values())
        if total <= top.most * share * (1 + TOLERANCE):
            return False
        position, bids, asks = held[order.name]
        without = position, bids - order.bought, asks - order.sold
        if mildest_worst(without, vectors[order.name], top.entry, way) >= mildest[order.name] - 1e-12:
            return False
        asked = f"{order.row['side']} {order.row['amount']} {order.name}"
        self.broken(f"{top.name}: worst case {way * total:.6g} after {asked}, limit {top.most * share:g}", order.row)
        return True


def mildest_worst(holding: Holding, vectors: Iterable[Vector], entry: int, way: float) -> float:
    """The most that a metric could reach in one direction if the worst orders fill, by the ticker that is mildest."""
    position, bids, asks = holding
    units = [way * vector[entry] for vector in vectors]
    return min((max(unit * (position + bids), unit * (position - asks)) for unit in units), default=0.0)


def published(data: Row) -> tuple[float, float, float] | None:
    """Forward, volatility and discount of a ticker in either venue's keys; None for what is no option."""
    ticker = data.get("instrument_ticker", data)
    pricing = ticker.get("option_pricing")
    if pricing:
        return float(pricing["f"]), float(pricing["i"]), float(pricing.get("df") or 1.0)
    if ticker.get("mark_iv"):
        return float(ticker["underlying_price"]), float(ticker["mark_iv"]) / 100, 1.0
    return None
