"""Derive's requests, notifications and answers: what is sent, and what is concluded from what comes back."""

from __future__ import annotations

import itertools
import json
import re
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import attrs
import msgspec
import pytest
from derive_kit import NAME, NOW_NS, OPTION, OWNER, SIGNER, SUBACCOUNT, maker, order_row, raw, reference, trade_row, wish
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st
from test_derive_scripts import every_conversation

from actors.trading.errors import ConfigError, StrikemakerError
from actors.trading.instruments import FeeSchedule, Side
from actors.venues.derive import signing
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import (
    BookUpdate,
    Call,
    Dialect,
    IndexUpdate,
    MmpTripped,
    OrderStatus,
    Pool,
    SettledPrice,
    TickerUpdate,
)


def params(call: Call | None) -> dict[str, Any]:
    assert call is not None
    decoded = json.loads(call.params)
    assert isinstance(decoded, dict)
    return decoded


def notice(dialect: DeriveDialect, channel: str, data: Any) -> list[Any]:
    return list(dialect.decode_notice("subscription", channel, raw(data)))


def outcome(dialect: DeriveDialect, call: Call, result: Any = None, error: tuple[int, str, str] | None = None) -> Any:
    return dialect.read_outcome(call, None if error else raw(result), error)


def test_the_dialect_is_one():
    """A static promise, kept at run time too: every member of the contract exists."""
    dialect: Dialect = maker()
    wanted = {name for name in vars(Dialect) if not name.startswith("_")} | set(Dialect.__annotations__)
    assert {name for name in wanted if not hasattr(dialect, name)} == set()


# -- orders


RESTING = SimpleNamespace(venue_id="6a6eed97-b882-4909-a7ac-566fe99577e1", client_id="1795338000123455007", instrument=NAME)
IN_FLIGHT = SimpleNamespace(venue_id="", client_id="1795338000123455007", instrument=NAME)


def test_an_order_is_written_with_everything_a_maker_needs():
    """Post-only, refused when it would cross, labelled, with the venue-side time limits."""
    call = maker().place(wish(mmp=True))
    body = params(call)
    signature = body.pop("signature")
    assert re.fullmatch("0x[0-9a-f]{130}", signature)
    assert body == {
        "subaccount_id": SUBACCOUNT,
        "instrument_name": NAME,
        "direction": "buy",
        "order_type": "limit",
        "time_in_force": "post_only",
        "reject_post_only": True,
        "signer": SIGNER,
        "max_fee": "7.340000",
        "limit_price": "100.5",
        "amount": "0.10",
        "nonce": "1795338000123456007",
        "signature_expiry_sec": 1_795_338_900,
        "reject_timestamp": 1_795_338_001_123,
        "mmp": True,
        "label": "mm-ETH-1",
    }
    assert (call.method, call.pool, call.kind, call.instrument) == ("private/order", Pool.MATCHING, "place", NAME)


def recovered(body: dict[str, Any], instrument: Any, chain_id: int) -> str:
    """Rebuild what was signed from the frame's strings alone, through eth-account, and recover the signer."""
    from eth_abi import encode

    def e18(field: str) -> int:
        return int(Decimal(body[field]).scaleb(18))

    data = encode(
        ["address", "uint256", "int256", "int256", "uint256", "uint256", "bool"],
        [
            instrument.asset_address,
            instrument.sub_id,
            *(e18(field) for field in ("limit_price", "amount", "max_fee")),
            body["subaccount_id"],
            body["direction"] == "buy",
        ],
    )
    kinds = {"subaccountId": "uint256", "nonce": "uint256", "module": "address", "data": "bytes"}
    kinds |= {"expiry": "uint256", "owner": "address", "signer": "address"}
    typed = encode_typed_data(
        {"name": "Matching", "version": "1.0", "chainId": chain_id, "verifyingContract": signing.MATCHING_CONTRACT},
        {"Action": [{"name": name, "type": kind} for name, kind in kinds.items()]},
        {
            "subaccountId": body["subaccount_id"],
            "nonce": int(body["nonce"]),
            "module": signing.TRADE_MODULE,
            "data": data,
            "expiry": body["signature_expiry_sec"],
            "owner": OWNER,
            "signer": body["signer"],
        },
    )
    return str(Account.recover_message(typed, signature=body["signature"]))


