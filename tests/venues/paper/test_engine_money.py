"""Money: fees to the last digit, positions, perpetuals of both kinds, settlement, margin."""

from __future__ import annotations

from decimal import Decimal

import pytest
from engine_stage import (
    ASK,
    BID,
    CALL,
    EXPIRY_S,
    MAKER,
    PERP,
    PUT,
    SECOND,
    Stage,
    deribit_option,
    deribit_stage,
    derive_option,
    derive_stage,
    refused,
)

from actors.trading.instruments import OptionKind
from actors.venues.paper.events import BalanceChanged, BalanceUpdate, InstrumentState, OrderChanged, Settled, Traded
from actors.venues.paper.tickets import CancelReason, OrderStatus, Reason, TimeInForce

D = Decimal


def cash(stage: Stage, currency: str = "USDC", account: int = MAKER) -> Decimal:
    return stage.engine.account(account).cash[currency]


# -- fees


def test_derive_fees_of_a_plain_trade(stage: Stage) -> None:
    """Taker 0.5 + 0.0003 x 2600, maker 0.0001 x 2600, by the index and not the trade price."""
    stage.house(ASK, 1000, 100)
    (fill,) = stage.put(BID, 1000, 100).fills
    assert fill.fee == D("1.28")
    (trade,) = stage.told(Traded)
    assert trade.maker.fee == D("0.26")


def test_derive_fees_are_capped_by_the_mark(stage: Stage) -> None:
    """An option marked at 1.3 costs at most 12.5 % of it: 0.1625 a contract, and the base fee."""
    stage.mark(CALL, "1.3", min_price=D("0.1"), max_price=D(300))
    stage.house(ASK, 13, 200)
    (fill,) = stage.put(BID, 13, 200).fills
    assert fill.fee == D("0.5") + D("0.325")
    (trade,) = stage.told(Traded)
    assert trade.maker.fee == D("0.325")


def test_derive_fees_are_cut_at_the_twelfth_decimal(stage: Stage) -> None:
    """0.0001 x 2612.345678912345 x 0.37 = 0.096656790119756765: cut, not rounded."""
    stage.engine.set_index("ETH-USD", D("2612.345678912345"))
    stage.put(BID, 1000, 37)
    stage.hit(ASK, 1000, 37)
    (trade,) = stage.told(Traded)
    assert trade.maker.fee == D("0.096656790119")


def test_the_base_fee_is_once_an_order(stage: Stage) -> None:
    """Three fills of one order pay one base fee; a waived account none."""
    for price in (1000, 1001, 1002):
        stage.house(ASK, price, 100)
    fills = stage.put(BID, 1002, 300).fills
    assert [fill.fee for fill in fills] == [D("1.28"), D("0.78"), D("0.78")]
    stage.engine.open_account(5, owner="0xvip", base_fee_waived=True, cash={"USDC": D(1000)})
    stage.house(ASK, 1000, 100)
    assert stage.put(BID, 1000, 100, account=5).fills[0].fee == D("0.78")


def test_a_fill_that_would_cost_more_than_signed_cancels_the_order(stage: Stage) -> None:
    """The index has doubled since the maker signed: the order dies untouched, the taker goes on to the next."""
    quote = stage.put(BID, 1000, 100, max_fee=D("1.56")).order
    stage.house(BID, 990, 100)
    stage.engine.set_index("ETH-USD", D(26000))
    stage.mark(CALL, "200", min_price=D(1), max_price=D(5000))
    placed = stage.hit(ASK, 990, 100)
    assert (quote.status, quote.cancel_reason, quote.filled) == (OrderStatus.CANCELLED, CancelReason.MAX_FEE, 0)
    assert [(fill.price, fill.amount) for fill in placed.fills] == [(990, 100)]


def test_deribit_fees_are_coin_capped_by_the_trade_price() -> None:
    """0.0003 coin a contract on both sides; below 0.0024 an eighth of the premium."""
    stage = deribit_stage()
    name = deribit_option().name
    stage.put(BID, 400, 5, instrument=name)
    stage.hit(ASK, 400, 5, name)
    (trade,) = stage.told(Traded)
    assert (trade.maker.fee, trade.taker.fee) == (D("0.0015"), D("0.0015"))
    stage.mark(name, "0.0002", min_price=D("0.0001"), max_price=D("0.02"))
    stage.put(BID, 2, 1, instrument=name)
    stage.hit(ASK, 2, 1, name)
    (trade,) = stage.told(Traded)
    assert trade.maker.fee == D("0.000025")


