"""The judge: a clean day passes, and each doctored ledger is caught by the invariant it breaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ledgers import ACCOUNT, LABEL, NAME, T0, Book, claim, terms

from actors.rehearsal.floor_replay import FloorReplay
from actors.rehearsal.judge import Halt, Outage, Terms, judge, judge_file
from actors.rehearsal.terms import BY_CLOCK_NS, Proven, Sent, Silence, Skew


def clean_day() -> Book:
    """A bid rests, is hit, an offer follows and is withdrawn; a fault strikes meanwhile."""
    day = Book().opening().rests("a")
    day.fault("reset", peer="stage-9")
    day.fill("a").market().rests("b", "ask", "94.0")
    day.order("b", "cancelled", side="ask", price="94.0")
    return day.later()


def broken(day: Book, held_to: Terms | None = None) -> list[str]:
    return [violation.invariant for violation in judge(day.rows, held_to or terms()).violations]


def test_a_clean_day_has_no_violation_and_counts() -> None:
    """One fill, two orders, one fault that struck while an order rested; the claim at the end agrees."""
    day = clean_day()
    verdict = judge(day.rows, terms(claims=(claim(day.now),), proofs=(Proven(day.now, "cell", (LABEL,)),)))
    assert verdict.violations == []
    assert (verdict.fills, verdict.orders, verdict.hits, verdict.counts) == (1, 2, 1, True)


def test_the_same_judge_reads_a_file(tmp_path: Path) -> None:
    """A real process leaves its ledger as JSON lines."""
    day, path = clean_day(), tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in day.rows))
    assert judge_file(path, terms()).orders == 2


def _rests_at_the_end(day: Book) -> None:
    day.rests("left")


def _too_much(day: Book) -> None:
    day.market().rests("c", amount="0.30")
    day.order("c", "cancelled", amount="0.30")


def _in_flight_too_much(day: Book) -> None:
    """Two that fit alone and not together."""
    day.market().rests("c", amount="0.15")
    day.rests("d", amount="0.15")
    day.order("c", "cancelled")
    day.order("d", "cancelled")


def _taker(day: Book) -> None:
    day.fill("x", "0.10", side="ask", maker=9, taker=ACCOUNT)


def _self_trade(day: Book) -> None:
    day.fill("x", "0.10", taker=ACCOUNT)


def _crosses_itself(day: Book) -> None:
    day.answer(2, "private/order", code=11007)


def _off_tick(day: Book) -> None:
    day.market().asks(price="91.05")


def _off_step(day: Book) -> None:
    day.market().asks(amount="0.205")


def _not_post_only(day: Book) -> None:
    day.market().asks(time_in_force="gtc")


def _late_deadline(day: Book) -> None:
    day.market().asks(reject_timestamp=day.now // 10**6 + 1002)


def _stale(day: Book) -> None:
    day.later(2.5).asks()


def _rate(day: Book) -> None:
    day.answer(2, "private/order", code=-32000)


def _rate_in_a_replace(day: Book) -> None:
    day.answer(2, "private/replace", result={"order": None, "create_order_error": {"code": -32000, "message": "no"}})


def _foreign(day: Book) -> None:
    day.order("hand", label="by-hand-1")
    day.order("hand", "cancelled", label="by-hand-1")


CASES: tuple[tuple[Callable[[Book], None], str], ...] = (
    (_rests_at_the_end, "nothing left behind"),
    (_too_much, "within limits"),
    (_in_flight_too_much, "within limits"),
    (_taker, "no crossing"),
    (_self_trade, "no crossing"),
    (_crosses_itself, "no crossing"),
    (_off_tick, "on tick and step"),
    (_off_step, "on tick and step"),
    (_not_post_only, "on tick and step"),
    (_late_deadline, "a deadline on every order"),
    (_stale, "no order on stale data"),
    (_rate, "rate budget respected"),
    (_rate_in_a_replace, "rate budget respected"),
    (_foreign, "foreign orders untouched"),
)


@pytest.mark.parametrize(("doctor", "invariant"), CASES, ids=lambda part: getattr(part, "__name__", None))
def test_each_doctored_ledger_is_caught(doctor: Callable[[Book], None], invariant: str) -> None:
    """By the invariant it breaks, and by that one only (a fill as taker is also told as a self-trade)."""
    day = clean_day()
    doctor(day)
    assert set(broken(day)) == {invariant}


@pytest.mark.parametrize(
    "wrong", [{"position": "0.19"}, {"fees": "0.010000000001"}, {"fills": 2}, {"fills": 0}], ids=lambda each: str(each)
)
def test_figures_must_agree_to_the_last_digit(wrong: dict[str, Any]) -> None:
    """Position, fees and the count of fills are the exchange's, or the claim is broken."""
    day = clean_day()
    assert set(broken(day, terms(claims=(claim(day.now, **wrong),)))) == {"figures agree"}


