"""A pipe between two processes that looks, at each end, like one more memory channel.

Owns the framing (one JSON line a message) and the spawning of children with exactly their own pipe ends. End of file is
news, not an error: it means that the other side died. Invariant: a child inherits no descriptor but its stdin, stdout
and stderr, so that a parent's death always reaches it; and no signal that may be caught is lost on an interpreter that is
still starting: it waits until the child listens.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import msgspec
import trio

from actors.console.secrets import Secret
from actors.mailboxes import INBOX_SIZE, Message

MAX_LINE = 8 << 20
"""A snapshot of a thousand instruments is about half a megabyte."""
HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Born blocked in every child, until `hear_signals`."""
POLL_S = 0.05


def _no_secret(value: Any) -> str:
    """A Secret crosses as nothing: what a child needs of it travels in its `Access`."""
    if isinstance(value, Secret):
        return ""
    raise NotImplementedError(f"{type(value).__name__} cannot cross a pipe")


def _revive(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(value)
    raise NotImplementedError(f"{kind.__name__} cannot come through a pipe")


_decode = msgspec.json.Decoder(Message, dec_hook=_revive).decode
_encode = msgspec.json.Encoder(enc_hook=_no_secret).encode


class Unreadable(Exception):
    """The other side has said something that is no message: it is not what we take it for."""


class Pipe:
    """Both directions of one connection. `send` never blocks; `inbox` ends when the other side is gone."""

    def __init__(self, reading: int, writing: int) -> None:
        """Takes ownership of two file descriptors."""
        self._reading = trio.lowlevel.FdStream(reading)
        self._writing = trio.lowlevel.FdStream(writing)
        self._outbox_send, self._outbox = trio.open_memory_channel[Message](INBOX_SIZE)
        self._inbox_send, self.inbox = trio.open_memory_channel[Message](INBOX_SIZE)
        self.is_open = True

    def send(self, message: Message) -> bool:
        """Queues a message; False when the other side is gone or does not read."""
        if not self.is_open:
            return False
        try:
            self._outbox_send.send_nowait(message)
        except (trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
            return False
        return True

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Pumps both ways until cancelled; then closes both ends. End of file ends the inbox alone: the other side may
        have hung up its sending end and still listen for a last word. Raises Unreadable, in a group."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump_out)
                task_status.started()
                await self._pump_in()
                self._inbox_send.close()
        finally:
            self.close()

    def close_sending(self) -> None:
        """Our sending end alone: the other side reads end of file."""
        self._writing.close()

    def close(self) -> None:
        """Both ends, at once; the other side reads end of file."""
        self.is_open = False
        self._inbox_send.close()
        self._reading.close()
        self._writing.close()

    async def flush(self, bound_s: float) -> None:
        """Until everything queued was handed to the kernel, or `bound_s` has passed."""
        with trio.move_on_after(bound_s):
            while self.is_open and self._outbox.statistics().current_buffer_used:
                await trio.sleep(0.005)
            await trio.sleep(0.005)

    async def _pump_in(self) -> None:
        buffer = bytearray()
        while True:
            try:
                chunk = await self._reading.receive_some(65536)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not chunk:
                return
            buffer += chunk
            while (end := buffer.find(b"\n")) >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                await self._inbox_send.send(_read(line))
            if len(buffer) > MAX_LINE:
                raise Unreadable(f"a message of more than {MAX_LINE} bytes")

    async def _pump_out(self) -> None:
        async for message in self._outbox:
            try:
                await self._writing.send_all(_encode(message) + b"\n")
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.is_open = False
                return


def _read(line: bytes) -> Message:
    try:
        message: Message = _decode(line)
    except Exception as exc:  # whatever a decoder may say of a line
        raise Unreadable(f"{exc} in {len(line)} bytes") from exc
    return message


def own_pipe() -> Pipe:
    """A child's end: its stdin and stdout, taken away from `print`, which goes to stderr from now on."""
    reading, writing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return Pipe(reading, writing)


ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""A smile's few numbers gain nothing from a pool of threads, and cells share the cores; the operator's own setting wins."""


def spawn(
    module: str, *args: str, new_session: bool, stderr: int | IO[bytes] | None = None
) -> tuple[subprocess.Popen[bytes], Pipe]:
    """`python -m module` as a child with a pipe. From the main thread, so that no thread's exit can end the child."""
    with _signals_held():
        process = subprocess.Popen(
            [sys.executable, "-m", module, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=new_session,
            close_fds=True,
            env={**ONE_THREAD, **os.environ},
        )
    assert process.stdin is not None  # PIPE was asked for
    assert process.stdout is not None
    pipe = Pipe(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()))
    process.stdin.close()
    process.stdout.close()
    return process, pipe


@contextmanager
def _signals_held() -> Iterator[None]:
    """What is blocked here is blocked in a child born here; what arrives for us meanwhile is delivered afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_signals() -> None:
    """In a child, once its receiver is open: what was sent while it started is heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


async def wait_exit(process: subprocess.Popen[bytes]) -> int:
    """The child's exit status, without a thread: through a pidfd, or by looking where no descriptor is left."""
    if process.poll() is None:
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            return await _poll_exit(process)
        try:
            while process.poll() is None:
                await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)
    return process.wait()


async def _poll_exit(process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        await trio.sleep(POLL_S)
    return process.wait()


def start_ticks(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None when there is none. Tells a reused pid."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def kill_exactly(pid: int, ticks: int, kill: Callable[[int, int], None] = os.kill) -> bool:
    """SIGKILL for the process that had this pid and start time; False when it is gone already."""
    if start_ticks(pid) != ticks:
        return False
    try:
        kill(pid, 9)
    except ProcessLookupError:
        return False
    return True
