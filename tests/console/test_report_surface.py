"""`strikemaker report surface` on recorded and on wrong files."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from console_kit import gone, told

from actors.console.cli import main
from actors.console.report_surface import report_surface
from actors.trading.errors import ConfigError

DATA = Path(__file__).parents[3] / "shared" / "data"
CHAIN = DATA / "deribit-chain-2026-08-21.csv.gz"


@pytest.fixture(name="small")
def small_chain(tmp_path: Path) -> Path:
    """Two ETH expiries of the recorded chain, plain CSV."""
    if not CHAIN.exists():
        pytest.skip("the recorded chain is not there (shared/data)")
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(CHAIN.read_bytes()).decode())))
    kept = [row for row in rows if row["instrument_name"].startswith(("ETH-30OCT26", "ETH-25DEC26"))]
    path = tmp_path / "small.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    return path


def test_the_numbers_are_written_and_printed(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The JSON holds the promised keys, a row an expiry, and the printed summary says the same."""
    out = tmp_path / "surface.json"
    assert report_surface(small, out, None) == 0
    summary = json.loads(out.read_text())
    assert summary["violations"] == 0
    assert summary["inside_core"] >= 0.98
    assert summary["inside_all"] >= 0.92
    assert 0.0 < summary["rmse_median_vol_points"] <= 0.3
    assert [row["expiry"][:10] for row in summary["expiries"]] == ["2026-10-30", "2026-12-25"]
    assert all(row["underlying"] == "ETH" and row["quotes"] >= 35 and row["svi"]["b"] > 0 for row in summary["expiries"])
    printed = " ".join(capsys.readouterr().out.split())
    assert f"inside bid/ask: {summary['inside_core']:.2%} of core quotes" in printed


def test_a_reader_that_goes_away_is_no_error(small: Path, tmp_path: Path) -> None:
    """As with `| head -1`: the JSON is written before anything is printed."""
    out = tmp_path / "surface.json"
    assert told(["report", "surface", "--chain", str(small), "--json", str(out)], gone()) == (0, "")
    assert out.exists()


def test_pictures_hold_market_fit_and_our_quotes(small: Path, tmp_path: Path) -> None:
    """One self-contained page with a picture per expiry: the market's range, our smile, our bid and our ask."""
    pytest.importorskip("plotly")
    page = tmp_path / "surface.html"
    report_surface(small, None, page)
    text = page.read_text()
    for words in ("ETH 30 Oct 2026", "ETH 25 Dec 2026", "market bid to ask", "our smile", "our bid", "our ask"):
        assert words in text
    assert "cdn.plot.ly" not in text.split("<body>")[0]


def test_without_plotly_the_pictures_say_what_to_install(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optional extra is named, and nothing is written; numbers alone need no plotly."""
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ConfigError, match=r"strikemaker\[report\]"):
        report_surface(small, tmp_path / "n.json", tmp_path / "p.html")
    assert not (tmp_path / "n.json").exists()
    assert report_surface(small, tmp_path / "n.json", None) == 0


def test_a_wrong_cell_is_found(small: Path) -> None:
    """File, row and column of a cell that is no number are in the error."""
    lines = small.read_text().splitlines()
    at = lines[0].split(",").index("bid_price")
    cells = lines[3].split(",")
    cells[at] = "cheap"
    small.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")
    with pytest.raises(ConfigError, match=r"small\.csv: row 4, column bid_price"):
        report_surface(small, None, None)


def test_a_place_that_cannot_be_written_is_an_error_for_the_operator(small: Path, tmp_path: Path) -> None:
    """No traceback for a folder that is not there."""
    with pytest.raises(ConfigError, match="cannot be written"):
        report_surface(small, tmp_path / "nowhere" / "n.json", None)


def test_an_expiry_without_a_smile_fails_the_report(small: Path, tmp_path: Path) -> None:
    """When an expiry with enough quotes has no trusted smile the exit code says so, and so does its row."""
    rows = list(csv.DictReader(small.open()))
    for number, row in enumerate(rows):
        if row["instrument_name"].startswith("ETH-30OCT26") and row["bid_price"] and row["ask_price"]:
            factor = (0.4, 1.0, 2.4)[number % 3]
            row["bid_price"], row["ask_price"] = (f"{float(row[each]) * factor:.6f}" for each in ("bid_price", "ask_price"))
    with small.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "surface.json"
    code = report_surface(small, out, None)
    october = json.loads(out.read_text())["expiries"][0]
    assert (code, bool(october["refused"])) == (1, True) or october["doubtful"]


def test_an_offer_beyond_reason_neither_moves_the_fit_nor_spoils_the_score(small: Path, tmp_path: Path) -> None:
    """An ask above what the option can ever be worth has no implied vol: it bounds nothing and has no middle."""
    rows = list(csv.DictReader(small.open()))
    one = next(row for row in rows if row["instrument_name"] == "ETH-25DEC26-2400-C" or "-C" in row["instrument_name"])
    one["ask_price"] = "1.5"
    with small.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "surface.json"
    assert report_surface(small, out, None) == 0
    summary = json.loads(out.read_text())
    assert summary["inside_core"] >= 0.98
    assert summary["rmse_median_vol_points"] <= 0.3
    assert all(row["rmse_vol_points"] is not None for row in summary["expiries"])


def test_a_chain_without_quotes_is_bad_input(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says what is missing, exit code 2, no table of NaNs and no files."""
    rows = list(csv.DictReader(small.open()))
    with small.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "bid_price": "", "ask_price": ""} for row in rows)
    out = tmp_path / "surface.json"
    assert main(["report", "surface", "--chain", str(small), "--json", str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert "no expiry has 6 out-of-the-money options with both a bid and an ask" in said.err
    assert not out.exists()
