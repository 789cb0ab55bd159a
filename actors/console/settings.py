"""Every key of the configuration, with its unit, default, range and meaning: the one place they are defined.

The loader (`config.py`) reads TOML, environment and flags into these; `checks.py` holds them to their ranges;
`docs/configuration.md` is generated from them. Holds no secret in a repr. Invariant: an object of these classes that
came out of `config.load` has passed every check that needs no venue.
"""

from __future__ import annotations

from typing import Any

import attrs

from actors.console.secrets import Secret


def key(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A configuration key: meaning, unit and range travel as attrs metadata.

    `low` and `high` are allowed values themselves, `above` and `below` are not; a range holds for each item of a list.
    """
    meta = {"help": help, "unit": unit, "low": low, "high": high, "above": above, "below": below, "choices": choices}
    if isinstance(default, (list, dict)):
        return attrs.field(factory=lambda: type(default)(default), metadata=meta)
    return attrs.field(default=default, metadata=meta)


@attrs.define
class VenueSettings:
    exchange: str = key("derive", "the venue", choices=("derive", "deribit"))
    live: bool = key(False, "trade real money; without it (and without test) everything runs on the paper exchange")
    test: bool = key(False, "use the venue's public testnet")
    url: str = key("", "WebSocket address, only to override the built-in one; loopback addresses need no live")
    wallet: str = key("", "Derive: address of the account's owner (0x and 40 hex digits)")
    subaccount: int | None = key(None, "Derive: subaccount id; unset: the wallet's only one", low=0)
    client_id: str = key("", "Deribit: id of the API key, where private_key holds the client secret alone")
    private_key: Secret = key(Secret(""), "Derive: key that signs (0x and 64 hex digits); Deribit: client_id:client_secret")
    private_key_file: str = key("", "file that holds the private key, readable by its owner only")
    keystore: str = key("", "encrypted V3 keystore of the signing key (Derive)")
    keystore_password_file: str = key("", "file with the keystore's password; unset: asked for on the terminal")
    tag: str = key(
        "main", "names our orders. Two makers on one account need different tags; otherwise each cancels the other's orders"
    )
    request_timeout_s: float = key(5.0, "a request without an answer becomes unknown after this", unit="s", above=0)
    connect_timeout_s: float = key(10.0, "one attempt to connect and log in", unit="s", above=0)
    give_up_after_s: float = key(60.0, "a venue unreachable for this long at start ends the run", unit="s", low=0)
    ping_s: float = key(20.0, "own ping on a silent link", unit="s", above=0)
    idle_s: float = key(60.0, "a link without any frame for this long is dead", unit="s", above=0)
    max_clock_skew_s: float = key(
        2.0, "no start when our clock is off the venue's by more, no quotes while it is behind by more", unit="s", above=0
    )


@attrs.define
class ProtectionSettings:
    """Each is off until it is given a value, but for `index_reprice`."""

    index_reprice: bool = key(True, "move the venue's mark with the index between its own updates")
    fast_move_bps: float | None = key(
        None, "pull every quote while the index has moved more than this within fast_window_s", unit="bps", above=0
    )
    fast_window_s: float = key(5.0, "see fast_move_bps", unit="s", above=0)
    max_pick_off: float | None = key(
        None, "pull a resting side that would lose more than this at fair value", unit="quote currency", above=0
    )
    vol_widening: float = key(0.0, "widen by this times how far realised vol exceeds implied, as a fraction", low=0)
    min_edge: float | None = key(
        None, "least distance of each side from fair value beyond the fee", unit="quote currency per unit", low=0
    )
    min_delta: float | None = key(None, "quote only options of at least this delta, by size", low=0, high=1)
    max_delta: float | None = key(None, "quote only options of at most this delta, by size", low=0, high=1)
    min_days: float | None = key(None, "quote only options with at least this long to expiry", unit="days", low=0)
    max_days: float | None = key(None, "quote only options with at most this long to expiry", unit="days", above=0)
    vega_per_side: float | None = key(
        None, "size each side to hold this much vega, at most size", unit="quote currency per vol point", above=0
    )


@attrs.define
class QuotingSettings:
    strategy: str = key("improve", "name of a file in actors/trading/strategies")
    params: dict[str, float] = key({}, "the strategy's own parameters; unknown ones are errors")
    size: float | None = key(None, "contracts a side; unset: the venue's minimum", unit="contracts", above=0)
    spread_bps: float = key(
        10.0,
        "mid_spread: whole spread; improve: spread around mid when no level is big enough",
        unit="bps of mid",
        low=0,
        below=20_000,
    )
    min_spread_bps: float = key(
        1000.0,
        "never quote narrower than this; a side alone keeps half of it from fair value",
        unit="bps of mid",
        low=0,
        below=20_000,
    )
    fallback_spread_bps: float = key(
        500.0, "spread around the mark where a side of the market is empty", unit="bps of mark", low=0, below=20_000
    )
    improvement: float = key(0.10, "how far inside the best of others", unit="quote currency", low=0)
    improvement_reference_size: float = key(
        0.0, "best level that holds at least this counts; 0: any size", unit="contracts", low=0
    )
    coarse_tick: str = key(
        "one_tick", "when a tick is worth more than the improvement: one_tick or join", choices=("one_tick", "join")
    )
    max_through_mark: float = key(
        0.0, "never bid above mark plus this, nor offer below mark minus this", unit="quote currency"
    )
    requote_threshold: float | None = key(
        None,
        "smallest difference of desired and resting price that is corrected; unset: one tick",
        unit="quote currency",
        low=0,
    )
    refresh_s: float = key(1.0, "every quote is checked again after this", unit="s", above=0)
    bid_only: bool = key(False, "quote bids only")
    ask_only: bool = key(False, "quote asks only")
    stop_before_expiry_s: float = key(
        300.0, "an instrument is quoted until this long before trading in it ends", unit="s", low=0
    )
    order_life_s: float | None = key(
        None,
        "Derive: life of a signature, renewed before it ends; unset: the shortest that takes a quarter of the budget",
        unit="s",
        low=310,
        high=3600,
    )
    reject_after_s: float = key(
        1.0, "an order that reaches the engine later than this is refused there", unit="s", above=0, high=1
    )
    max_book_age_s: float = key(5.0, "older market data than this pulls the quote", unit="s", above=0)
    max_index_age_s: float = key(
        10.0, "an older index pulls all quotes; a ticker older than both bounds pulls its own", unit="s", above=0
    )
    retry_side_s: float = key(
        2.0, "a side that is refused for longer is pulled where it rests, and with it the other", unit="s", low=0
    )
    quote_mode: str = key("auto", "Deribit: orders, mass or auto", choices=("auto", "orders", "mass"))
    protections: ProtectionSettings = attrs.field(factory=ProtectionSettings)


@attrs.define
class LimitSettings:
    max_position: float = key(1.0, "per instrument, worst case of position and orders", unit="contracts", above=0)
    max_exposure: float = key(10.0, "sum of the above over the cell's instruments", unit="contracts", above=0)
    max_delta: float | None = key(None, "portfolio delta, worst case", unit="units of the underlying", above=0)
    max_gamma: float | None = key(None, "portfolio gamma, worst case", unit="delta per quote currency", above=0)
    max_vega: float | None = key(None, "portfolio vega, worst case", unit="quote currency per vol point", above=0)
    max_theta: float | None = key(None, "portfolio theta, worst case", unit="quote currency a day", above=0)
    max_scenario_loss: float | None = key(None, "worst loss on the scenario grid", unit="quote currency", above=0)
    expiry_share: float = key(
        1.0, "part of each Greek and scenario limit that one expiry alone may use", unit="fraction", above=0, high=1
    )
    scenario_spot: list[float] = key([-0.2, -0.1, 0.0, 0.1, 0.2], "spot shocks", unit="fraction", above=-1)
    scenario_vol: list[float] = key([-0.2, 0.0, 0.2], "vol shocks", unit="fraction of vol", above=-1)


@attrs.define
class MmpSettings:
    enabled: bool = key(False, "send orders under market-maker protection")
    interval_s: float = key(5.0, "rolling window", unit="s", above=0, high=3600)
    frozen_s: float = key(30.0, "freeze after a trip; 0: until reset by hand", unit="s", low=0, high=3600)
    amount_limit: float | None = key(
        None, "contracts filled in the window; unset: half of max_exposure", unit="contracts", above=0
    )
    delta_limit: float | None = key(None, "net delta filled in the window", unit="units of the underlying", above=0)
    vega_limit: float | None = key(None, "Deribit: net vega filled in the window", unit="USD per vol point", above=0)
    max_trips: int = key(3, "trips within an hour before the cell halts", low=1)


@attrs.define
class CellSettings:
    underlying: str = key("ETH", "ETH or BTC; on Deribit also ETH_USDC, BTC_USDC, SOL_USDC or XRP_USDC")
    expiries: list[str] = key(
        [],
        "YYYYMMDD or 25DEC26; or nearest, nearest-weekly (a Friday), nearest-monthly (last Friday)",
    )
    strikes: list[float] = key([], "chosen strikes; calls and puts of each", above=0)
    all_strikes: bool = key(False, "every strike of each expiry, new listings too")
    instruments: list[str] = key([], "single instruments by name, in place of expiries and strikes; either venue's spelling")
    quoting: QuotingSettings = attrs.field(factory=QuotingSettings)
    limits: LimitSettings = attrs.field(factory=LimitSettings)
    mmp: MmpSettings = attrs.field(factory=MmpSettings)


@attrs.define
class SupervisionSettings:
    quoter_max_restarts: int = key(5, "crashes of one quoter within the period before its instrument is quarantined", low=0)
    quoter_period_s: float = key(60.0, "see quoter_max_restarts", unit="s", above=0)
    cell_max_restarts: int = key(5, "deaths of a cell within the period before everything stops", low=0)
    cell_period_s: float = key(300.0, "see cell_max_restarts", unit="s", above=0)
    backoff_s: float = key(0.5, "first wait before a restart; doubles", unit="s", above=0)
    backoff_max_s: float = key(30.0, "longest wait before a restart", unit="s", above=0)
    heartbeat_s: float = key(1.0, "every process shows life this often", unit="s", low=0.05)
    heartbeat_bound_s: float = key(5.0, "a process silent for this long is treated as dead", unit="s", above=0)
    stop_timeout_s: float = key(10.0, "a clean stop that takes longer hands over to the guard", unit="s", above=0)
    guard: bool = key(True, "run the guard process")


@attrs.define
class PaperSettings:
    host: str = key("127.0.0.1", "address to listen on; loopback only")
    port: int = key(0, "0: any free port", low=0, high=65_535)
    seed: int = key(1, "seed of the world")
    speed: float = key(
        1.0, "how much faster the world runs; the venue's clock is never scaled", low=0.001, high=100_000
    )
    tier: str = key(
        "market_maker", "trader (1 request/s, burst 5) or market_maker (500/s)", choices=("trader", "market_maker")
    )
    chain: str = key("", "recorded chain to load instead of the synthetic world (.csv or .csv.gz)")
    ledger: str = key("", "file for the exchange's ledger; unset: in the run's folder")
    informed_share: float = key(0.1, "share of takers that know the next index move", unit="fraction", low=0, high=1)
    taker_rate: float = key(0.5, "arrivals of takers over the whole board", unit="per s of the world", low=0, high=10_000)
    frozen: bool = key(False, "a market that does not move")


@attrs.define
class JournalSettings:
    folder: str = key("runs", "one folder a run below this: journal, log, ledger")
    keep_runs: int = key(50, "older run folders are removed at start, unless somebody of their run lives", low=1)


@attrs.define
class StatusSettings:
    port: int | None = key(
        None, "web page, /metrics and /healthz on loopback; unset: none; 0: any free port", low=0, high=65_535
    )
    statistics_s: float = key(30.0, "a line of statistics this often", unit="s", above=0)


@attrs.define
class Settings:
    """The whole configuration. `[quoting]`, `[limits]` and `[mmp]` at the top are the defaults of every `[[cells]]`."""

    venue: VenueSettings = attrs.field(factory=VenueSettings)
    cells: list[CellSettings] = attrs.field(factory=list)
    supervision: SupervisionSettings = attrs.field(factory=SupervisionSettings)
    paper: PaperSettings = attrs.field(factory=PaperSettings)
    journal: JournalSettings = attrs.field(factory=JournalSettings)
    status: StatusSettings = attrs.field(factory=StatusSettings)
    duration_s: float | None = key(None, "stop by itself after this; unset: run until told", unit="s", above=0)

    @property
    def network(self) -> str:
        """Where orders go: paper, testnet or live."""
        return "live" if self.venue.live else "testnet" if self.venue.test else "paper"

    @property
    def is_paper(self) -> bool:
        """Nothing but `live` or `test` ever reaches a real venue."""
        return not (self.venue.live or self.venue.test)

    @property
    def needs_key(self) -> bool:
        """Only a paper exchange that is started with the run brings its own test credentials."""
        return not self.is_paper or bool(self.venue.url)
