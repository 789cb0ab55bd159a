"""Deribit's conversations of several steps: login, account, instruments, subscriptions, orders, positions, fills.

Owns the order of the questions and what their answers must say; the link asks them. Each is a generator that yields
`Call`s and is sent raw results, or has `VenueRefused` thrown into it. Never awaits. Invariant: an answer that cannot be
read raises OutcomeUnknown; nothing is concluded from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from actors.trading.errors import ConfigError, StrikemakerError, VenueRefused
from actors.trading.instruments import Instrument
from actors.venues.deribit import rows
from actors.venues.deribit.account import RENEW_AT, facts_of
from actors.venues.deribit.auth import SCOPE_WANTED, Credentials, SecretCall, require_scope
from actors.venues.deribit.calls import call
from actors.venues.deribit.codes import INVALID_CREDENTIALS, LOGIN_FOR_PUBLIC, ORDER_NOT_FOUND
from actors.venues.deribit.decode import FrameReader, is_true
from actors.venues.deribit.listings import read_instrument
from actors.venues.deribit.names import currency_of, index_of, perp_name
from actors.venues.deribit.terms import Board
from actors.venues.dialect import AccountFacts, AccountState, Fill, Script, VenueOrder
from actors.venues.dialogue import ask, readable
from actors.venues.names import underlying_of

HEARTBEAT_S = 30
ORDER_HEARTBEAT_S = 10
"""The least that the venue takes. Where a cut network closes nothing, orders rest for two of these at most."""
PAGE_SIZE = 1000
HISTORY_SIZE = 100
NOTHING = (0.0, "0", "0.0")
FRAME_BYTES = 30_000
"""Of channel names in one request: beyond 32 kB the venue refuses the frame."""
AHEAD_MS = 3_600_000
"""How far beyond our clock executions are asked for: the venue's may be ahead."""


