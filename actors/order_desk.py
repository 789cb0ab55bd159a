"""The order desk, one per cell: the private link, order truth, the rate budget, and the only sender of orders.

Owns the bag of approved pairs (newest per instrument), turns them into the fewest requests, most urgent first, and feeds
every answer and notification to the order table. Decides no price and grants no risk: it takes what `Risk.review`
approved, rechecks it at the moment of sending, and signs last. Reconciling, resolving unknown orders and the way out are
`truth.py`'s. Invariant: nothing but cancels is sent while `may_send` is false.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import attrs
import msgspec
import trio
from loguru import logger

from actors.clock import Clock
from actors.console.settings import QuotingSettings
from actors.journal import Journal
from actors.mailboxes import INBOX_SIZE, Doorbell
from actors.risk import Risk
from actors.trading.actions import Action, ActionKind, plan
from actors.trading.budget import Budget
from actors.trading.errors import VenueRefused
from actors.trading.instruments import Instrument, Side
from actors.trading.orders import Order, OrderState, OrderTable
from actors.trading.quotes import Quote, QuotePair, RiskApproved
from actors.trading.quoting import needs_requote
from actors.venues.dialect import (
    Call,
    Dialect,
    Fill,
    MmpTripped,
    News,
    OrderRequest,
    Outcome,
    Pool,
    SettledPrice,
    VenueOrder,
)
from actors.venues.link import VenueLink
from actors.venues.pending import Posted
from actors.venues.proof import RunLabel
from actors.venues.protocol import Notice

CHUNK_S = 0.002
"""The desk works this long at most, then lets the writer flush (design section 3)."""
RENEW_BEFORE = (0.2, 0.35)
"""An order is renewed when between these parts of its life are left: spread, so that renewals do not come in a burst."""
MARGIN_CODES = frozenset({11000, 10009, 10039})
MMP_CODES = frozenset({11015, 13030})
UNTOUCHED_CODES = frozenset({-32000, -32700, -32600, -32601, -32602, 10028, 10047, 10066, 14022, 13009, 10000})
"""Refused before the order was looked at: what rested still rests."""


class Answered(msgspec.Struct, frozen=True):
    """The end of one order request, on its way to the table."""

    posted: Posted
    action: ActionKind
    order: Order
    """The order placed, amended or cancelled."""
    old: Order | None = None


@attrs.define
class DeskFigures:
    """Counters since the desk was born."""

    requests: Counter[str] = attrs.field(factory=Counter)
    rejects: Counter[str] = attrs.field(factory=Counter)
    fills: int = 0
    volume: float = 0.0
    fees: dict[str, Decimal] = attrs.field(factory=dict)


class OrderDesk:
    """Sender and truth keeper. Rings `bells[instrument]` whenever an instrument's orders or position changed."""

    def __init__(
        self,
        dialect: Dialect,
        link: VenueLink,
        label: RunLabel,
        underlying: str,
        instruments: dict[str, Instrument],
        orders: OrderTable,
        risk: Risk,
        clock: Clock,
        journal: Journal,
        settings: QuotingSettings,
        *,
        mmp: bool = False,
    ) -> None:
        self.dialect = dialect
        self.link = link
        self.label = label
        self.orders = orders
        self.risk = risk
        self.budget = Budget({}, None)
        self.figures = DeskFigures()
        self.blocks: dict[str, str] = {"start": "not reconciled yet"}
        self.bells: dict[str, Doorbell] = {}
        self.on_event: Callable[[str, str], None] = lambda level, text: None
        self.fatal: VenueRefused | None = None
        self.unknown_bell = Doorbell()
        self.latest_reject_ms = 0
        """The latest venue time at which an order sent so far could still take effect on arrival."""
        self._underlying = underlying
        self._instruments = instruments
        self._clock = clock
        self._journal = journal
        self._settings = settings
        self._mmp = mmp
        self._bag: dict[str, QuotePair] = {}
        self._bell = Doorbell()
        self._differs_since: dict[tuple[str, Side], float] = {}
        self._half_since: dict[str, float] = {}
        self._bad_signatures = 0
        self._send, self._receive = trio.open_memory_channel[Answered | News](INBOX_SIZE)

    # -- what others ask

    @property
    def may_send(self) -> bool:
        """Orders may be placed: truth is reconciled, the guard lives, nobody blocks."""
        return not self.blocks and self.link.is_up

    def block(self, cause: str, text: str) -> None:
        self.blocks[cause] = text

    def unblock(self, cause: str) -> None:
        if self.blocks.pop(cause, None) is not None and not self.blocks:
            for bell in self.bells.values():
                bell.ring()

    def want(self, approved: RiskApproved) -> None:
        """The newest wish per instrument wins; its room is reserved already."""
        self._bag[approved.pair.instrument] = approved.pair
        self._bell.ring()

    def pull(self, instrument: str, reason: str) -> None:
        """Both sides away, whatever was wanted before."""
        self._bag[instrument] = QuotePair(instrument, 0, None, None, trio.current_time(), reason, urgency=math.inf)
        self._bell.ring()

    def must_renew(self, order: Order) -> bool:
        """Its signature ends soon; the moment differs from order to order."""
        if not order.expires_s:
            return False
        low, high = RENEW_BEFORE
        spread = hash_fraction(order.client_id)
        margin = self._settings.order_life_s * (low + (high - low) * spread)
        return order.state is OrderState.OPEN and order.expires_s - self._clock.now_s() < margin

    def pull_run(self) -> None:
        """Everything of this run by the venue's cheap call, where it has one; quoters cancel singly what that leaves."""
        for call in self.dialect.cancel_ours(self.label.text, self._underlying):
            if self.link.post(call, self._bulk_answered):
                self.figures.requests["bulk_cancel"] += 1
                now = trio.current_time()
                for order in self.orders.live():
                    self.orders.cancelling(order, now)

    def _bulk_answered(self, posted: Posted) -> None:
        """It says how many at best, never which: what no notification ends by then is asked for."""
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

    async def clear(self, instrument: str) -> None:
        """Until nothing of ours can rest in one instrument any more; the caller bounds the time."""
        while any(o.state.is_live for o in self.orders.working(instrument)):
            self.pull(instrument, "cleared")
            await trio.sleep(0.05)

    # -- sending

    async def work(self) -> None:
        """Empties the bag by urgency within the budget, forever."""
        wait = math.inf
        while True:
            with trio.move_on_after(wait):
                await self._bell.wait()
            wait = await self._drain()

    async def _drain(self) -> float:
        """One pass over the bag. Returns seconds until budget lets the rest go; infinite when nothing waits for it."""
        started = trio.current_time()
        clock_start = self._clock.wall_ns()
        shortest = math.inf
        queue = sorted(self._bag.values(), key=lambda pair: -self._weight(pair, started))
        for pair in queue:
            if self._bag.get(pair.instrument) is not pair:
                continue  # superseded while we worked
            wait = self._execute(pair)
            if wait <= 0:
                self._bag.pop(pair.instrument, None)
                self.risk.exposure.release(pair.instrument)
            else:
                shortest = min(shortest, wait)
            if self._clock.wall_ns() - clock_start > CHUNK_S * 1e9:
                await trio.lowlevel.checkpoint()
                clock_start = self._clock.wall_ns()
        return shortest

    def _weight(self, pair: QuotePair, now: float) -> float:
        """Pulls first, then money lost by waiting; age lifts what would otherwise starve."""
        if pair.bid is None or pair.ask is None:
            return math.inf
        return pair.urgency * (1.0 + (now - pair.decided_at)) + 1e-6 * (now - pair.decided_at)

    def _execute(self, pair: QuotePair) -> float:
        """Sends what this pair needs now. Returns 0 when done with it, else seconds until budget could serve the rest."""
        now = trio.current_time()
        instrument = self._instruments[pair.instrument]
        if now - pair.decided_at > 2 * self._settings.refresh_s and (pair.bid or pair.ask):
            return 0.0  # too old to act on; its quoter decides again on the next refresh
        actions = plan(
            instrument,
            self._whole(pair, now),
            self.orders.working(pair.instrument),
            needs_requote=lambda order, quote: self._differs(order, quote, instrument, now),
            must_renew=self.must_renew,
            native_amend=self.dialect.native_amend,
        )
        wait = 0.0
        for position, action in enumerate(actions):
            cancel = action.kind is ActionKind.CANCEL
            # A pair moves as one, unless its first half stops a loss: then the second may follow when budget allows.
            together = 1 if cancel or action.danger > 0 else len(actions) - position
            wait = self.budget.wait_for(Pool.MATCHING, now, together, instrument=pair.instrument, cancel=cancel)
            if wait > 0:
                return wait
            self._act(action, instrument, pair)
        return 0.0

    def _whole(self, pair: QuotePair, now: float) -> QuotePair:
        """A pair of which one side keeps being refused is pulled whole after `retry_side_s`: half a quote is a bet."""
        since = self._half_since.get(pair.instrument)
        if since is None or pair.bid is None or pair.ask is None:
            return pair
        sides = {o.side for o in self.orders.working(pair.instrument) if o.state.is_live}
        if len(sides) == 2:
            del self._half_since[pair.instrument]
        elif len(sides) == 1 and now - since > self._settings.retry_side_s:
            return msgspec.structs.replace(pair, bid=None, ask=None, reason="one side is refused again and again")
        elif not sides:
            del self._half_since[pair.instrument]
        return pair

    def _differs(self, order: Order, quote: Quote, instrument: Instrument, now: float) -> bool:
        resting = Quote(order.price, order.remaining)
        key = (order.instrument, order.side)
        if resting == quote:
            self._differs_since.pop(key, None)
            return False
        since = self._differs_since.setdefault(key, now)
        threshold = self._threshold(instrument, order.price)
        return needs_requote(order.side, quote, resting, threshold, now - since, self._settings.refresh_s)

    def _threshold(self, instrument: Instrument, price: int) -> int:
        money = self._settings.requote_threshold
        if money is None:
            return instrument.tick_at(price)
        return max(1, math.ceil(money / instrument.tick_float - 1e-6))

    def _act(self, action: Action, instrument: Instrument, pair: QuotePair) -> None:
        """One request out of the door; the table knows of it before the link does."""
        now = trio.current_time()
        if action.kind is ActionKind.CANCEL:
            assert action.order is not None  # a cancel names its order
            self._cancel(action.order)
            return
        quote = action.quote
        assert quote is not None  # only cancels have none
        amount = quote.amount + (action.order.filled if action.kind is ActionKind.AMEND and action.order else 0)
        if not self.may_send or not self.risk.still_fits(pair.instrument, action.side, quote.amount):
            if action.order is not None and action.danger > 0:
                self._cancel(action.order)  # cannot be moved, must not stay
            return
        request = self._request(instrument, action.side, Quote(quote.price, amount))
        self._differs_since.pop((pair.instrument, action.side), None)
        old = action.order
        if action.kind is ActionKind.PLACE or old is None:
            order = self.orders.placing(request, now)
            call = self.dialect.place(request)
        elif action.kind is ActionKind.AMEND:
            call = self.dialect.replace(request, old, old.filled)
            order = old
            self.orders.amending(old, Quote(quote.price, amount), now)
        else:
            call = self.dialect.replace(request, old, old.filled)
            order = self.orders.placing(request, now, replaces=old)
        self.latest_reject_ms = max(self.latest_reject_ms, request.reject_ms)
        self._post(call, action.kind, order, None if action.kind is ActionKind.AMEND else old)

    def _request(self, instrument: Instrument, side: Side, quote: Quote) -> OrderRequest:
        now_ns = self._clock.now_ns()
        client_id = self.dialect.next_client_id(now_ns, self.label.text)
        return OrderRequest(
            instrument=instrument.name,
            side=side,
            price=quote.price,
            amount=quote.amount,
            client_id=client_id,
            label=client_id if self.dialect.labels_are_identity else self.label.text,
            expires_s=min(
                now_ns // 1_000_000_000 + int(self._settings.order_life_s), instrument.expiry_s or 1 << 62
            ),
            reject_ms=now_ns // 1_000_000 + int(self._settings.reject_after_s * 1000),
            mmp=self._mmp,
        )

    def _cancel(self, order: Order) -> None:
        self.orders.cancelling(order, trio.current_time())
        self._post(self.dialect.cancel(order), ActionKind.CANCEL, order, None)

    def _post(self, call: Call, kind: ActionKind, order: Order, old: Order | None) -> None:
        now = trio.current_time()
        self.budget.spend(call.pool, now, instrument=order.instrument)
        self.figures.requests[kind.value] += 1
        sent = self.link.post(call, lambda posted: self._take(Answered(posted, kind, order, old)))
        if not sent:
            # The link is down, nothing left the house: undo what was noted.
            if kind in (ActionKind.PLACE, ActionKind.REPLACE):
                self.orders.refused(order, "link down")
            for touched in (old, order):
                if touched is not None:
                    self.orders.untouched(touched)
        self.touched(order.instrument)

    # -- hearing

    def on_notice(self, notice: Notice) -> None:
        """Private notifications, synchronously from the link's reader; raising ends the connection, then we reconcile."""
        for news in self.dialect.decode_notice(notice.method, notice.channel, notice.data):
            self._take(news)

    def _take(self, news: Answered | News) -> None:
        self._send.send_nowait(news)  # WouldBlock ends the connection: what was lost is then reconciled

    async def listen(self) -> None:
        """Applies answers and notifications in the order they came, forever."""
        while True:
            self._apply(await self._receive.receive())
            while True:
                try:
                    self._apply(self._receive.receive_nowait())
                except trio.WouldBlock:
                    break

    def _apply(self, news: Answered | News) -> None:
        match news:
            case Answered():
                self._apply_answer(news)
            case VenueOrder():
                self.apply_order(news)
            case Fill():
                self.apply_fill(news)
            case MmpTripped():
                self.risk.halt("mmp", "market-maker protection tripped")
            case SettledPrice():
                self.risk.exposure.set_position(news.instrument, 0)
                self._journal.write("settled", instrument=news.instrument, amount=news.amount)
            case _:
                pass

    def apply_order(self, news: VenueOrder) -> None:
        order = self.orders.apply_order(news)
        if order is None:
            self.orders.note_foreign(news)
        elif news.status.is_final:
            self._journal.write(
                "order", id=order.client_id, instrument=order.instrument, state=order.state, reason=news.reason
            )
            if news.reason == "mmp_trigger":
                self.risk.halt("mmp", "market-maker protection tripped")
        self.touched(news.instrument)

    def apply_fill(self, fill: Fill) -> None:
        """Exactly once by trade id; the position moves whoever's order it was."""
        if not self.orders.apply_fill(fill):
            return
        if fill.instrument in self._instruments:
            self.risk.exposure.add_fill(fill.instrument, fill.side, fill.amount)
        ours = self.orders.owner_of(fill) is not None or fill.label.startswith(self.label.cell_prefix)
        if ours:
            self._count_fill(fill)
        self._journal.write("fill", ours=ours, **msgspec.structs.asdict(fill))
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
            outcome = self.dialect.read_outcome(posted.call, posted.result, posted.error)
            for news in outcome.orders:
                self.apply_order(news)
            for fill in outcome.fills:
                self.apply_fill(fill)
            if outcome.unknown:
                self._count_reject(answer, outcome.refused)
                self._lost(order, old)
            elif outcome.refused is not None:
                self._refused(answer, outcome)
            else:
                self.risk.margin_granted(order.instrument, order.side)
        self.touched(order.instrument)

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
        now = trio.current_time()
        self._count_reject(answer, outcome.refused)
        self._react(code, order, answer)
        if answer.action is ActionKind.CANCEL:
            if code in UNTOUCHED_CODES:
                self.orders.untouched(order)
            else:
                self.orders.cancel_refused(order, now)
        elif answer.action is ActionKind.AMEND:
            if code in UNTOUCHED_CODES:
                self.orders.untouched(order)
            elif outcome.old_gone:
                self.orders.proven_gone(order, meaning)
            else:
                self.orders.lost(order, now)
        else:
            self.orders.refused(order, meaning, self._clock.now_ms())
            self._half_since.setdefault(order.instrument, now)
            if old is not None and code in UNTOUCHED_CODES and not outcome.old_gone:
                self.orders.untouched(old)
            elif old is not None:
                self.orders.replacement_failed(old, old_gone=outcome.old_gone, now=now)
        self.unknown_bell.ring()

    def _react(self, code: int, order: Order, answer: Answered) -> None:
        """What a refusal means beyond its order."""
        now = trio.current_time()
        if code in (-32000, 10028):
            self.budget.exhausted(answer.posted.call.pool, now, 1.0)
        elif code in MARGIN_CODES:
            self.risk.margin_refused(order.instrument, order.side)
        elif code in MMP_CODES:
            self.risk.halt("mmp", "market-maker protection tripped")
        self._bad_signatures = self._bad_signatures + 1 if code == 14014 else 0
        if self.dialect.is_fatal(code) and (code != 14014 or self._bad_signatures > 1):
            self.fatal = VenueRefused(code, self.dialect.explain(code))
            self.risk.halt("fatal", str(self.fatal))

    def _count_reject(self, answer: Answered, refused: tuple[int, str] | None) -> None:
        code, meaning = refused or (0, "outcome unknown")
        self.figures.rejects[f"{answer.action.value} {code}"] += 1
        self._journal.write("reject", id=answer.order.client_id, action=answer.action, code=code, meaning=meaning)
        logger.debug("{} of {} refused: {} {}", answer.action.value, answer.order.instrument, code, meaning)

    def touched(self, instrument: str) -> None:
        """Its orders or position changed: exposure is worked out again, and its quoter told."""
        self.risk.exposure.refresh(instrument)
        bell = self.bells.get(instrument)
        if bell is not None:
            bell.ring()


def hash_fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, the same in every process."""
    value = 2166136261
    for char in text.encode():
        value = ((value ^ char) * 16777619) & 0xFFFFFFFF
    return value / 2**32


