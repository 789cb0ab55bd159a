"""A venue that is not well: units that change under a running cell, stamps of the future, prints that cannot be."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

import attrs
import msgspec
import pytest
import trio
from cell_kit import DERIVE, MASS, ORDERS, SIDES, Form, Placed, in_every_form, methods, quote_and_vanish, quoting, resting

from actors import watch
from actors.cell import Cell
from actors.cell_process import _fatal
from actors.clock import VirtualClock
from actors.console.exits import Exit
from actors.market_data import AHEAD_MS, MarketData
from actors.rehearsal.nets import MemoryPosts
from actors.rehearsal.stage import Stage, open_stage
from actors.sweeper import Sweeper, until_none
from actors.trading.errors import (
    ClockWrong,
    NotGranted,
    Relisted,
    StrikemakerError,
    VenueRefused,
    VenueUnreachable,
    leading_error,
)
from actors.venues.dialect import Call
from actors.venues.protocol import Notice
from actors.venues.rest import RestLink

Row = dict[str, Any]
LISTING = {"derive": "public/get_all_instruments", "deribit": "public/get_instruments"}
KINDS = {
    "book": ("orderbook", "book"),
    "ticker": ("ticker_slim", "ticker"),
    "index": ("spot_feed", "deribit_price_index"),
}
"""How the channels of each news begin, on either venue."""


async def ending(cell: Cell) -> StrikemakerError:
    """Runs a cell to its end: the error that ended it."""
    try:
        await cell.run()
    except* StrikemakerError as group:
        error = leading_error(group)
    assert isinstance(error, StrikemakerError)
    return error


def change_answers(link: Any, method: str, change: Callable[[Any], Any]) -> list[str]:
    """Answers to a method arrive as `change` makes them; the methods asked for so far."""
    asked: list[str] = []
    ask = link.call

    async def call(wanted: Call, *more: Any) -> msgspec.Raw:
        asked.append(wanted.method)
        answer = await ask(wanted, *more)
        if wanted.method != method:
            return cast(msgspec.Raw, answer)
        return msgspec.Raw(msgspec.json.encode(change(msgspec.json.decode(answer))))

    link.call = call
    return asked


# -- units


@pytest.mark.parametrize("form", [DERIVE, ORDERS, MASS], ids=str)
@pytest.mark.parametrize(("unit", "factor"), [("tick", 0.5), ("tick", 5.0), ("step", 10.0)])
async def test_what_is_listed_again_in_other_units_is_left_in_peace(
    form: Form, unit: str, factor: float, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices and amounts are held as integers of the old units: nothing goes out in others, and the next life reads anew.

    The watch looks away for a while here, so that there is time to send something wrong.
    """
    monkeypatch.setattr(watch, "WATCH_S", 3.0)
    is_derive = form is DERIVE
    names = {"tick": ("tick_size",), "step": ("amount_step",) if is_derive else ("min_trade_amount", "contract_size")}
    least = "minimum_amount"
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell, strategy, seen = stage.cell(form.settings()), Placed(), []
        cell.strategy = strategy
        cell.settings.quoting.requote_threshold = 0.0

        def relist(answer: Any) -> Any:
            for row in answer["instruments"] if is_derive else answer:
                for key in names[unit]:
                    row[key] = str(float(row[key]) * factor) if is_derive else row[key] * factor
                if is_derive and unit == "step":
                    row[least] = row["amount_step"]
            seen.append(len(stage.exchange.ledger.records))
            return answer

        ended: list[StrikemakerError] = []

        async def live() -> None:
            ended.append(await ending(cell))

        nursery.start_soon(live)
        await quoting(cell)
        before = {(row["instrument"], row["side"]): row for row in resting(stage).values()}
        change_answers(cell.market.link, LISTING[form.venue], relist)
        if not is_derive:
            cell.market.link.drop("pulled by the test")  # its listing is read again after a connection
        with trio.fail_after(90):
            while not ended:
                await trio.sleep(0.5)
                if seen:
                    strategy.ticks = strategy.ask_ticks = 5 - strategy.ticks
                    for name in cell.instruments:
                        cell.market.ring(name)
        assert isinstance(ended[0], Relisted)
        assert _fatal(ended[0], cell) == 0
        assert cell.proof.confirmed
        assert resting(stage) == {}
        later = [row for row in stage.exchange.ledger.records[seen[0] :] if row["kind"] == "order"]
        assert form.sent(stage, seen[0]), "or nothing was tried"
        for row in later:
            old = before[row["instrument"], row["side"]]
            few_ticks = 10.5 * cell.instruments[row["instrument"]].tick_float
            assert abs(float(row["price"]) - float(old["price"])) < few_ticks
            assert row["amount"] == old["amount"]
        nursery.cancel_scope.cancel()