@pytest.mark.parametrize(("hung_up", "knows"), [((1, 2), False), ((2,), False), ((1,), True), ((), True)])
def test_what_is_filled_in_the_moment_of_a_claim_is_known_to_who_is_there(hung_up: tuple[int, ...], knows: bool) -> None:
    """The operator's order is hit in the nanosecond of the cell's last word: no fault of a cell that has hung up where it
    had logged in. The public connection tells nobody of fills."""
    day = clean_day()
    day.order("hand", label="by-hand-1")
    for session in hung_up:
        day.write("close", session=session, why="client")
    held_to = terms(claims=(claim(day.now),))
    day.fill("hand")
    assert ("figures agree" in broken(day, held_to)) is knows


def test_an_option_that_ends_is_counted_among_the_disasters_once() -> None:
    """However many options the board has."""
    day = clean_day()
    for name in ("one", "other"):
        day.write("settled", instrument=name, price="3000")
    assert judge(day.rows, terms()).faults == {"reset": 1, "expiry": 1}


def test_a_proof_is_held_against_what_rests_and_what_comes_later() -> None:
    """"None rests" said too early, or before a late packet became an order."""
    day = Book().opening().rests("a")
    early = Proven(day.now, "cell", (LABEL,))
    day.later().order("a", "cancelled")
    assert broken(day, terms(proofs=(early,))) == ["a proof holds"]
    late = Proven(day.now, "guard", (LABEL,))
    day.later().order("b")
    day.order("b", "cancelled")
    assert broken(day, terms(proofs=(late,))) == ["a proof holds"]


