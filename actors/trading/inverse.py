"""Coin premiums and their Greeks: Deribit's inverse options, whose premium, payoff and profit are counted in the coin.

Owns the change of numeraire from the forward's currency to the coin: coin premium c = V / F, on the *forward* (the venue's
displayed vols use it; its web page's dollar values use the index, which is not what a trade is worth). The payoff is
max(0, S - K) / S coins a call. Never rounds. Numeraires, stated: `price`, `net_delta` and everything derived from the
coin premium are in coins; money Greeks stay in `pricing.py`. Invariant: a call less a put is (1 - K/F) coins.
"""

from __future__ import annotations

import msgspec

from actors.trading.implied import implied_vol
from actors.trading.pricing import Greeks, black76, greeks


class CoinGreeks(msgspec.Struct, frozen=True, gc=False):
    """One inverse option on one coin, everything counted in coins; F is the forward in quote currency."""

    price: float
    """Coins."""
    net_delta: float
    """Coins to be short of the future so that the *coin* value stands still: money delta - coin premium."""
    net_gamma: float
    """d(net_delta) / dF."""
    slope: float
    """d(coin premium) / dF, which is net_delta / F."""
    vega: float
    """Coins per 1.00 of volatility."""
    theta: float
    """Coins per year that passes."""
    vanna: float
    """d(net_delta) / d(volatility), per 1.00."""
    volga: float
    """d(vega) / d(volatility), per 1.00."""


def coin_price(forward: float, strike: float, t_years: float, vol: float, is_call: bool) -> float:
    """Premium in coins per coin of underlying."""
    return black76(forward, strike, t_years, vol, is_call) / forward


def coin_greeks(forward: float, strike: float, t_years: float, vol: float, is_call: bool) -> CoinGreeks:
    """See `CoinGreeks` for units; undiscounted, as the venue marks."""
    return in_coins(greeks(forward, strike, t_years, vol, is_call), forward)


def in_coins(money: Greeks, forward: float) -> CoinGreeks:
    """Money Greeks turned into the coin's: the quotient rule on V / F."""
    price = money.price / forward
    net_delta = money.delta - price
    return CoinGreeks(
        price=price,
        net_delta=net_delta,
        net_gamma=money.gamma - net_delta / forward,
        slope=net_delta / forward,
        vega=money.vega / forward,
        theta=money.theta / forward,
        vanna=money.vanna - money.vega / forward,
        volga=money.volga / forward,
    )


def coin_implied_vol(price: float, forward: float, strike: float, t_years: float, is_call: bool) -> float | None:
    """Annual volatility of a coin premium; None where there is none (see `implied_vol`)."""
    return implied_vol(price * forward, forward, strike, t_years, is_call)