@settings(max_examples=60, deadline=None)
@given(
    side=st.sampled_from(Side),
    price=st.integers(1, 10**7),
    amount=st.integers(1, 10**6),
    tick=st.sampled_from(["0.1", "1", "0.0005", "0.01", "1E+1"]),
    step=st.sampled_from(["0.01", "0.00001", "1"]),
    index=st.floats(0.01, 200_000),
    nonce=st.integers(10**18, 2**63 - 1),
    expiry=st.integers(1, 2**33),
    old_filled=st.integers(0, 10**6),
)
def test_the_strings_of_a_frame_are_exactly_what_was_signed(
    side: Side, price: int, amount: int, tick: str, step: str, index: float, nonce: int, expiry: int, old_filled: int
):
    """Whoever rebuilds the words from the JSON alone recovers our signer; no string has an exponent or 13 decimals."""
    instrument = attrs.evolve(OPTION, tick=Decimal(tick), amount_step=Decimal(step))
    dialect = maker(chain_id=31337)
    dialect.learn([instrument])
    dialect.note_reference(NAME, index, 0.0)
    order = wish(side=side, price=price, amount=amount, client_id=str(nonce), expires_s=expiry)
    placed, replaced = params(dialect.place(order)), params(dialect.replace(order, RESTING, old_filled))
    for body in (placed, replaced):
        assert recovered(body, instrument, 31337) == SIGNER
        assert instrument.price_ticks(body["limit_price"]) == price
        assert instrument.amount_steps(body["amount"]) == amount
        assert body["direction"] == ("buy" if side is Side.BID else "sell")
        for field in ("limit_price", "amount", "max_fee", *(["expected_filled_amount"] if body is replaced else [])):
            assert re.fullmatch(r"\d+(\.\d{1,12})?", body[field])
    assert instrument.amount_steps(replaced["expected_filled_amount"]) == old_filled


@settings(max_examples=100)
@given(
    index=st.decimals("1.1", "200000", places=2),
    taker=st.sampled_from(["0.0003", "0.0005", "0"]),
    base=st.sampled_from(["0.5", "0", "0.01"]),
    least=st.integers(1, 1000),
)
def test_the_fee_cap_holds_for_any_size_and_is_no_larger_than_it_must_be(index: Decimal, taker: str, base: str, least: int):
    """3 x taker rate x index + base fee / minimum, rounded up at six decimals."""
    dialect = maker()
    fees = FeeSchedule(0.0001, float(taker), float(base), 0.125)
    dialect.learn([attrs.evolve(OPTION, fees=fees, min_amount=least)])
    dialect.note_reference(NAME, 1.0, 0.0)
    dialect.note_reference(NAME, float(index), 0.0)
    cap = Decimal(params(dialect.place(wish()))["max_fee"])
    exact = 3 * Decimal(taker) * index + Decimal(base) / (least * OPTION.amount_step)
    assert exact <= cap < exact + Decimal("0.000001")


def test_the_fee_cap_follows_index_and_mark_beyond_one_percent():
    """Small moves change nothing; the larger of index and mark counts; nonsense is not followed."""
    dialect = maker()

    def cap(index: float, mark: float) -> str:
        dialect.note_reference(NAME, index, mark)
        return str(params(dialect.place(wish()))["max_fee"])

    assert cap(2625.0, 0.0) == "7.340000"
    assert cap(2630.0, 0.0) == "7.367000"
    assert cap(2630.0, 3000.0) == "7.700000"
    assert cap(2000.0, 0.0) == "6.800000"
    for nonsense in (float("nan"), float("inf"), 0.0, -5.0):
        assert cap(nonsense, 0.0) == "6.800000"


