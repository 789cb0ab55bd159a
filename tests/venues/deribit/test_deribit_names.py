"""Instrument names of Deribit, and Derive's spellings of the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.instruments import OptionKind
from actors.venues import names as shared
from actors.venues.deribit import names
from actors.venues.derive import names as derive_names

CHRISTMAS = int(datetime(2026, 12, 25, 8, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "spelling", ["ETH-25DEC26-2800-C", "ETH-20261225-2800-C", "eth-25dec26-2800-c", " ETH-20261225-2800_0-C "]
)
def test_spellings_of_one_option_are_one_option(spelling: str):
    """Deribit's and Derive's forms, in any case, name the same instrument."""
    assert names.canonical_name(spelling) == "ETH-25DEC26-2800-C"
    assert shared.parse_name(spelling) == ("ETH", CHRISTMAS, Decimal(2800), OptionKind.CALL)


def test_linear_names_carry_quote_currency_and_a_d_for_the_point():
    """XRP_USDC is an underlying of its own, and 1d25 is 1.25."""
    name = shared.parse_name("XRP_USDC-21SEP26-1d25-C")
    assert (name.underlying, name.strike) == ("XRP_USDC", Decimal("1.25"))
    assert names.canonical_name("xrp_usdc-20260921-1_25-c") == "XRP_USDC-21SEP26-1d25-C"
    assert shared.underlying_of("XRP_USDC-21SEP26-1d25-C") == "XRP_USDC"


def test_days_have_no_leading_zero():
    """8JUN20, not 08JUN20; both are read."""
    first = shared.parse_expiry("20200608")
    assert names.day_text(first) == "8JUN20"
    assert shared.parse_expiry("8JUN20") == shared.parse_expiry("08JUN20") == first


def test_currencies_and_indices_follow_from_the_underlying():
    """Linear options lie under their quote currency."""
    assert [names.currency_of(one) for one in ("ETH", "ETH_USDC")] == ["ETH", "USDC"]
    assert [names.index_of(one) for one in ("BTC", "SOL_USDC")] == ["btc_usd", "sol_usdc"]


def test_the_perpetual_has_neither_expiry_nor_strike():
    """Both venues' spellings of it are accepted, linear ones too."""
    assert names.canonical_name("ETH-PERP") == names.perp_name("ETH") == "ETH-PERPETUAL"
    assert shared.parse_name("SOL_USDC-PERPETUAL").underlying == "SOL_USDC"


@given(
    underlying=st.sampled_from(["ETH", "BTC", "XRP_USDC", "ETH_USDC"]),
    day=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    strike=st.decimals("0.0001", "1000000", places=4),
    kind=st.sampled_from(list(OptionKind)),
)
def test_names_survive_the_way_there_and_back(underlying: str, day: date, strike: Decimal, kind: OptionKind):
    """Writing and parsing are inverse on Deribit as on Derive, and each venue's canonical name is the other's meaning."""
    expiry_s = shared.parse_expiry(f"{day:%Y%m%d}")
    name = names.option_name(underlying, expiry_s, strike, kind)
    assert shared.parse_name(name) == (underlying, expiry_s, strike, kind)
    assert names.canonical_name(name) == name
    assert names.canonical_name(derive_names.canonical_name(name)) == name
