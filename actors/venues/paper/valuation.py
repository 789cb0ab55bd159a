"""What a trade in an instrument is worth, exactly, and in which currency it settles.

Owns the crossing from ticks x steps to money: premium-style options (paid at once), linear perpetuals and inverse ones
(counted in coin, amount in quote currency), and an option's payoff. Pure Decimal. Invariant: `cost` of a bid and of an
ask of the same price and amount are opposite, so every trade's two sides cancel to the last decimal.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from actors.trading.instruments import Instrument, Numeraire, OptionKind, Side
from actors.venues.paper.tickets import ZERO

MONEY_STEP = Decimal("1e-12")


def cut(amount: Decimal, step: Decimal = MONEY_STEP) -> Decimal:
    """Cut (never rounded) to a whole number of `step`."""
    return amount.quantize(step, rounding=ROUND_DOWN)


def exact(value: float) -> Decimal:
    """A configuration float by its shortest text: 0.0003 is three ten-thousandths."""
    return Decimal(str(value))


class Valuer:
    """The arithmetic of one instrument. `inverse`: a perpetual settled in coin whose amount is quote currency."""

    __slots__ = (
        "currency",
        "fee_base",
        "fee_cap",
        "instrument",
        "inverse",
        "is_option",
        "maker_rate",
        "size",
        "strike",
        "taker_rate",
        "unit",
    )

    def __init__(self, instrument: Instrument, quote_currency: str) -> None:
        coin = instrument.numeraire is Numeraire.COIN
        self.instrument = instrument
        self.is_option = instrument.kind is not None
        self.inverse = coin and not self.is_option
        self.currency = instrument.underlying if coin else quote_currency
        self.size = exact(instrument.contract_size) * instrument.amount_step if not self.inverse else instrument.amount_step
        self.unit = instrument.tick * self.size
        self.strike = exact(instrument.strike)
        fees = instrument.fees
        self.maker_rate, self.taker_rate = exact(fees.maker_rate), exact(fees.taker_rate)
        self.fee_base, self.fee_cap = exact(fees.base), exact(fees.cap)

    def value(self, price: int, amount: int) -> Decimal:
        """Premium or notional of a trade, unsigned, in the settlement currency; inverse perpetuals cut to 12 decimals."""
        if self.inverse:
            return cut(amount * self.size / (price * self.instrument.tick))
        return self.unit * (price * amount)

    def cost(self, side: Side, price: int, amount: int) -> Decimal:
        """What the trade adds to a position's cost: positive for what must be earned back to be even."""
        value = self.value(price, amount)
        return -value if (side > 0) == self.inverse else value

    def mark_value(self, amount: int, mark: Decimal) -> Decimal:
        """A signed amount at a mark price, comparable with a position's cost."""
        if self.inverse:
            return -cut(amount * self.size / mark) if mark else ZERO
        return amount * self.size * mark

    def average(self, cost: Decimal, amount: int) -> Decimal:
        """The price at which `amount` would have had that cost; zero when flat."""
        if not amount or not cost:
            return ZERO
        size = amount * self.size
        return -size / cost if self.inverse else cost / size

    def payoff(self, settlement: Decimal) -> Decimal:
        """An option's value at expiry per unit, in the settlement currency (coin for inverse options)."""
        gain = settlement - self.strike if self.instrument.kind is OptionKind.CALL else self.strike - settlement
        if gain <= 0:
            return ZERO
        return cut(gain / settlement) if self.instrument.numeraire is Numeraire.COIN else gain