def test_without_an_index_nothing_is_signed():
    """An order of an instrument whose index was never seen, or that was never listed, raises in words."""
    dialect = DeriveDialect(lambda: NOW_NS, key=maker().key, wallet=OWNER)
    with pytest.raises(StrikemakerError, match="not a listed instrument"):
        dialect.place(wish())
    dialect.learn([OPTION])
    with pytest.raises(StrikemakerError, match="no subaccount"):
        dialect.place(wish())
    dialect.adopt(SUBACCOUNT)
    with pytest.raises(StrikemakerError, match="no index price"):
        dialect.place(wish())


def test_a_changed_subaccount_or_listing_reaches_the_next_order():
    """Prepared parts of frames are written again when what they hold changes."""
    dialect = maker()
    assert params(dialect.place(wish()))["limit_price"] == "100.5"
    dialect.adopt(7)
    dialect.learn([attrs.evolve(OPTION, tick=Decimal("0.5"))])
    body = params(dialect.place(wish()))
    assert (body["subaccount_id"], body["limit_price"]) == (7, "502.5")


def test_a_replacement_names_the_old_order_and_its_expected_fill():
    """By venue id once there is one, by nonce before; never both."""
    body = params(maker().replace(wish(), RESTING, 3))
    assert (body["order_id_to_cancel"], body["expected_filled_amount"]) == (RESTING.venue_id, "0.03")
    assert "nonce_to_cancel" not in body
    body = params(maker().replace(wish(), IN_FLIGHT, 0))
    assert (body["nonce_to_cancel"], body["expected_filled_amount"]) == (IN_FLIGHT.client_id, "0.00")
    assert "order_id_to_cancel" not in body


def test_cancels_draw_from_the_pools_they_cost():
    """Single cancels cost matching requests; the run's label has a pool of its own and names no instrument."""
    dialect = maker()
    assert params(dialect.cancel(RESTING)) == {
        "subaccount_id": SUBACCOUNT,
        "instrument_name": NAME,
        "order_id": RESTING.venue_id,
    }
    burn = {"subaccount_id": SUBACCOUNT, "instrument_name": NAME, "nonce": IN_FLIGHT.client_id}
    assert params(dialect.cancel(IN_FLIGHT)) == burn == params(dialect.burn(IN_FLIGHT.client_id, NAME))
    (ours,) = dialect.cancel_ours("mm-ETH-1", "ETH")
    assert params(ours) == {"subaccount_id": SUBACCOUNT, "label": "mm-ETH-1"}
    (everything,) = dialect.cancel_account()
    assert params(everything)["cancel_trigger_orders"] is params(everything)["cancel_algo_orders"] is True
    pools = [dialect.cancel(RESTING).pool, dialect.cancel(IN_FLIGHT).pool, ours.pool, everything.pool]
    assert pools == [Pool.MATCHING, Pool.MATCHING, Pool.BULK_CANCEL, Pool.BULK_CANCEL]


def test_labels_are_escaped_and_bounded():
    """A label that JSON must escape arrives as it was meant; one that is too long is refused."""
    assert params(maker().place(wish(label='a"b\\c')))["label"] == 'a"b\\c'
    with pytest.raises(ConfigError, match="longer than 64"):
        maker().place(wish(label="x" * 65))


@given(steps=st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=50), slot=st.integers(0, 999))
def test_nonces_rise_and_keep_their_slot_whatever_the_clock_does(steps: list[int], slot: int):
    """Standing still, stepping back or leaping ahead: no nonce repeats, each ends with its process's slot."""
    dialect, now = DeriveDialect(lambda: NOW_NS, slot=slot), NOW_NS
    nonces = []
    for step in steps:
        now += step
        nonces.append(int(dialect.next_client_id(now, "run")))
    assert all(a < b for a, b in itertools.pairwise(nonces))
    assert {nonce % 1000 for nonce in nonces} == {slot}
    assert all(len(str(nonce)) == 19 for nonce in nonces)


