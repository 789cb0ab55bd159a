"""What Deribit's tests share: throwaway credentials, a listed option, rows as the venue writes them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from script_kit import Refusal, drive, raw

from actors.trading.instruments import FeeSchedule, Instrument, LadderStep, Numeraire, OptionKind, Side
from actors.venues.deribit.auth import Credentials
from actors.venues.deribit.wire import DeribitDialect
from actors.venues.dialect import OrderRequest

__all__ = ["Refusal", "drive", "raw"]

DATA = Path(__file__).parents[4] / "shared" / "data"
KEY = "AMANDA:AMANDASECRECT"
NAME = "ETH-25DEC26-2800-C"
NOW_NS = 1_795_338_000_123_456_789
LABEL = "sm-main-cell0-r1-ab12"
ORDER_ID = "ETH-90000000001"

OPTION = Instrument(
    name=NAME,
    venue="deribit",
    underlying="ETH",
    tick=Decimal("0.0001"),
    amount_step=Decimal("1"),
    min_amount=1,
    max_amount=1_000_000_000,
    kind=OptionKind.CALL,
    strike=2800.0,
    expiry_s=1_798_185_600,
    index_name="eth_usd",
    deactivation_s=1_798_185_600,
    ladder=(LadderStep(50, 5),),
    numeraire=Numeraire.COIN,
    fees=FeeSchedule(0.0003, 0.0003, cap=0.125),
)


def recorded(name: str) -> Path:
    """A file of recorded market data, which lies beside the repository; the test is skipped without it."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the recorded data {name} is not beside this repository")
    return path


def documented(name: str) -> Any:
    return json.loads(recorded(name).read_text())


def maker(option: Instrument = OPTION, **kwargs: Any) -> DeribitDialect:
    """A dialect ready to trade `option`."""
    dialect = DeribitDialect(lambda: NOW_NS, credentials=Credentials.parse(KEY), **kwargs)
    dialect.learn([option])
    return dialect


def wish(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "instrument": NAME,
        "side": Side.BID,
        "price": 425,
        "amount": 5,
        "client_id": LABEL,
        "label": LABEL,
        "expires_s": 0,
        "reject_ms": 1_795_338_001_123,
    }
    return OrderRequest(**{**values, **changes})


def order_row(**changes: Any) -> dict[str, Any]:
    """An order as recorded."""
    row: dict[str, Any] = {
        "order_id": ORDER_ID,
        "order_state": "open",
        "order_type": "limit",
        "instrument_name": NAME,
        "direction": "buy",
        "price": 0.0425,
        "amount": 5.0,
        "contracts": 5.0,
        "filled_amount": 0.0,
        "average_price": 0.0,
        "time_in_force": "good_til_cancelled",
        "label": LABEL,
        "post_only": True,
        "reject_post_only": True,
        "reduce_only": False,
        "mmp": False,
        "risk_reducing": False,
        "is_liquidation": False,
        "api": True,
        "web": False,
        "replaced": False,
        "creation_timestamp": 1_795_338_000_100,
        "last_update_timestamp": 1_795_338_000_100,
        "user_id": 77,
    }
    return {**row, **changes}


def trade_row(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "trade_id": "ETH-333000001",
        "trade_seq": 12,
        "order_id": ORDER_ID,
        "instrument_name": NAME,
        "direction": "buy",
        "price": 0.0425,
        "amount": 2.0,
        "contracts": 2.0,
        "timestamp": 1_795_338_000_300,
        "state": "open",
        "order_type": "limit",
        "liquidity": "M",
        "fee": 0.0006,
        "fee_currency": "ETH",
        "iv": 61.2,
        "underlying_price": 2405.1,
        "index_price": 2399.4,
        "mark_price": 0.042711,
        "tick_direction": 1,
        "label": LABEL,
        "mmp": False,
        "api": True,
        "self_trade": False,
        "matching_id": None,
        "profit_loss": None,
        "user_id": 77,
    }
    return {**row, **changes}


def listing(**changes: Any) -> dict[str, Any]:
    """An option's record as production listed it in September 2026."""
    row: dict[str, Any] = {
        "instrument_name": NAME,
        "kind": "option",
        "option_type": "call",
        "instrument_type": "reversed",
        "instrument_id": 1234,
        "base_currency": "ETH",
        "quote_currency": "ETH",
        "counter_currency": "USD",
        "settlement_currency": "ETH",
        "price_index": "eth_usd",
        "strike": 2800.0,
        "expiration_timestamp": 1_798_185_600_000,
        "creation_timestamp": 0,
        "settlement_period": "month",
        "contract_size": 1.0,
        "min_trade_amount": 1.0,
        "tick_size": 0.0001,
        "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}],
        "maker_commission": 0.0003,
        "taker_commission": 0.0003,
        "is_active": True,
        "state": "open",
        "product_group": "TIER_1",
    }
    return {**row, **changes}


PERP = listing(
    instrument_name="ETH-PERPETUAL",
    kind="future",
    settlement_period="perpetual",
    quote_currency="USD",
    tick_size=0.05,
    tick_size_steps=[],
    expiration_timestamp=32_503_708_800_000,
    maker_commission=0.00015,
    taker_commission=0.00035,
)
LINEAR = listing(
    instrument_name="XRP_USDC-21SEP26-1d25-P",
    option_type="put",
    instrument_type="linear",
    base_currency="XRP",
    quote_currency="USDC",
    counter_currency="USDC",
    settlement_currency="USDC",
    price_index="xrp_usdc",
    strike=1.25,
    expiration_timestamp=1_789_977_600_000,
    contract_size=1000.0,
    min_trade_amount=1000.0,
    tick_size=5.0e-4,
    tick_size_steps=[],
)
