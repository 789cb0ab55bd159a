"""The clerk: applies every answer, notification and query result to order truth, exactly once and in order.

Owns the desk's inbox, the order table's upkeep and the counters. Sends nothing and decides no quote; it tells risk what
changed and the crier whose orders did, and hands refusals that mean more than themselves (rate, margin, protection, a
key that is refused) to whoever answers for them. Invariant: positions move by fills alone, each by trade id once, whoever's
order it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import attrs
import msgspec
import trio
from loguru import logger

from actors.clock import Clock
from actors.journal import Journal
from actors.mailboxes import Doorbell, Inbox
from actors.risk import Risk
from actors.trading.actions import ActionKind
from actors.trading.errors import VenueRefused
from actors.trading.instruments import Instrument, Side
from actors.trading.orders import Order, OrderState, OrderTable
from actors.trading.quotes import Terms
from actors.trading.refusals import Refusals
from actors.venues.dialect import (
    AccountState,
    Dialect,
    Fill,
    MmpTripped,
    News,
    Outcome,
    Pool,
    Refusal,
    SettledPrice,
    VenueOrder,
)
from actors.venues.pending import Posted
from actors.venues.proof import RunLabel
from actors.venues.protocol import Notice

NEWS_A_TURN = 30
"""Answers and notifications applied in one scheduling pass: one or two milliseconds."""
WORDS = {kind: kind.value for kind in ActionKind}
"""Plain texts: an enum's `value` costs two calls, each time."""


