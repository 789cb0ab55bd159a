"""Every metric there is: its name, kind, meaning and where in a snapshot it comes from; once.

Pure: turns snapshots into Prometheus families; `docs/metrics.md` is made from the same table. Invariant: a metric that is
not in `METRICS` is not exported, and every one in it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.console.snapshots import QUOTING, CellSnapshot

Sample = tuple[tuple[str, ...], float]
Read = Callable[[CellSnapshot], Iterable[Sample]]


@attrs.frozen
class MetricLine:
    """One metric. `labels` come after `cell`, which every metric has."""

    name: str
    kind: str
    help: str
    read: Read
    labels: tuple[str, ...] = ()


def _one(value: Callable[[CellSnapshot], float | None]) -> Read:
    def read(cell: CellSnapshot) -> Iterator[Sample]:
        number = value(cell)
        if number is not None:
            yield (), float(number)

    return read


def _each(values: Callable[[CellSnapshot], dict[str, int] | dict[str, float]]) -> Read:
    return lambda cell: [((name,), float(number)) for name, number in values(cell).items()]


def _links(value: Callable[[CellSnapshot], Iterable[tuple[str, float | None]]]) -> Read:
    return lambda cell: [((name,), number) for name, number in value(cell) if number is not None]


METRICS = (
    MetricLine("strikemaker_quoting", "gauge", "1 while the cell quotes", _one(lambda c: c.phase == QUOTING)),
    MetricLine("strikemaker_uptime_seconds", "gauge", "since this incarnation began", _one(lambda c: c.uptime_s)),
    MetricLine("strikemaker_instruments", "gauge", "instruments of the cell", _one(lambda c: len(c.rows))),
    MetricLine(
        "strikemaker_instruments_quoted", "gauge", "with at least one side at rest", _one(lambda c: c.instruments_quoted)
    ),
    MetricLine("strikemaker_sides_wanted", "gauge", "quotes that should rest", _one(lambda c: c.sides_wanted)),
    MetricLine("strikemaker_sides_resting", "gauge", "quotes that rest", _one(lambda c: c.sides_resting)),
    MetricLine("strikemaker_oldest_quote_seconds", "gauge", "age of the oldest price", _one(lambda c: c.oldest_quote_s)),
    MetricLine("strikemaker_index", "gauge", "index of the underlying, quote currency", _one(lambda c: c.index)),
    MetricLine("strikemaker_position_contracts", "gauge", "net position", _one(lambda c: c.position)),
    MetricLine("strikemaker_exposure_contracts", "gauge", "worst case over instruments", _one(lambda c: c.exposure)),
    MetricLine("strikemaker_exposure_peak_contracts", "gauge", "highest of it so far", _one(lambda c: c.exposure_peak)),
    MetricLine("strikemaker_max_exposure_contracts", "gauge", "its limit", _one(lambda c: c.max_exposure)),
    MetricLine(
        "strikemaker_greek", "gauge", "Greeks of the positions held", _each(lambda c: c.greeks), ("greek",)
    ),
    MetricLine(
        "strikemaker_venue_gap_vol_points",
        "gauge",
        "most between our surface and the venue's published SVI over the quoted strikes",
        _each(lambda c: c.venue_gaps),
        ("expiry",),
    ),
    MetricLine(
        "strikemaker_requests_total", "counter", "order requests sent, by kind", _each(lambda c: c.requests), ("kind",)
    ),
    MetricLine(
        "strikemaker_rejects_total", "counter", "refusals, by kind and code", _each(lambda c: c.rejects), ("reject",)
    ),
    MetricLine("strikemaker_fills_total", "counter", "executions of ours", _one(lambda c: c.fills)),
    MetricLine("strikemaker_volume_contracts_total", "counter", "contracts traded", _one(lambda c: c.volume)),
    MetricLine("strikemaker_fees_total", "counter", "fees paid, premium currency", _one(lambda c: float(c.fees or 0))),
    MetricLine("strikemaker_quoter_restarts_total", "counter", "quoters restarted", _one(lambda c: c.restarts)),
    MetricLine("strikemaker_stalls_total", "counter", "stretches of over 5 ms between two polls", _one(lambda c: c.stalls)),
    MetricLine("strikemaker_worst_stall_seconds", "gauge", "the longest of them", _one(lambda c: c.worst_stall_ms / 1000)),
    MetricLine("strikemaker_quarantined", "gauge", "instruments given up on", _one(lambda c: len(c.quarantined))),
    MetricLine("strikemaker_warnings", "gauge", "things wrong now", _one(lambda c: len(c.warnings))),
    MetricLine(
        "strikemaker_budget_left",
        "gauge",
        "requests left in a rate pool",
        _each(lambda c: {line.name: line.left for line in c.budgets}),
        ("pool",),
    ),
    MetricLine(
        "strikemaker_link_up",
        "gauge",
        "1 while a connection is up",
        _links(lambda c: [(line.name, float(line.state == "connected")) for line in c.links]),
        ("link",),
    ),
    MetricLine(
        "strikemaker_link_silence_seconds",
        "gauge",
        "since the last frame",
        _links(lambda c: [(line.name, line.last_frame_age_s) for line in c.links]),
        ("link",),
    ),
    MetricLine(
        "strikemaker_link_latency_seconds",
        "gauge",
        "smoothed request to answer",
        _links(lambda c: [(x.name, None if x.latency_ms is None else x.latency_ms / 1000) for x in c.links]),
        ("link",),
    ),
    MetricLine(
        "strikemaker_link_reconnects_total",
        "counter",
        "connections beyond the first",
        _links(lambda c: [(line.name, float(line.reconnects)) for line in c.links]),
        ("link",),
    ),
)


class CellCollector(Collector):
    """Asks for the latest snapshots at each scrape."""

    def __init__(self, snapshots: Callable[[], Sequence[CellSnapshot]]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        cells = self._snapshots()
        for line in METRICS:
            labels = ["cell", *line.labels]
            family: GaugeMetricFamily | CounterMetricFamily
            if line.kind == "counter":
                family = CounterMetricFamily(line.name.removesuffix("_total"), line.help, labels=labels)
            else:
                family = GaugeMetricFamily(line.name, line.help, labels=labels)
            for cell in cells:
                for values, number in line.read(cell):
                    family.add_metric([cell.cell, *values], number)
            yield family


def table() -> str:
    """The metrics as a Markdown table, for the documentation."""
    rows = [
        f"| `{line.name}` | {line.kind} | {', '.join(('cell', *line.labels))} | {line.help} |" for line in METRICS
    ]
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows])
