"""Recorded chains: read to the last row, moved ahead by whole weeks, and quoted exactly as recorded."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from open_pit import OpenPit

from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument
from actors.venues.derive.names import expiry_text
from actors.venues.paper.chain import COLUMNS, ListedChain, list_chain, read_chain
from actors.venues.paper.market import World, WorldSettings

NOW_NS = 1_795_338_000 * 10**9
NOW_S = NOW_NS / 1e9
SECOND_NS = 10**9
DATA = Path(__file__).parents[3].parent / "shared" / "data"
AUGUST, FEBRUARY = DATA / "deribit-chain-2026-08-21.csv.gz", DATA / "deribit-chain-2026-02-26.csv.gz"
recorded = pytest.mark.skipif(not AUGUST.exists(), reason="no recorded chains in ../shared/data beside the repository")
both = pytest.mark.parametrize(("path", "rows"), [(AUGUST, 1946), (FEBRUARY, 1956)], ids=["august", "february"])
venues = pytest.mark.parametrize("venue", ["derive", "deribit"])

HEADER = ",".join(COLUMNS)
ROW = {
    "timestamp": "2026-08-21T09:47:29+00:00", "instrument_name": "ETH-25SEP26-2600-C", "currency": "ETH",
    "option_type": "call", "expiry_datetime": "2026-09-25T08:00:00+00:00", "strike": "2600.0", "bid_price": "0.0255",
    "ask_price": "0.027", "mark_price": "0.0261", "futures_price": "2420.5", "implied_volatility": "0.61",
    "index_price": "2410.0",
}  # fmt: skip


def write(folder: Path, *rows: dict[str, str], header: str = HEADER, name: str = "chain.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *(",".join(row[c] for c in header.split(",") if c in row) for row in rows)]) + "\n")
    return path


def listed(path: Path, underlying: str = "ETH", venue: str = "derive") -> ListedChain:
    return list_chain(read_chain(path, underlying), venue, NOW_S)


def started(chain: ListedChain, venue: str, **changes: object) -> tuple[OpenPit, World]:
    pit = OpenPit()
    world = World(WorldSettings.usual(chain.underlying, **changes), venue, pit, 1, chain)
    world.open(NOW_NS)
    return pit, world


# -- the recordings


@recorded
@both
def test_recorded_chains_load_to_the_last_row(path: Path, rows: int) -> None:
    """Every row of both recordings becomes an option."""
    assert len(read_chain(path)) == rows
    assert len(read_chain(path, "BTC")) + len(read_chain(path, "ETH")) == rows


@recorded
@both
@venues
def test_rebased_expiries_lie_ahead_on_the_same_weekday(path: Path, rows: int, venue: str) -> None:
    """All expiries move by the same whole weeks, no more than needed, and stay at 08:00 UTC."""
    chain = listed(path, venue=venue)
    moved = {part.expiry_s - part.original_s for part in chain.expiries}
    assert moved == {chain.weeks * 7 * 86_400}
    first = min(part.expiry_s for part in chain.expiries)
    assert NOW_S < first <= NOW_S + 7 * 86_400 + 3600
    for part in chain.expiries:
        old, new = (datetime.fromtimestamp(second, UTC) for second in (part.original_s, part.expiry_s))
        assert old.weekday() == new.weekday()
        assert (new.hour, new.minute, new.second) == (8, 0, 0)


@recorded
@both
@venues
@pytest.mark.parametrize("underlying", ["ETH", "BTC"])
def test_the_world_opens_with_the_recorded_quotes(path: Path, rows: int, venue: str, underlying: str) -> None:
    """Best bid and ask of every option are the recorded ones, no side is invented, and the marks are the file's."""
    chain = listed(path, underlying, venue)
    pit, _ = started(chain, venue)
    raw = {row.name: row for row in read_chain(path, underlying)}
    for part in chain.expiries:
        for quote in part.quotes:
            assert pit.best(quote.instrument.name) == (quote.bid, quote.ask)
            row = raw[quote.original]
            assert (quote.bid == 0, quote.ask == 0) == (row.bid is None, row.ask is None)
            _check_conversion(quote.instrument, quote.bid, row.bid, row.forward, down=True)
            _check_conversion(quote.instrument, quote.ask, row.ask, row.forward, down=False)
            assert pit.references[quote.instrument.name].mark == pytest.approx(quote.mark, abs=1e-9)