def test_an_order_sent_while_halted_is_caught_by_when_it_was_sent() -> None:
    """One on its way when the halt began is none of its business."""
    day = Book().opening()
    halt = Halt(day.now, day.now + 2 * 10**9, "no guard", LABEL)
    before = str((day.now - 10**6) // 1000 * 1000)
    day.later(0.5).asks(nonce=before)
    assert broken(day, terms(halts=(halt,))) == []
    day.asks()
    assert broken(day, terms(halts=(halt,))) == ["nothing while halted"]


def test_what_rests_on_while_the_feed_is_silent_is_caught() -> None:
    """Not another instrument's, not the operator's, and none that is gone before its time has come."""
    for gone_after_s, names, label, expected in (
        (2.0, (NAME,), LABEL, ["pulled when silent"]),
        (0.5, (NAME,), LABEL, []),
        (2.0, ("ETH-20261127-3500-C",), LABEL, []),
        (2.0, (NAME,), "by-hand-1", []),
    ):
        day = Book().opening()
        silence = Silence(names, day.now + 10**9, day.now + 5 * 10**9)
        day.order("a", label=label)
        day.later(gone_after_s).order("a", "cancelled", label=label)
        assert broken(day, terms(silences=(silence,), by_hand_ns=(day.now,))) == expected


def test_an_undelivered_notice_freshens_nothing() -> None:
    """Struck by a frame fault, or swallowed by a deaf connection: the order after it is stale."""
    day = Book().opening().later(1.9).market()
    day.write("notice", channel=f"orderbook.{NAME}.1.10", sessions=[], body={"params": {"data": _empty()}})
    assert broken(day.later(0.2)) == []
    day.asks()
    deaf = Outage("stage-1", T0 + 10**9, T0 + 10**12)
    assert broken(day) == []
    assert broken(day, terms(outages=(deaf,))) == ["no order on stale data"]


def test_a_struck_notice_is_not_delivered() -> None:
    """The fault's row follows the notice's."""
    day = Book().opening().later(1.9).market()
    index = day.rows.pop()
    day.fault("drop", session=1, direction="out")
    day.rows.append({**index, "n": len(day.rows)})
    day.later(0.3).asks()
    assert broken(day) == ["no order on stale data"]


def test_a_skewed_clock_is_known_to_the_judge() -> None:
    """A nonce tells the makers' time; what the judge weighs is the venue's."""
    day = Book().opening()
    skew = Skew(day.now - 10**9, 5 * 10**9)
    day.asks(nonce=str((day.now + 5 * 10**9) // 1000 * 1000))
    (asked,) = FloorReplay(ACCOUNT).asked(day.rows[-1])
    assert terms(skews=(skew,)).sent(asked, day.now).at_ns == day.now


def test_a_nonce_that_runs_on_is_no_clock() -> None:
    """After a step back the nonce goes on from the last one; then the deadline tells when the order left."""
    day = Book().opening()
    skew, left_ms = Skew(day.now - 10**9, -20 * 10**9), day.now // 10**6 - 80
    day.asks(nonce=str((day.now - 12 * 10**9) // 1000 * 1000), reject_timestamp=left_ms + 1000)
    (asked,) = FloorReplay(ACCOUNT).asked(day.rows[-1])
    assert terms(skews=(skew,)).sent(asked, day.now).at_ns == left_ms * 10**6


def test_several_nonces_of_one_moment_tell_that_moment() -> None:
    """The later ones lie some microseconds beyond it, and are clocks all the same: exact, where a deadline is not."""
    day = Book().opening()
    day.asks(nonce=str((day.now // 1000 + 3) * 1000), reject_timestamp=day.now // 10**6 + 900)
    (asked,) = FloorReplay(ACCOUNT).asked(day.rows[-1])
    assert terms().sent(asked, day.now) == Sent(day.now, BY_CLOCK_NS)


def test_standing_still_in_a_frozen_market_is_demanded() -> None:
    """A better price of ours while nobody else moved is self-improvement; after somebody moved it is not."""
    for others, expected in (("90.0", ["no self-improvement"]), ("91.0", [])):
        day = Book().opening().rests("a")
        day.market(bid=others)
        day.order("a", "cancelled")
        day.rests("b", price="91.1")
        day.order("b", "cancelled")
        assert broken(day, terms(is_frozen=True)) == expected


def test_a_fair_value_may_age_by_a_tick_and_no_more() -> None:
    """The first better price on a side is time; a second one is the maker following himself."""
    for prices, expected in ((["91.1"], []), (["91.1", "91.2"], ["no self-improvement"])):
        day = Book().opening().rests("a")
        for number, price in enumerate(prices):
            day.order("a" if number == 0 else f"b{number - 1}", "cancelled")
            day.market().rests(f"b{number}", price=price)
        day.order(f"b{len(prices) - 1}", "cancelled")
        assert broken(day, terms(is_frozen=True, ages=True)) == expected


def test_the_operators_own_hand_is_not_ours() -> None:
    """He may withdraw what he placed."""
    day = clean_day()
    day.order("hand", label="by-hand-1")
    day.later().order("hand", "cancelled", label="by-hand-1")
    assert broken(day, terms(by_hand_ns=(day.now,))) == []
    assert judge(day.rows, terms()).foreign == 1


def test_an_injected_rate_limit_is_nobodys_fault() -> None:
    """One for each that was injected, and not one more."""
    day = clean_day()
    day.fault("rate_limit", method="private/order")
    day.answer(2, "private/order", code=-32000)
    assert broken(day) == []
    day.answer(2, "private/order", code=-32000)
    assert broken(day) == ["rate budget respected"]


def test_a_run_without_a_fill_or_without_a_fault_does_not_count() -> None:
    """It has shown nothing."""
    quiet = Book().opening().rests("a")
    quiet.fault("reset")
    assert not judge(quiet.rows, terms()).counts
    lucky = Book().opening().rests("a").fill("a")
    lucky.fault("reset")
    assert not judge(lucky.rows, terms()).counts


def _empty() -> dict[str, Any]:
    return {"instrument_name": NAME, "timestamp": 0, "bids": [], "asks": []}