class Answered(msgspec.Struct, frozen=True, gc=False):
    """The end of one order request, on its way to the table."""

    posted: Posted
    action: ActionKind
    order: Order
    """The order placed, amended or cancelled."""
    old: Order | None = None
    outcome: Outcome | None = None
    """What the answer proves, where it had to be read with others' (mass quotes); None: still to be read."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """An order request on its way, called with how it ended. A record and not a closure: the collector would look at six
    objects for each request that waits."""

    take: Callable[[Answered], None]
    action: ActionKind
    order: Order
    old: Order | None

    def __call__(self, posted: Posted) -> None:
        self.take(Answered(posted, self.action, self.order, self.old))


@attrs.define
class DeskFigures:
    """Counters since the desk was born."""

    requests: Counter[str] = attrs.field(factory=Counter)
    rejects: Counter[str] = attrs.field(factory=Counter)
    fills: int = 0
    volume: float = 0.0
    fees: dict[str, Decimal] = attrs.field(factory=dict)


class Clerk:
    """Keeper of `orders`. Calls `on_changed` whenever an instrument's orders or position changed."""

    def __init__(
        self,
        dialect: Dialect,
        label: RunLabel,
        instruments: dict[str, Instrument],
        orders: OrderTable,
        risk: Risk,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self.dialect = dialect
        self.label = label
        self.orders = orders
        self.risk = risk
        self.figures = DeskFigures()
        self.on_changed: Callable[[str], None] = lambda instrument: None
        self._changed: dict[str, None] = {}
        self._applying = False
        self.unknown_bell = Doorbell()
        self.refusals = Refusals()
        """Noted here; the desk and the quoters ask what they mean."""
        self.fatal: VenueRefused | None = None
        self.explain: Callable[[str], Terms] = lambda instrument: {}
        """The terms of the present quote of an instrument: kept with each order, journalled with each of its fills."""
        self.on_event: Callable[[str, str], None] = lambda level, text: None
        self.on_rate: Callable[[Pool, int, str], None] = lambda pool, code, details: None
        self.on_login_lost: Callable[[], None] = lambda: None
        self.on_mmp: Callable[[int | None], None] = lambda until_ms: None
        """Protection tripped; the venue's unfreeze time (ms, 0: by hand), or None when it did not say."""
        self.verbose = False
        """True: each placement is a debug line too; 24 us a line is too dear to format for nobody."""
        self._instruments = instruments
        self._clock = clock
        self._journal = journal
        self._bad_signatures = 0
        self._inbox = Inbox[Answered | News]()

    def sent(self, kind: ActionKind, order: Order) -> None:
        """A request is about to leave the house: counted, and on record before any answer can be."""
        what = WORDS[kind]
        self.figures.requests[what] += 1
        if kind is not ActionKind.CANCEL:
            order.terms = self.explain(order.instrument)
        self._journal.write(
            what,
            id=order.client_id,
            instrument=order.instrument,
            side=int(order.side),
            price=order.price,
            amount=order.amount,
        )
        if self.verbose:
            logger.debug("{} {} {} {} at {}", what, order.instrument, order.side.name, order.amount, order.price)

    def on_notice(self, notice: Notice) -> None:
        """Private notifications, synchronously from the link's reader; raising ends the connection, then we reconcile."""
        for news in self.dialect.decode_notice(notice.method, notice.channel, notice.data):
            self.take(news)

    def take(self, news: Answered | News) -> None:
        self._inbox.put(news)  # WouldBlock ends the connection: what was lost is then reconciled

    async def listen(self) -> None:
        """Applies answers and notifications in the order they came, some at a time, forever."""
        while True:
            await self._inbox.wait()
            self._applying = True
            try:
                for news in self._inbox.take(NEWS_A_TURN):
                    self._apply(news)
            finally:
                self._applying = False
                self._tell()

    def _apply(self, news: Answered | News) -> None:
        match news:
            case Answered():
                self._apply_answer(news)
            case VenueOrder():
                self.apply_order(news)
            case Fill():
                self.apply_fill(news)
            case MmpTripped():
                self.on_mmp(news.until_ms)
            case AccountState():
                self.note_account(news)
            case SettledPrice():
                if news.instrument in self._instruments:
                    self.risk.exposure.set_position(news.instrument, 0)
                self._journal.write("settled", instrument=news.instrument, amount=news.amount)
            case _:
                pass

    def apply_order(self, news: VenueOrder) -> None:
        order = self.orders.known(news)
        if order is None:
            self.orders.note_foreign(news)
        else:
            before = order.state
            self.orders.apply_order(news, order)
            if order.state is not before:
                self._journal.write(
                    "order", id=order.client_id, instrument=order.instrument, state=order.state, reason=news.reason
                )
                if news.reason == "mmp_trigger":
                    self.on_mmp(None)
        self.touched(news.instrument)

    def apply_fill(self, fill: Fill) -> None:
        """Exactly once by trade id; the position moves whoever's order it was."""
        if not self.orders.apply_fill(fill):
            return
        if fill.instrument in self._instruments:
            self.risk.exposure.add_fill(fill.instrument, fill.side, fill.amount)
        order = self.orders.owner_of(fill)
        ours = order is not None or fill.label.startswith(self.label.cell_prefix)
        if ours:
            self._count_fill(fill)
        terms = {} if order is None else order.terms
        self._journal.write("fill", ours=ours, terms=terms, **msgspec.structs.asdict(fill))
        self.touched(fill.instrument)

    def _count_fill(self, fill: Fill) -> None:
        instrument = self._instruments.get(fill.instrument)
        if instrument is None:
            return
        contracts = instrument.amount_float(fill.amount)
        self.figures.fills += 1
        self.figures.volume += contracts
        self.figures.fees[fill.fee_currency] = self.figures.fees.get(fill.fee_currency, Decimal(0)) + Decimal(fill.fee)
        verb = "bought" if fill.side is Side.BID else "sold"
        text = f"{verb} {contracts:g} {fill.instrument} at {instrument.price_text(fill.price)} (fee {fill.fee})"
        logger.info("fill: {}", text)
        self.on_event("fill", text)

    def _apply_answer(self, answer: Answered) -> None:
        order, old, posted = answer.order, answer.old, answer.posted
        if posted.lost:
            self._lost(order, old)
        else:
            outcome = answer.outcome or self.dialect.read_outcome(posted.call, posted.result, posted.error)
            for news in outcome.orders:
                self.apply_order(news)
            for fill in outcome.fills:
                self.apply_fill(fill)
            if outcome.unknown:
                self._count_reject(answer, outcome.refused)
                self._lost(order, old)
            elif outcome.refused is not None:
                self._refused(answer, outcome)
            elif answer.action is ActionKind.CANCEL and order.state is OrderState.CANCELLING:
                self._lost(order, None)  # done, says the venue, but not what was filled before: ask
            elif answer.action is not ActionKind.CANCEL:
                self.risk.margin_granted(order.instrument, order.side)
                self.refusals.taken(order)
        self.touched(order.instrument)

    def bulk_answered(self, posted: Posted) -> None:
        """Of a cancel of many. It says how many at best, never which: what no notification ends by then is asked for."""
        now = trio.current_time()
        for order in list(self.orders.live()):
            if order.state is not OrderState.CANCELLING:
                continue
            if posted.error is not None:
                self.orders.untouched(order)
            else:
                self.orders.lost(order, now)
            self.touched(order.instrument)
        self.unknown_bell.ring()

    def _lost(self, order: Order, old: Order | None) -> None:
        now = trio.current_time()
        self.orders.lost(order, now)
        if old is not None:
            self.orders.lost(old, now)
        self.unknown_bell.ring()

    def _refused(self, answer: Answered, outcome: Outcome) -> None:
        assert outcome.refused is not None  # the caller looked
        code, meaning = outcome.refused
        order, old = answer.order, answer.old
        unread = self.dialect.classify(code) in (Refusal.RATE, Refusal.UNREAD, Refusal.LOGIN)
        now = trio.current_time()
        self._count_reject(answer, outcome.refused)
        self._react(code, order, answer)
        if answer.action is not ActionKind.CANCEL:
            self.refusals.note(order, now)
        if answer.action is ActionKind.CANCEL:
            if unread:
                self.orders.untouched(order)
            else:
                self.orders.cancel_refused(order, now)
        elif answer.action is ActionKind.AMEND:
            if unread:
                self.orders.untouched(order)
            elif outcome.old_gone and order.state.is_live:
                self.orders.proven_gone(order, meaning, self._clock.venue_ms())
            else:
                self.orders.edit_failed(order)
                self.orders.lost(order, now)
        else:
            self.orders.refused(order, meaning, self._clock.now_ms())
            if old is not None and unread and not outcome.old_gone:
                self.orders.untouched(old)
            elif old is not None:
                self.orders.replacement_failed(old, old_gone=outcome.old_gone, now=now)
        self.unknown_bell.ring()

    def _react(self, code: int, order: Order, answer: Answered) -> None:
        """What a refusal means beyond its order."""
        match self.dialect.classify(code):
            case Refusal.RATE:
                self.on_rate(answer.posted.call.pool, code, answer.posted.error[2] if answer.posted.error else "")
            case Refusal.MARGIN:
                self.risk.margin_refused(order.instrument, order.side)
            case Refusal.PROTECTED:
                self.on_mmp(None)
            case Refusal.LOGIN:
                self.on_login_lost()
            case Refusal.LOCKED:
                self.note_account(AccountState(False, self.dialect.explain(code)))
            case Refusal.SIGNATURE:
                self._bad_signatures += 1
            case _:
                pass
        fatal = self.dialect.is_fatal(code)
        if fatal and (self.dialect.classify(code) is not Refusal.SIGNATURE or self._bad_signatures > 1):
            self.give_up(VenueRefused(code, self.dialect.explain(code)))

    def note_account(self, state: AccountState) -> None:
        """A locked account quotes nothing; it goes on once the venue says that the lock is gone."""
        if state.tradable:
            self.risk.resume("account")
        else:
            self.risk.halt("account", f"the account may not trade: {state.reason}")

    def give_up(self, why: VenueRefused) -> None:
        """Nothing new from now on; the watch ends the cell, cleanly."""
        self.fatal = why
        self.risk.halt("fatal", str(why))

    def _count_reject(self, answer: Answered, refused: tuple[int, str] | None) -> None:
        code, meaning = refused or (0, "outcome unknown")
        self.figures.rejects[f"{answer.action.value} {code}"] += 1
        self._journal.write("reject", id=answer.order.client_id, action=answer.action, code=code, meaning=meaning)
        logger.debug("{} of {} refused: {} {}", answer.action.value, answer.order.instrument, code, meaning)

    def touched(self, instrument: str) -> None:
        """Its orders or position changed: exposure is worked out again, and its quoter told."""
        self._changed[instrument] = None
        if not self._applying:
            self._tell()

    def _tell(self) -> None:
        """Once per instrument for all that was applied in one go; exposure first, for who is told may decide at once."""
        changed, self._changed = self._changed, {}
        self.risk.exposure.refresh_all(changed)
        for instrument in changed:
            self.on_changed(instrument)
