"""Order truth against the venue: reconciling, settling what is unknown, the audit, and the desk's way out.

Owns every question asked of the venue about our own state, and the answer "nothing of ours rests", which is only ever an
open-orders query's. Works on the desk's table through the desk's own `apply_*`; places nothing. One of the two places
with a shield is here: `way_out`, bounded in time. Invariant: the desk is blocked from "link down" until `reconcile` has
proven that nothing of an earlier connection can rest, and has read every fill.
"""

from __future__ import annotations

import math

import attrs
import trio
from loguru import logger

from actors.clock import Clock
from actors.mailboxes import Doorbell
from actors.order_desk import OrderDesk
from actors.trading.errors import OutcomeUnknown, StrikemakerError, VenueRefused, VenueUnreachable
from actors.trading.orders import Order, OrderState
from actors.venues.dialect import AccountFacts, Fill, VenueOrder
from actors.venues.dialogue import ROWS_AT_ONCE
from actors.venues.proof import LATE_MS, prefixed, sweep

OVERLAP_MS = 60_000
"""Fills are asked from this long before the last known moment: trade ids keep them from counting twice."""
AUDIT_S = 30.0
LOGIN_WATCH_S = 60.0
"""At least this often it is looked when the login must be renewed: a new connection has another end."""
SETTLE_S = 0.1
"""Most unknown orders are explained by a notification already on its way; only then is the venue asked."""
WEDGED = (VenueUnreachable, OutcomeUnknown, VenueRefused)


@attrs.frozen
class Proof:
    """What is known at the end. `confirmed`: the venue answered "none of ours" after nothing could arrive any more."""

    confirmed: bool
    resting: int | None
    """How many of ours rested at the last answer; None when there was none."""
    text: str
    took_s: float = 0.0
    nothing_sent: bool = False
    """No order request ever left: there is nothing to prove, and nothing is claimed of earlier runs."""

    def log(self) -> None:
        if self.nothing_sent:
            logger.info("nothing was sent")
        elif self.confirmed:
            logger.info("zero orders rest: {} ({:.2f} s)", self.text, self.took_s)
        else:
            logger.error("NOT confirmed that no order rests: {}", self.text)


