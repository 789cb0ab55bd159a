"""The status page: what the supervisor knows, over HTTP on loopback. `/`, `/metrics`, `/healthz`, `/snapshot.json`.

Owns the little web server (hypercorn's trio worker) and nothing it shows. Reads snapshots that are handed over by a call;
never asks a cell, changes nothing, holds no secret. Invariant: it listens on loopback only, and its death harms nobody.
"""

from __future__ import annotations

import functools
import html
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

import attrs
import msgspec
import trio
from hypercorn.config import Config, Sockets
from hypercorn.trio import serve
from loguru import logger
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from actors.console.snapshots import QUOTING, CellSnapshot, InstrumentRow, duration_text
from actors.metrics import CellCollector
from actors.trading.errors import leading_error

REFRESH_S = 2
AGAIN_S = 1.0
"""Between the end of a server and the next one."""
READER_MS = 2000
"""So long a reader may take nothing of what was written to him."""
STYLE = (
    "body{font:14px system-ui;margin:1.5em;color:#222}table{border-collapse:collapse}"
    "td,th{padding:.2em .7em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child,td:last-child{text-align:left}.bad{color:#b00}.good{color:#060}"
)


@attrs.frozen
class Health:
    """`problems` empty: everything that should quote does, and a guard watches."""

    problems: tuple[str, ...]


def health(cells: Sequence[CellSnapshot], expected: int, guard_alive: bool) -> Health:
    """What a watchdog should wake somebody for."""
    problems = [] if guard_alive else ["no guard"]
    if len(cells) < expected:
        problems.append(f"{expected - len(cells)} cells have not reported yet")
    for cell in cells:
        if cell.phase != QUOTING:
            problems.append(f"{cell.cell}: {cell.phase}")
        problems += [f"{cell.cell}: {warning}" for warning in cell.warnings]
        problems += [f"{cell.cell}: {name} is quarantined" for name in cell.quarantined]
    return Health(tuple(problems))


class _Loopback(Config):
    """A reader who stops reading is hung up on: the server shields its writes, and our end would wait for him."""

    def create_sockets(self) -> Sockets:
        sockets = super().create_sockets()
        for listener in sockets.insecure_sockets:
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, READER_MS)
        return sockets


class StatusPage:
    """One server. The three callables are asked at each request."""

    def __init__(
        self,
        snapshots: Callable[[], Sequence[CellSnapshot]],
        guard_alive: Callable[[], bool],
        expected: int,
        banner: str,
    ) -> None:
        self._snapshots = snapshots
        self._guard_alive = guard_alive
        self._expected = expected
        self._banner = banner
        registry = CollectorRegistry()
        registry.register(CellCollector(snapshots))
        self._registry = registry

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/metrics", self._metrics),
                Route("/healthz", self._healthz),
                Route("/snapshot.json", self._json),
            ]
        )

    async def serve(self, port: int, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; `started` with the address. A port that is taken, or a server that died of what somebody sent
        it, is a line in the log, not an end: the next server takes its place."""
        config = _Loopback()
        config.bind = [f"127.0.0.1:{port}"]
        config.accesslog = None
        config.errorlog = None
        address = ""
        while True:
            try:
                async with trio.open_nursery() as nursery:
                    bound = await nursery.start(functools.partial(serve, cast(Any, self.app()), config))
                    if not address:
                        address = bound[0]
                        config.bind = [address.removeprefix("http://")]  # the same again, where any free one was asked for
                        task_status.started(address)
            except* Exception as group:
                error = leading_error(group)
                if address:
                    logger.error("the status page ended, and begins again: {!r}", error)
                else:
                    logger.error("no status page: port {} cannot be used ({})", port, error)
            if not address:
                task_status.started("")
                return
            await trio.sleep(AGAIN_S)

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type="text/plain; version=0.0.4")

    async def _healthz(self, request: Request) -> Response:
        found = health(self._snapshots(), self._expected, self._guard_alive())
        return PlainTextResponse("\n".join(found.problems or ("ok",)) + "\n", 503 if found.problems else 200)

    async def _json(self, request: Request) -> Response:
        return Response(msgspec.json.encode(list(self._snapshots())), media_type="application/json")

    async def _page(self, request: Request) -> Response:
        found = health(self._snapshots(), self._expected, self._guard_alive())
        state = "<p class=good>all well</p>"
        if found.problems:
            state = "<ul class=bad>" + "".join(f"<li>{html.escape(text)}</li>" for text in found.problems) + "</ul>"
        cells = "".join(_cell(cell) for cell in self._snapshots())
        return HTMLResponse(
            f"<!doctype html><meta charset=utf-8><meta http-equiv=refresh content={REFRESH_S}>"
            f"<title>Strikemaker</title><style>{STYLE}</style><p>{html.escape(self._banner)}</p>{state}{cells}"
        )


def _cell(cell: CellSnapshot) -> str:
    head = (
        f"<h2>{html.escape(cell.cell)}: {html.escape(cell.phase)}</h2><p>index {_number(cell.index)},"
        f" {cell.instruments_quoted} of {len(cell.rows)} instruments quoted, position {cell.position:g},"
        f" exposure {cell.exposure:g} of {cell.max_exposure:g}, {cell.fills} fills, {cell.volume:g} contracts,"
        f" fees {html.escape(cell.fees)}, up {duration_text(cell.uptime_s)}</p>"
    )
    names = ("instrument", "market bid", "our bid", "our ask", "market ask", "mark", "position", "age", "state")
    rows = "".join(_row(row) for row in cell.rows)
    return f"{head}<table><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>{rows}</table>"


def _row(row: InstrumentRow) -> str:
    prices = (row.market_bid, row.bid, row.ask, row.market_ask, row.mark)
    cells = [row.instrument, *(_number(price, row.decimals) for price in prices), f"{row.position:g}"]
    cells += ["" if row.quote_age_s is None else duration_text(row.quote_age_s), f"{row.state} {row.reason}".strip()]
    return "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in cells) + "</tr>"


def _number(value: float | None, decimals: int = 2) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
