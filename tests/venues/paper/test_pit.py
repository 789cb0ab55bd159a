"""The world on the real engine: house quotes rest as asked, takers trade, and expiries pass without a slip."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from actors.trading.instruments import Instrument, OptionKind, Side
from actors.venues.paper.catalogue import option, spec_of
from actors.venues.paper.engine import Engine
from actors.venues.paper.events import Settled, Traded
from actors.venues.paper.market import World, WorldSettings
from actors.venues.paper.pit import EnginePit
from actors.venues.paper.rules import deribit_rules, derive_rules
from actors.venues.paper.terms import Reference
from actors.venues.paper.tickets import OrderRequest

SECOND_NS = 10**9
DAY_S = 86_400
NOW_S = 1_795_338_000
ROLL_S = NOW_S // DAY_S * DAY_S + DAY_S + 8 * 3600
CUSTOMER = 7
venues = pytest.mark.parametrize("venue", ["derive", "deribit"])


class Stage:
    """An engine on a clock that the test turns, and the world's hands on it."""

    def __init__(self, venue: str = "derive", now_s: int = NOW_S, **rules: int) -> None:
        self.now_ns = now_s * SECOND_NS
        make = derive_rules if venue == "derive" else deribit_rules
        self.engine = Engine(make(**rules), lambda: self.now_ns, random.Random("ids"))
        self.pit = EnginePit(self.engine)
        self.engine.open_account(CUSTOMER, house=True)

    def list_call(self, venue: str = "derive") -> Instrument:
        call = option(spec_of(venue, "ETH"), "ETH", ROLL_S + DAY_S, 3000.0, OptionKind.CALL, NOW_S)
        self.pit.list(call)
        self.pit.set_index(call.index_name, 3000.0)
        mark = 100.0 if venue == "derive" else 0.0333
        self.pit.set_reference(call.name, Reference(mark=mark, vol=0.6, forward=3000.0, delta=0.5, vega=2.0))
        return call

    def book(self, name: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        book = self.engine.listing(name).book
        return book.levels(Side.BID), book.levels(Side.ASK)


def test_exactly_the_quotes_asked_for_rest() -> None:
    """Each replacement leaves the rival's new levels and nothing else; empty sides pull it out; others stay."""
    stage = Stage()
    name = stage.list_call().name
    stage.pit.replace_rival_quotes(name, "a", [(990, 50), (980, 100)], [(1010, 50)])
    stage.pit.replace_rival_quotes(name, "b", [(985, 20)], [(1010, 30)])
    assert stage.book(name) == ([(990, 50), (985, 20), (980, 100)], [(1010, 80)])
    stage.pit.replace_rival_quotes(name, "a", [(980, 100), (970, 100)], [(1005, 10)])
    assert stage.book(name) == ([(985, 20), (980, 100), (970, 100)], [(1005, 10), (1010, 30)])
    stage.pit.replace_rival_quotes(name, "a", [], [])
    assert stage.book(name) == ([(985, 20)], [(1010, 30)])


def test_an_unchanged_level_keeps_its_place_in_the_queue() -> None:
    """Of two rivals at one price the first stays first when it asks for the same again, and is filled first."""
    stage = Stage()
    name = stage.list_call().name
    stage.pit.replace_rival_quotes(name, "a", [(990, 50)], [])
    stage.pit.replace_rival_quotes(name, "b", [(990, 50)], [])
    stage.pit.replace_rival_quotes(name, "a", [(990, 50), (980, 50)], [])
    assert stage.pit.take(name, Side.ASK, 20, 990) == 20
    (trade,) = [event for event in stage.engine.drain() if isinstance(event, Traded)]
    assert trade.maker.account_id == min(a for a in stage.engine.accounts if a != CUSTOMER)


def test_what_was_eaten_comes_back() -> None:
    """A level partly filled is not the level asked for: the next replacement restores its size."""
    stage = Stage()
    name = stage.list_call().name
    stage.pit.replace_rival_quotes(name, "a", [], [(1010, 50), (1020, 50)])
    assert stage.pit.take(name, Side.BID, 70, 1020) == 70
    assert stage.book(name)[1] == [(1020, 30)]
    stage.pit.replace_rival_quotes(name, "a", [], [(1010, 50), (1020, 50)])
    assert stage.book(name)[1] == [(1010, 50), (1020, 50)]


def test_a_taker_gets_what_its_limit_allows() -> None:
    """It sweeps up to its limit and no further; nothing of it rests; with nothing there it takes nothing."""
    stage = Stage()
    name = stage.list_call().name
    stage.pit.replace_rival_quotes(name, "a", [], [(1010, 50), (1020, 50)])
    assert stage.pit.take(name, Side.BID, 80, 1015) == 50
    assert stage.book(name) == ([], [(1020, 50)])
    assert stage.pit.take(name, Side.BID, 80, 1015) == 0
    assert stage.pit.take(name, Side.ASK, 80, 900) == 0


def test_the_best_besides_a_rival_is_that_of_the_others() -> None:
    """Own levels are looked through, also where another order shares the price."""
    stage = Stage()
    name = stage.list_call().name
    assert stage.pit.best(name) == (0, 0)
    stage.pit.replace_rival_quotes(name, "a", [(990, 50), (985, 50)], [(1010, 50)])
    assert stage.pit.best(name) == (990, 1010)
    assert stage.pit.best(name, "a") == (0, 0)
    stage.pit.replace_rival_quotes(name, "b", [(985, 50)], [(1010, 50)])
    assert stage.pit.best(name, "a") == (985, 1010)
    stage.engine.place(CUSTOMER, OrderRequest(instrument=name, side=Side.BID, price=987, amount=10))
    assert stage.pit.best(name, "a") == (987, 1010)
    assert stage.pit.best(name, "b") == (990, 1010)


def test_a_quote_that_would_cross_is_not_there() -> None:
    """House quotes are post-only: a level at or through another's price does not trade and does not rest."""
    stage = Stage()
    name = stage.list_call().name
    stage.pit.replace_rival_quotes(name, "a", [], [(1000, 50)])
    stage.pit.replace_rival_quotes(name, "b", [(1000, 50), (990, 50)], [])
    assert stage.book(name) == ([(990, 50)], [(1000, 50)])
    assert not [event for event in stage.engine.drain() if isinstance(event, Traded)]


def test_a_closed_instrument_takes_no_quotes() -> None:
    """After trading ended, the rivals' quotes are gone and new ones are simply not there."""
    stage = Stage()
    call = stage.list_call()
    stage.pit.replace_rival_quotes(call.name, "a", [(990, 50)], [])
    stage.now_ns = call.deactivation_s * SECOND_NS
    stage.engine.advance()
    assert stage.book(call.name) == ([], [])
    stage.pit.replace_rival_quotes(call.name, "a", [(991, 50)], [(1010, 50)])
    assert stage.pit.take(call.name, Side.BID, 50, 1010) == 0
    assert stage.book(call.name) == ([], [])


def test_references_reach_the_listing_exactly() -> None:
    """Floats of the model become decimals of at most twelve places."""
    stage = Stage()
    name = stage.list_call().name
    stage.pit.set_reference(name, Reference(mark=0.1 + 0.2, vol=0.61, forward=3001.25, delta=0.4, theta=-3.0))
    reference = stage.engine.listing(name).reference
    assert reference is not None
    assert (reference.mark, reference.forward) == (Decimal("0.3"), Decimal("3001.25"))
    assert (reference.mark_vol, reference.delta, reference.theta) == (0.61, 0.4, -3.0)


@venues
def test_a_world_lives_through_a_roll_on_the_engine(venue: str) -> None:
    """From half an hour before 08:00 to five minutes after: trades happen, options settle near the world's own mean,
    nothing rests in what expired, and the new daily is quoted."""
    stage = Stage(venue, ROLL_S - 1800)
    settings = WorldSettings(dailies=2, weeklies=0, monthlies=0, quarters=0, strikes=5, taker_rate_per_s=1.0)
    world = World(settings, venue, stage.pit, 3)
    world.open(stage.now_ns)
    dying = [n for n in world.instruments if stage.engine.listing(n).instrument.expiry_s == ROLL_S]
    known, last_marks, trades, settled = set(world.instruments), {}, 0, {}
    for _ in range(1050):
        stage.now_ns += 2 * SECOND_NS
        world.step(stage.now_ns)
        for event in stage.engine.drain():
            trades += isinstance(event, Traded)
            if isinstance(event, Settled):
                settled[event.instrument] = event.price
        if stage.now_ns < ROLL_S * SECOND_NS:
            last_marks = {name: stage.engine.listing(name).mark for name in dying}
    assert trades > 200
    assert set(settled) == set(dying)
    for name in dying:
        assert stage.book(name) == ([], [])
        instrument, price = stage.engine.listing(name).instrument, float(settled[name])
        payoff = max((price - instrument.strike) * (1 if instrument.kind is OptionKind.CALL else -1), 0.0)
        mark = float(last_marks[name]) * (price if venue == "deribit" else 1.0)
        assert mark == pytest.approx(payoff, abs=1.0)
    new = [name for name in world.instruments if name not in known]
    assert len({stage.engine.listing(name).instrument.expiry_s for name in new}) == 1
    assert all(stage.book(name) != ([], []) for name in new)


def test_takers_meet_a_speed_bump_like_everybody() -> None:
    """Where the venue delays takers, the world's wait too: the trade happens after the bump."""
    stage = Stage(speed_bump_ms=50)
    name = stage.list_call().name
    stage.pit.replace_rival_quotes(name, "a", [], [(1010, 50)])
    assert stage.pit.take(name, Side.BID, 20, 1010) == 0
    stage.now_ns += 50_000_000
    stage.engine.advance()
    assert stage.book(name)[1] == [(1010, 30)]
