"""Instrument names of Derive, and Deribit's spellings of the same."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.instruments import OptionKind
from actors.venues.derive import names

CHRISTMAS = int(datetime(2026, 12, 25, 8, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "spelling",
    ["ETH-20261225-2800-C", "ETH-25DEC26-2800-C", "eth-25dec26-2800-c", " ETH-20261225-2800.0-C ", "ETH-20261225-2800_0-C"],
)
def test_spellings_of_one_option_are_one_option(spelling: str):
    """Derive's and Deribit's forms, in any case, name the same instrument."""
    assert names.canonical_name(spelling) == "ETH-20261225-2800-C"
    assert names.parse_name(spelling) == ("ETH", CHRISTMAS, Decimal("2800"), OptionKind.CALL)


def test_an_underscore_in_a_strike_is_a_decimal_point():
    """1_35 is 1.35, not 135; Deribit's 1d35 as well."""
    for spelling in ("XRP-20260828-1_35-P", "XRP-28AUG26-1d35-P"):
        name = names.parse_name(spelling)
        assert name.strike == Decimal("1.35")
        assert names.canonical_name(spelling) == "XRP-20260828-1_35-P"


def test_the_perpetual_has_neither_expiry_nor_strike():
    """Both venues' spellings of it are accepted."""
    assert names.parse_name("ETH-PERP") == ("ETH", 0, Decimal(0), None)
    assert names.canonical_name("ETH-PERPETUAL") == names.perp_name("ETH") == "ETH-PERP"


@given(
    underlying=st.sampled_from(["ETH", "BTC", "XRP", "1INCH"]),
    day=st.dates(datetime(2000, 1, 1).date(), datetime(2099, 12, 31).date()),
    strike=st.decimals("0.0001", "1000000", places=4),
    kind=st.sampled_from(list(OptionKind)),
)
def test_names_survive_the_way_there_and_back(underlying: str, day: object, strike: Decimal, kind: OptionKind):
    """Writing and parsing are inverse, whatever the date and the decimals of the strike."""
    expiry_s = names.parse_expiry(f"{day:%Y%m%d}")
    name = names.option_name(underlying, expiry_s, strike, kind)
    assert names.parse_name(name) == (underlying, expiry_s, strike, kind)
    assert names.canonical_name(name) == name
    assert names.underlying_of(name) == underlying


@given(day=st.dates(datetime(2000, 1, 1).date(), datetime(2099, 12, 31).date()))
def test_every_date_has_one_expiry_second(day: object):
    """All three spellings of a day mean 08:00 UTC of it."""
    seconds = names.parse_expiry(f"{day:%Y%m%d}")
    assert datetime.fromtimestamp(seconds, UTC).isoformat() == f"{day}T08:00:00+00:00"
    assert names.parse_expiry(f"{day:%d%b%y}") == seconds == names.parse_expiry(str(day))
    assert names.expiry_text(seconds) == f"{day:%Y%m%d}"


@pytest.mark.parametrize("text", ["", "2026", "20261301", "20260230", "31FEB26", "25XXX26", "tomorrow", "2026122"])
def test_what_is_no_date_is_refused_with_the_form_expected(text: str):
    """The message shows how an expiry is written."""
    with pytest.raises(ValueError, match="YYYYMMDD"):
        names.parse_expiry(text)


@pytest.mark.parametrize("text", ["", "ETH", "ETH-USDC", "ETH-20261225-2800", "ETH-20261225-2800-X", "ETH-20261225--5-C"])
def test_what_is_no_instrument_is_refused(text: str):
    """Neither spot pairs nor halves of names pass."""
    with pytest.raises(ValueError, match="expected"):
        names.parse_name(text)