async def test_what_is_announced_in_other_units_ends_the_cell_too(autojump_clock: trio.testing.MockClock) -> None:
    """Where new strikes are announced, an old one that is announced again is looked at like one that is read again."""
    async with open_stage(ORDERS.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell, rows = stage.cell(ORDERS.settings()), []
        change_answers(cell.market.link, LISTING["deribit"], lambda answer: rows.extend(answer) or answer)
        ended: list[StrikemakerError] = []

        async def live() -> None:
            ended.append(await ending(cell))

        nursery.start_soon(live)
        await quoting(cell)
        known = next(row for row in rows if row["instrument_name"] in cell.instruments)
        for row, is_the_end in ((known, False), ({**known, "min_trade_amount": known["min_trade_amount"] * 5}, True)):
            data = msgspec.Raw(msgspec.json.encode(row))
            cell.market.on_notice(Notice("subscription", "instrument.creation.option.ETH", data))
            await trio.sleep(5)
            assert bool(ended) == is_the_end
        assert isinstance(ended[0], Relisted)
        assert cell.proof.confirmed
        assert resting(stage) == {}
        nursery.cancel_scope.cancel()


async def test_new_fees_are_no_reason_to_end(autojump_clock: trio.testing.MockClock) -> None:
    """They change what an order costs, not what its numbers mean."""
    async with open_stage(DERIVE.paper()) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(DERIVE.settings())
        nursery.start_soon(cell.run)
        await quoting(cell)

        def dearer(answer: Any) -> Any:
            for row in answer["instruments"]:
                row["maker_fee_rate"] = "0.0007"
            return answer

        asked = change_answers(cell.market.link, LISTING["derive"], dearer)
        await trio.sleep(40)
        assert LISTING["derive"] in asked
        assert {one.fees.maker_rate for one in cell.market.listing.values()} == {0.0007}
        await quoting(cell)
        assert not cell.market.relisted
        nursery.cancel_scope.cancel()


# -- stamps of the future


def stamp_once(cell: Cell, what: str, ahead_ms: int) -> list[str]:
    """The next news of its kind arrives with a stamp that much ahead: the channel it came on."""
    link: Any = cell.market.link
    hear = link._on_notice
    struck: list[str] = []

    def lie(notice: Notice) -> None:
        if not struck and notice.channel.startswith(tuple(f"{kind}." for kind in KINDS[what])):
            struck.append(notice.channel)
            data = msgspec.json.decode(notice.data)
            row, key = (data["instrument_ticker"], "t") if "instrument_ticker" in data else (data, "timestamp")
            row[key] += ahead_ms
            notice = Notice(notice.method, notice.channel, msgspec.Raw(msgspec.json.encode(data)))
        hear(notice)

    link._on_notice = lie
    return struck


def newest_ms(cell: Cell, what: str, channel: str) -> int:
    """The stamp of what the cell holds of this kind, of the instrument whose channel it is."""
    if what == "index":
        return cell.market.index.ts_ms
    (picture,) = (picture for name, picture in cell.market.pictures.items() if f".{name}." in channel)
    news = picture.book if what == "book" else picture.ticker
    return 0 if news is None else news.ts_ms


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
@pytest.mark.parametrize("what", list(KINDS))
async def test_one_stamp_of_the_future_is_not_believed(
    form: Form, what: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Believed, it would silence all later news as overtaken, and proofs would be judged by a clock an hour ahead."""
    async with open_stage(form.paper()) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(form.settings())
        nursery.start_soon(cell.run)
        await quoting(cell)
        struck = stamp_once(cell, what, 3_600_000)
        with trio.fail_after(30):
            while not struck:
                await trio.sleep(0.01)
        assert cell.market.malformed == 1
        await trio.sleep(30)
        seen = len(stage.exchange.ledger.records)
        await trio.sleep(30)
        now_ms = stage.clock.now_ms()
        assert abs(cell.clock.venue_ms() - now_ms) < 1000
        assert now_ms - 30_000 < newest_ms(cell, what, struck[0]) <= now_ms
        assert cell.market.malformed == 1
        assert not cell.risk.halts
        assert form.sent(stage, seen)
        await quoting(cell)
        assert [name for name, quoter in cell.quoters.items() if quoter.unquotable()] == []
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
@pytest.mark.parametrize("what", list(KINDS))
async def test_a_stamp_a_little_ahead_is_believed(form: Form, what: str, autojump_clock: trio.testing.MockClock) -> None:
    """Our own clock may be the one that is wrong: so much of it is no reason to be deaf."""
    async with open_stage(form.paper()) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(form.settings())
        nursery.start_soon(cell.run)
        await quoting(cell)
        struck = stamp_once(cell, what, 4_000)
        with trio.fail_after(30):
            while not struck:
                await trio.sleep(0.01)
        assert cell.market.malformed == 0
        assert newest_ms(cell, what, struck[0]) > stage.clock.now_ms() + 3_000
        nursery.cancel_scope.cancel()


# -- prints of the index


@attrs.define
class Index:
    """Market data that hears of an index only, and what it told of it."""

    form: Form
    market: MarketData
    clock: VirtualClock
    told: list[float]

    def hear(self, price: float, ahead_ms: int = 0) -> float | None:
        """A print; the index that is believed after it."""
        stamp = self.clock.now_ms() + ahead_ms
        channel, data = "spot_feed.ETH", {"timestamp": stamp, "feeds": {"ETH": {"price": f"{price:f}"}}}
        if self.form is not DERIVE:
            channel, data = "deribit_price_index.eth_usd", {"timestamp": stamp, "index_name": "eth_usd", "price": price}
        self.market.on_notice(Notice("subscription", channel, msgspec.Raw(msgspec.json.encode(data))))
        return self.market.index.price


async def index_of(form: Form, stage: Stage) -> Index:
    cell = stage.cell(form.settings())
    told: list[float] = []
    cell.market.on_index = told.append
    return Index(form, cell.market, stage.clock, told)


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
async def test_one_absurd_print_of_the_index_is_not_believed_and_two_in_agreement_are(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """One bad print must not move every quote; a market that did halve says so again, and a wild one never agrees."""
    async with open_stage(form.paper()) as stage:
        index = await index_of(form, stage)
        assert index.hear(3000.0) == 3000.0, "the first is all there is"
        assert index.hear(3.0) == 3000.0
        assert index.hear(3_000_000.0) == 3000.0
        assert index.hear(3010.0) == 3010.0
        assert index.market.malformed == 2
        assert index.hear(1400.0) == 3010.0
        assert index.hear(1390.0) == 1390.0
        assert index.hear(600.0, ahead_ms=AHEAD_MS + 1000) == 1390.0
        assert index.hear(600.0) == 1390.0, "a stamp of the future agrees with nothing"
        assert index.told == [3000.0, 3010.0, 1390.0]


# -- the sweeper


@in_every_form
async def test_an_order_on_a_grid_we_do_not_know_hides_none_of_ours(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """The guard is what is left when a cell is gone: somebody else's odd order, or no listing, must not stop it."""
    settings = form.settings()
    async with open_stage(form.paper(frozen=True)) as stage:
        cell = stage.cell(settings)
        left = await quote_and_vanish(stage, cell, lambda: quoting(cell))
        assert len(left) == SIDES
        access = stage.access(settings)
        wire = MemoryPosts(stage, (0.001, 0.002), random.Random(1), lambda: True)
        first = next(iter(resting(stage).values()))["instrument"]

        def add_an_odd_one(answer: Any) -> Any:
            rows: list[Row] = answer["orders"] if form is DERIVE else answer
            odd = {**rows[0], "order_id": "by hand", "label": "by hand"} if rows else None
            if odd is not None:
                key = "limit_price" if form is DERIVE else "price"
                odd |= {"instrument_name": first, key: "100.000123" if form is DERIVE else 0.0100123}
                rows.append(odd)
            return answer

        async with RestLink(access.rest_form(stage.clock), 5.0, transport=lambda: wire) as rest:
            asked = change_answers(rest, form.question, add_an_odd_one)
            with trio.fail_after(120):
                await until_none(Sweeper(settings, access, stage.clock, rest))
        assert resting(stage) == {}
        assert LISTING[form.venue] not in asked


# -- what no restart can mend


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
@pytest.mark.parametrize("method", ["listing", "clock", "subscription"])
async def test_a_venue_that_was_busy_at_birth_is_worth_another_try(
    form: Form, method: str, autojump_clock: trio.testing.MockClock
) -> None:
    """A refusal that will not be repeated must not take the cell out of the run for good."""
    subscribe = "subscribe" if form is DERIVE else "public/subscribe"
    refused = {"listing": LISTING[form.venue], "clock": "public/get_time", "subscription": subscribe}[method]
    async with open_stage(form.paper()) as stage:
        stage.exchange.faults.refuse(refused, -32603 if form is DERIVE else 11094, "Internal error", 1)
        cell = stage.cell(form.settings())
        error: BaseException | None = None
        with trio.move_on_after(20):
            error = await ending(cell)
        assert methods(stage)[refused]
        assert error is None or _fatal(cast(Exception, error), cell) == 0


async def test_only_what_no_restart_can_mend_is_fatal(autojump_clock: trio.testing.MockClock) -> None:
    """Rights that are missing, refusals that stand, a venue never reached; not a blink of what had been up."""
    for form, standing, passing in ((DERIVE, 14014, -32000), (ORDERS, 13004, 10028)):
        async with open_stage(form.paper()) as stage, trio.open_nursery() as nursery:
            cell = stage.cell(form.settings())
            assert _fatal(VenueUnreachable("no connection"), cell) == Exit.UNREACHABLE
            nursery.start_soon(cell.run)
            await quoting(cell)
            assert _fatal(VenueUnreachable("it broke"), cell) == 0
            assert _fatal(NotGranted(0, "the key has no right to trade"), cell) == Exit.REFUSED
            assert _fatal(VenueRefused(standing, "unknown key"), cell) == Exit.REFUSED
            assert _fatal(VenueRefused(passing, "too many requests"), cell) == 0
            assert _fatal(ClockWrong("off"), cell) == Exit.BAD_INPUT
            assert _fatal(Relisted("other units"), cell) == 0
            assert _fatal(None, cell) == 0
            nursery.cancel_scope.cancel()
