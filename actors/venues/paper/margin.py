"""Standard margin: what an account's positions and orders require, and what is left over.

Owns the requirement; a model in floats that only ever refuses, it moves no money. Numbers are net as on Derive: positive
is healthy. Formulas: Derive's standard margin (7.5 of its reference): isolated short options, per-expiry relief for
spreads, perpetuals by notional; long options count zero. Resting orders reserve what they would hurt if filled, per
instrument the worse side. Requirements are cached per account and reckoned anew when touched or older than a second.
"""

from __future__ import annotations

from typing import NamedTuple

import attrs

from actors.trading.instruments import Numeraire, OptionKind, Side
from actors.venues.paper.accounts import Account, Position
from actors.venues.paper.floor import Floor
from actors.venues.paper.listings import Listing
from actors.venues.paper.rules import MarginRates
from actors.venues.paper.tickets import ZERO, Order, Reason, Refusal

DUST = 1e-9


@attrs.frozen
class Margins:
    """All in the settlement currency; `initial` and `maintenance` are left over, not required."""

    cash: float
    positions_value: float
    positions_initial: float
    """Zero or negative, but for unrealised gains of perpetuals."""
    positions_maintenance: float
    open_orders: float
    """Zero or negative: the orders that would hurt, were they filled."""

    @property
    def initial(self) -> float:
        return self.cash + self.positions_initial

    @property
    def maintenance(self) -> float:
        return self.cash + self.positions_maintenance

    @property
    def available(self) -> float:
        """What new risk may use: initial less the open orders."""
        return self.initial + self.open_orders


class Requirement(NamedTuple):
    """Net of one group of positions: usually negative."""

    initial: float
    maintenance: float


class NewOrder(NamedTuple):
    side: Side
    price: int
    """Ticks; zero: a market order, reckoned at the mark."""
    amount: int


Group = tuple[str, int]
"""(underlying, expiry) of options, (instrument, 0) of a perpetual."""


@attrs.define(eq=False)
class Card:
    """One account's requirements in one currency, as of `at_ns`."""

    at_ns: int
    groups: dict[Group, Requirement] = attrs.Factory(dict)
    orders: dict[str, float] = attrs.Factory(dict)
    """What each instrument's orders reserve; zero or positive."""

    def initial(self) -> float:
        return sum(r.initial for r in self.groups.values())

    def reserved(self) -> float:
        return sum(self.orders.values())


class MarginDesk:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._rates = floor.rules.margin
        self._cards: dict[tuple[int, str], Card] = {}

    def refuse_beyond(
        self, account: Account, listing: Listing, order: NewOrder, now_ns: int, instead_of: Order | None = None
    ) -> None:
        """Refusal NOT_ENOUGH_MARGIN when the order (in place of another) needs more than is left; reducing may always."""
        currency = listing.valuer.currency
        card = self._card(account, currency, now_ns)
        before = card.orders.get(listing.name, 0.0)
        after = order_reserve(account, listing, self._rates, order, instead_of)
        if after <= before + DUST:
            return
        left = float(account.cash.get(currency, ZERO)) + card.initial() - card.reserved() + before - after
        if left < 0:
            raise Refusal(Reason.NOT_ENOUGH_MARGIN, f"{-left:.4f} {currency} short")

    def margins(self, account: Account, currency: str, now_ns: int) -> Margins:
        card = self._card(account, currency, now_ns)
        positions = self._positions(account, currency)
        return Margins(
            cash=float(account.cash.get(currency, ZERO)),
            positions_value=sum(position_value(p, self._floor.listings[name]) for name, p in positions.items()),
            positions_initial=card.initial(),
            positions_maintenance=sum(r.maintenance for r in card.groups.values()),
            open_orders=-card.reserved(),
        )

    def alone(self, account: Account, listing: Listing) -> Requirement:
        """One position's requirement by itself, without relief from others."""
        position = account.positions.get(listing.name)
        return isolated(position, listing, self._rates) if position is not None else Requirement(0.0, 0.0)

    # -- the cached card

    def _card(self, account: Account, currency: str, now_ns: int) -> Card:
        key = (account.account_id, currency)
        card = self._cards.get(key)
        if card is None or now_ns - card.at_ns >= self._floor.rules.margin_refresh_ns:
            card = self._cards[key] = Card(now_ns)
            touched, moved = list(account.by_instrument), list(account.positions)
        else:
            touched, moved = list(account.stale_orders), list(account.stale_positions)
        for name in [*touched, *moved]:
            listing = self._floor.listings[name]
            if listing.valuer.currency == currency:
                card.orders[name] = order_reserve(account, listing, self._rates)
                account.stale_orders.pop(name, None)
        self._regroup(account, card, currency, moved)
        return card

    def _regroup(self, account: Account, card: Card, currency: str, moved: list[str]) -> None:
        groups: dict[Group, None] = {}
        for name in moved:
            listing = self._floor.listings[name]
            if listing.valuer.currency == currency:
                groups[group_of(listing)] = None
                account.stale_positions.pop(name, None)
        for group in groups:
            members = [
                (position, listing)
                for name, position in account.positions.items()
                if group_of(listing := self._floor.listings[name]) == group and listing.valuer.currency == currency
            ]
            card.groups[group] = group_requirement(members, self._rates)

    def _positions(self, account: Account, currency: str) -> dict[str, Position]:
        return {name: p for name, p in account.positions.items() if p.valuer.currency == currency}


def group_of(listing: Listing) -> Group:
    instrument = listing.instrument
    return (instrument.underlying, instrument.expiry_s) if listing.valuer.is_option else (listing.name, 0)