def _check_conversion(instrument: Instrument, ticks: int, coin: float | None, forward: float, *, down: bool) -> None:
    if coin is None:
        return
    assert instrument.on_ladder(ticks)
    wanted = coin if instrument.venue == "deribit" else coin * forward
    off = instrument.price_float(ticks) - wanted
    tick = instrument.tick_float
    if instrument.venue == "deribit":
        assert abs(off) < 1e-9
    else:
        assert (-tick < off <= 1e-9) if down else (-1e-9 <= off < tick)


@recorded
def test_every_new_name_is_told() -> None:
    """The mapping names each recorded option once, and a recorded expiry finds its new date; an unknown one does not."""
    chain = listed(AUGUST)
    assert len(chain.renamed) == len(set(chain.renamed.values())) == sum(len(part.quotes) for part in chain.expiries)
    date = chain.rebased_date("20260925")
    assert date == chain.rebased_date("25SEP26")
    assert chain.renamed["ETH-25SEP26-2600-C"] == f"ETH-{date}-2600-C"
    with pytest.raises(ConfigError, match=r"20260926 is not in the recorded chain; recorded are 20260822, 20260823"):
        chain.rebased_date("20260926")
    with pytest.raises(ConfigError, match="YYYYMMDD"):
        chain.rebased_date("next friday")


@recorded
@venues
def test_a_frozen_recording_stands_still(venue: str) -> None:
    """Frozen, the recording is only said again: the same index, marks and quotes a minute later."""
    pit, world = started(listed(AUGUST, venue=venue), venue, frozen=True)
    before = dict(pit.index), dict(pit.references), pit.calls["quotes"]
    for n in range(1, 61):
        world.step(NOW_NS + n * SECOND_NS)
    assert (dict(pit.index), dict(pit.references), pit.calls["quotes"]) == before


