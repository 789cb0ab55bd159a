"""The supervisor: who is born, who is restarted, who dies first. `python supervisor.py CONFIG.toml [flags]`.

Owns the processes: the paper exchange (when the configuration says so), the guard, and one process per cell; and the
run's last line, which never claims more than the venue's own answers. Places no order and knows no price. One signal
receiver is held open around everything until the proof is in, so a second Ctrl-C is data, never an interruption.
Invariant: while no guard is ready no cell may send a new order, and the guard is told "all done" only after every cell
that ever lived has proven that nothing of it rests.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import trio

from actors.clock import Clock
from actors.console.config import Effective, RunOptions
from actors.console.exits import Exit
from actors.console.plan import banner
from actors.console.screen import Screen
from actors.console.settings import Settings
from actors.console.snapshots import CellSnapshot
from actors.console.summary import run_figures, write_summary
from actors.hosting import CellPost, Hosted, Spare
from actors.left_on import LeftOn
from actors.mailboxes import AllDone, Birth, CellBorn, CellGone, GuardState, Leave
from actors.paper_process import PaperProcess, access_of, follow_renaming
from actors.pipes import HELD, start_ticks, wait_exit
from actors.preflight import preflight
from actors.run_folder import RunFolder
from actors.trading.errors import leading_error
from actors.trading.restarts import FORGOTTEN_S, RestartRule, Restarts
from actors.venues.access import FIRST_CELL_SLOT, GUARD_SLOT, Access

GUARD_PATIENCE_S = 6.0
"""After the cells are gone without a proof the guard is given this long before the last line says that it goes on."""
SPARE_AFTER_S, SPARE_RETRY_S = 1.0, 30.0
"""A spare guard is woken this long after the guard is ready: at the start the cells come first."""
GUARD_RESTART_S, GUARD_RESTART_MAX_S = 0.2, 5.0
"""Between two births of a guard that died before it was ready, doubled each time; one that was is replaced at once."""


class Supervisor:
    """One run."""

    def __init__(self, effective: Effective, options: RunOptions, folder: RunFolder, screen: Screen) -> None:
        self.settings: Settings = effective.settings
        self.effective = effective
        self.options = options
        self.folder = folder
        self.screen = screen
        self.posts = [
            CellPost(index, f"{cell.underlying.lower()}{index}") for index, cell in enumerate(self.settings.cells)
        ]
        self.guard: Hosted | None = None
        self.exit_hint = 0
        self.last_words: list[str] = []
        self._run_id = format(Clock().wall_ns() // 1_000_000, "x")
        self._stopping = trio.Event()
        self._changed = trio.Event()
        self._former_setting: bool | None = None
        """Cancel-on-disconnect as the operator had it; None where it is no lasting setting."""
        self._left_on: LeftOn | None = None
        self._access: Access | None = None
        self._paper: PaperProcess | None = None
        self._spare: Spare | None = None

    # -- a run

    async def run(self) -> int:
        """Exit code of the run."""
        for number in HELD:
            # What the receiver leaves behind when it closes: a late Ctrl-C must not take the last line nor the exit code.
            signal.signal(number, signal.SIG_IGN)
        with trio.open_signal_receiver(*HELD) as signals:
            async with trio.open_nursery() as helpers:
                helpers.start_soon(self._obey, signals)
                try:
                    await self._prepare()
                    if not self._stopping.is_set():
                        for helper in (self._show, self._serve_status, self._end_on_time, self._watch_paper):
                            helpers.start_soon(helper)
                        await self._keep_children()
                finally:
                    self._let_go_of_paper()
                helpers.cancel_scope.cancel()
        return self._last_line()

    async def _prepare(self) -> None:
        """The venue, and whether it takes us at all; a signal ends it at once, for nothing is born yet."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_told, nursery.cancel_scope)
            self._access = await self._open_venue()
            if self.settings.venue.exchange == "derive":
                self._left_on = LeftOn(self.folder.path.parent, f"{self._access.ws_url} {self._access.wallet}")
                await self._join_wallet(self._left_on)
            facts = await preflight(self.settings, self._access)
            if self._left_on is not None:
                self._former_setting = self._left_on.former(facts.cancel_on_disconnect)
                if self._former_setting != facts.cancel_on_disconnect:
                    self.screen.say("info", "an earlier run of ours left cancel-on-disconnect on; a clean stop sets it back")
            nursery.cancel_scope.cancel()

    async def _cancel_when_told(self, scope: trio.CancelScope) -> None:
        await self._stopping.wait()
        scope.cancel()

    async def _keep_children(self) -> None:
        async with trio.open_nursery() as children:
            if self.settings.supervision.guard:
                children.start_soon(self._keep_guard)
                children.start_soon(self._keep_spare)
            for post in self.posts:
                children.start_soon(self._keep_cell, post)
            await self._stopping.wait()
            await self._stop_cells()
            await self._dismiss_guard()
            children.cancel_scope.cancel()

    async def _open_venue(self) -> Access:
        """The venue's address and our account there; on paper, the exchange is started first."""
        if not self.settings.is_paper or self.settings.venue.url:
            return Access.of(self.settings)
        paper = self._paper = PaperProcess(self.settings, str(self.folder.path / "ledger.jsonl"), self.folder.stderr)
        facts = await paper.start()
        for line in follow_renaming(self.settings, facts):
            self.screen.say("info", line)
        self.screen.say("info", f"paper exchange at {facts['ws_url']}")
        return access_of(self.settings, facts)

    async def _watch_paper(self) -> None:
        """Without its exchange a run on paper has nothing to come back to."""
        if self._paper is not None and self._paper.process is not None:
            status = await wait_exit(self._paper.process)
            self.last_words.append(f"the paper exchange died (status {status})")
            self.stop("the paper exchange died")

    def _let_go_of_paper(self) -> None:
        """It ends now, unless the guard still needs it: then it ends by itself when nobody asks any more."""
        is_guard_asking = self.guard is not None and self.guard.is_alive
        if self._paper is not None and not is_guard_asking:
            self._paper.end()

    def stop(self, reason: str) -> None:
        if not self._stopping.is_set():
            self.screen.say("info", f"stopping: {reason}")
            self._stopping.set()
            self._notify()

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            name = signal.Signals(number).name
            if self._stopping.is_set():
                self.screen.say("info", f"{name}: already stopping, waiting for the proof")
            self.stop(name)

    async def _end_on_time(self) -> None:
        if self.settings.duration_s is not None:
            await trio.sleep(self.settings.duration_s)
            self.stop(f"after {self.settings.duration_s:g} s, as asked")

    async def _show(self) -> None:
        """The screen four times a second; the run's `status.json`, which `explain` reads, every other second."""
        beat = 0
        while True:
            self.screen.show(self._snapshots())
            beat += 1
            if beat % 8 == 0:
                self.folder.write_status(self._snapshots())
            await trio.sleep(0.25)

    def _snapshots(self) -> list[CellSnapshot]:
        return [post.hosted.snapshot for post in self.posts if post.hosted and post.hosted.snapshot]

    async def _serve_status(self) -> None:
        port = self.settings.status.port
        if port is None:
            return
        from actors.status import StatusPage

        page = StatusPage(self._snapshots, self._has_guard, len(self.posts), banner(self.settings))
        async with trio.open_nursery() as nursery:
            address = await nursery.start(page.serve, port)
            if address:
                self.screen.say("info", f"status page at {address}, metrics at {address}/metrics")

    def _has_guard(self) -> bool:
        guard = self.guard
        return not self.settings.supervision.guard or (guard is not None and guard.ready is not None and guard.is_alive)

    async def _join_wallet(self, left_on: LeftOn) -> None:
        if not left_on.join():
            self.screen.say("info", "another run sets this wallet's cancel-on-disconnect back: waiting until it is gone")
        while not left_on.join():
            await trio.sleep(0.1)

    # -- the guard

    @property
    def guard_word(self) -> str:
        """The guard's proof in its own words, from the moment it was heard; empty while there is none."""
        word = self.guard.farewell if self.guard is not None else None
        return word.text if word is not None and word.confirmed else ""

    async def _keep_guard(self) -> None:
        """One guard at all times until it is dismissed; without one the cells send nothing new."""
        pause = GUARD_RESTART_S
        while True:
            guard = await self._one_guard()
            if guard.farewell is not None:
                self._heed(guard.farewell.text)
                return
            self._tell_cells(alive=False)
            self.screen.say("error", f"the guard died (status {guard.status}); nothing new is sent until it is back")
            if guard.ready is None:  # something keeps it from getting ready: not too often, then
                await trio.sleep(pause)
                pause = min(GUARD_RESTART_MAX_S, pause * 2)

    async def _one_guard(self) -> Hosted:
        birth = self._birth("guard", -1, GUARD_SLOT)
        spare, self._spare = self._spare, None
        guard = self.guard = Hosted("actors.guard", birth, new_session=True, on_event=self.screen.say, spare=spare)
        guard.on_change = self._guard_changed
        async with trio.open_nursery() as nursery:
            await nursery.start(guard.live)
            for post in self.posts:
                self._introduce(post)
        return guard

    async def _keep_spare(self) -> None:
        """One interpreter that waits to become the guard when the guard dies."""
        try:
            while True:
                await self._until(lambda: self._is_guarded and self._spare is None)
                await trio.sleep(SPARE_AFTER_S)
                if self._is_guarded and self._spare is None and not self._wake_spare():
                    await trio.sleep(SPARE_RETRY_S)
        finally:
            if self._spare is not None:
                self._spare.dismiss()

    def _wake_spare(self) -> bool:
        try:
            self._spare = Spare("actors.guard", new_session=True)
        except OSError as exc:
            self.screen.say("warning", f"no spare guard for now: {exc}")
        return self._spare is not None

    def _heed(self, word: str) -> None:
        """It thought us dead (we were frozen, say) and pulls everything: there is no way on from here."""
        if not self._stopping.is_set():
            self.last_words.append(word)
            self.stop("the guard has acted")

    @property
    def _is_guarded(self) -> bool:
        guard = self.guard
        return guard is not None and guard.is_alive and guard.ready is not None and not guard.acting

    def _guard_changed(self) -> None:
        if self.guard is not None and self.guard.acting:
            self._heed(f"the guard acted: {self.guard.acting}")
        if self._is_guarded:
            self._tell_cells(alive=True)
        self._notify()

    def _tell_cells(self, *, alive: bool) -> None:
        for post in self.posts:
            if post.hosted is not None:
                post.hosted.send(GuardState(alive))

    def _introduce(self, post: CellPost) -> None:
        if self.guard is not None and post.hosted is not None and post.hosted.is_alive:
            self.guard.send(CellBorn(post.name, post.hosted.pid, post.hosted.ticks))

    # -- cells

    async def _keep_cell(self, post: CellPost) -> None:
        """Restarts a cell that dies; one that cannot go on, or dies too often, stops everything, cleanly."""
        rule = self.settings.supervision
        restarts = Restarts(RestartRule(rule.cell_max_restarts, rule.cell_period_s, rule.backoff_s, rule.backoff_max_s))
        while True:
            await self._one_life(post)
            word = post.hosted.farewell if post.hosted else None
            if word is not None and word.fatal:
                self.exit_hint = self.exit_hint or word.fatal
                self.last_words.append(word.text)
                self.stop(f"{post.name} cannot go on")
            if self._stopping.is_set():
                break
            wait = restarts.crashed(trio.current_time())
            if wait is None:
                self.exit_hint = self.exit_hint or Exit.NOT_CONFIRMED
                self.stop(f"{post.name} died too often")
                break
            post.restarts += 1
            wait = wait if post.unproven else max(wait, FORGOTTEN_S)
            self.screen.say("error", f"{post.name} died; restarting it in {wait:.1f} s")
            with trio.move_on_after(wait):
                await self._stopping.wait()
                break
        post.gone = True
        self._notify()

    async def _one_life(self, post: CellPost) -> None:
        if self._left_on is not None:
            self._left_on.join()  # shared again, should the life before have been told to set it back
        birth = self._birth(post.name, post.index, FIRST_CELL_SLOT + post.index, heir=post.unproven)
        cell = post.hosted = Hosted("actors.cell_process", birth, new_session=False, on_event=self.screen.say)
        cell.on_change = lambda: self._cell_changed(post)
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.live)
            self._introduce(post)
            if self._is_guarded:
                cell.send(GuardState(True))
            if self._stopping.is_set():
                cell.stop("the supervisor stops")
        if self.guard is not None:
            self.guard.send(CellGone(post.name, cell.pid))
        word = cell.farewell
        post.was_asked = word is not None and word.confirmed
        proven = word is not None and (word.confirmed or (word.nothing_sent and not post.unproven))
        post.unproven = not proven and (post.unproven or cell.ready is not None or cell.snapshot is not None)
        if cell.snapshot is not None or cell.farewell is not None:
            post.past.append(run_figures(cell))
        self._notify()

    def _cell_changed(self, post: CellPost) -> None:
        cell = post.hosted
        if cell is not None and cell.ready is not None:
            post.unproven = False  # it has reconciled: whatever an earlier incarnation left is gone
        if cell is not None and cell.farewell is not None and not self._stopping.is_set():
            # It ends by itself; the wallet is its alone to restore only where no other cell still needs the setting.
            alone = len(self.posts) == 1 and cell.farewell.confirmed
            cell.send(Leave(self._setting_to_restore() if alone else None))
        self._notify()

    # -- the end

    async def _stop_cells(self) -> None:
        """Every cell proves; then one restores the wallet's setting while all sockets are still open; then all leave."""
        for post in self.posts:
            if post.hosted is not None:
                post.hosted.stop("the supervisor stops")
        bound = self.settings.supervision.stop_timeout_s + 1.0
        with trio.move_on_after(bound):
            await self._until(lambda: all(post.gone or post.has_spoken for post in self.posts))
        alive = [post.hosted for post in self.posts if post.hosted is not None and post.hosted.is_alive]
        proven = [cell for cell in alive if cell.farewell is not None and cell.farewell.confirmed]
        unproven = any(post.gone and post.unproven for post in self.posts)  # the guard's, and the net is for it
        setting = self._setting_to_restore(leaving=True) if len(proven) == len(alive) and not unproven else None
        if proven and setting is not None:
            first = proven[0]
            first.send(Leave(setting))
            with trio.move_on_after(2.0):
                await self._until(lambda: first.left or not first.is_alive)
            if first.restored and self._left_on is not None:
                self._left_on.forget()
        for cell in alive:
            cell.send(Leave())
        with trio.move_on_after(3.0):
            await self._until(lambda: all(post.gone for post in self.posts))
        for cell in alive:
            cell.kill("did not leave in time")
        with trio.move_on_after(2.0):
            await self._until(lambda: all(post.gone for post in self.posts))

    def _setting_to_restore(self, *, leaving: bool = False) -> bool | None:
        """The wallet's former setting, unless another run of ours still needs it as it is: the last one sets it back."""
        is_ours = self._left_on is not None and self._left_on.is_last(leaving=leaving)
        return self._former_setting if is_ours else None

    async def _dismiss_guard(self) -> None:
        """The agreed farewell if everything is proven; else our end of its pipe closes, and it acts."""
        guard = self.guard
        if guard is None:
            return
        if self._is_proven():
            guard.send(AllDone())
            with trio.move_on_after(2.0):
                await self._until(lambda: not guard.is_alive)
        elif guard.farewell is None:
            self.screen.say("error", "not everything is proven: the guard takes over")
            with trio.move_on_after(min(GUARD_PATIENCE_S, 2.0 + self.settings.supervision.stop_timeout_s)):
                await self._until(self._has_guard_finished)

    def _has_guard_finished(self) -> bool:
        """Hangs up on whoever is guard by now: one that died meanwhile is being replaced."""
        guard = self.guard
        if guard is not None and guard.has_spoken:
            guard.hang_up()
        return guard is not None and guard.farewell is not None and not guard.is_alive

    def _is_proven(self) -> bool:
        """By every cell, or by none because none has sent anything. One that never asked may have orders of an earlier
        run: where others did ask, "zero" is said for it too, and so the guard, who knows the whole tag, is to ask."""
        asked = [post.was_asked for post in self.posts]
        return not any(post.unproven for post in self.posts) and (all(asked) or not any(asked))

    def _last_line(self) -> int:
        """What is known, in one line, and the exit code that says the same."""
        by_guard = not self._is_proven() and bool(self.guard_word)
        asked = by_guard or any(post.was_asked for post in self.posts)
        confirmed = self._is_proven() or by_guard
        self._write_summary(confirmed=confirmed and asked)
        for words in dict.fromkeys(self.last_words):
            self.screen.last("error", words)
        if confirmed and asked:
            how = self.guard_word if by_guard else "the venue answered an open-orders query with none of ours"
            self.screen.last("info", f"confirmed: zero orders rest ({how})")
            return self.exit_hint or Exit.OK
        if confirmed:
            self.screen.last("info", "no order was sent; what earlier runs may have left was not asked for")
            return self.exit_hint or Exit.OK
        guard = f"; the guard (pid {self.guard.pid}) goes on trying" if self.guard and self.guard.is_alive else ""
        self.screen.last("error", f"NOT confirmed that no order rests{guard}; log in {self.folder.path}")
        return Exit.NOT_CONFIRMED

    def _write_summary(self, *, confirmed: bool) -> None:
        if self.options.summary:
            try:
                write_summary(Path(self.options.summary), self.posts, confirmed=confirmed)
            except OSError as exc:
                self.last_words.append(f"summary {self.options.summary} could not be written: {exc.strerror}")

    # -- small things

    def _birth(self, name: str, cell: int, slot: int, *, heir: bool = False) -> Birth:
        assert self._access is not None  # the venue is opened before anybody is born
        venue = self._paper.process if self._paper else None
        return Birth(
            settings=self.settings,
            access=self._access,
            run=self._run_id,
            folder=str(self.folder.path),
            cell=cell,
            name=name,
            slot=slot,
            share=1.0 / len(self.settings.cells),
            log_level=self.screen.level,
            log_file=self.screen.child_log(self.folder.path),
            guarded=self.settings.supervision.guard,
            heir=heir,
            venue_pid=venue.pid if venue else 0,
            venue_ticks=(start_ticks(venue.pid) or 0) if venue else 0,
        )

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            with trio.move_on_after(0.1):
                await self._changed.wait()


def run(effective: Effective, options: RunOptions) -> int:
    """One run of an effective configuration; the process's exit code. Raises ConfigError and VenueUnreachable."""
    if options.dry_run:
        from actors.console.dry_run import dry_run

        return dry_run(effective)
    folder = RunFolder(effective.settings)
    with Screen(effective, options, folder.path) as screen:
        try:
            return trio.run(Supervisor(effective, options, folder, screen).run)
        except BaseExceptionGroup as group:
            raise leading_error(group) from None


def main() -> int:
    """`python supervisor.py CONFIG.toml [flags]` is `strikemaker run CONFIG.toml [flags]`."""
    from actors.console.cli import main as command

    return command(["run", *sys.argv[1:]])


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