def test_a_nonce_is_the_clock_in_nanoseconds():
    """Microseconds of the present with the slot in place of the last three digits."""
    assert DeriveDialect(lambda: NOW_NS, slot=7).next_client_id(NOW_NS, "run") == "1795338000123456007"
    with pytest.raises(ConfigError, match="slot"):
        DeriveDialect(lambda: NOW_NS, slot=1000)


# -- conformance of requests


def conforms(value: Any, kind: str, types: dict[str, Any]) -> bool:
    """Whether a JSON value is of a type of the machine-readable schema."""
    if kind.endswith("|null"):
        return value is None or conforms(value, kind[:-5], types)
    if kind.startswith("array<"):
        return isinstance(value, list) and all(conforms(each, kind[6:-1], types) for each in value)
    if kind in types:
        shape = types[kind]
        return value in shape["enum"] if "enum" in shape else not misfits(value, shape["fields"], types)
    return {
        "string": lambda: isinstance(value, str),
        "decimal": lambda: isinstance(value, str) and re.fullmatch(r"\d+(\.\d{1,12})?", value) is not None,
        "int": lambda: isinstance(value, int) and not isinstance(value, bool),
        "bool": lambda: isinstance(value, bool),
    }[kind]()


def misfits(body: dict[str, Any], fields: dict[str, str], types: dict[str, Any]) -> list[str]:
    """What is missing, unknown or of the wrong type."""
    known = {name.rstrip("?"): kind for name, kind in fields.items()}
    wrong = [name for name in fields if not name.endswith("?") and name not in body]
    wrong += [name for name in body if name not in known]
    return wrong + [name for name in body if name in known and not conforms(body[name], known[name], types)]


def test_every_request_conforms_to_the_schema():
    """Each method exists, and each of its parameters is there and of the documented type."""
    schema = reference("derive-v3-schema.json")
    methods = {**schema["methods"], **schema["ws_only_methods"]}
    dialect = maker()
    calls = [dialect.place(wish()), dialect.replace(wish(), RESTING, 0), dialect.replace(wish(), IN_FLIGHT, 4)]
    calls += [dialect.cancel(RESTING), dialect.cancel(IN_FLIGHT), *dialect.cancel_ours("run", "ETH")]
    calls += [*dialect.cancel_account(), *every_conversation()]
    for call in calls:
        shape = methods[call.method]["params"]
        fields = shape if isinstance(shape, dict) else schema["types"][shape]["fields"]
        assert misfits(params(call), fields, schema["types"]) == [], call.method
    assert len({call.method for call in calls}) >= 20


# -- market data


def sample(name: str) -> Any:
    return reference("derive-v2-samples.json")["samples"][name]


TICKER = f"ticker_slim.{NAME}.1000"


def test_a_recorded_ticker_is_decoded_to_the_digit():
    """Prices in ticks; vol, forward, discount and greeks as they stand."""
    (news,) = notice(maker(), TICKER, sample("ticker_slim (option call)"))
    assert news == TickerUpdate(
        instrument=NAME,
        ts_ms=1779953796231,
        best_bid=3830,
        best_ask=4098,
        mark=398.1,
        mark_vol=0.67698,
        forward=1992.6,
        index=1991.7,
        discount=0.999,
        band_low=3661,
        band_high=4326,
        delta=0.95222,
        gamma=0.00036344,
        vega=0.40175,
        theta=-0.90562,
    )