# -- positions


def test_a_round_trip_realizes_what_it_earned(stage: Stage) -> None:
    """Bought 2 at 100, sold 1 at 103: average stays, profit 3 before and 3 less the two fees after."""
    stage.put(BID, 1000, 200)
    stage.hit(ASK, 1000, 200)
    position = stage.engine.account(MAKER).positions[CALL]
    assert (position.amount, position.average_price_excl_fees, position.average_price) == (200, D(100), D("100.26"))
    stage.put(ASK, 1030, 100)
    stage.hit(BID, 1030, 100)
    fill = stage.engine.fills(MAKER)[-1]
    assert (fill.realized_pnl_excl_fees, fill.realized_pnl) == (D(3), D(3) - D("0.26") - D("0.26"))
    assert (position.amount, position.average_price_excl_fees) == (100, D(100))
    assert position.unrealized(D(110)) == D(10)
    assert cash(stage) == D(100000) - 200 + 103 - D("0.52") - D("0.26")


def test_a_position_flips_through_zero(stage: Stage) -> None:
    """Long 1 sold 3: closed at a profit, short 2 at the new price, its average less fees."""
    stage.put(BID, 1000, 100)
    stage.hit(ASK, 1000, 100)
    stage.put(ASK, 1100, 300)
    stage.hit(BID, 1100, 300)
    position = stage.engine.account(MAKER).positions[CALL]
    assert (position.amount, position.average_price_excl_fees) == (-200, D(110))
    assert position.average_price == D("109.74")
    assert position.realized_pnl_excl_fees == D(10)
    assert position.unrealized(D(110)) == 0


def test_money_events_chain(stage: Stage) -> None:
    """Each balance starts where the last one ended, for cash and for the position."""
    stage.put(BID, 1000, 100)
    stage.hit(ASK, 1000, 60)
    stage.hit(ASK, 1000, 40)
    events = stage.told(BalanceChanged)
    for name in ("USDC", CALL):
        mine = [event for event in events if event.name == name]
        assert len(mine) == 2
        assert mine[0].new == mine[1].previous
        assert {event.why for event in mine} == {BalanceUpdate.TRADE}
    assert events[-2].new == cash(stage)
    assert [event.new for event in events if event.name == CALL] == [D("0.6"), D(1)]


def test_a_linear_perpetual_pays_when_it_closes(stage: Stage) -> None:
    """No premium changes hands; 10 more on half a coin are 5. Fees go by index x amount."""
    stage.put(BID, 255_000, 500, instrument=PERP)
    stage.hit(ASK, 255_000, 500, PERP)
    assert cash(stage) == D(100000) - D("0.13")
    position = stage.engine.account(MAKER).positions[PERP]
    assert (position.average_price_excl_fees, position.unrealized(D(2600))) == (D(2550), D(25))
    stage.put(ASK, 256_000, 500, instrument=PERP)
    stage.hit(BID, 256_000, 500, PERP)
    assert cash(stage) == D(100000) + 5 - D("0.26")
    assert PERP not in stage.engine.account(MAKER).positions
    assert stage.engine.account(MAKER).flat[PERP].realized_pnl == 5 - D("0.26")


def test_an_inverse_perpetual_pays_in_coin() -> None:
    """2600 dollars from 2500 to 2600 earn 2600/2500 - 2600/2600 = 0.04 coin."""
    stage = deribit_stage()
    stage.mark("ETH-PERPETUAL", "2510")
    stage.put(BID, 50_000, 2600, instrument="ETH-PERPETUAL")
    stage.hit(ASK, 50_000, 2600, "ETH-PERPETUAL")
    fee_in = D("0.00015") * D(2600) / D(2500)
    assert cash(stage, "ETH") == 1000 - fee_in
    position = stage.engine.account(MAKER).positions["ETH-PERPETUAL"]
    assert position.average_price_excl_fees == D(2500)
    assert position.unrealized(D(2600)) == D("0.04")
    stage.mark("ETH-PERPETUAL", "2600")
    stage.put(ASK, 52_000, 2600, instrument="ETH-PERPETUAL")
    stage.hit(BID, 52_000, 2600, "ETH-PERPETUAL")
    assert cash(stage, "ETH") == 1000 - fee_in + D("0.04") - D("0.00015")


