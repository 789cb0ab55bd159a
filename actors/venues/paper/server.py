"""The paper exchange's front door: TCP or in-memory streams in, WebSockets and plain HTTP POSTs told apart, the pump.

The only awaiting part of the exchange besides `run.py`. It decides nothing: frames go to the `Exchange` as text, what the
exchange says waits in a session's outbox until the writer here takes it. WebSockets are trio-websocket's (the client
speaks through another library on purpose), HTTP is h11's. Invariant: whatever ends a connection, `Exchange.leave` is
called for it exactly once, and one client's death disturbs nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

import attrs
import h11
import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_server_stream
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from actors.venues.paper.exchange import Exchange
from actors.venues.paper.sessions import Session

HEAD_LIMIT = 65_536
HANDSHAKE_S = 10.0
REST_IDLE_S = 75.0
CLOSE_GRACE_S = 1.0
MICROSECOND = 1e-6
MAX_REST_BODY = 1_000_000
UNSUPPORTED_DATA = 1003
Gone = (
    ConnectionClosed,
    HandshakeError,
    LocalProtocolError,
    RemoteProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)
"""How a connection ends when its peer does something wrong or is no more."""


@attrs.define
class ServerSettings:
    """Timings of the front door; all of them run on trio's clock."""

    pump_s: float = 0.02
    """How often the world moves, timers fire and due market data goes out."""
    heartbeat_s: float = 180.0
    """A WebSocket ping this often."""
    silence_s: float = 60.0
    """A ping without a pong for this long closes the socket."""
    max_message: int = 1 << 20
    """Longest message a client may send, bytes."""
    demand_user_agent: bool = False
    """True: a handshake or request without a User-Agent draws 403, as the real venue has done."""


class ReplayStream(trio.abc.Stream):
    """A stream whose first bytes were already read, and whose writes can be corked so that many frames leave in one."""

    def __init__(self, stream: trio.abc.Stream, head: bytes) -> None:
        self._stream = stream
        self._head = head
        self._held: list[bytes] = []
        self._is_corked = False
        self._is_torn = False
        """True while a write is on its way, and for ever after one that was cut: no frame may follow half a frame."""
        self._lock = trio.Lock()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._head:
            size = len(self._head) if max_bytes is None else max_bytes
            taken, self._head = self._head[:size], self._head[size:]
            await trio.lowlevel.checkpoint()
            return taken
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._held.append(bytes(data))
        if not self._is_corked:  # the frame's own lock was a checkpoint already
            await self.flush()

    @contextmanager
    def corked(self) -> Iterator[None]:
        """Writes inside are held back; `flush` afterwards, or the next write, sends them in one."""
        self._is_corked = True
        try:
            yield
        finally:
            self._is_corked = False

    async def flush(self) -> None:
        """Send what is held; writers queue up behind each other."""
        async with self._lock:
            if self._is_torn:
                raise trio.BrokenResourceError("an earlier write was cut in the middle")
            if self._held and not self._is_corked:
                held, self._held = self._held, []
                self._is_torn = True
                await self._stream.send_all(b"".join(held))
                self._is_torn = False

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


def port_of(listeners: Sequence[trio.SocketListener]) -> int:
    return int(listeners[0].socket.getsockname()[1])


async def read_head(stream: trio.abc.Stream, head: bytes = b"", within_s: float = HANDSHAKE_S) -> bytes:
    """The bytes up to the end of an HTTP head (and whatever came with them); empty when there is none in time.

    `head` is what was read of it already.
    """
    with trio.move_on_after(within_s):
        await trio.lowlevel.checkpoint()
        while b"\r\n\r\n" not in head and len(head) < HEAD_LIMIT:
            data = await stream.receive_some(HEAD_LIMIT)
            if not data:
                return b""
            head += data
        return head
    return b""


def asks_upgrade(head: bytes) -> bool:
    lines = head.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")[1:]
    return any(line.startswith(b"upgrade:") and b"websocket" in line for line in lines)


