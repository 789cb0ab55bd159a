"""Real processes to kill: an exchange of our own, makers on it, and the exchange's ledger as the only witness.

Owns starting, finding and ending processes, and reading times out of the ledger. Judges nothing. Every wait is for a
condition, with a bound that only a broken program reaches. Invariant: `close` leaves no process behind that this module
started, whatever they were doing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import attrs
import msgspec
from kill_venues import DERIVE, KillVenue
from network_cut import SwallowingProxy

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 45.0
"""A slow machine needs seconds to start four interpreters; only something broken needs this long."""
MODULES = {"actors.guard": "guard", "actors.cell_process": "cell", "actors.venues.paper": "exchange"}


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S, every_s: float = 0.01) -> Any:
    """Polls until the condition holds; its value. AssertionError with `what` when it never does."""
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {patience_s:g} s in vain: {what}"
        time.sleep(every_s)


def wall_ns() -> int:
    return time.time_ns()


def alive(pid: int) -> bool:
    """Runs or is stopped: a zombie is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def words_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def children_of(pid: int) -> dict[str, int]:
    """What a supervisor keeps: "guard", "spare", "cell", "exchange" -> pid. The older of two guards is the guard."""
    found: dict[str, int] = {}
    for each in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        if parent_of(each) == pid and alive(each):
            for word in words_of(each):
                if word in MODULES:
                    name = MODULES[word]
                    found["spare" if name == "guard" and name in found else name] = each
    return found


@attrs.define
class Moment:
    """How many orders of ours rested from this wall time on."""

    at_ns: int
    resting: int


class LedgerReader:
    """Follows a ledger file while the exchange writes it."""

    def __init__(self, path: Path, venue: KillVenue = DERIVE, account: int = 0) -> None:
        self.path = path
        self.venue = venue
        self.account = account
        self.rows: list[dict[str, Any]] = []
        """Order, request and answer-less rows; the market's are passed over."""
        self.moments: list[Moment] = [Moment(0, 0)]
        self.sent: list[tuple[int, str]] = []
        """Wall time and session-or-not method of every request that could become an order."""
        self._resting: dict[str, str] = {}
        self._offset = 0
        self._torn = b""

    def read(self) -> LedgerReader:
        """Takes in what was written since."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            fresh = file.read()
        self._offset += len(fresh)
        lines = (self._torn + fresh).split(b"\n")
        self._torn = lines.pop()
        for line in lines:
            if line and b'"kind":"notice"' not in line and b'"kind":"answer"' not in line:
                self._take(msgspec.json.decode(line))
        return self

    def _take(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if row["kind"] == "request" and row["method"] in self.venue.ordering:
            self.sent.append((row["w"], row["method"]))
        elif row["kind"] == "order" and self.venue.is_ours(row, self.account):
            if row["status"] == "open":
                self._resting[row["order_id"]] = row["label"]
            else:
                self._resting.pop(row["order_id"], None)
            self.moments.append(Moment(row["w"], len(self._resting)))

    @property
    def resting(self) -> int:
        return len(self._resting)

    @property
    def runs(self) -> set[str]:
        """What the labels of what rests say of the runs it belongs to."""
        return {self.venue.run_of(label) for label in self._resting.values()}

    def zero_s(self, since_ns: int) -> float | None:
        """Seconds from a moment to the first at which none of ours rested; None while there is none."""
        before = 0
        for moment in self.moments:
            if moment.at_ns <= since_ns:
                before = moment.resting
            elif before == 0:
                break
            elif moment.resting == 0:
                return (moment.at_ns - since_ns) / 1e9
        return 0.0 if before == 0 else None

    def last_rest_s(self, since_ns: int) -> float:
        """Seconds from a moment to the last at which any of ours rested; infinite while some do."""
        if self.resting:
            return float("inf")
        ended = [moment.at_ns for moment in self.moments if moment.resting == 0]
        return max(0.0, (ended[-1] - since_ns) / 1e9)

    def sent_between(self, from_ns: int, to_ns: int) -> int:
        return sum(from_ns < at_ns <= to_ns for at_ns, _ in self.sent)

    def of(self, kind: str, since_ns: int = 0) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kind"] == kind and row["w"] > since_ns]


class Exchange:
    """A paper exchange process with its ledger; outlives every maker on it."""

    def __init__(self, folder: Path, venue: KillVenue = DERIVE, *, through_proxy: bool = False) -> None:
        self.folder = folder
        self.venue = venue
        self.makers = 0
        """So many have been started on it."""
        self.ledger = folder / "ledger.jsonl"
        self.process, self.facts = self._start(0)
        self.proxy = SwallowingProxy(self.port) if through_proxy else None
        self.ws_url: str = self.facts["ws_url"]
        """Where makers connect."""
        if self.proxy is not None:
            self.ws_url = self.ws_url.replace(f":{self.port}/", f":{self.proxy.port}/")
        self.reader = LedgerReader(self.ledger, venue, venue.account(self.account))

    def _start(self, port: int) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        script = str(Path(__file__).with_name("small_exchange.py"))
        words = [sys.executable, script, self.venue.name, str(self.ledger), str(port)]
        process = subprocess.Popen(
            words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, start_new_session=True,
        )
        assert process.stdout is not None  # PIPE was asked for
        facts: dict[str, Any] = msgspec.json.decode(process.stdout.readline())
        return process, facts

    @property
    def port(self) -> int:
        return int(self.facts["ws_url"].split(":")[2].split("/")[0])

    @property
    def account(self) -> dict[str, Any]:
        """Facts of the account that the makers trade on."""
        facts: dict[str, Any] = self.facts["accounts"][0]
        return facts

    def names(self) -> list[str]:
        """Options of the farthest expiry."""
        root = self.facts["rest_url"].partition(f":{self.port}/")[2]
        listed = self.venue.list_options(lambda path, **body: self.post(f"{root}/{path}", **body))
        last = max(expiry_s for expiry_s, _ in listed)
        return sorted(name for expiry_s, name in listed if expiry_s == last)

    def post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}", msgspec.json.encode(body),
            {"Content-Type": "application/json", "User-Agent": "kills"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return msgspec.json.decode(answer.read())

    def caught_up(self) -> LedgerReader:
        """The ledger with every row of before this call in it.

        Rows wait up to a tenth of a second for the file, and a row of ours behind them says that they are there.
        """
        asked_ns = wall_ns()
        self.names()
        until(lambda: self.reader.read().of("request", asked_ns), "the ledger is written")
        return self.reader

    def lever(self, name: str, **body: Any) -> None:
        self.post(f"paper/{name}", **body)

    def freeze(self) -> None:
        """Nobody answers any more, and nobody hangs up either."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        _end(self.process)
        if self.proxy is not None:
            self.proxy.close()


