"""What Derive's tests share: throwaway keys, a listed option, rows as the venue writes them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from script_kit import Refusal, drive, raw

from actors.trading.instruments import FeeSchedule, Instrument, OptionKind, Side
from actors.venues.derive.signing import SigningKey
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import Call, OrderRequest

__all__ = ["Refusal", "drive", "raw"]

REFERENCE = Path(__file__).parents[4] / "shared" / "reference"
KEY_HEX = "0x2ae8be44db8a590d20bffbe3b6872df9b569147d3bf6801a35a28281a4816bbd"
SIGNER = "0x86042886b1063625D0B3DDCC9e4cBcf912B79e16"
OWNER = "0x8772185a1516f0d61fC1c2524926BfC69F95d698"
SUBACCOUNT = 30769
NAME = "ETH-20261225-2800-C"
NOW_NS = 1_795_338_000_123_456_789

OPTION = Instrument(
    name=NAME,
    venue="derive",
    underlying="ETH",
    tick=Decimal("0.1"),
    amount_step=Decimal("0.01"),
    min_amount=10,
    max_amount=1_000_000,
    kind=OptionKind.CALL,
    strike=2800.0,
    expiry_s=1_798_185_600,
    index_name="ETH-USD",
    fees=FeeSchedule(0.0001, 0.0003, 0.5, 0.125),
    asset_address="0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4",
    sub_id=39614081257132168798117926912,
)

RESTING = SimpleNamespace(venue_id="6a6eed97-b882-4909-a7ac-566fe99577e1", client_id="1795338000123455007", instrument=NAME)
IN_FLIGHT = SimpleNamespace(venue_id="", client_id="1795338000123455007", instrument=NAME)


def reference(name: str) -> Any:
    """A file of the protocol reference, which lies beside the repository; the test is skipped without it."""
    path = REFERENCE / name
    if not path.exists():
        pytest.skip(f"the protocol reference {name} is not beside this repository")
    return json.loads(path.read_text())


def sample(name: str) -> Any:
    return reference("derive-v2-samples.json")["samples"][name]


def maker(option: Instrument = OPTION, **kwargs: Any) -> DeriveDialect:
    """A dialect ready to trade `option`, with the index at 2600."""
    dialect = DeriveDialect(lambda: NOW_NS, key=SigningKey.from_hex(KEY_HEX), wallet=OWNER, **kwargs)
    dialect.adopt(SUBACCOUNT)
    dialect.learn([option])
    dialect.note_reference(NAME, 2600.0, 120.0)
    return dialect


def wish(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "instrument": NAME,
        "side": Side.BID,
        "price": 1005,
        "amount": 10,
        "client_id": "1795338000123456007",
        "label": "mm-ETH-1",
        "expires_s": 1_795_338_900,
        "reject_ms": 1_795_338_001_123,
    }
    return OrderRequest(**{**values, **changes})


def order_row(**changes: Any) -> dict[str, Any]:
    """An order as Derive v3 describes it, all required fields present."""
    row: dict[str, Any] = {
        "order_id": "6a6eed97-b882-4909-a7ac-566fe99577e1",
        "subaccount_id": SUBACCOUNT,
        "instrument_name": NAME,
        "direction": "buy",
        "label": "mm-ETH-1",
        "order_type": "limit",
        "time_in_force": "post_only",
        "amount": "0.1",
        "filled_amount": "0",
        "average_price": "0",
        "limit_price": "100.5",
        "signed_limit_price": None,
        "max_fee": "7.34",
        "order_fee": "0",
        "extra_fee": "0",
        "nonce": "1795338000123456007",
        "signature": "0x00",
        "signature_expiry_sec": 1_795_338_900,
        "signer": SIGNER,
        "mmp": False,
        "is_transfer": False,
        "order_status": "open",
        "cancel_reason": "",
        "creation_timestamp": 1_795_338_000_200,
        "last_update_timestamp": 1_795_338_000_200,
        "quote_id": None,
        "replaced_order_id": None,
    }
    return {**row, **changes}


def trade_row(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "trade_id": "0445f96a-10fb-4fdc-a0f9-eed94a2f32e1",
        "order_id": "6a6eed97-b882-4909-a7ac-566fe99577e1",
        "subaccount_id": SUBACCOUNT,
        "instrument_name": NAME,
        "direction": "buy",
        "label": "mm-ETH-1",
        "trade_price": "100.5",
        "trade_amount": "0.04",
        "trade_fee": "0.010400000001",
        "expected_rebate": "0",
        "extra_fee": "0",
        "liquidity_role": "maker",
        "mark_price": "101.2",
        "index_price": "2600.1",
        "realized_pnl": "0",
        "realized_pnl_excl_fees": "0",
        "is_transfer": False,
        "quote_id": None,
        "rfq_id": None,
        "timestamp": 1_795_338_000_300,
        "op_uuid": "a",
        "batch_status": None,
        "tx_hash": None,
    }
    return {**row, **changes}


def params(call: Call | None) -> dict[str, Any]:
    assert call is not None
    decoded = json.loads(call.params)
    assert isinstance(decoded, dict)
    return decoded


def notice(dialect: DeriveDialect, channel: str, data: Any) -> list[Any]:
    return list(dialect.decode_notice("subscription", channel, raw(data)))