# -- settlement


def at_minute(stage: Stage, minutes_before: int, price: str) -> None:
    """Set the index half a minute before that minute's print, and let it be printed."""
    stage.now_ns = (EXPIRY_S - minutes_before * 60 - 30) * SECOND
    stage.engine.set_index("ETH-USD", D(price))
    stage.now_ns += 45 * SECOND
    stage.engine.advance()


def test_an_option_settles_to_the_mean_of_thirty_prints(stage: Stage) -> None:
    """Prints before the last half hour do not count; the long call gets its intrinsic value, the put nothing."""
    stage.put(BID, 1000, 200)
    stage.hit(ASK, 1000, 200)
    stage.put(ASK, 1000, 100, instrument=PUT)
    stage.hit(BID, 1000, 100, PUT)
    before = cash(stage)
    at_minute(stage, 31, "9999")
    for minute in range(30, 0, -1):
        at_minute(stage, minute, "2620" if minute % 2 else "2630")
        mean, count = stage.engine.settlement_mean("ETH-USD", EXPIRY_S)
        assert count == 31 - minute
    assert mean == D(2625)
    stage.forget()
    stage.now_ns = EXPIRY_S * SECOND
    stage.engine.advance()
    assert [(event.instrument, event.price) for event in stage.told(Settled)] == [(CALL, D(2625)), (PUT, D(2625))]
    assert cash(stage) == before + 2 * 25
    money, position, gone = stage.told(BalanceChanged)
    assert (money.name, money.new - money.previous, money.why) == ("USDC", D(50), BalanceUpdate.OPTION_SETTLEMENT)
    assert (position.name, position.previous, position.new) == (CALL, D(2), D(0))
    assert (gone.name, gone.previous, gone.new) == (PUT, D(-1), D(0))
    assert stage.engine.account(MAKER).positions == {}
    held = stage.engine.account(MAKER).flat
    assert (held[CALL].realized_pnl_excl_fees, held[CALL].realized_pnl) == (D(-150), D(-150) - D("0.52"))
    assert (held[PUT].realized_pnl_excl_fees, held[PUT].realized_pnl) == (D(100), D(100) - D("0.26"))
    assert stage.engine.listing(CALL).state is InstrumentState.DELIVERED
    assert [listing.name for listing in stage.engine.live_listings()] == [PERP]
    with refused(Reason.NOT_LIVE):
        stage.put(BID, 1000, 100)


def test_trading_stops_a_minute_before_expiry(stage: Stage) -> None:
    """Resting orders end there, and nothing new is taken."""
    stage.now_ns = (EXPIRY_S - 900) * SECOND
    order = stage.put(BID, 1000, 100, signature_expiry_s=EXPIRY_S).order
    rival = stage.house(ASK, 1100, 100)
    stage.forget()
    stage.now_ns = (EXPIRY_S - 60) * SECOND
    stage.engine.advance()
    (changed,) = stage.told(OrderChanged)
    assert (changed.order.order_id, changed.order.status) == (order.order_id, OrderStatus.EXPIRED)
    assert rival.status is OrderStatus.EXPIRED
    assert stage.book() == ([], [])
    with refused(Reason.NOT_LIVE):
        stage.house(BID, 1000, 100)


def test_an_expiry_nobody_printed_settles_to_the_index(stage: Stage) -> None:
    """An exchange started inside the last minute has no print to average."""
    fresh = Stage(stage.rules, now_ns=(EXPIRY_S - 20) * SECOND)
    fresh.engine.set_index("ETH-USD", D(2700))
    fresh.engine.list_instrument(derive_option())
    fresh.engine.advance()
    assert fresh.engine.settlement_mean("ETH-USD", EXPIRY_S) == (D(2700), 0)
    fresh.pass_s(30)
    fresh.engine.advance()
    assert [event.price for event in fresh.told(Settled)] == [D(2700)]


