"""The order desk, one per cell: the private link, the rate budget, and the only sender of orders.

Owns the bag of approved pairs (newest per instrument) and turns them into the fewest requests, most urgent first. Decides
no price and grants no risk: it takes what `Risk.review` approved, rechecks it at the moment of sending, and signs last.
Answers and notifications are `clerk.py`'s; reconciling, settling unknown orders and the way out are `truth.py`'s.
Invariant: nothing but cancels is sent while `may_send` is false.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import msgspec
import trio

from actors.clerk import Answered, Asked, Clerk
from actors.clock import Clock
from actors.console.settings import QuotingSettings
from actors.mailboxes import CALM_S, Doorbell
from actors.trading.actions import Action, ActionKind, plan
from actors.trading.batch import Batch, Part, moves_only
from actors.trading.budget import Budget
from actors.trading.errors import VenueRefused
from actors.trading.instruments import BID, Instrument, Side
from actors.trading.lives import SHORTEST_S, is_due
from actors.trading.orders import Order, OrderState
from actors.trading.quotes import NO_ROOM, Quote, QuotePair, RiskApproved, Room
from actors.trading.quoting import needs_requote, threshold_ticks
from actors.venues.dialect import Call, Dialect, MassQuoting, OrderRequest, Outcome, Pool, Refusal, Script
from actors.venues.link import VenueLink
from actors.venues.pending import Posted
from actors.venues.proof import RunLabel

T = TypeVar("T")

GATHER_S = 0.01
"""In mass: how long the desk waits for the instruments that the same news moves."""
PATIENCE_PRICE = 1e-4
"""Quote currency a second: what an instrument that is not served adds to its urgency, so that nothing starves."""
BURST_S = 0.005
"""After several were served in one pass, what comes this soon may be one of many too."""
CHUNK_S = 0.002
"""The desk works this long at most, then lets the writer flush (design section 3)."""
RATE_PAUSE_S = 1.0
"""Nothing more is drawn from a pool for this long after the venue said no and not until when."""
LATE_LIFE = 0.1
"""An order is renewed only if that lengthens its life by at least this part: at an instrument's end it cannot."""


