"""One cell: a venue, an underlying, some expiries; its actors, who is born first and who dies last.

Owns the task tree and nothing the actors own. Order of birth: journal, market data, desk, reconciliation, risk, quoters;
death is the reverse: quoters, then the desk's way out with every service still alive, then the services. Invariant:
`run` does not return, whatever ends it, before the way out has been tried.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import tricycle
import trio
from loguru import logger

from actors import mass_quoting
from actors.clerk import Clerk
from actors.clock import Clock
from actors.console.listing import Chosen, choose, is_chosen
from actors.console.settings import CellSettings, Settings
from actors.crier import Crier
from actors.journal import Journal
from actors.mailboxes import Inbox
from actors.market_data import MarketData
from actors.order_desk import OrderDesk
from actors.protection import Protection
from actors.quoter import Quoter
from actors.risk import Risk
from actors.stalls import StallWatch
from actors.trading.allotment import allot_exposure
from actors.trading.books import steps_at_most
from actors.trading.budget import Budget
from actors.trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from actors.trading.exposure import Exposure
from actors.trading.instruments import Instrument
from actors.trading.lives import shortest_life
from actors.trading.orders import OrderTable
from actors.trading.quotes import Terms
from actors.trading.restarts import RestartRule, Restarts
from actors.trading.strategies import Inventory, Strategy, build
from actors.truth import Proof, Truth
from actors.valuation import Valuation
from actors.venues.access import Access
from actors.venues.dialect import AccountFacts, Dialect, Pool, Script
from actors.venues.link import LinkSettings, VenueLink
from actors.venues.proof import RunLabel
from actors.venues.protocol import Notice
from actors.watch import Watch

REALLOT_S, REALLOT_MOVE = 30.0, 0.005
"""Room under max_exposure is given out anew this often at most, and only after the index has moved by this fraction."""
LISTED_S = 0.5
"""New strikes are listed many at a time; joined one by one they would spend the venue's whole burst of subscriptions."""
BULK_PULL = 3
"""More live orders than this are pulled by the run's label at once, where the venue can."""

Dial = Callable[[], Awaitable[trio.abc.Stream]]