def units(listing: Listing, amount: int) -> float:
    """Steps as units of the underlying (inverse perpetuals: as quote currency)."""
    return amount * float(listing.valuer.size)


def position_value(position: Position, listing: Listing) -> float:
    """An option at its mark, a perpetual's unrealised profit, in the settlement currency."""
    if listing.valuer.is_option:
        return units(listing, position.amount) * float(listing.mark)
    return float(position.unrealized(listing.mark)) if listing.mark else 0.0


def short_option(listing: Listing, rates: MarginRates) -> Requirement:
    """What one unit sold requires by itself (positive), in the settlement currency."""
    spot = float(listing.index)
    if spot <= 0:
        return Requirement(0.0, 0.0)
    instrument = listing.instrument
    coin = instrument.numeraire is Numeraire.COIN
    mark = float(listing.mark) * (spot if coin else 1.0)
    call = instrument.kind is OptionKind.CALL
    out_of_money = max(0.0, instrument.strike - spot if call else spot - instrument.strike)
    initial = max(rates.short_initial - out_of_money / spot, rates.short_initial_floor) * spot + mark
    maintenance = rates.short_maintenance * spot + mark
    if not call:
        maintenance = max(rates.put_maintenance_of_mark * mark, rates.short_maintenance * spot) + mark
        initial = max(initial, rates.put_initial_over_maintenance * maintenance)
    return Requirement(initial / spot, maintenance / spot) if coin else Requirement(initial, maintenance)


def isolated(position: Position, listing: Listing, rates: MarginRates) -> Requirement:
    """One position by itself, net: zero for a long option."""
    size = units(listing, position.amount)
    if listing.valuer.is_option:
        need = short_option(listing, rates)
        short = min(size, 0.0)
        return Requirement(short * need.initial, short * need.maintenance)
    index = float(listing.index)
    notional = abs(size) / index if listing.valuer.inverse and index else abs(size) * index
    gain = position_value(position, listing)
    return Requirement(gain - rates.perp_initial * notional, gain - rates.perp_maintenance * notional)


def group_requirement(members: list[tuple[Position, Listing]], rates: MarginRates) -> Requirement:
    """Per expiry the better of the isolated sum and the relief for spreads."""
    alone = [isolated(position, listing, rates) for position, listing in members]
    initial, maintenance = sum(r.initial for r in alone), sum(r.maintenance for r in alone)
    if not rates.spread_relief or not members or not members[0][1].valuer.is_option:
        return Requirement(initial, maintenance)
    worst, naked = _worst_payoff(members), _uncovered_calls(members)
    listing = members[0][1]
    forward = float((listing.reference.forward if listing.reference is not None else ZERO) or listing.index)
    return Requirement(
        max(initial, worst - rates.spread_initial * forward * naked),
        max(maintenance, worst - rates.spread_maintenance * forward * naked),
    )


def _worst_payoff(members: list[tuple[Position, Listing]]) -> float:
    """min(0, the group's lowest intrinsic value over all its strikes and a price of zero)."""
    legs = [(units(lst, p.amount), lst.instrument.strike, lst.instrument.kind is OptionKind.CALL) for p, lst in members]
    prices = [0.0, *(strike for _, strike, _ in legs)]
    payoffs = [sum(n * max(0.0, s - k if call else k - s) for n, k, call in legs) for s in prices]
    return min(0.0, *payoffs)


def _uncovered_calls(members: list[tuple[Position, Listing]]) -> float:
    net = sum(units(lst, p.amount) for p, lst in members if lst.instrument.kind is OptionKind.CALL)
    return max(0.0, -net)


def order_reserve(
    account: Account, listing: Listing, rates: MarginRates, new: NewOrder | None = None, instead_of: Order | None = None
) -> float:
    """What the account's orders in one instrument would hurt if the worse side filled; never negative."""
    bids, asks = _Resting(listing), _Resting(listing)
    for order in account.by_instrument.get(listing.name, {}).values():
        if order is not instead_of:
            (bids if order.side > 0 else asks).add(order.price, order.amount - order.filled)
    if new is not None:
        (bids if new.side > 0 else asks).add(new.price, new.amount)
    if not bids.size and not asks.size:
        return 0.0
    held = units(listing, account.amount(listing.name))
    if listing.valuer.is_option:
        need = short_option(listing, rates).initial
        hurt_bid = bids.cash - min(bids.size, max(-held, 0.0)) * need
        hurt_ask = max(0.0, asks.size - max(held, 0.0)) * need - asks.cash
        return max(0.0, hurt_bid, hurt_ask)
    return max(0.0, _perp_hurt(listing, rates, held, bids, 1), _perp_hurt(listing, rates, held, asks, -1))


class _Resting:
    """One side's summed size (units) and cash (settlement currency)."""

    __slots__ = ("_listing", "cash", "size")

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.size = 0.0
        self.cash = 0.0

    def add(self, price: int, amount: int) -> None:
        size = units(self._listing, amount)
        worth = price * self._listing.instrument.tick_float or float(self._listing.mark)
        self.size += size
        self.cash += (size / worth if worth else 0.0) if self._listing.valuer.inverse else size * worth


def _perp_hurt(listing: Listing, rates: MarginRates, held: float, side: _Resting, sign: int) -> float:
    """The added notional's margin plus what would be lost at once against the mark."""
    index, mark = float(listing.index), float(listing.mark)
    if not side.size or not index or not mark:
        return 0.0
    grown = abs(held + sign * side.size) - abs(held)
    if listing.valuer.inverse:
        return rates.perp_initial * grown / index + sign * (side.size / mark - side.cash)
    return rates.perp_initial * grown * index + sign * (side.cash - side.size * mark)