def test_deribit_delivers_in_coin_with_a_fee() -> None:
    """Call 2600 at 2700: 100/2700 coin each, less min(0.00015, 12.5 % of it) a coin; orders end as settled."""
    stage = deribit_stage(settlement_pause_ns=0)
    name = deribit_option().name
    stage.put(BID, 400, 10, instrument=name)
    stage.hit(ASK, 400, 10, name)
    before = cash(stage, "ETH")
    order = stage.put(BID, 300, 1, instrument=name).order
    stage.engine.set_index("eth_usd", D(2700))
    stage.now_ns = EXPIRY_S * SECOND
    stage.engine.advance()
    assert cash(stage, "ETH") - before == 10 * D("0.037037037037") - D("0.0015")
    assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.SETTLEMENT)


def test_deribit_pauses_at_eight_every_day() -> None:
    """Books stop for some seconds, good-for-the-day orders die, others live on."""
    stage = deribit_stage()
    name = deribit_option().name
    day = stage.put(BID, 300, 1, instrument=name, tif=TimeInForce.DAY).order
    order = stage.put(BID, 300, 1, instrument=name).order
    stage.now_ns = (EXPIRY_S - 19 * 86_400) * SECOND
    with refused(Reason.SETTLING):
        stage.put(BID, 300, 1, instrument=name)
    with refused(Reason.SETTLING):
        stage.engine.cancel(MAKER, order.order_id)
    assert stage.engine.cancel_where(MAKER) == []
    assert (day.status, day.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.SETTLEMENT)
    stage.pass_s(5)
    assert stage.engine.cancel(MAKER, order.order_id).status is OrderStatus.CANCELLED


# -- margin


def test_a_short_call_needs_its_isolated_margin(stage: Stage) -> None:
    """At the money: 0.15 x 2600 + 100 = 490 initial, 0.09 x 2600 + 100 = 334 maintenance, a contract."""
    stage.put(ASK, 1000, 100)
    stage.hit(BID, 1000, 100)
    margins = stage.engine.margins(MAKER, "USDC")
    assert margins.positions_initial == pytest.approx(-490)
    assert margins.positions_maintenance == pytest.approx(-334)
    assert margins.positions_value == pytest.approx(-100)
    assert margins.initial == pytest.approx(100_000 + 100 - 0.26 - 490)
    requirement, reserved = stage.engine.position_margin(MAKER, CALL)
    assert (requirement.initial, reserved) == (pytest.approx(-490), 0.0)


def test_far_shorts_need_the_floor_and_puts_their_maintenance(stage: Stage) -> None:
    """20 % out of the money: 0.13 of the index; a deep put never less than 1.05 x maintenance."""
    far = derive_option("ETH-20261218-3200-C", 3200.0)
    deep = derive_option("ETH-20261218-9000-P", 9000.0, OptionKind.PUT)
    stage.list(far, "10")
    stage.list(deep, "6400", delta=-1.0)
    for name, price in ((far.name, 100), (deep.name, 64_000)):
        stage.put(ASK, price, 100, instrument=name)
        stage.hit(BID, price, 100, name)
    assert stage.engine.position_margin(MAKER, far.name)[0].initial == pytest.approx(-(0.13 * 2600 + 10))
    maintenance = 0.09 * 6400 + 6400
    assert stage.engine.position_margin(MAKER, deep.name)[0].maintenance == pytest.approx(-maintenance)
    assert stage.engine.position_margin(MAKER, deep.name)[0].initial == pytest.approx(-1.05 * maintenance)


def test_a_spread_needs_its_worst_payoff(stage: Stage) -> None:
    """Long 2600, short 2700 needs nothing; the reverse 100; a naked short keeps its own margin."""
    upper = derive_option("ETH-20261218-2700-C", 2700.0)
    stage.list(upper, "60")
    for side, name, price in ((BID, CALL, 1000), (ASK, upper.name, 600)):
        stage.put(side, price, 100, instrument=name)
        stage.hit(side.other, price, 100, name)
    assert stage.engine.margins(MAKER, "USDC").positions_initial == pytest.approx(0)
    stage.maker(2)
    for side, name, price in ((ASK, CALL, 1000), (BID, upper.name, 600)):
        stage.put(side, price, 100, account=2, instrument=name)
        stage.hit(side.other, price, 100, name)
    assert stage.engine.margins(2, "USDC").positions_initial == pytest.approx(-100)


