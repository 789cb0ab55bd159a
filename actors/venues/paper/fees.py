"""What a fill costs, to the venue's last decimal, and the smallest fee cap that may be signed.

Owns the two venues' fee formulas (Derive 7.3 and 1.8, Deribit 7.1) over one instrument's rates. Pure Decimal; fees are
cut, never rounded. Invariant: a fee is never negative.
"""

from __future__ import annotations

from decimal import Decimal

from actors.trading.instruments import Numeraire
from actors.venues.paper.listings import Listing
from actors.venues.paper.rules import VenueRules
from actors.venues.paper.tickets import ZERO, Role
from actors.venues.paper.valuation import cut


def rate_fee(rules: VenueRules, listing: Listing, role: Role, price: int, amount: int) -> Decimal:
    """The part of the fee that grows with the amount, uncut."""
    valuer = listing.valuer
    rate = valuer.maker_rate if role is Role.MAKER else valuer.taker_rate
    if not valuer.is_option:
        return rate * valuer.value(price, amount) if rules.perp_fee_of_trade else rate * listing.index * amount * valuer.size
    size = amount * valuer.size
    coin = rules.option_fee_in_coin and valuer.instrument.numeraire is Numeraire.COIN
    fee = rate * size if coin else rate * listing.index * size
    if not valuer.fee_cap:
        return fee
    worth = price * valuer.instrument.tick if rules.fee_cap_of_trade_price else listing.mark
    return min(fee, valuer.fee_cap * worth * size)


def trade_fee(rules: VenueRules, listing: Listing, role: Role, price: int, amount: int, base: Decimal) -> Decimal:
    """The whole fee of one fill; `base` is what is still owed of the order's base fee (zero for makers)."""
    return cut(rate_fee(rules, listing, role, price, amount) + base, rules.fee_step)


def least_max_fee(listing: Listing, crossing: int, base: Decimal) -> Decimal:
    """The smallest `max_fee` that is accepted: twice the dearer rate of the index, and a crossing order's base fee a unit.

    `crossing`: steps that would fill at once.
    """
    valuer = listing.valuer
    least = 2 * max(valuer.maker_rate, valuer.taker_rate) * listing.index
    return least + base / (crossing * valuer.size) if crossing else least


def delivery_fee(rules: VenueRules, listing: Listing, amount: int, payoff: Decimal, index: Decimal) -> Decimal:
    """The fee on settling `amount` steps of an option (Deribit 7.1): a rate of the underlying, capped by its value."""
    if not rules.delivery_fee_rate or not payoff:
        return ZERO
    size = abs(amount) * listing.valuer.size
    coin = listing.instrument.numeraire is Numeraire.COIN
    fee = rules.delivery_fee_rate * (size if coin else size * index)
    return cut(min(fee, rules.delivery_fee_cap * payoff * size), rules.fee_step)
