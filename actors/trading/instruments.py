"""What is traded: one option with its tick ladder, step, limits and fees, in exact integers.

Owns the crossing between money and integers: a price is a whole number of the instrument's *smallest* tick, an amount
a whole number of its step. Never awaits, never holds state. Invariant: a price that left `round_away`, `step_up` or
`step_down` lies on the ladder.
"""

from __future__ import annotations

import math
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import NamedTuple

import attrs


class Side(IntEnum):
    """A side of the book; the value is the sign of the position a fill on it brings."""

    BID = 1
    ASK = -1

    @property
    def other(self) -> Side:
        return Side.ASK if self is Side.BID else Side.BID


BID, ASK = Side.BID, Side.ASK
"""For what every tick comes by: an enum's member costs a look through its class each time."""


class OptionKind(StrEnum):
    CALL = "C"
    PUT = "P"


class Numeraire(StrEnum):
    """What the premium is counted in: quote currency per unit, or the coin itself (Deribit's inverse options)."""

    QUOTE = "quote"
    COIN = "coin"


class LadderStep(NamedTuple):
    """Above `above` (in smallest ticks) prices are multiples of `step` smallest ticks. Equality belongs below."""

    above: int
    step: int


@attrs.frozen
class FeeSchedule:
    """Rates: fractions of index x amount; `base`: quote currency an order (takers); `cap`: fraction of the premium, or 0."""

    maker_rate: float = 0.0
    taker_rate: float = 0.0
    base: float = 0.0
    cap: float = 0.0