class Server:
    """Serves one `Exchange` on any number of streams. Use `running` around everything else."""

    def __init__(self, exchange: Exchange, settings: ServerSettings | None = None) -> None:
        self.exchange = exchange
        self.settings = settings or ServerSettings()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Keep the pump going; on exit the exchange shuts its doors as the venue would and the ledger is closed."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump)
                yield self
                nursery.cancel_scope.cancel()
        finally:
            self.exchange.stop()

    async def accept(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Serve every TCP connection that comes, for ever; the listeners are closed on the way out."""
        await trio.serve_listeners(self._serve_tcp, list(listeners))

    async def _serve_tcp(self, stream: trio.SocketStream) -> None:
        try:
            peer = str(stream.socket.getpeername()[0])
        except OSError:
            peer = "gone"
        await self.serve_stream(stream, peer)

    async def serve_stream(self, stream: trio.abc.Stream, peer: str = "memory") -> None:
        """One connection from its first byte to its end; returns when it is over and never raises for a client's fault."""
        try:
            head = b"" if self.exchange.is_down else await read_head(stream)
            while head and not asks_upgrade(head):
                head = await self._serve_request(stream, head, peer)
            if head:
                await self._serve_socket(ReplayStream(stream, head), peer)
        except* Gone:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _pump(self) -> None:
        while True:
            self.exchange.pump()
            await trio.sleep(self.settings.pump_s)

    # -- WebSocket

    async def _serve_socket(self, stream: ReplayStream, peer: str) -> None:
        async with trio.open_nursery() as nursery:
            socket = await self._shake_hands(nursery, stream)
            if socket is not None:
                session = self.exchange.enter(peer)
                try:
                    await self._converse(socket, stream, session)
                finally:
                    self.exchange.leave(session)
            nursery.cancel_scope.cancel()

    async def _shake_hands(self, nursery: trio.Nursery, stream: ReplayStream) -> WebSocketConnection | None:
        with trio.move_on_after(HANDSHAKE_S):
            request = await wrap_server_stream(nursery, stream, max_message_size=self.settings.max_message)
            named = any(name.lower() == b"user-agent" and value.strip() for name, value in request.headers)
            if self.settings.demand_user_agent and not named:
                await request.reject(403, body=b"a User-Agent is required")
            elif request.path.partition("?")[0].rstrip("/") != self.exchange.face.ws_path:
                await request.reject(404, body=b"no such path")
            else:
                return await request.accept()
        return None

    async def _converse(self, socket: WebSocketConnection, stream: ReplayStream, session: Session) -> None:
        """Reader, writer, heartbeat and end of one socket; the first to be over takes the others along."""
        async with trio.open_nursery() as nursery:

            async def until_over(part: Callable[[], Awaitable[None]]) -> None:
                with suppress(*Gone):
                    await part()
                nursery.cancel_scope.cancel()
                await trio.lowlevel.checkpoint()

            nursery.start_soon(until_over, lambda: self._read(socket, session))
            nursery.start_soon(until_over, lambda: self._write(socket, stream, session))
            nursery.start_soon(until_over, lambda: self._beat(socket, session))
            nursery.start_soon(until_over, lambda: self._reap(session))
        if session.doomed and not session.is_abrupt:
            with trio.move_on_after(CLOSE_GRACE_S):
                await socket.aclose(session.close_code, session.doomed)

    async def _read(self, socket: WebSocketConnection, session: Session) -> None:
        while True:
            message = await socket.get_message()
            if isinstance(message, bytes):
                session.doom("binary frame", code=UNSUPPORTED_DATA)
                return
            self.exchange.hear(session, message)

    async def _write(self, socket: WebSocketConnection, stream: ReplayStream, session: Session) -> None:
        """Everything due leaves in one write; a doomed session still gets what it was told before."""
        bell = trio.Event()

        def ring() -> None:
            bell.set()

        session.ring = ring
        while True:
            frames = session.due(self.exchange.clock_ns())
            if frames:
                await self._send(socket, stream, frames)
                continue
            if session.doomed:
                await trio.lowlevel.checkpoint()
                return
            if bell.is_set():
                bell = trio.Event()
            upcoming = session.next_due_ns()
            wait_s = float("inf") if upcoming is None else max(MICROSECOND, (upcoming - self.exchange.clock_ns()) / 1e9)
            with trio.move_on_after(wait_s):
                await bell.wait()

    async def _send(self, socket: WebSocketConnection, stream: ReplayStream, frames: list[str]) -> None:
        with stream.corked():
            for frame in frames:
                await socket.send_message(frame)
        await stream.flush()

    async def _reap(self, session: Session) -> None:
        """Ends a doomed connection: at once when abrupt, else when the writer had a moment to say the rest."""
        end = trio.Event()
        session.on_doom = end.set
        if session.doomed:
            end.set()
        await end.wait()
        await trio.sleep(0.0 if session.is_abrupt else CLOSE_GRACE_S)

    async def _beat(self, socket: WebSocketConnection, session: Session) -> None:
        beats = 0
        while True:
            await trio.sleep(self.settings.heartbeat_s)
            beats += 1
            with trio.move_on_after(self.settings.silence_s) as patience:
                await socket.ping(beats.to_bytes(4, "big"))
            if patience.cancelled_caught:
                session.doom("no pong", abrupt=True)
                return

    # -- REST

    async def _serve_request(self, stream: trio.abc.Stream, head: bytes, peer: str) -> bytes:
        """One request of an HTTP/1.1 connection; the next one's head, which may ask for a WebSocket, or nothing."""
        http = h11.Connection(h11.SERVER)
        http.receive_data(head)
        try:
            asked = await self._next_request(http, stream)
            if asked is None or self.exchange.is_down:
                return b""
            status, body = await self._answer(asked[0], asked[1], peer)
            await self._reply(http, stream, status, body)
        except h11.RemoteProtocolError as error:
            if http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await self._reply(http, stream, error.error_status_hint, b'{"message":"bad request"}')
            return b""
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            return b""
        return await read_head(stream, http.trailing_data[0], REST_IDLE_S)

    async def _next_request(self, http: h11.Connection, stream: trio.abc.Stream) -> tuple[h11.Request, bytes] | None:
        """The whole request; None when the peer is done, silent for too long, or sends too much."""
        request: h11.Request | None = None
        body = bytearray()
        with trio.move_on_after(REST_IDLE_S):
            await trio.lowlevel.checkpoint()
            while len(body) <= MAX_REST_BODY:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    http.receive_data(bytes(await stream.receive_some(HEAD_LIMIT)))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    return (request, bytes(body)) if request is not None else None
                else:
                    return None
        return None

    async def _answer(self, request: h11.Request, body: bytes, peer: str) -> tuple[int, bytes]:
        """Status and body; waits where the venue does (its speed bump)."""
        headers = {bytes(name).decode("latin-1").lower(): bytes(value).decode("latin-1") for name, value in request.headers}
        if self.settings.demand_user_agent and not headers.get("user-agent", "").strip():
            return 403, b'{"message":"a User-Agent is required"}'
        reply = self.exchange.serve_http(
            peer, bytes(request.method).decode(), bytes(request.target).decode(), headers, body
        )
        while reply.later is not None and not self.exchange.is_down:
            await trio.sleep(self.settings.pump_s)
            reply = reply.later()
        return reply.status, reply.body

    async def _reply(self, http: h11.Connection, stream: trio.abc.Stream, status: int, body: bytes) -> None:
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        await stream.send_all(
            http.send(h11.Response(status_code=status, headers=headers))
            + http.send(h11.Data(data=body))
            + http.send(h11.EndOfMessage())
        )