class OrderDesk:
    """The only sender; what comes back is the clerk's."""

    def __init__(
        self,
        dialect: Dialect,
        link: VenueLink,
        label: RunLabel,
        underlying: str,
        instruments: dict[str, Instrument],
        clerk: Clerk,
        clock: Clock,
        settings: QuotingSettings,
        *,
        mmp: bool = False,
    ) -> None:
        self.dialect = dialect
        self.link = link
        self.label = label
        self.clerk = clerk
        self._take = clerk.take
        self.orders = clerk.orders
        self.instruments = instruments
        self.risk = clerk.risk
        self.budget = Budget({}, None)
        self.blocks: dict[str, str] = {"start": "not reconciled yet"}
        self.life_s = settings.order_life_s or SHORTEST_S
        self.key_expires_s = 0
        self.unquotable: Callable[[str], str] = lambda instrument: ""
        """Why an instrument may not be quoted now (stale data, say); empty when it may."""
        self.coin_value: Callable[[Instrument], float] = lambda instrument: 1.0
        """Quote currency per unit of its premium."""
        self.latest_reject_ms = 0
        """The latest venue time at which an order sent so far could still take effect on arrival."""
        self._underlying = underlying
        self._clock = clock
        self._settings = settings
        self._mmp = mmp
        self._mass: MassQuoting | None = None
        self._batch: Batch | None = None
        """Where quotes leave in mass: what this pass over the bag has gathered."""
        self.on_unblocked: Callable[[], None] = lambda: None
        """Everybody may decide again."""
        self.on_withdrawn: Callable[[int, str], None] = lambda code, meaning: None
        """The venue takes no more mass quotes, and says why."""
        self._bag: dict[str, QuotePair] = {}
        self._served: dict[str, float] = {}
        """By instrument: when a request of it last left (trio's clock), or when it was first wanted."""
        self._bell = Doorbell()
        self._calm_from = math.inf
        """From when on what comes is no part of a burst (trio's clock); infinite while the desk waits for budget."""
        self._fault: Exception | None = None
        self._differs_since: dict[tuple[str, Side], float] = {}
        self._ready: list[tuple[Call, Asked]] = []
        """Written and signed in this step, about to leave."""
        clerk.on_rate = self.rate_refused
        clerk.on_login_lost = lambda: link.drop("the venue no longer knows our login")

    def quote_in_mass(self, mass: MassQuoting) -> None:
        """From now on many instruments leave in one call; single cancels stay what they are."""
        self._mass, self._batch = mass, Batch(mass.most_instruments)

    # -- what others ask

    @property
    def may_send(self) -> bool:
        """Orders may be placed: truth is reconciled, the guard lives, nobody blocks."""
        return not self.blocks and self.link.is_up

    def block(self, cause: str, text: str) -> None:
        self.blocks[cause] = text

    def unblock(self, cause: str) -> None:
        if self.blocks.pop(cause, None) is not None and not self.blocks:
            for name in [name for name, pair in self._bag.items() if pair.bid or pair.ask]:
                del self._bag[name]  # decided on what was known before; its quoter is asked anew
                self.risk.exposure.release(name)
            self.on_unblocked()

    def want(self, approved: RiskApproved) -> None:
        """The newest wish per instrument wins; its room is reserved already."""
        self._served.setdefault(approved.pair.instrument, approved.pair.decided_at)
        self._put(approved.pair, approved.room)

    def pull(self, instrument: str, reason: str) -> None:
        """Both sides away, whatever was wanted before."""
        self._put(QuotePair(instrument, 0, None, None, trio.current_time(), reason, urgency=math.inf))

    def _put(self, pair: QuotePair, room: Room | None = None) -> None:
        """Into the bag. What comes alone to an idle desk is served at once; in a burst urgency has to be compared."""
        self._bag[pair.instrument] = pair
        is_idle = self._bell.is_awaited and self._batch is None
        if not is_idle or len(self._bag) > 1 or trio.current_time() < self._calm_from:
            self._bell.ring()
            return
        try:
            waits = self._serve(pair, room) < math.inf
            self._let_go()
        except Exception as fault:  # the desk's own, not the quoter's who happened to call
            self._fault, waits = fault, True
        self._calm_from = trio.current_time() + CALM_S
        if waits:
            self._bell.ring()

    def must_renew(self, order: Order) -> bool:
        """Its signature ends soon, and a new one would last longer."""
        if not order.expires_s or order.state is not OrderState.OPEN:
            return False
        now_s = self._clock.now_s()
        if not is_due(order.client_id, order.expires_s, self.life_s, now_s):
            return False
        return self._expiry_s(order.instrument, now_s) > order.expires_s + LATE_LIFE * self.life_s

    def _expiry_s(self, instrument: str, now_s: float) -> int:
        """When an order signed now ends: after `life_s`, but not beyond its instrument or its key. UTC seconds."""
        end = int(now_s + self.life_s)
        for other in (self.instruments[instrument].expiry_s, self.key_expires_s):
            if other and other < end:
                end = other
        return end

    def pull_run(self) -> None:
        """Everything of this run by the venue's cheap call, where it has one; quoters cancel singly what that leaves."""
        for call in self.dialect.cancel_ours(self.label.text, self._underlying):
            has_room = self.budget.wait_for(call.pool, trio.current_time(), cancel=True) <= 0
            if has_room and self.link.post(call, self.clerk.bulk_answered):
                self.budget.spend(call.pool, trio.current_time())
                self.clerk.figures.requests["bulk_cancel"] += 1
                now = trio.current_time()
                for order in self.orders.live():
                    self.orders.cancelling(order, now)

        self.hang_up("everything of ours is pulled")

    def hang_up(self, reason: str) -> bool:
        """Pull all that was sent over the private link by closing it, where the venue cancels then and single cancels
        would take longer: True when done. The link connects again by itself, and reconciling proves what is left."""
        live = sum(1 for _ in self.orders.live())
        room = self.budget.left(Pool.MATCHING, trio.current_time())
        is_slow = self._batch is None and room is not None and live > room
        if not (self.dialect.hang_up_cancels and self.link.is_up and is_slow):
            return False
        self.clerk.figures.requests["hang_up"] += 1
        self.link.drop(reason)
        return True

    def rate_refused(self, pool: Pool, code: int, details: str) -> None:
        """The venue takes no more from a pool for now, whatever we had counted."""
        retry_s = self.dialect.retry_s(code, details)
        self.budget.exhausted(pool, trio.current_time(), RATE_PAUSE_S if retry_s is None else retry_s)

    async def clear(self, instrument: str) -> None:
        """Until nothing of ours can rest in one instrument any more; the caller bounds the time."""
        while any(o.state.is_live for o in self.orders.working(instrument)):
            self.pull(instrument, "cleared")
            await trio.sleep(0.05)

    # -- questions

    async def follow(self, script: Script[T]) -> T:
        """A conversation over the private link, no faster than the budget."""
        return await self.link.follow(script, self.ask)

    async def ask(self, call: Call) -> msgspec.Raw:
        """As soon as the budget, which it spends, has room: a burst would be refused. Raises what the link raises."""
        while wait := self.budget.wait_for(call.pool, trio.current_time(), instrument=call.instrument, cancel=True):
            await trio.sleep(wait)
        self.budget.spend(call.pool, trio.current_time(), instrument=call.instrument)
        try:
            return await self.link.call(call)
        except VenueRefused as refusal:
            if self.dialect.classify(refusal.code) is Refusal.RATE:
                self.rate_refused(call.pool, refusal.code, refusal.detail)
            raise

    # -- sending

    async def work(self) -> None:
        """Empties the bag by urgency within the budget, forever."""
        wait = math.inf
        while True:
            if math.isinf(wait):
                await self._bell.wait()
            else:
                with trio.move_on_after(wait):
                    await self._bell.wait()
            if self._fault is not None:
                raise self._fault
            if self._batch is not None:
                await trio.sleep(GATHER_S)
            calm_s = BURST_S if len(self._bag) > 1 else CALM_S
            wait = await self._drain()
            self._calm_from = trio.current_time() + calm_s if math.isinf(wait) else math.inf

    async def _drain(self) -> float:
        """One pass over the bag, cancels first. Returns seconds until budget lets the rest go; infinite when none waits."""
        started = trio.current_time()
        queue = list(self._bag.values())
        if len(queue) > 1:
            queue.sort(key=lambda pair: self._weight(pair, started), reverse=True)
            if self._batch is None:
                await self._in_chunks([pair for pair in queue if pair.bid is None or pair.ask is None], self._pull_sides)
        return await self._in_chunks(queue, self._serve)

    async def _in_chunks(self, queue: list[QuotePair], act: Callable[[QuotePair], float]) -> float:
        """`act` on each; the least answer. What CHUNK_S of it has posted leaves in one write, then others have their turn.

        In mass all goes into one call, which leaves at the end.
        """
        least, left = math.inf, iter(queue)
        while True:
            begun_ns = self._clock.wall_ns()
            for pair in left:
                least = min(least, act(pair))
                if self._batch is None and self._clock.wall_ns() - begun_ns > CHUNK_S * 1e9:
                    break
            else:
                self._let_go()
                return least
            self._let_go()
            await trio.lowlevel.checkpoint()

    def _serve(self, pair: QuotePair, room: Room | None = None) -> float:
        """Seconds until budget lets the rest of it go; infinite when it is done with, or superseded while we worked."""
        if self._bag.get(pair.instrument) is not pair:
            return math.inf
        wait = self._execute(pair, room)
        if wait > 0:
            return wait
        self._bag.pop(pair.instrument, None)
        self.risk.exposure.release(pair.instrument)
        return math.inf

    def _pull_sides(self, pair: QuotePair) -> float:
        """The cancels of a pair alone, as far as the budget goes: a side that must go waits for nobody's new quote.

        Infinite: nothing here is waited for, the pair is still to be served.
        """
        now = trio.current_time()
        if self._bag.get(pair.instrument) is not pair:
            return math.inf
        for action in self._plan(pair, now):
            if action.kind is not ActionKind.CANCEL or action.order is None:
                continue
            if self.budget.wait_for(Pool.MATCHING, now, instrument=pair.instrument, cancel=True) <= 0:
                self._cancel(action.order, now)
        return math.inf

    def _weight(self, pair: QuotePair, now: float) -> float:
        """Pulls first, then money lost by waiting; the time since it was last served lifts what would else starve."""
        if pair.bid is None and pair.ask is None:
            return math.inf
        waited_s = now - self._served.get(pair.instrument, now)
        return pair.urgency * (1.0 + now - pair.decided_at) + PATIENCE_PRICE * waited_s

    def _execute(self, pair: QuotePair, room: Room | None = None) -> float:
        """Sends what this pair needs now. Returns 0 when done with it, else seconds until budget could serve the rest.

        `room`: what risk has left it, if that was asked in this very pass.
        """
        now = trio.current_time()
        if now - pair.decided_at > 2 * self._settings.refresh_s and (pair.bid or pair.ask):
            return 0.0  # too old to act on; its quoter decides again on the next refresh
        actions = self._plan(pair, now)
        if not actions:
            return 0.0
        instrument = self.instruments[pair.instrument]
        room = self._room_now(pair.instrument) if room is None or not self.may_send else room
        if self._batch is not None:
            return self._gather(moves_only(actions), instrument, room, self._batch, now)
        granted = 0
        for position, action in enumerate(actions):
            if not granted:
                cancel = action.kind is ActionKind.CANCEL
                # A pair moves as one, unless its first half stops a loss: then the second may follow when budget allows.
                granted = 1
                if not cancel and action.danger <= 0:
                    granted = min(len(actions) - position, self.budget.most(Pool.MATCHING, pair.instrument))
                if wait := self.budget.wait_for(Pool.MATCHING, now, granted, instrument=pair.instrument, cancel=cancel):
                    return wait
            granted -= 1
            self._act(action, instrument, room, now)
        return 0.0

    def _plan(self, pair: QuotePair, now: float) -> list[Action]:
        instrument, working = self.instruments[pair.instrument], self.orders.working(pair.instrument)
        return plan(
            instrument,
            self.clerk.refusals.tried(pair, working, now, self._settings.retry_side_s),
            working,
            needs_requote=lambda order, quote: self._differs(order, quote, instrument, now),
            must_renew=self.must_renew,
            native_amend=self.dialect.native_amend and self._batch is None,
        )

    def _gather(self, actions: list[Action], instrument: Instrument, room: Room, batch: Batch, now: float) -> float:
        """Into the batch, when it may leave in this pass. Returns as `_execute` does; cancels need not wait for it."""
        sides = batch.sides + len(actions)
        wait = max(self.budget.wait_for(Pool.MASS_QUOTE, now), self.budget.wait_for(Pool.QUOTES, now, sides))
        if wait <= 0 and not batch.has_room(instrument.name):
            wait = GATHER_S
        is_done = True
        for action in actions:
            if wait <= 0:
                self._act(action, instrument, room, now, batch)
            elif action.kind is ActionKind.CANCEL and self.budget.wait_for(Pool.MATCHING, now, cancel=True) <= 0:
                self._act(action, instrument, room, now)
            else:
                is_done = False
        return 0.0 if is_done else wait

    def _send_batch(self) -> None:
        """One call for all that was gathered; each side's outcome goes to its own order."""
        mass, parts = self._mass, self._batch.take() if self._batch is not None else []
        if mass is None or not parts:
            return
        sides, now = [part.side for part in parts], trio.current_time()
        placed = [part.order.reject_ms for part in parts if part.side.order is not None]
        call = mass.write(sides, self.label.text, min(placed, default=self._reject_ms(now)))
        self.budget.spend(call.pool, now)
        self.budget.spend(Pool.QUOTES, now, len(parts))
        self.clerk.figures.requests["mass_quote"] += 1
        if not self.link.post(call, lambda posted: self._mass_answered(mass, posted, parts)):
            for part in parts:
                self._unsend(part.kind, part.order, part.old)
        for part in parts:
            self.clerk.touched(part.order.instrument)

    def _mass_answered(self, mass: MassQuoting, posted: Posted, parts: list[Part]) -> None:
        outcomes: list[Outcome | None] = [None] * len(parts)
        if not posted.lost:
            outcomes = [*mass.read([part.side for part in parts], posted.result, posted.error)]
        for part, outcome in zip(parts, outcomes, strict=True):
            self.clerk.take(Answered(posted, part.kind, part.order, part.old, outcome))
        if posted.error is not None and mass.is_withdrawn(posted.error[0]) and self._mass is not None:
            mass.is_on, self._mass, self._batch = False, None, None
            self.on_withdrawn(posted.error[0], posted.error[1])

    def _differs(self, order: Order, quote: Quote, instrument: Instrument, now: float) -> bool:
        resting = Quote(order.price, order.remaining)
        key = (order.instrument, order.side)
        if resting == quote:
            self._differs_since.pop(key, None)
            return False
        since = self._differs_since.setdefault(key, now)
        least = threshold_ticks(instrument, self._settings.requote_threshold, order.price, self.coin_value(instrument))
        return needs_requote(order.side, quote, resting, least, now - since, self._settings.refresh_s)

    def _act(self, action: Action, instrument: Instrument, room: Room, now: float, batch: Batch | None = None) -> None:
        """One request out of the door, or one side into the batch; the table knows of it before the link does.

        `room` was read in this same pass, without an await in between.
        """
        if action.kind is ActionKind.CANCEL:
            assert action.order is not None  # a cancel names its order
            self._cancel(action.order, now, batch)
            return
        quote = action.quote
        assert quote is not None  # only cancels have none
        amount = quote.amount + (action.order.filled if action.kind is ActionKind.AMEND and action.order else 0)
        if quote.amount > (room.bid if action.side is BID else room.ask):
            if action.order is not None and action.danger > 0:
                self._cancel(action.order, now, batch)  # cannot be moved, must not stay
            return
        request = self._request(instrument, action.side, Quote(quote.price, amount), now)
        self._differs_since.pop((instrument.name, action.side), None)
        if request.reject_ms > self.latest_reject_ms:
            self.latest_reject_ms = request.reject_ms
        old = action.order
        if batch is not None:
            order = self.orders.placing(request, now, replaces=old)
            self.clerk.sent(action.kind, order)
            batch.add(action.kind, order, old, request)
            self._served[instrument.name] = now
            self.risk.exposure.refresh(instrument.name)  # whoever comes next in this pass finds it counted
            return
        if action.kind is ActionKind.PLACE or old is None:
            order = self.orders.placing(request, now)
            call = self.dialect.place(request)
        elif action.kind is ActionKind.AMEND:
            call = self.dialect.replace(request, old, old.filled)
            order = old
            self.orders.amending(old, Quote(quote.price, amount), now, request.reject_ms)
        else:
            call = self.dialect.replace(request, old, old.filled)
            order = self.orders.placing(request, now, replaces=old)
        self._post(call, action.kind, order, None if action.kind is ActionKind.AMEND else old, now)

    def _room_now(self, instrument: str) -> Room:
        """What was approved may have waited for budget: links, guard, data and limits are looked at once more."""
        is_barred = not self.may_send or self.unquotable(instrument)
        return NO_ROOM if is_barred else self.risk.room_now(instrument)

    def _request(self, instrument: Instrument, side: Side, quote: Quote, now: float) -> OrderRequest:
        now_ns = self._clock.now_ns()
        client_id = self.dialect.next_client_id(now_ns, self.label.text)
        return OrderRequest(
            instrument=instrument.name,
            side=side,
            price=quote.price,
            amount=quote.amount,
            client_id=client_id,
            label=client_id if self.dialect.labels_are_identity else self.label.text,
            expires_s=self._expiry_s(instrument.name, now_ns / 1e9) if self.dialect.signs_lives else 0,
            reject_ms=self._reject_ms(now),
            mmp=self._mmp,
        )

    def _reject_ms(self, now: float) -> int:
        """The last moment, on the venue's clock, at which what is sent `now` may still take effect."""
        return self._clock.venue_ms(now) + int(self._settings.reject_after_s * 1000)

    def _cancel(self, order: Order, now: float, batch: Batch | None = None) -> None:
        self.orders.cancelling(order, now)
        if batch is not None:
            self.clerk.sent(ActionKind.CANCEL, order)
            batch.add(ActionKind.CANCEL, order, None, None)
            return
        self._post(self.dialect.cancel(order), ActionKind.CANCEL, order, None, now)

    def _post(self, call: Call, kind: ActionKind, order: Order, old: Order | None, now: float) -> None:
        self._ready.append((call, Asked(self._take, kind, order, old)))
        self._served[order.instrument] = now
        self.budget.spend(call.pool, now, instrument=order.instrument)
        self.risk.exposure.refresh(order.instrument)

    def _let_go(self) -> None:
        """What this step has decided leaves in one write. On record it is after that, for the venue waits for the write, and
        before any answer can be, for nothing is awaited in between."""
        ready, self._ready = self._ready, []
        with self.link.gathering():
            stuck = [asked for call, asked in ready if not self.link.post(call, asked)]
            self._send_batch()
        for _, asked in ready:
            self.clerk.sent(asked.action, asked.order)
        for asked in stuck:
            self._unsend(asked.action, asked.order, asked.old)
            self.clerk.touched(asked.order.instrument)

    def _unsend(self, kind: ActionKind, order: Order, old: Order | None) -> None:
        """The link is down, nothing left the house: undo what was noted."""
        if kind in (ActionKind.PLACE, ActionKind.REPLACE):
            self.orders.refused(order, "link down")
        for touched in (old, order):
            if touched is not None:
                self.orders.untouched(touched)