def test_zeros_in_a_ticker_are_absences():
    """No bid, no mark, no vol: None and 0, never a price; exponents and bare numbers are read, news fields ignored."""
    ticker = sample("ticker_slim (option put)")
    snapshot = ticker["instrument_ticker"]
    snapshot |= {"b": "0", "M": "0", "I": "0", "minp": "0", "brand_new": {"a": [1]}}
    snapshot["option_pricing"] |= {"g": "8.1E-7", "df": "0", "m": "0", "f": 2000}
    (news,) = notice(maker(), TICKER, ticker)
    assert (news.best_bid, news.best_ask, news.mark, news.index, news.band_low) == (0, 438, None, None, 0)
    assert (news.mark_vol, news.forward, news.discount, news.gamma) == (0.51012, 2000.0, 1.0, 8.1e-7)
    snapshot["option_pricing"] |= {"i": "0"}
    (news,) = notice(maker(), TICKER, ticker)
    assert (news.mark_vol, news.delta, news.gamma, news.forward) == (None, None, None, 2000.0)
    for odd in ("nan", "inf", "-1"):
        snapshot["M"] = odd
        assert notice(maker(), TICKER, ticker)[0].mark is None


def test_a_perpetuals_ticker_has_no_vol():
    """Its f is funding, not a forward."""
    dialect = maker()
    dialect.learn([attrs.evolve(OPTION, name="ETH-PERP", kind=None, tick=Decimal("0.01"))])
    (news,) = notice(dialect, "ticker_slim.ETH-PERP.1000", sample("ticker_slim (perp)"))
    assert (news.best_bid, news.best_ask, news.mark, news.mark_vol, news.forward) == (199236, 199237, 1992.49, None, None)


def test_a_ticker_moves_the_fee_cap():
    """Orders signed after a ticker carry a cap for its index, without anybody else noting it."""
    dialect = maker()
    notice(dialect, TICKER, sample("ticker_slim (option call)"))
    assert params(dialect.place(wish()))["max_fee"] == "6.792530"


BOOK = f"orderbook.{NAME}.1.10"


def test_a_book_is_decoded_best_first_in_ticks_and_steps():
    """Levels are pairs of integers; an amount of somebody else's off the step is cut down, an empty side is empty."""
    book = sample("orderbook (spot, mainnet)") | {"instrument_name": NAME, "asks": [["101.3", "0.5"], ["102", "10000.019"]]}
    (news,) = notice(maker(), BOOK, book)
    expected = BookUpdate(NAME, 1779607319268, ((2, 4500), (1, 3290)), ((1013, 50), (1020, 1000001)))
    assert news == expected
    (news,) = notice(maker(), BOOK, book | {"asks": []})
    assert news.asks == ()


def test_a_book_off_the_tick_is_malformed():
    """A price that our ticks cannot hold is not rounded into the market."""
    book = {"instrument_name": NAME, "timestamp": 1, "publish_id": 2, "bids": [["100.55", "1"]], "asks": []}
    with pytest.raises(ValueError, match="not a multiple"):
        notice(maker(), BOOK, book)


@pytest.mark.parametrize("data", [{}, [], "text", {"timestamp": "x", "bids": [], "asks": []}, {"bids": 3}])
@pytest.mark.parametrize("channel", [TICKER, BOOK, "spot_feed.ETH", f"{SUBACCOUNT}.orders", f"{SUBACCOUNT}.trades"])
def test_malformed_notices_raise_value_error(channel: str, data: Any):
    """Wrong shapes are refused, except an empty array where arrays travel."""
    if data == [] and channel.startswith(str(SUBACCOUNT)):
        assert notice(maker(), channel, data) == []
        return
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's own subclasses, whatever they say
        notice(maker(), channel, data)


def test_the_spot_feed_carries_the_index_under_the_name_instruments_use():
    """ETH's feed becomes ETH-USD; a price of zero is no price."""
    feed = {"confidence": "1", "price_prev_daily": "1", "confidence_prev_daily": "1", "timestamp_prev_daily": 1}
    feeds = {"ETH": {"price": "2601.55", **feed}, "BTC": {"price": "0", **feed}}
    news = notice(maker(), "spot_feed.ETH", {"timestamp": 1795338000000, "feeds": feeds})
    assert news == [IndexUpdate("ETH-USD", 1795338000000, 2601.55)]