@attrs.frozen
class Instrument:
    """One listed option (or the perpetual that hedges it: `kind` None, `strike` 0, `expiry_s` 0)."""

    name: str
    venue: str
    underlying: str
    tick: Decimal
    amount_step: Decimal
    min_amount: int
    """Smallest resting or opening order, in steps."""
    max_amount: int
    kind: OptionKind | None = None
    strike: float = 0.0
    expiry_s: int = 0
    """Expiry, UTC seconds."""
    index_name: str = ""
    activation_s: int = 0
    deactivation_s: int = 1 << 62
    """Trading is possible from activation to deactivation, UTC seconds."""
    ladder: tuple[LadderStep, ...] = ()
    numeraire: Numeraire = Numeraire.QUOTE
    contract_size: float = 1.0
    """Units of the underlying for an amount of 1."""
    fees: FeeSchedule = FeeSchedule()
    asset_address: str = ""
    """Derive: the address in the signed words; empty elsewhere."""
    sub_id: int = 0
    tick_float: float = attrs.field(init=False, repr=False, eq=False)
    step_float: float = attrs.field(init=False, repr=False, eq=False)
    _price_unit: int = attrs.field(init=False, repr=False, eq=False)
    _price_decimals: int = attrs.field(init=False, repr=False, eq=False)
    _price_scale: int = attrs.field(init=False, repr=False, eq=False)
    _price_e18: int = attrs.field(init=False, repr=False, eq=False)
    _amount_unit: int = attrs.field(init=False, repr=False, eq=False)
    _amount_decimals: int = attrs.field(init=False, repr=False, eq=False)
    _amount_scale: int = attrs.field(init=False, repr=False, eq=False)
    _amount_e18: int = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        fix = object.__setattr__
        fix(self, "tick_float", float(self.tick))
        fix(self, "step_float", float(self.amount_step))
        for name, value in (("price", self.tick), ("amount", self.amount_step)):
            if not value.is_finite() or value <= 0:
                raise ValueError(f"{self.name}: {name} step {value} is not a positive number")
            exponent = value.as_tuple().exponent
            assert isinstance(exponent, int)  # finite, checked above
            decimals = max(0, -exponent)
            fix(self, f"_{name}_unit", int(value.scaleb(decimals)))
            fix(self, f"_{name}_decimals", decimals)
            fix(self, f"_{name}_scale", 10**decimals)
            fix(self, f"_{name}_e18", int(value.scaleb(18)))

    @property
    def units(self) -> tuple[object, ...]:
        """What an order's numbers mean. Whoever holds prices and amounts as integers holds them in these."""
        grid = self.tick, self.ladder, self.amount_step, self.min_amount, self.contract_size, self.numeraire
        return *grid, self.kind, self.strike, self.expiry_s, self.asset_address, self.sub_id

    # -- prices

    def tick_at(self, price: int) -> int:
        """The ladder's step, in smallest ticks, at a price in smallest ticks."""
        step = 1
        for above, size in self.ladder:
            if price > above:
                step = size
        return step

    def round_away(self, price: float, side: Side) -> int:
        """THE crossing from model to money: a float price to ladder ticks, a bid down and an ask up.

        A value within 1e-6 of a tick of the ladder's price counts as that price, so that 0.3/0.1 is three ticks.
        """
        raw = price / self.tick_float
        nearest = round(raw)
        away = math.floor(raw) if side is BID else math.ceil(raw)
        return self.onto_ladder(nearest if abs(raw - nearest) < 1e-6 else away, side)

    def onto_ladder(self, price: int, side: Side) -> int:
        """The nearest ladder price at or away from the market: at or below for a bid, at or above for an ask."""
        step = self.tick_at(price) if self.ladder else 1
        if step == 1:
            return price
        down = price - price % step
        return down if side is BID or down == price else down + step

    def step_up(self, price: int, count: int = 1) -> int:
        """The price `count` ladder ticks higher."""
        if not self.ladder:
            return price + count
        for _ in range(count):
            price += self.tick_at(price + 1)
            price = self.onto_ladder(price, BID)
        return price

    def step_down(self, price: int, count: int = 1) -> int:
        """The price `count` ladder ticks lower; may reach zero or below, which is no price."""
        if not self.ladder:
            return price - count
        for _ in range(count):
            price = self.onto_ladder(price - self.tick_at(price), BID) if price > 0 else price - 1
        return price

    def on_ladder(self, price: int) -> bool:
        return price % self.tick_at(price) == 0

    def price_float(self, price: int) -> float:
        """Quote currency (or coin) per unit, for models."""
        return price * self._price_unit / self._price_scale

    def price_text(self, price: int) -> str:
        """A plain decimal string, no exponent: what goes on the wire and into the signature."""
        return decimal_text(price * self._price_unit, self._price_decimals)

    def price_e18(self, price: int) -> int:
        """The price x 1e18, as signed on Derive."""
        return price * self._price_e18

    def price_ticks(self, text: str | float | Decimal) -> int:
        """Wire to ticks; ValueError when the value is no whole number of smallest ticks."""
        return whole_units(text, self.tick, f"{self.name} price")

    # -- amounts

    def amount_text(self, amount: int) -> str:
        return decimal_text(amount * self._amount_unit, self._amount_decimals)

    def amount_float(self, amount: int) -> float:
        return amount * self._amount_unit / self._amount_scale

    def amount_e18(self, amount: int) -> int:
        return amount * self._amount_e18

    def amount_steps(self, text: str | float | Decimal) -> int:
        """Wire to steps; ValueError when the value is no whole number of steps."""
        return whole_units(text, self.amount_step, f"{self.name} amount")


def decimal_text(units: int, decimals: int) -> str:
    """`units` x 10^-decimals as a plain decimal string: (1005, 1) -> "100.5"."""
    if decimals == 0:
        return str(units)
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**decimals)
    return f"{sign}{whole}.{fraction:0{decimals}d}"


def whole_units(value: str | float | Decimal, unit: Decimal, what: str) -> int:
    """How many `unit`s make `value`, exactly; a float is read by its shortest text, as JSON printed it."""
    amount = value if isinstance(value, Decimal) else Decimal(str(value))
    count = amount / unit
    whole = count.to_integral_value()
    if whole != count:
        raise ValueError(f"{what} {value} is not a multiple of {unit}")
    return int(whole)
