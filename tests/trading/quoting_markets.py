"""Instruments and markets that the tests of quoting share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from actors.console.settings import QuotingSettings
from actors.trading.books import Book, Level, Market
from actors.trading.instruments import FeeSchedule, Instrument, LadderStep, Numeraire, OptionKind, Side
from actors.trading.pricing import SECONDS_PER_YEAR, greeks
from actors.trading.strategies import View
from actors.trading.surface import FairValue

NOW_S = 1_795_000_000
WEEK_S = 7 * 86400


def derive_call(**changes: Any) -> Instrument:
    """An ETH call with a tick of 0.1 and a step of 0.01, a week from expiry."""
    facts: dict[str, Any] = {
        "name": "ETH-CALL",
        "venue": "derive",
        "underlying": "ETH",
        "tick": Decimal("0.1"),
        "amount_step": Decimal("0.01"),
        "min_amount": 10,
        "max_amount": 100_000,
        "kind": OptionKind.CALL,
        "strike": 3000.0,
        "expiry_s": NOW_S + WEEK_S,
        "fees": FeeSchedule(maker_rate=0.0001, taker_rate=0.0003, cap=0.125),
    }
    return Instrument(**(facts | changes))


def deribit_call(**changes: Any) -> Instrument:
    """An inverse ETH call with Deribit's ladder: 0.0001, and 0.0005 above 0.005."""
    return derive_call(
        venue="deribit",
        tick=Decimal("0.0001"),
        ladder=(LadderStep(50, 5),),
        amount_step=Decimal("1"),
        min_amount=1,
        numeraire=Numeraire.COIN,
        **changes,
    )


def market(
    bids: tuple[Level, ...],
    asks: tuple[Level, ...],
    mark: float | None = None,
    instrument: Instrument | None = None,
    **facts: Any,
) -> Market:
    return Market(instrument or derive_call(), Book(bids, asks, 1_000), mark=mark, **({"forward": 3000.0} | facts))


def view_of(market: Market, **facts: Any) -> View:
    return View(market, NOW_S, **facts)


def settings(**changes: Any) -> QuotingSettings:
    return QuotingSettings(**changes)


def fair_value(
    price: float, *, age_s: float = 0.0, uncertainty: float = 0.0, instrument: Instrument | None = None
) -> FairValue:
    """What a surface of 60 % says of an option, but for the price, which a test may want round."""
    option = instrument or derive_call()
    ours = greeks(3000.0, option.strike, WEEK_S / SECONDS_PER_YEAR, 0.6, option.kind is OptionKind.CALL)
    in_coin = option.numeraire is Numeraire.COIN
    unit = 3000.0 if in_coin else 1.0
    return FairValue(
        option.name,
        "surface",
        0.6,
        3000.0,
        WEEK_S / SECONDS_PER_YEAR,
        msgspec.structs.replace(ours, price=price * unit),
        in_coin,
        ours.delta,
        age_s,
        uncertainty * unit / ours.vega,
        "",
    )


def priced_view(instrument: Instrument | None = None, vol: float = 0.6, **facts: Any) -> View:
    """An option at the money around whose mark everything is known, with a hundred ticks of room on both sides."""
    option = instrument or derive_call()
    bare = market((), (), instrument=option, mark_vol=vol, index=3000.0)
    mark = view_of(bare).mark
    assert mark is not None
    middle = option.onto_ladder(round(mark / option.tick_float), Side.BID)
    seen = market(
        ((option.step_down(middle, 100), 1000),),
        ((option.step_up(middle, 100), 1000),),
        mark=mark,
        instrument=option,
        mark_vol=vol,
        index=3000.0,
    )
    return view_of(seen, **facts)
