"""Prompt streams over real sockets: order, leftovers, ends, and TLS, with peers that read slowly, badly or not at all."""

from __future__ import annotations

import random
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from link_kit import Desk, Venue, ask, listen, make_link

from actors.venues.dial import dial_tcp
from actors.venues.link import Posted
from actors.venues.streams import PromptStream, TcpStream, TlsStream
from benchmarks.link import make_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_certificate(tmp_path_factory.mktemp("tls"))
    return Path(made or pytest.skip("no openssl command that can make a throwaway certificate"))


def sockets(*, small: bool = False) -> tuple[socket.socket, socket.socket]:
    """A connected pair on the loopback; `small` makes the kernel take little at a time."""
    with socket.socket() as listener:
        if small:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ours = socket.socket()
        if small:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ours.connect(listener.getsockname())
        return ours, listener.accept()[0]


def tls_pair(certificate: Path, tcp: socket.socket) -> tuple[ssl.SSLContext, trio.SSLStream[trio.SocketStream]]:
    """Our side's context, and the server's side of a connection, by trio's own TLS."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    tcp.setblocking(False)
    theirs = trio.SSLStream(trio.SocketStream(trio.socket.from_stdlib_socket(tcp)), server, server_side=True)
    return ssl.create_default_context(cafile=str(certificate)), theirs


async def secure(certificate: Path, *, small: bool = False) -> tuple[TlsStream, trio.SSLStream[trio.SocketStream]]:
    raw, other = sockets(small=small)
    context, theirs = tls_pair(certificate, other)
    ours = TlsStream(TcpStream(raw), context, "127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.do_handshake)
        nursery.start_soon(ours.do_handshake)
    return ours, theirs


async def check_order(ours: Any, theirs: trio.abc.Stream) -> None:
    """Send by both ways while the peer reads in drips: what arrives is what was accepted, in order."""
    rng = random.Random(3)
    sent = b"".join(rng.randbytes(rng.randrange(1, 9000)) for _ in range(60))
    refused = 0

    async def send() -> None:
        nonlocal refused
        at = 0
        while at < len(sent):
            piece = sent[at : at + rng.randrange(1, 20_000)]
            at += len(piece)
            if rng.random() < 0.5:
                refused += not ours.send_now(piece)
                await trio.lowlevel.checkpoint()
            else:
                await ours.send_all(piece)
        await ours.send_all(b"")

    heard = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while len(heard) < len(sent):
            heard += await theirs.receive_some(1500)
    assert heard == sent
    assert refused > 0


async def test_bytes_leave_in_the_order_they_were_accepted() -> None:
    """Whether taken at once or left over, nothing overtakes and nothing is lost."""
    raw, other = sockets(small=True)
    await check_order(TcpStream(raw), TcpStream(other))


async def test_bytes_leave_in_order_under_tls_too(certificate: Path) -> None:
    """The same, encrypted."""
    await check_order(*await secure(certificate, small=True))


async def test_everything_is_received_in_pieces_of_the_asked_size(certificate: Path) -> None:
    """Large and small records, read by any size of piece, give the same bytes, and never more than asked."""
    sent = random.Random(5).randbytes(200_000)
    for limit in (1, 700, 16_384, 100_000):
        raw, other = sockets()
        pairs: list[tuple[trio.abc.Stream, trio.abc.Stream]] = [
            (TcpStream(raw), TcpStream(other)),
            await secure(certificate),
        ]
        for ours, theirs in pairs:
            text = sent[: 200 * limit]
            heard = bytearray()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(theirs.send_all, text)
                while len(heard) < len(text):
                    piece = await ours.receive_some(limit)
                    assert 0 < len(piece) <= limit
                    heard += piece
            assert heard == text
            await ours.aclose()
            await trio.aclose_forcefully(theirs)


async def test_reading_gives_others_their_turn(certificate: Path) -> None:
    """However much is there to be read, each read is a checkpoint."""
    raw, other = sockets()
    other.sendall(b"x" * 50_000)
    ours, theirs = await secure(certificate)
    await theirs.send_all(b"x" * 10_000)
    await trio.sleep(0.05)
    for stream in (TcpStream(raw), ours):
        for _ in range(5):
            with trio.testing.assert_checkpoints():
                assert len(await stream.receive_some(100)) == 100


async def test_an_end_is_empty_bytes_with_and_without_a_farewell(certificate: Path) -> None:
    """A close, a TLS farewell and a socket that just ends are the end of the stream, again and again."""
    raw, other = sockets()
    plain = TcpStream(raw)
    other.close()
    polite, theirs = await secure(certificate)
    await theirs.aclose()
    rude, theirs = await secure(certificate)
    await trio.aclose_forcefully(theirs)
    for stream in (plain, polite, rude):
        assert await stream.receive_some() == b""
        assert await stream.receive_some() == b""
        await stream.aclose()
        await stream.aclose()


async def test_a_tls_farewell_is_the_end_though_the_socket_stays_open(certificate: Path, nursery: trio.Nursery) -> None:
    """A peer that says goodbye and leaves the socket open has still said goodbye."""
    ours, theirs = await secure(certificate)
    nursery.start_soon(theirs.unwrap)
    with trio.fail_after(5):
        assert await ours.receive_some() == b""
        assert await ours.receive_some() == b""
    nursery.cancel_scope.cancel()


async def test_our_end_says_farewell(certificate: Path) -> None:
    """The peer of a TLS stream that we close hears a proper end, not a truncation."""
    ours, theirs = await secure(certificate)
    assert ours.send_now(b"last words")
    await ours.aclose()
    assert await theirs.receive_some() == b"last words"
    assert await theirs.receive_some() == b""


async def test_closing_wakes_who_waits(nursery: trio.Nursery) -> None:
    """A task that waits for bytes when the stream is closed hears about it."""
    raw, _other = sockets()
    stream = TcpStream(raw)

    async def wait() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()

    async with trio.open_nursery() as waiters:
        waiters.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()


async def test_a_peer_that_hangs_up_during_the_handshake_is_an_error(certificate: Path) -> None:
    """It ends, and does not wait for ever."""
    raw, other = sockets()
    other.close()
    context, _ = tls_pair(certificate, sockets()[1])
    with pytest.raises((EOFError, OSError)):
        await TlsStream(TcpStream(raw), context, "127.0.0.1").do_handshake()


class Clumsy(trio.abc.Stream):
    """A prompt stream whose n-th `send_now` raises, or takes nothing until the writer comes."""

    def __init__(self, inner: Any, at: int, error: Exception | None) -> None:
        self.inner, self.at, self.error = inner, at, error
        self.held = b""
        self.calls = 0
        self.writing = False

    def send_now(self, data: bytes) -> bool:
        self.calls += 1
        if self.calls == self.at and self.error is not None:
            raise self.error
        if self.calls == self.at:
            self.held += data
            return False
        assert not self.held
        assert not self.writing
        return bool(self.inner.send_now(data))

    async def send_all(self, data: Any) -> None:
        held, self.held = self.held, b""
        self.writing = True
        await trio.sleep(0.01)
        await self.inner.send_all(held + bytes(data))
        self.writing = False

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self.inner.receive_some(max_bytes))

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize("error", [None, OSError("reset"), RuntimeError("defect")], ids=lambda error: type(error).__name__)
async def test_a_write_that_fails_or_waits_loses_no_answer(nursery: trio.Nursery, error: Exception | None) -> None:
    """Each of the first writes made without waiting may fail or be left to the writer: all is answered, in order."""
    venue = Venue(nursery)
    url = await listen(nursery, venue)
    for at in range(1, 7):
        made: list[Clumsy] = []

        async def dial(at: int = at, made: list[Clumsy] = made) -> trio.abc.Stream:
            made.append(Clumsy(await dial_tcp(url, 5)(), at if not made else 0, error))
            return made[-1]

        desk, answered, accepted = Desk(), Counter[int](), Counter[int]()
        link = make_link(desk, dial, url=url, backoff_s=0.01)
        venue.heard.clear()
        async with trio.open_nursery() as inner:
            await inner.start(link.run)
            for number in range(10):
                await desk.until(ups=2 if made[0].calls >= made[0].at and error is not None else 1)
                with link.gathering():
                    for part in (2 * number, 2 * number + 1):
                        tell: Callable[[Posted], None] = lambda posted, n=part, seen=answered: seen.update([n])  # noqa: E731
                        accepted[part] += link.post(ask(f"m/{part}"), tell)
                await trio.sleep(0.002)
            await desk.until(ups=len(made))
            assert bytes(await link.call(ask("again"))) == b'"again"'
            with trio.fail_after(30):
                while answered != +accepted:
                    await trio.sleep(0.001)
            order = [int(method[2:]) for method in venue.methods if method.startswith("m/")]
            assert order == sorted(order)
            assert len(made) == (1 if error is None else 2)
            await link.aclose()
    nursery.cancel_scope.cancel()


async def test_gathered_calls_leave_in_one_write_before_anybody_else_runs(nursery: trio.Nursery) -> None:
    """Within `gathering` nothing leaves; at its end all of it has left, in one write, without a scheduling pass."""
    venue, desk = Venue(nursery), Desk()
    url = await listen(nursery, venue)
    link = make_link(desk, dial_tcp(url, 5), url=url)
    await nursery.start(link.run)
    await trio.testing.wait_all_tasks_blocked()
    before = link.counts.bytes_out, link.counts.writes
    with link.gathering():
        for number in range(5):
            with link.gathering():
                assert link.post(ask(f"m/{number}"), desk.on_answer)
        assert (link.counts.bytes_out, link.counts.writes) == before
    assert link.counts.writes == before[1] + 1
    assert link.counts.bytes_out > before[0] + 5 * 50
    await desk.until(answers=5)
    assert venue.methods == [f"m/{number}" for number in range(5)]
    nursery.cancel_scope.cancel()


async def test_a_real_venue_that_does_not_read_is_left(nursery: trio.Nursery) -> None:
    """The kernel's buffers fill, then the outbox, then the link goes; everything is answered as lost."""
    venue, desk = Venue(nursery), Desk()
    reading = trio.Event()

    async def stop_reading(stream: trio.abc.Stream) -> None:
        venue.sockets.append(stream)  # type: ignore[arg-type]
        await reading.wait()

    venue.converse = stop_reading  # type: ignore[method-assign, assignment]
    url = await listen(nursery, venue)
    link = make_link(desk, dial_tcp(url, 5), url=url, max_queued_bytes=100_000, request_timeout_s=60)
    await nursery.start(link.run)
    posted = 0
    with trio.fail_after(20):
        while link.post(ask("m", text="x" * 20_000), desk.on_answer):
            posted += 1
            await trio.lowlevel.checkpoint()
        await desk.until(answers=posted, downs=1)
    assert all(answer.lost for answer in desk.answers)
    assert desk.downs == ["the venue does not read"]
    nursery.cancel_scope.cancel()


def test_both_streams_are_prompt() -> None:
    """The link finds what it looks for."""
    assert issubclass(TcpStream, PromptStream)
    assert issubclass(TlsStream, PromptStream)