def test_unknown_channels_and_instruments_are_ignored_and_remembered():
    """Nothing is made of them, but their names are kept for whoever reloads the listing."""
    dialect = maker()
    assert notice(dialect, "auctions.watch", [{"x": 1}]) == []
    stray = "ETH-20270101-2800-P"
    assert notice(dialect, f"ticker_slim.{stray}.1000", sample("ticker_slim (option call)")) == []
    assert notice(dialect, f"orderbook.{stray}.1.10", {"timestamp": 1, "bids": [], "asks": []}) == []
    assert notice(dialect, f"{SUBACCOUNT}.orders", [order_row(instrument_name=stray)]) == []
    assert dialect.board.strays == {stray}
    dialect.learn([attrs.evolve(OPTION, name=stray)])
    assert dialect.board.strays == set()
    assert len(notice(dialect, f"ticker_slim.{stray}.1000", sample("ticker_slim (option call)"))) == 1


# -- the account's notices


def test_an_order_notice_is_an_array_of_orders():
    """Every field the order table needs is there; the identity is the nonce."""
    rows = [order_row(), order_row(order_id="b", order_status="filled", filled_amount="0.1", direction="sell", mmp=True)]
    open_order, filled = notice(maker(), f"{SUBACCOUNT}.orders", rows)
    assert (open_order.client_id, open_order.venue_id) == ("1795338000123456007", "6a6eed97-b882-4909-a7ac-566fe99577e1")
    assert (open_order.side, open_order.price, open_order.amount, open_order.filled) == (Side.BID, 1005, 10, 0)
    assert (open_order.status, open_order.expires_s, open_order.label) == (OrderStatus.OPEN, 1_795_338_900, "mm-ETH-1")
    assert (filled.side, filled.filled, filled.status, filled.mmp) == (Side.ASK, 10, OrderStatus.FILLED, True)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("cancelled", OrderStatus.CANCELLED),
        ("expired", OrderStatus.EXPIRED),
        ("rejected", OrderStatus.REJECTED),
        ("untriggered", OrderStatus.OPEN),
        ("algo_active", OrderStatus.OPEN),
        ("something_new", OrderStatus.OPEN),
    ],
)
def test_a_status_that_is_not_known_to_be_final_counts_as_alive(text: str, status: OrderStatus):
    """New words of the venue never make an order disappear."""
    (order,) = notice(maker(), f"{SUBACCOUNT}.orders", [order_row(order_status=text)])
    assert order.status is status


def test_the_recorded_order_answer_is_read_although_it_is_v2():
    """An integer nonce, nulls and fields that have gone make no difference."""
    dialect = maker()
    dialect.learn([attrs.evolve(OPTION, name="ETH-USDC", kind=None, tick=Decimal("0.01"))])
    answer = sample("private/order answer (spot, mainnet)")["result"]
    (order,) = outcome(dialect, dialect.place(wish()), answer).orders
    assert (order.client_id, order.price, order.amount) == ("17796074552590", 2122, 10)


def test_a_trade_notice_is_an_array_of_fills():
    """The fee keeps its twelve decimals; the side is the account's own."""
    (fill,) = notice(maker(), f"{SUBACCOUNT}.trades", [trade_row(direction="sell")])
    assert (fill.side, fill.price, fill.amount, fill.fee) == (Side.ASK, 1005, 4, "0.010400000001")
    assert (fill.fee_currency, fill.is_maker, fill.index, fill.mark) == ("USDC", True, 2600.1, 101.2)
    (block,) = notice(maker(), f"{SUBACCOUNT}.trades", [trade_row(trade_price="100.57", liquidity_role="taker")])
    assert (block.price, block.is_maker) == (1005, False)


def test_settlement_of_an_option_is_a_balance_that_leaves():
    """Other balance changes, and the cash side of settlement, are no news."""
    change = {"previous_balance": "-0.3", "new_balance": "0", "update_type": "option_settlement"}
    rows = [
        {"name": NAME, **change},
        {"name": "USDC", **change},
        {"name": NAME, **change, "update_type": "trade"},
        {"name": NAME, **change, "update_type": "a_new_type"},
    ]
    assert notice(maker(), f"{SUBACCOUNT}.balances", rows) == [SettledPrice(NAME, -30)]