class Conversations:
    """The scripts of one account; without credentials only the public ones."""

    def __init__(
        self,
        board: Board,
        reader: FrameReader,
        *,
        credentials: Credentials | None,
        clock_ns: Callable[[], int],
        sends_secret: bool,
    ) -> None:
        self._board = board
        self._reader = reader
        self._credentials = credentials
        self._clock_ns = clock_ns
        self._sends_secret = sends_secret
        self._refresh_token = ""
        self._logins = 0
        self._currency = "BTC"
        """Every account has it; the underlying's own once instruments were loaded."""

    # -- connections

    def open_public(self, *, with_login: bool) -> Script[None]:
        """Heartbeats both ways, then what of the venue is closed. A login only for raw channels: it arms nothing."""
        if with_login:
            yield from self._log_in()
        try:
            yield from self._set_heartbeat(HEARTBEAT_S)
        except VenueRefused as refusal:
            if refusal.code != LOGIN_FOR_PUBLIC or self._credentials is None:
                raise
            yield from self._log_in()
            yield from self._set_heartbeat(HEARTBEAT_S)
        try:
            status = yield from ask(call("public/status", {}, kind="status"), rows.StatusRow)
        except VenueRefused:
            status = rows.StatusRow()
        older = map(index_of, status.locked_currencies or ())  # examples of the documentation name currencies
        self._reader.note_platform(is_true(status.locked), {*(status.locked_indices or ()), *older})
        for terms in self._board.all():
            terms.book.last_id = None

    def open_private(self) -> Script[AccountFacts]:
        """Log in, switch on cancel-on-disconnect for this connection and see that it is on, read the account."""
        login_ends_s = yield from self._log_in()
        yield from self._set_heartbeat(ORDER_HEARTBEAT_S)
        yield call("private/enable_cancel_on_disconnect", {"scope": "connection"}, kind="cancel_on_disconnect")
        question = call("private/get_cancel_on_disconnect", {"scope": "connection"}, kind="cancel_on_disconnect")
        switch = yield from ask(question, rows.CancelOnDisconnect)
        if not switch.enabled:
            raise StrikemakerError("cancel-on-disconnect was switched on, but the connection still says it is off")
        return facts_of((yield from self._summary()), login_ends_s, cancel_on_disconnect=True)

    def find_account(self) -> Script[AccountFacts]:
        """The account, changing nothing: all the guard's REST session needs."""
        try:
            return facts_of((yield from self._summary()), math.inf, cancel_on_disconnect=False)
        except VenueRefused as refusal:
            raise self._named(refusal) from None

    def prove_rights(self) -> Script[None]:
        """Only a login says what the key may do. NotGranted when that is too little."""
        yield from self._log_in()

    def renew_login(self) -> Script[float]:
        """By the refresh token, or anew where that is refused; seconds until it is due again."""
        if not self._refresh_token:
            return (yield from self._log_in())
        params = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        try:
            return (yield from self._authenticate(params))
        except VenueRefused:
            return (yield from self._log_in())

    def _log_in(self) -> Script[float]:
        """Seconds until the login must be renewed. The stamp, and so the signature, is fresh at each call."""
        if self._credentials is None:
            raise ConfigError("private key: missing, a login needs client_id:client_secret")
        self._logins += 1
        stamp_ms = self._clock_ns() // 1_000_000
        proof = (
            self._credentials.by_secret()
            if self._sends_secret
            else self._credentials.by_signature(stamp_ms, f"{stamp_ms:x}{self._logins:04x}")
        )
        try:
            return (yield from self._authenticate({**proof, "scope": SCOPE_WANTED}))
        except VenueRefused as refusal:
            raise self._named(refusal) from None

    def _named(self, refusal: VenueRefused) -> VenueRefused:
        """Of bad credentials, in words that name the field."""
        if refusal.code != INVALID_CREDENTIALS or self._credentials is None:
            return refusal
        return self._credentials.not_taken()

    def _authenticate(self, params: dict[str, Any]) -> Script[float]:
        plain = call("public/auth", params, kind="login")
        login = yield from ask(SecretCall(plain.method, plain.params, plain.pool, plain.kind), rows.LoginRow)
        require_scope(login.scope)
        self._refresh_token = login.refresh_token
        return login.expires_in * RENEW_AT if login.expires_in > 0 else math.inf

    def _set_heartbeat(self, interval_s: int) -> Script[None]:
        yield call("public/set_heartbeat", {"interval": interval_s}, kind="heartbeat")

    def _summary(self) -> Script[rows.Summary]:
        params = {"currency": self._currency, "extended": True}
        return (yield from ask(call("private/get_account_summary", params, kind="account"), rows.Summary))

    # -- instruments and channels

    def load_instruments(self, underlying: str) -> Script[list[Instrument]]:
        """Every active option, in one request (they are dear), and the perpetual. Rows that cannot be read are left out:
        `Board.unreadable` says why."""
        currency = currency_of(underlying)
        params = {"currency": currency, "kind": "option", "expired": False}
        listed = yield from ask(call("public/get_instruments", params, kind="listing"), list[msgspec.Raw])
        active = self._board.read_active(listed, read_instrument)
        found = [each for each in active if each.underlying == underlying]
        self._board.learn(found)
        self._currency = currency
        yield from self._learn_missing([perp_name(underlying)])
        perp = self._board.get(perp_name(underlying))
        return [*found, perp.instrument] if perp else found

    def _learn_missing(self, names: Iterable[str]) -> Script[None]:
        """Teach the board instruments that are no longer (or not yet) listed, one query each."""
        for name in sorted({name for name in names if self._board.get(name) is None}):
            try:
                raw: Any = yield call("public/get_instrument", {"instrument_name": name}, kind="listing")
                self._board.learn([read_instrument(raw)[0]])
            except (VenueRefused, ValueError) as exc:
                self._board.unreadable.append(f"{name}: {exc}")

    def subscribe(self, channels: Sequence[str], batch: int, *, private: bool) -> Script[list[str]]:
        """Channels that the venue does not echo were silently dropped: they are returned."""
        refused: list[str] = []
        for part in batches(channels, batch):
            method = "private/subscribe" if private else "public/subscribe"
            accepted = yield from ask(call(method, {"channels": part}, kind="subscribe"), list[str])
            refused += [each for each in part if each not in set(accepted)]
        return refused

    def unsubscribe(self, channels: Sequence[str], batch: int, *, private: bool) -> Script[None]:
        """Leaving a channel that was never joined is no error."""
        for part in batches(channels, batch):
            method = "private/unsubscribe" if private else "public/unsubscribe"
            yield call(method, {"channels": part}, kind="unsubscribe")

    # -- truth

    def open_orders(self, underlying: str) -> Script[list[VenueOrder]]:
        """Quotes included."""
        params = {"currency": currency_of(underlying)}
        request = call("private/get_open_orders_by_currency", params, kind="open_orders")
        resting = yield from ask(request, list[rows.OrderRow])
        ours = [row for row in resting if underlying_of(row.instrument_name) == underlying]
        return (yield from readable(self._reader.order, ours, request))

    def order_state(self, client_id: str, venue_id: str, instrument: str) -> Script[VenueOrder | None]:
        """By venue id, else by label, else from the instrument's history; None proves only that no trace is left."""
        if venue_id and (order := (yield from self._order_by_id(venue_id))) is not None:
            return order
        if not client_id:
            return None
        by_label = {"currency": currency_of(underlying_of(instrument)), "label": client_id}
        recent = {"instrument_name": instrument, "count": HISTORY_SIZE, "include_unfilled": True}
        for request in (
            call("private/get_order_state_by_label", by_label),
            call("private/get_order_history_by_instrument", recent),
        ):
            listed = yield from ask(request, list[rows.OrderRow])
            for order in (yield from readable(self._reader.order, listed, request)):
                if order.client_id == client_id:
                    return order
        return None

    def _order_by_id(self, venue_id: str) -> Script[VenueOrder | None]:
        request = call("private/get_order_state", {"order_id": venue_id})
        try:
            row = yield from ask(request, rows.OrderRow)
        except VenueRefused as refusal:
            if refusal.code != ORDER_NOT_FOUND:
                raise
            return None
        return (yield from readable(self._reader.order, [row], request))[0]

    def positions(self, underlying: str) -> Script[dict[str, int]]:
        """Options in coin, the inverse perpetual in USD, as their steps are; shorts negative."""
        request = call("private/get_positions", {"currency": currency_of(underlying)}, kind="positions")
        answer = yield from ask(request, list[rows.PositionRow])
        held = [row for row in answer if underlying_of(row.instrument_name) == underlying and row.size not in NOTHING]
        yield from self._learn_missing(row.instrument_name for row in held)
        counted = yield from readable(lambda row: self._board.any(row.instrument_name).steps[row.size], held, request)
        return {row.instrument_name: steps for row, steps in zip(held, counted, strict=True) if steps}

    def fills_since(self, since_ms: int, underlying: str) -> Script[list[Fill]]:
        """Oldest first; each page begins at the last one's latest moment, doubles are dropped by trade id."""
        found: dict[str, rows.TradeRow] = {}
        params = {
            "currency": currency_of(underlying),
            "end_timestamp": self._clock_ns() // 1_000_000 + AHEAD_MS,
            "count": PAGE_SIZE,
            "sorting": "asc",
        }
        start_ms, has_more = max(0, since_ms), True
        request = call("private/get_user_trades_by_currency_and_time", params, kind="fills")
        while has_more:
            params["start_timestamp"] = start_ms
            request = call("private/get_user_trades_by_currency_and_time", params, kind="fills")
            page = yield from ask(request, rows.TradePage)
            fresh = [row for row in page.trades if row.trade_id not in found]
            found.update((row.trade_id, row) for row in fresh)
            latest = max((row.timestamp for row in page.trades), default=start_ms)
            start_ms = latest if fresh and latest > start_ms else start_ms + 1  # a full page of one millisecond
            has_more = page.has_more and bool(page.trades)
        ours = [row for row in found.values() if underlying_of(row.instrument_name) == underlying]
        yield from self._learn_missing(row.instrument_name for row in ours)
        ours.sort(key=lambda row: row.timestamp)
        return (yield from readable(self._reader.fill, ours, request))

    def account_state(self, underlying: str) -> Script[AccountState]:
        """A venue that does not say is taken to have no lock: its refusals tell."""
        try:
            locks = yield from ask(call("private/get_user_locks", {}, kind="locks"), list[rows.LockRow])
        except VenueRefused:
            return AccountState(True)
        return self._reader.note_account(locks)

    def server_time(self) -> Script[int]:
        return (yield from ask(call("public/get_time", {}, kind="time"), int))


def batches(channels: Sequence[str], most: int) -> Iterator[list[str]]:
    """Cut to what one request may hold: so many channels, and so many bytes."""
    part: list[str] = []
    size = 0
    for channel in channels:
        length = len(channel.encode()) + 3  # quotes and a comma
        if part and (len(part) >= most or size + length > FRAME_BYTES):
            yield part
            part, size = [], 0
        part.append(channel)
        size += length
    if part:
        yield part