class Maker:
    """One supervised run, its processes known by name from the moment they quote."""

    def __init__(self, exchange: Exchange, folder: Path, *words: str, onto: int | None = None) -> None:
        """`onto`: a descriptor that takes what is printed, in place of the file that `output` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        self.exchange = exchange
        self.folder = folder
        self.pids: dict[str, int] = {}
        venue, account = exchange.venue, exchange.account
        mode = venue.modes[exchange.makers % len(venue.modes)]
        exchange.makers += 1
        self._output: IO[bytes] = (folder / "output.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "supervisor.py", "--plain", "-url", exchange.ws_url, *venue.words(account),
             "-instruments", ",".join(exchange.names()), "-min-spread", "5", "-max-position", "5", "-max-exposure", "100",
             "-summary", str(folder / "summary.json"), "-set", f"journal.folder={folder / 'runs'}", *mode, *words],
            cwd=ROOT, env={**os.environ, **venue.environment(account)},
            stdout=self._output if onto is None else onto, stderr=subprocess.STDOUT, start_new_session=True,
        )

    @property
    def output(self) -> str:
        return (self.folder / "output.log").read_text(errors="replace")

    @property
    def run_folder(self) -> Path:
        return next(each for each in (self.folder / "runs").iterdir() if each.is_dir())

    def quoting(self, resting: int = 6) -> Maker:
        """Until so many orders of ours rest, and the processes are known."""

        def there() -> bool:
            assert alive(self.process.pid), f"the maker ended by itself:\n{self.output}"
            return self.exchange.reader.read().resting >= resting

        until(there, f"{resting} orders of ours at rest\n")
        self.find()
        return self

    def find(self) -> dict[str, int]:
        until(lambda: {"guard", "cell"} <= children_of(self.process.pid).keys(), "guard and cell are born")
        self.pids = {"supervisor": self.process.pid, **children_of(self.process.pid)}
        return self.pids

    def strike(self, number: int, *who: str) -> int:
        """Sends a signal; the wall time just before."""
        pids = [self.pids[name] for name in who]
        at_ns = wall_ns()
        for pid in pids:
            os.kill(pid, number)
        return at_ns

    def all_gone(self) -> bool:
        self.process.poll()
        return not any(alive(pid) for pid in self.pids.values())

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        return self.process.wait(patience_s)

    def close(self) -> None:
        """Ends whatever of this run still lives, stopped processes included."""
        born = children_of(self.process.pid) if alive(self.process.pid) else {}
        for pid in {*self.pids.values(), *born.values()} - {self.process.pid}:
            if alive(pid) and any(word in MODULES for word in words_of(pid)):
                os.kill(pid, signal.SIGKILL)
        _end(self.process, signal.SIGKILL)
        self._output.close()


def _end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    if process.stdout is not None:
        process.stdout.close()