class Cell:
    """Everything of one cell. Made without touching the network; `run` does the rest."""

    def __init__(
        self,
        settings: Settings,
        cell: CellSettings,
        access: Access,
        label: RunLabel,
        clock: Clock,
        rng: random.Random,
        *,
        dial: Dial,
        journal: Path | None = None,
        slot: int = 10,
        share: float = 1.0,
        guarded: bool = False,
        heir: bool = False,
    ) -> None:
        """`heir`: an earlier life of this cell died a moment ago, and nobody knows what it has sent."""
        self.all_settings = settings
        self.settings = cell
        self.access = access
        self.label = label
        self.clock = clock
        self.phase = "connecting"
        self.phase_detail = ""
        self.born_at = trio.current_time()
        self.instruments: dict[str, Instrument] = {}
        self.quoters: dict[str, Quoter] = {}
        self.quoted_ever: dict[str, None] = {}
        self.quarantined: dict[str, str] = {}
        self.ended: dict[str, None] = {}
        """Instruments whose time came; their quoters have returned."""
        self.no_room: dict[str, str] = {}
        self.most_instruments = 1 << 30
        self._allotted_at: float | None = None
        self._allotted_to = 0
        self.restarts = 0
        self.stalls = StallWatch()
        self.proof = Proof(False, None, "never asked")
        self.on_event: Callable[[str, str], None] = lambda level, text: None
        self.before_leaving: Callable[[], Awaitable[None]] | None = None
        self.strategy: Strategy = build(cell.quoting, cell.limits, has_surface=True)
        self.chosen = Chosen((), ())
        self._rng = rng
        self._dial = dial
        self._share = share
        self._heir = heir
        self._listed = Inbox[Instrument]()
        self.dialect: Dialect = access.dialect(clock, slot)
        self._hire(Journal(journal, clock.now_ns))
        self._introduce()
        if guarded:
            self.desk.block("guard", "no word of a living guard yet")

    def _hire(self, journal: Journal) -> None:
        """The actors, each with what it needs of those before it."""
        cell, clock = self.settings, self.clock
        self.journal = journal
        self.orders = OrderTable()
        self.risk = Risk(Exposure(self.orders, 0, 0), self.instruments, self._on_risk)
        self.market = MarketData(self.dialect, cell.underlying, clock, self._public_link, self._wants, self._listed.put)
        self.crier = Crier(lambda name: name in self.quoters and self.quoters[name].act(), self.market.ring)
        self.valuation = Valuation(cell, self.market, self.orders, clock, is_needed=not self.strategy.uses_book)
        self.clerk = Clerk(self.dialect, self.label, self.instruments, self.orders, self.risk, clock, journal)
        self.desk = OrderDesk(
            self.dialect,
            self._private_link(),
            self.label,
            cell.underlying,
            self.instruments,
            self.clerk,
            clock,
            cell.quoting,
            mmp=cell.mmp.enabled,
        )
        self.protection = Protection(self.all_settings, cell, self.desk, self.risk, clock)
        self.truth = Truth(self.desk, cell.underlying, clock)
        skew_s = self.all_settings.venue.max_clock_skew_s
        self.watch = Watch(self.market, self.desk, self.clerk, self.risk, clock, cell.quoting, skew_s)

    def _introduce(self) -> None:
        """Who tells whom."""
        self.market.on_changed = self.crier.tell_one
        self.clerk.on_changed = self._orders_changed
        self.market.on_venue = self._on_venue
        self.market.on_index = self._on_index
        self.risk.greeks = self.valuation.book
        if self.valuation.is_needed:
            self.risk.exposure.on_worst = self.valuation.refresh_exposure = self._on_worst
        self.clerk.on_event = self._event
        self.clerk.explain = self._terms
        self.clerk.on_mmp = self.protection.trip
        self.desk.unquotable = lambda name: self.quoters[name].unquotable()
        self.desk.on_unblocked = self._tell_all
        mode = self.settings.quoting.quote_mode
        self.desk.on_withdrawn = partial(mass_quoting.withdrawn, self.desk, self.protection, mode)
        self.desk.coin_value = self.valuation.coin_value

    # -- the tree

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Quotes until cancelled. Raises ConfigError or VenueRefused when quoting can't begin or go on."""
        async with tricycle.open_service_nursery() as services:
            try:
                await services.start(self.journal.run)
                services.start_soon(self.clerk.listen)
                await self._connect(services)
                async with trio.open_nursery() as quoters:
                    task_status.started()
                    self.phase = "quoting"
                    for name in list(self.instruments):
                        quoters.start_soon(self._keep_quoting, name)
                    quoters.start_soon(self._follow_listing, quoters)
                    value, comparison = self.valuation, self.valuation.comparison
                    for job in (self._refresh, self.crier.cry, self._reallot, value.fit, value.measure, comparison.keep):
                        quoters.start_soon(job)
                    for watch in (self.watch.keep, self.protection.keep):
                        quoters.start_soon(watch)
                    if self.settings.all_strikes:
                        quoters.start_soon(self.market.watch_listing)
            finally:
                self.phase = "stopping"
                await self._leave()  # noqa: ASYNC102  (shield and bound are inside, around what must be said)
            services.cancel_scope.cancel()

    async def _connect(self, services: trio.Nursery) -> None:
        """Links, listing, reconciliation: after this an order could be placed."""
        patience_s = self.all_settings.venue.give_up_after_s
        with trio.move_on_after(patience_s):
            await services.start(self.market.link.run)
        if not self.market.link.epoch:
            raise VenueUnreachable(f"{self.access.exchange} ({self.access.network}): no connection in {patience_s:g} s")
        await self.watch.compare_clocks()
        self.phase = "loading instruments"
        self.chosen = choose(self.settings, await self.market.load(), self.clock.now_s(), is_running=True)
        chosen = list(self.chosen.instruments)
        self._set_limits(chosen[0])
        await self.market.follow(chosen)
        await self._await_reference()
        self._admit(chosen)
        self.phase_detail = "logging in"
        await services.start(self.desk.link.run)
        await mass_quoting.begin(self.desk, self.protection, self.truth.facts, self.settings.quoting.quote_mode)
        truth = self.truth
        for job in (self.desk.work, truth.keep, truth.resolve, truth.audit, truth.stay_logged_in, self.market.mend_gaps):
            services.start_soon(job)
        self.phase_detail = ""

    async def _leave(self) -> None:
        """The way out with every service still alive; then whoever holds the sockets open for others lets go."""
        supervision = self.all_settings.supervision
        self.proof = await self.truth.way_out(supervision.stop_timeout_s)
        proof = self.proof
        self.journal.write("proof", confirmed=proof.confirmed, resting=proof.resting, text=proof.text, took_s=proof.took_s)
        proof.log()
        if self.before_leaving is not None and self.proof.confirmed:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + supervision.stop_timeout_s):
                await self.before_leaving()

    async def _await_reference(self) -> None:
        """The index decides who is nearest the money; a venue that sends none in time is quoted by strike order."""
        with trio.move_on_after(5.0):
            while self.market.index.price is None:
                await trio.sleep(0.02)

    async def _keep_quoting(self, name: str) -> None:
        """Restarts one quoter after a crash, its orders cancelled first; too many crashes quarantine the instrument."""
        rule = self.all_settings.supervision
        restarts = Restarts(RestartRule(rule.quoter_max_restarts, rule.quoter_period_s, rule.backoff_s, rule.backoff_max_s))
        while True:
            self.quoted_ever[name] = None
            try:
                await self.quoters[name].run()
            except Exception as exc:
                logger.opt(exception=exc).error("quoter of {} crashed", name)
                self._event("error", f"quoter of {name} crashed: {exc!r}")
                await self.desk.clear(name)
                wait = restarts.crashed(trio.current_time())
                if wait is None:
                    self._quarantine(name, exc)
                    return
                self.restarts += 1
                self.quoters[name] = self._quoter(name)
                await trio.sleep(wait)
            else:
                await self.desk.clear(name)
                self.ended[name] = None
                self._event("info", f"{name}: no longer quoted, trading in it ends soon")
                return

    async def _follow_listing(self, quoters: trio.Nursery) -> None:
        """New strikes and expiries join while the cell runs."""
        while True:
            await self._listed.wait()
            await trio.sleep(LISTED_S)
            fresh = {i.name: i for i in self._listed.take_all() if i.name not in self.instruments}
            if not fresh:
                continue
            try:
                await self.market.follow(fresh.values())
            except (VenueUnreachable, OutcomeUnknown, VenueRefused) as exc:
                # Their channels are on the list by now: the next connection joins them with all the others.
                self.market.link.drop(f"what was listed could not be joined: {exc}")
            self._admit(list(fresh.values()))
            for name in fresh:
                self._event("info", f"{name} was listed and joins")
                quoters.start_soon(self._keep_quoting, name)

    async def _refresh(self) -> None:
        """One ticker for all quoters: each is told once per `refresh_s`, spread over it in ten slices."""
        slices = 10
        while True:
            for part in range(slices):
                await trio.sleep(self.settings.quoting.refresh_s / slices)
                self.crier.tell(list(self.quoters)[part::slices])

    async def _reallot(self) -> None:
        """Where not everybody has room it goes to those nearest now, and from who has ended to the others; renewals too."""
        while True:
            await trio.sleep(REALLOT_S)
            index = self.market.index.price
            has_moved = index is not None and abs(index / (self._allotted_at or 1e-9) - 1) > REALLOT_MOVE
            if len(self._living()) != self._allotted_to or (self.no_room and has_moved):
                self._set_lives()
                self._tell_all()

    # -- choosing and admitting

    def _wants(self, instrument: Instrument) -> bool:
        """Of what is listed while running."""
        return instrument.underlying == self.settings.underlying and is_chosen(self.settings, self.chosen, instrument)

    def _set_limits(self, example: Instrument) -> None:
        limits = self.settings.limits
        self.risk.exposure.max_position = steps_at_most(example, limits.max_position)
        self.risk.exposure.max_exposure = steps_at_most(example, limits.max_exposure)

    def _admit(self, chosen: list[Instrument]) -> None:
        for instrument in chosen:
            name = instrument.name
            self.instruments[name] = instrument
            self.quoters[name] = self._quoter(name)
            self.risk.exposure.refresh(name)
        self._allot()

    def _allot(self) -> None:
        """Room for those nearest the money first, when `max_exposure` cannot hold everybody."""
        reference, living = self.market.index.price, self._living()
        self._allotted_at, self._allotted_to = reference, len(living)
        granted = allot_exposure(
            living,
            reference,
            self.settings.limits,
            size=self.settings.quoting.size,
            positions=self.risk.exposure.positions,
        )
        self.no_room = {name: "no room under max_exposure" for name, steps in granted.items() if steps == 0}
        for name in self._farthest(reference, [n for n in granted if n not in self.no_room]):
            self.no_room[name] = "its renewals would take more than a quarter of the request budget"
        self.risk.exposure.caps = dict.fromkeys(self.no_room, 0)

    def _living(self) -> list[Instrument]:
        """Those that may still be quoted."""
        return [one for name, one in self.instruments.items() if name not in self.ended and name not in self.quarantined]

    def _farthest(self, reference: float | None, names: list[str]) -> list[str]:
        """Those beyond `most_instruments`, farthest from the money first to go."""
        middle = reference or median(self.instruments[n].strike for n in names or self.instruments)
        names.sort(key=lambda n: abs(self.instruments[n].strike - middle))
        return names[self.most_instruments :]

    def _quoter(self, name: str) -> Quoter:
        return Quoter(
            self.market.pictures[name],
            self.market,
            self.orders,
            self.risk,
            self.desk,
            self.strategy,
            self.settings.quoting,
            self.clock,
            self._inventory,
            self.valuation,
        )

    def _inventory(self, name: str) -> Inventory:
        instrument, position = self.instruments[name], self.risk.exposure.position(name)
        return Inventory(
            position_steps=position,
            position=instrument.amount_float(position),
            max_position=self.settings.limits.max_position,
            **(self._greeks(instrument) if self.valuation.is_needed else {}),
        )

    def _greeks(self, instrument: Instrument) -> dict[str, float]:
        return self.valuation.book.held() | {"local_gamma": self.valuation.local_gamma(instrument)}

    def _on_index(self, price: float) -> None:
        """A strategy around fair value answers every index tick; one that follows the book waits for the book."""
        self.valuation.on_index(price)
        if not self.strategy.uses_book:
            self._tell_all()

    def _orders_changed(self, name: str) -> None:
        if name in self.quoters and self.quoters[name].heeds_orders():
            self.crier.tell((name,))

    def _tell_all(self) -> None:
        """Nearest the money first: there a stale quote costs most."""
        names, price = list(self.quoters), self.market.index.price
        if price is not None:
            names.sort(key=lambda name: abs(self.instruments[name].strike - price))
        self.crier.tell(names)

    def _terms(self, name: str) -> Terms:
        quoter = self.quoters.get(name)
        return quoter.wish.terms if quoter is not None and quoter.wish is not None else {}

    def _on_worst(self, name: str) -> None:
        """Greeks follow every change of what is held, their limits of what could be filled too."""
        instrument, book = self.instruments.get(name), self.valuation.book
        if instrument is not None:
            exposure, contracts = self.risk.exposure, instrument.amount_float
            bids, asks = exposure.most(name) if book.is_limited else (0, 0)
            book.update(name, contracts(exposure.position(name)), contracts(bids), contracts(asks))

    def _quarantine(self, name: str, exc: Exception) -> None:
        self.quarantined[name] = repr(exc)
        self.risk.exposure.release(name)
        logger.error("{} is quarantined after too many crashes: its quotes are pulled, the others go on", name)
        self._event("error", f"{name} quarantined: {exc!r}")

    # -- reactions

    def _on_risk(self, reason: str) -> None:
        if reason.startswith("halt") and sum(1 for _ in self.orders.live()) > BULK_PULL:
            self.desk.pull_run()
        self._tell_all()
        self._event("warning" if reason.startswith("halt") else "info", reason)

    def _on_venue(self, tradable: bool, reason: str) -> None:
        if tradable:
            self.risk.resume("venue")
        else:
            self.risk.halt("venue", reason or "the venue is closed for now")

    def _event(self, level: str, text: str) -> None:
        self.journal.write("event", level=level, text=text)
        self.on_event(level, text)

    # -- links

    def _public_link(
        self,
        opening: Callable[[], Script[None]],
        on_notice: Callable[[Notice], None],
        on_down: Callable[[str], None],
    ) -> VenueLink:
        return self._link("public", opening, on_notice, None, on_down)

    def _private_link(self) -> VenueLink:
        return self._link(
            "private",
            lambda: self.dialect.open_private(),
            lambda notice: self.clerk.on_notice(notice),
            self._on_account,
            lambda reason: self.truth.on_down(reason),
        )

    def _on_account(self, facts: AccountFacts) -> None:
        """Logged in: the budget is what the venue says it is, and with it how long orders live."""
        before, is_first = self.desk.budget, self.truth.facts is None
        self.desk.budget = Budget(
            facts.limits, facts.per_instrument, share=self._share, spent=facts.spent, now=trio.current_time()
        )
        self.desk.budget.remember(before)
        if self._heir and is_first and not facts.spent:
            wait_s = self.desk.budget.hold_orders(trio.current_time())
            self._event("info", f"no order for {wait_s:.1f} s: what the life before has sent counts against us still")
        self.desk.key_expires_s = facts.key_expires_s
        self._set_lives()
        for line in self.dialect.tell_operator(facts) if is_first else ():
            self._event("info", line)
        if self.dialect.signs_lives and is_first:
            self._event("info", f"orders are signed for {self.desk.life_s:g} s and renewed: with everything dead they end")
        self.truth.on_up(facts)

    def _set_lives(self) -> None:
        """The shortest signature life whose renewals fit a quarter of the budget; what does not fit is not quoted."""
        life = shortest_life(
            2 * len(self._living()),
            self.desk.budget.per_second(Pool.MATCHING),
            mmp=self.settings.mmp.enabled,
            ceiling_s=self.settings.quoting.order_life_s,
        )
        self.desk.life_s = self.settings.quoting.order_life_s or life.life_s
        self.most_instruments = max(1, life.most_orders // 2) if self.dialect.signs_lives else len(self.instruments)
        self._allot()

    def _link(
        self,
        name: str,
        opening: Callable[[], Script[Any]],
        on_notice: Callable[[Notice], None],
        on_up: Callable[[Any], None] | None,
        on_down: Callable[[str], None],
    ) -> VenueLink:
        venue = self.all_settings.venue
        return VenueLink(
            f"{self.label.cell} {name}",
            self.access.ws_url,
            self._dial,
            opening=opening,
            on_notice=on_notice,
            on_up=on_up,
            on_down=on_down,
            keep_alive=self.dialect.keep_alive(),
            is_fatal=self.dialect.is_fatal,
            settings=LinkSettings(
                connect_timeout_s=venue.connect_timeout_s,
                request_timeout_s=venue.request_timeout_s,
                ping_s=venue.ping_s,
                idle_s=venue.idle_s,
            ),
            rng=self._rng,
        )

    # -- looking

    def contracts(self, steps: float) -> float:
        """Steps as contracts; every instrument of a cell shares its step."""
        first = next(iter(self.instruments.values()), None)
        return 0.0 if first is None else steps * first.step_float