@recorded
@venues
def test_a_recording_comes_to_life(venue: str) -> None:
    """Unfrozen, index, marks and quotes move on from the recording, still on the ladder and never crossed."""
    chain = listed(AUGUST, venue=venue)
    pit, world = started(chain, venue, taker_rate_per_s=5.0)
    index, quotes = world.index, pit.calls["quotes"]
    assert index == pytest.approx(2410.0, abs=3.0)
    for n in range(1, 101):
        world.step(NOW_NS + n * SECOND_NS // 2)
    assert world.index != index
    assert pit.calls["quotes"] > quotes
    assert pit.trades
    moved = sum(pit.references[q.instrument.name].mark != q.mark for part in chain.expiries for q in part.quotes)
    assert moved > 0.9 * sum(len(part.quotes) for part in chain.expiries)


@recorded
def test_recorded_vols_reappear_in_the_references() -> None:
    """An at-the-money option publishes its recorded vol, scaled by the root of recorded over present time to expiry."""
    chain = listed(AUGUST)
    pit, _ = started(chain, "derive")
    part = next(part for part in chain.expiries if expiry_text(part.original_s) == "20260925")
    row = next(row for row in read_chain(AUGUST, "ETH") if row.name == "ETH-25SEP26-2400-C")
    scale = ((part.original_s - row.recorded_s) / (part.expiry_s - NOW_S)) ** 0.5
    name = chain.renamed[row.name]
    assert row.vol is not None
    assert pit.references[name].vol == pytest.approx(row.vol * scale, rel=0.005)


# -- any file with these columns


def test_plain_and_gzipped_files_read_alike(tmp_path: Path) -> None:
    """Compression is recognised by content; columns may stand in any order among others; an empty cell is no quote."""
    plain = write(tmp_path, {**ROW, "bid_price": ""})
    packed = tmp_path / "chain.bin"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    reversed_header = ",".join(["comment", *reversed(COLUMNS)])
    shuffled = write(tmp_path, {**ROW, "bid_price": "", "comment": "x"}, header=reversed_header, name="shuffled.csv")
    assert read_chain(plain) == read_chain(packed) == read_chain(shuffled)
    (row,) = read_chain(plain)
    assert (row.bid, row.ask, row.vol) == (None, 0.027, 0.61)


def test_the_newest_row_of_an_option_counts(tmp_path: Path) -> None:
    """A recording with several snapshots opens with the last one."""
    later = {**ROW, "timestamp": "2026-08-21T10:00:00+00:00", "bid_price": "0.03"}
    assert [row.bid for row in read_chain(write(tmp_path, later, ROW))] == [0.03]


def test_a_chain_from_the_future_is_not_moved(tmp_path: Path) -> None:
    """Expiries that lie ahead already stay where they are."""
    chain = list_chain(read_chain(write(tmp_path, ROW)), "derive", datetime(2026, 8, 22, tzinfo=UTC).timestamp())
    assert chain.weeks == 0
    assert list(chain.renamed.values()) == ["ETH-20260925-2600-C"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("strike", "abc", r"row 3, column strike: 'abc' is no finite number from zero up; correct it"),
        ("strike", "0", r"row 3, column strike: '0' is not above zero"),
        ("bid_price", "-0.1", r"row 3, column bid_price: '-0.1' is no finite number"),
        ("ask_price", "nan", r"row 3, column ask_price"),
        ("mark_price", "inf", r"row 3, column mark_price"),
        ("futures_price", "", r"row 3, column futures_price: '' is not above zero; write a positive number"),
        ("implied_volatility", "62.5", r"row 3, column implied_volatility: '62.5' is no fraction; write 0.62 for 62 %"),
        ("option_type", "future", r"row 3, column option_type: 'future' is neither call nor put"),
        ("expiry_datetime", "25SEP26", r"row 3, column expiry_datetime: '25SEP26' is no date and time; write it like"),
        ("timestamp", "", r"row 3, column timestamp: '' is empty"),
        ("instrument_name", "", r"row 3, column instrument_name"),
    ],
)
def test_a_bad_cell_is_named_with_its_fix(tmp_path: Path, column: str, value: str, message: str) -> None:
    """File, row, column, value and what to do about it, in one line."""
    path = write(tmp_path, ROW, {**ROW, "strike": "2700", column: value})
    with pytest.raises(ConfigError, match=message) as caught:
        read_chain(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_short_row_is_named_too(tmp_path: Path) -> None:
    """A row with fewer cells than the header is refused at its first missing one."""
    path = tmp_path / "chain.csv"
    path.write_text(f"{HEADER}\n2026-08-21T09:47:29+00:00,ETH-25SEP26-2600-C\n")
    with pytest.raises(ConfigError, match="row 2, column currency"):
        read_chain(path)


def test_files_that_are_no_chain_are_refused(tmp_path: Path) -> None:
    """Missing columns, no rows, another underlying, rubbish, or no file at all: one clear error each."""
    with pytest.raises(ConfigError, match="no column bid_price, ask_price"):
        read_chain(write(tmp_path, ROW, header=HEADER.replace("bid_price,ask_price,", "")))
    with pytest.raises(ConfigError, match="no option row in it"):
        read_chain(write(tmp_path))
    with pytest.raises(ConfigError, match="no BTC row in it; choose another file or underlying"):
        read_chain(write(tmp_path, ROW), "BTC")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_chain(tmp_path / "absent.csv")
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8brubbish")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_chain(broken)


def test_a_chain_of_two_underlyings_must_be_narrowed(tmp_path: Path) -> None:
    """One world has one underlying; a mixed list is refused by name."""
    btc = {**ROW, "currency": "BTC", "instrument_name": "BTC-25SEP26-2600-C"}
    with pytest.raises(ConfigError, match="one underlying, not BTC, ETH"):
        list_chain(read_chain(write(tmp_path, ROW, btc)), "derive", NOW_S)


def test_an_expiry_without_any_vol_is_refused(tmp_path: Path) -> None:
    """Without one implied vol there is no smile to start from."""
    with pytest.raises(ConfigError, match="no option of its expiry has an implied_volatility"):
        listed(write(tmp_path, {**ROW, "implied_volatility": ""}))