def test_a_trip_of_protection_is_read_from_the_cancels_it_causes():
    """Derive has no channel for it; once per notice, and with an end when the freeze's length is known."""
    rows = [order_row(order_status="cancelled", cancel_reason="mmp_trigger") for _ in range(3)]
    news = notice(maker(), f"{SUBACCOUNT}.orders", rows)
    assert [each for each in news if isinstance(each, MmpTripped)] == [MmpTripped(0, "ETH")]
    assert len(news) == 4


# -- outcomes


PLACE, REPLACE, CANCEL, BURN, PULL, ALL = range(6)


def call_of(kind: int) -> Call:
    dialect = maker()
    return [
        dialect.place(wish()),
        dialect.replace(wish(), RESTING, 0),
        dialect.cancel(RESTING),
        dialect.cancel(IN_FLIGHT),
        *dialect.cancel_ours("run", "ETH"),
        *dialect.cancel_account(),
    ][kind]


def test_a_placed_order_may_have_traded_at_once():
    """The answer carries the order and its immediate fills."""
    answer = {"order": order_row(filled_amount="0.04"), "trades": [trade_row()]}
    proof = outcome(maker(), call_of(PLACE), answer)
    assert [order.filled for order in proof.orders] == [4]
    assert [fill.amount for fill in proof.fills] == [4]
    assert proof.refused is None
    assert not proof.unknown


def test_a_replacement_reports_both_orders():
    """The old one cancelled, the new one open and naming the old."""
    old = order_row(order_status="cancelled", cancel_reason="user_request")
    new = order_row(order_id="new", replaced_order_id=old["order_id"], filled_amount="0.04")
    answer = {"cancelled_order": old, "order": new, "trades": [trade_row(order_id="new")], "create_order_error": None}
    proof = outcome(maker(), call_of(REPLACE), answer)
    assert [order.status for order in proof.orders] == [OrderStatus.CANCELLED, OrderStatus.OPEN]
    assert proof.orders[1].replaces == old["order_id"]
    assert len(proof.fills) == 1
    assert (proof.refused, proof.old_gone, proof.unknown) == (None, False, False)


@pytest.mark.parametrize("code", [11000, 11008, 11028])
def test_a_replacement_whose_new_half_failed_is_a_refusal_inside_a_success(code: int):
    """The old order is gone, the new one was never made, and the code is the new one's."""
    answer = {
        "cancelled_order": order_row(order_status="cancelled"),
        "order": None,
        "trades": [],
        "create_order_error": {"code": code, "message": "m", "data": None},
    }
    proof = outcome(maker(), call_of(REPLACE), answer)
    assert proof.refused is not None
    assert proof.refused[0] == code
    assert proof.old_gone
    assert not proof.unknown
    assert [order.status for order in proof.orders] == [OrderStatus.CANCELLED]


def test_a_replacement_whose_new_half_is_in_doubt_is_unknown():
    """An ambiguous code inside the success, or neither order nor error: the old is gone, of the new nothing is known."""
    old = order_row(order_status="cancelled")
    error = {"code": 9000, "message": "m", "data": "d"}
    for answer in ({"cancelled_order": old, "create_order_error": error}, {"cancelled_order": old}):
        proof = outcome(maker(), call_of(REPLACE), answer)
        assert proof.unknown
        assert proof.old_gone


@pytest.mark.parametrize("code", [11003, 11004, 11005, 11006, 11016])
def test_a_replacement_that_found_no_order_proves_neither_life_nor_death_of_it(code: int):
    """The new order was not made; that the old one ended is hearsay."""
    proof = outcome(maker(), call_of(REPLACE), error=(code, "m", ""))
    assert proof.refused is not None
    assert proof.cancel_refused is not None
    assert proof.refused[0] == proof.cancel_refused[0] == code
    assert not proof.old_gone
    assert not proof.unknown