def test_an_order_the_account_cannot_carry_is_refused() -> None:
    """500 of cash carry one short call (490 less the premium of 100), not two; a bid must be payable."""
    stage = derive_stage(cash="500")
    with refused(Reason.NOT_ENOUGH_MARGIN):
        stage.put(ASK, 1000, 200)
    assert stage.put(ASK, 1000, 100).order.status is OrderStatus.OPEN
    with refused(Reason.NOT_ENOUGH_MARGIN):
        stage.put(BID, 900, 200, instrument=PUT)
    assert stage.put(BID, 900, 120, instrument=PUT).order.status is OrderStatus.OPEN
    assert stage.engine.margins(MAKER, "USDC").open_orders == pytest.approx(-390 - 108)


def test_what_rests_on_both_sides_counts_once() -> None:
    """Only the worse side of an instrument is reserved, so a two-sided quote costs one side."""
    stage = derive_stage(cash="500")
    stage.put(ASK, 1000, 100)
    stage.put(BID, 950, 100)
    assert stage.engine.margins(MAKER, "USDC").open_orders == pytest.approx(-390)


def test_reducing_is_always_allowed() -> None:
    """An account under water may still buy back what it is short, and a replace frees what the old one held."""
    stage = derive_stage(cash="500")
    order = stage.put(ASK, 1000, 100).order
    done = stage.engine.replace(MAKER, stage.request(ASK, 1001, 100), order_id=order.order_id)
    assert done.placed is not None
    stage.hit(BID, 1001, 100)
    stage.engine.set_index("ETH-USD", D(5000))
    stage.mark(CALL, "2400", min_price=D(1), max_price=D(9000))
    stage.pass_s(2)
    assert stage.engine.margins(MAKER, "USDC").initial < 0
    with refused(Reason.NOT_ENOUGH_MARGIN):
        stage.put(ASK, 30_000, 10)
    assert stage.put(BID, 2000, 100).order.status is OrderStatus.OPEN


def test_perpetuals_need_margin_by_notional_and_give_credit_below_the_mark(stage: Stage) -> None:
    """One coin at 2600: 0.066 x 2600 = 171.6, plus or less the unrealised; a bid under the mark earns credit."""
    stage.put(BID, 258_000, 1000, instrument=PERP)
    assert stage.engine.margins(MAKER, "USDC").open_orders == pytest.approx(-(171.6 - 20))
    stage.hit(ASK, 258_000, 1000, PERP)
    margins = stage.engine.margins(MAKER, "USDC")
    assert margins.positions_initial == pytest.approx(20 - 171.6)
    assert margins.positions_maintenance == pytest.approx(20 - 130)


def test_closing_a_perpetual_needs_no_margin() -> None:
    """Sold out at the mark the long is gone: only what goes beyond flat is new risk."""
    stage = derive_stage(cash="200")
    stage.put(BID, 260_000, 1000, instrument=PERP)
    stage.hit(ASK, 260_000, 1000, PERP)
    order = stage.put(ASK, 260_000, 2000, instrument=PERP).order
    assert order.status is OrderStatus.OPEN
    assert stage.engine.margins(MAKER, "USDC").open_orders == pytest.approx(0)
    with refused(Reason.NOT_ENOUGH_MARGIN):
        stage.put(ASK, 260_000, 500, instrument=PERP)


def test_requirements_follow_the_marks_within_a_second(stage: Stage) -> None:
    """Cached, but never older than that."""
    stage.put(ASK, 1000, 100)
    stage.hit(BID, 1000, 100)
    first = stage.engine.margins(MAKER, "USDC").positions_initial
    stage.mark(CALL, "150")
    assert stage.engine.margins(MAKER, "USDC").positions_initial == first
    stage.pass_s(1)
    assert stage.engine.margins(MAKER, "USDC").positions_initial == pytest.approx(first - 50)


def test_deposits_are_told(stage: Stage) -> None:
    """A deposit moves the balance and says why; an id or a name is given out once."""
    stage.engine.deposit(MAKER, "USDC", D(5))
    (event,) = stage.told(BalanceChanged)
    assert (event.previous, event.new, event.why) == (D(100000), D(100005), BalanceUpdate.DEPOSIT)
    with pytest.raises(ValueError, match="open already"):
        stage.engine.open_account(MAKER)
    with pytest.raises(ValueError, match="listed already"):
        stage.engine.list_instrument(derive_option())
    with refused(Reason.UNKNOWN_ACCOUNT):
        stage.engine.margins(77, "USDC")