class Truth:
    """Keeps the desk's table honest. One object per cell run."""

    def __init__(self, desk: OrderDesk, underlying: str, clock: Clock) -> None:
        self.desk = desk
        self.facts: AccountFacts | None = None
        self.alarms = 0
        self._underlying = underlying
        self._clock = clock
        self._up = Doorbell()
        self._fills_from_ms = 0
        self._fills_first_ms = 0
        """From when the first reading asked: earlier fills are in the positions read after it, and count for nobody."""
        self._login_ends_at = math.inf
        """Trio's clock."""
        self._is_ours = prefixed(desk.label.cell_prefix)

    # -- link events, synchronously from the link

    def on_up(self, facts: AccountFacts) -> None:
        self.facts = facts
        self._login_ends_at = trio.current_time() + facts.login_ends_s
        self._up.ring()

    def on_down(self, reason: str) -> None:
        """Whatever was answered no more is unknown, and on most venues already cancelled by the disconnect."""
        self.desk.block("truth", f"private link down: {reason}")
        self._login_ends_at = math.inf
        now = trio.current_time()
        for order in list(self.desk.orders.live()):
            self.desk.orders.lost(order, now)
            self.desk.risk.exposure.refresh(order.instrument)
        if "leaving" not in self.desk.blocks:
            self.desk.clerk.on_event("warning", f"private link down: {reason}")

    # -- start and reconnect

    async def keep(self) -> None:
        """After every connection: reconcile, then let quoting go on. Runs for the life of the cell."""
        while True:
            await self._up.wait()
            while self.desk.link.is_up and self.desk.blocks.keys() & {"start", "truth"}:
                await self._try_reconciling()

    async def _try_reconciling(self) -> None:
        """A connection lost meanwhile proves nothing for its successor, which rings for itself."""
        epoch = self.desk.link.epoch
        try:
            await self.reconcile()
        except WEDGED as exc:
            logger.warning("reconciling failed ({}), trying again", exc)
            await trio.sleep(1.0)
            return
        if self.desk.link.epoch == epoch and self.desk.link.is_up:
            self.desk.unblock("start")
            self.desk.unblock("truth")

    async def reconcile(self) -> None:
        """Nothing of ours rests, every fill is read, positions are the venue's. Raises what the link raises."""
        dialect = self.desk.dialect
        await self._join(dialect.private_channels(self._underlying))
        await self._pull_all()
        await self._read_fills()
        for order in list(self.desk.orders.live()):
            self.desk.orders.proven_gone(order, "connection lost", self._clock.venue_ms())
            self.desk.clerk.touched(order.instrument)  # its room is free again, also where nobody quotes any more
        await self._read_positions()
        await self._ask_open()
        await self._ask_account()
        self._log_leftovers()

    async def _join(self, channels: list[str]) -> None:
        """Without its own orders and fills no cell may quote; of other channels it is only said."""
        dialect = self.desk.dialect
        missing = await self.desk.follow(dialect.subscribe(channels, private=True))
        vital = [channel for channel in channels[: dialect.vital_channels] if channel in missing]
        if vital:
            raise OutcomeUnknown(f"the venue did not accept {', '.join(vital)}: orders and fills would not be heard")
        for channel in missing:
            self._alarm(f"the venue did not accept channel {channel}")

    async def _ask_account(self) -> None:
        self.desk.clerk.note_account(await self.desk.follow(self.desk.dialect.account_state(self._underlying)))

    async def _ask_open(self) -> list[VenueOrder]:
        """All that rests at the venue. The account's orders that are not ours, which are no reference for a price and never
        touched, are known afresh after it; one that came while the question was out stays."""
        orders = self.desk.orders
        known = orders.foreign_ids()
        resting = await self.desk.follow(self.desk.dialect.open_orders(self._underlying))
        orders.forget_foreign(known - {order.venue_id for order in resting})
        for order in resting:
            if not self._is_ours(order):
                orders.note_foreign(order)
        return resting

    async def _pull_all(self) -> None:
        """Sweeps until a question asked after the last possible arrival is answered "none"."""
        pause = 0.05
        while True:
            asked_ms = self._clock.venue_ms()
            ours = await self.desk.follow(
                sweep(self.desk.dialect, self._underlying, self._is_ours, self.desk.label.text)
            )
            if not ours and asked_ms > self.desk.latest_reject_ms + LATE_MS:
                return
            await trio.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    async def _read_fills(self) -> list[Fill]:
        """Applies every execution since the last reading; returns the new ones' list as the venue gave it."""
        asked_ms = self._clock.now_ms()
        if self._fills_from_ms == 0:
            self._fills_first_ms = max(0, asked_ms - OVERLAP_MS)
        since = max(self._fills_first_ms, self._fills_from_ms - OVERLAP_MS)  # the wall clock may have stepped back
        fills = await self.desk.follow(self.desk.dialect.fills_since(since, self._underlying))
        first = self._fills_from_ms == 0
        for fill in fills:
            if first:
                self.desk.orders.executions.is_new(fill.trade_id, fill.ts_ms)  # in the positions that are read next
            else:
                self.desk.clerk.apply_fill(fill)
        self._fills_from_ms = asked_ms
        return fills

    async def _read_positions(self) -> None:
        """The venue's positions, read between two equal readings of the fills so that none falls in between."""
        exposure = self.desk.risk.exposure
        for _ in range(10):
            before = self.desk.orders.executions.ever
            positions = await self.desk.follow(self.desk.dialect.positions(self._underlying))
            await self._read_fills()
            if self.desk.orders.executions.ever == before:
                break
        # A hedge in the perpetual, or what another cell holds, comes in steps of its own and counts against other limits.
        for name in (exposure.positions.keys() | positions.keys()) & self.desk.instruments.keys():
            known, told = exposure.position(name), positions.get(name, 0)
            is_settled = told == 0 and 0 < self.desk.instruments[name].expiry_s <= self._clock.now_s()
            if known != told and name in exposure.positions and not is_settled:
                self._alarm(f"position of {name}: we had {known} steps, the venue says {told}")
            exposure.set_position(name, told)

    def _log_leftovers(self) -> None:
        unsettled = self.desk.orders.unknown()
        if unsettled:
            self._alarm(f"{len(unsettled)} orders are still unknown after reconciling")

    # -- unknown orders

    async def resolve(self) -> None:
        """Settles unknown orders by evidence while the link is up; forever."""
        while True:
            await self.desk.clerk.unknown_bell.wait()
            await trio.sleep(SETTLE_S)
            while self.desk.orders.unknown() and self.desk.link.is_up and "truth" not in self.desk.blocks:
                try:
                    await self._resolve_once()
                except WEDGED as exc:
                    logger.debug("asking about unknown orders failed: {}", exc)
                    await trio.sleep(0.2)

    async def _resolve_once(self) -> None:
        """One question for all of them; those past their reject time and burnt are dead, those seen are alive."""
        asked_ms = self._clock.venue_ms()
        suspects = self.desk.orders.unknown()
        resting = await self.desk.follow(self.desk.dialect.open_orders(self._underlying))
        alive = {order.client_id: order for order in resting}
        ids = {order.venue_id: order for order in resting}
        for order in suspects:
            if order.state is not OrderState.UNKNOWN:
                continue
            seen = alive.get(order.client_id) or ids.get(order.venue_id)
            if seen is not None:
                if asked_ms > order.reject_ms + LATE_MS:
                    self.desk.orders.edit_failed(order)
                self.desk.clerk.apply_order(seen)
            elif asked_ms > order.reject_ms + LATE_MS:
                await self._bury(order)
        if self.desk.orders.unknown():
            await trio.sleep(0.1)

    async def _bury(self, order: Order) -> None:
        """It does not rest and cannot arrive any more: burn its identity where the venue can, read its fills, end it."""
        burn = self.desk.dialect.burn(order.client_id, order.instrument)
        if burn is not None:
            try:
                await self.desk.ask(burn)
            except VenueRefused as exc:
                logger.debug("burning {} refused: {}", order.client_id, exc)
        else:
            told = await self.desk.follow(
                self.desk.dialect.order_state(order.client_id, order.venue_id, order.instrument, order.changed_ms)
            )
            if told is not None:
                self.desk.clerk.apply_order(told)
                return
        await self._read_fills()
        self.desk.orders.proven_gone(order, "settled by evidence", self._clock.venue_ms())
        self.desk.clerk.touched(order.instrument)

    # -- the login

    async def stay_logged_in(self) -> None:
        """Renews the private link's login before it ends, where it does; forever. A failure costs the connection."""
        while True:
            link = self.desk.link
            await trio.sleep(min(LOGIN_WATCH_S, max(0.1, self._login_ends_at - trio.current_time())))
            if trio.current_time() < self._login_ends_at or not link.is_up:
                continue
            try:
                self._login_ends_at = trio.current_time() + await self.desk.follow(self.desk.dialect.renew_login())
            except StrikemakerError as exc:
                logger.warning("the login could not be renewed: {}", exc)
                self._login_ends_at = math.inf
                link.drop("the login could not be renewed")

    # -- audit

    async def audit(self) -> None:
        """Every AUDIT_S: the venue's open orders against ours; what differs is raised and mended."""
        while True:
            await trio.sleep(AUDIT_S)
            if not self.desk.may_send:
                continue
            try:
                await self.audit_once()
            except WEDGED as exc:
                logger.warning("audit failed: {}", exc)

    async def audit_once(self) -> None:
        """Strays are cancelled; an order that we hold open and the venue does not show becomes unknown."""
        orders = self.desk.orders
        before = {o.client_id for o in orders.live() if o.state is OrderState.OPEN}
        asked_ms = self._clock.venue_ms()
        resting = await self._ask_open()
        shown = {order.client_id for order in resting} | {order.venue_id for order in resting}
        for number, order in enumerate(resting):
            if number % ROWS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if self._is_ours(order):
                await self._check_known(order, asked_ms)
        for held in list(orders.live()):
            if held.client_id in before and held.state is OrderState.OPEN and not shown & {held.client_id, held.venue_id}:
                self._alarm(f"{held.instrument} {held.side.name} {held.client_id} is open here, not at the venue")
                orders.lost(held, trio.current_time())
                self.desk.clerk.unknown_bell.ring()
        await self._ask_account()
        await self._read_fills()  # one whose notification never came is applied now
        while orders.forget_settled(self._clock.now_ms() - 10 * OVERLAP_MS):
            await trio.lowlevel.checkpoint()

    async def _check_known(self, order: VenueOrder, asked_ms: int) -> None:
        """One that rests must be live here, or have ended about when the venue was asked (its time) or later."""
        known = self.desk.orders.known(order)
        if known is None or not (known.state.is_live or known.changed_ms >= asked_ms - LATE_MS):
            self._alarm(f"stray order {order.venue_id} of ours on {order.instrument}: cancelling it")
            try:
                await self.desk.ask(self.desk.dialect.cancel(order))
            except VenueRefused as exc:
                logger.warning("stray {} not cancelled: {}", order.venue_id, exc)

    def _alarm(self, text: str) -> None:
        self.alarms += 1
        logger.error("audit: {}", text)
        self.desk.clerk.on_event("error", text)

    # -- the way out

    async def way_out(self, bound_s: float) -> Proof:
        """Cancel all ours, then ask until the venue says none: shielded, and over after `bound_s` whatever happens."""
        self.desk.block("leaving", "stopping")
        if self.desk.latest_reject_ms == 0 and self.facts is None:
            return Proof(False, None, "nothing was sent", nothing_sent=True)
        started = trio.current_time()
        proof = Proof(False, None, "the venue could not be asked")
        with trio.CancelScope(shield=True, deadline=started + bound_s):
            try:
                proof = await self._prove(started)
            except StrikemakerError as exc:
                proof = Proof(False, None, f"not confirmed: {exc}")
        if not proof.confirmed and proof.resting is None:
            proof = attrs.evolve(proof, text=f"{proof.text} within {bound_s:g} s", took_s=trio.current_time() - started)
        return proof

    async def restore(self, cancel_on_disconnect: bool) -> None:
        """The wallet's former setting, once nothing of ours rests anywhere and before any socket closes."""
        if self.facts is not None:
            former = attrs.evolve(self.facts, restore_cancel_on_disconnect=cancel_on_disconnect)
            await self.desk.follow(self.desk.dialect.close_private(former))

    async def _prove(self, started: float) -> Proof:
        self.desk.hang_up("stopping: hanging up cancels our orders")
        while True:
            try:
                await self._pull_all()
                await self._read_fills()
                for order in list(self.desk.orders.live()):
                    self.desk.orders.proven_gone(order, "stopped", self._clock.venue_ms())
                await self._read_positions()
                return Proof(True, 0, "the venue shows none of ours", trio.current_time() - started)
            except WEDGED as exc:
                logger.warning("on the way out: {}; trying again", exc)
                await trio.sleep(0.2)