@pytest.mark.parametrize("code", [-32000, 11012, 11013, 14014])
def test_a_replacement_refused_before_its_cancel_says_nothing_of_the_old_order(code: int):
    """Only the request was refused."""
    proof = outcome(maker(), call_of(REPLACE), error=(code, "m", "Retry after 200 ms"))
    assert proof.refused is not None
    assert proof.refused[0] == code
    assert (proof.cancel_refused, proof.old_gone) == (None, False)


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("code", [9000, 9001, 9002, -32603])
def test_codes_that_mean_the_venue_does_not_know_make_everything_unknown(kind: int, code: int):
    """Neither a refusal nor a success is concluded."""
    proof = outcome(maker(), call_of(kind), error=(code, "m", ""))
    assert proof.unknown
    assert (proof.refused, proof.cancel_refused, proof.old_gone) == (None, None, False)


def test_a_refused_order_says_why_in_words():
    """The code, our meaning of it and the venue's own words."""
    proof = outcome(maker(), call_of(PLACE), error=(11013, "Invalid price", "tick"))
    assert proof.refused == (11013, "bad price: off tick or out of the band (Invalid price: tick)")
    assert proof.cancel_refused is None


def test_a_cancel_answers_the_order_or_a_refusal_that_proves_nothing():
    """The order as it ended; of a refusal both kinds are set, and nothing is gone."""
    (order,) = outcome(maker(), call_of(CANCEL), order_row(order_status="cancelled", filled_amount="0.02")).orders
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, 2)
    proof = outcome(maker(), call_of(CANCEL), error=(11006, "m", ""))
    assert proof.cancel_refused is not None
    assert proof.cancel_refused == proof.refused
    assert not proof.old_gone


@pytest.mark.parametrize(("count", "gone", "counted"), [(1, True, 1), (0, True, 0), (-1, False, None)])
def test_a_burnt_nonce_can_rest_no_more(count: int, gone: bool, counted: int | None):
    """Zero means burnt as well; a count that was not made proves nothing."""
    proof = outcome(maker(), call_of(BURN), {"cancelled_orders": count})
    assert (proof.old_gone, proof.count) == (gone, counted)


@pytest.mark.parametrize(("count", "counted"), [(-1, None), (0, 0), (12, 12)])
def test_a_bulk_cancel_counts_only_where_the_venue_did(count: int, counted: int | None):
    """-1 is neither an error nor a number; cancel_all says just ok."""
    assert outcome(maker(), call_of(PULL), {"cancelled_orders": count}).count == counted
    assert outcome(maker(), call_of(ALL), "ok").count is None


@pytest.mark.parametrize("kind", [PLACE, REPLACE, CANCEL, BURN, PULL])
@pytest.mark.parametrize("result", [None, [], {"order": {"order_id": 5}}, "ok", {"cancelled_order": {}}])
def test_an_answer_that_cannot_be_read_proves_nothing(kind: int, result: Any):
    """Whatever shape it has, the outcome is unknown."""
    proof = maker().read_outcome(call_of(kind), msgspec.Raw(msgspec.json.encode(result)), None)
    assert proof.unknown
    assert (proof.orders, proof.refused) == ((), None)


def test_codes_are_explained_and_sorted():
    """Known codes in words, unlisted ones too; wrong keys are fatal, a crossing post-only is not."""
    dialect = maker()
    assert dialect.explain(11008) == "post-only order would cross the market"
    assert dialect.explain(11105) == "RFQ refused"
    assert dialect.explain(424242) == "unlisted error"
    assert all(dialect.is_fatal(code) for code in (14000, 14014, 14023, 14030, 16000, 11027))
    assert not any(dialect.is_fatal(code) for code in (-32000, 9000, 11000, 11008, 11015, 14038))
