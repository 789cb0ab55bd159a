"""Derive's conversations of several steps: account, instruments, subscriptions, orders, positions, fills, MMP.

Owns the order of the questions and what their answers must say; the link asks them. Each is a generator that yields
`Call`s and is sent raw results, or has `VenueRefused` thrown into it. Never awaits. Invariant: an answer that cannot be
read raises OutcomeUnknown; nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import attrs

from actors.trading.errors import ConfigError, OutcomeUnknown, StrikemakerError, VenueRefused
from actors.trading.instruments import Instrument
from actors.venues.derive import rows
from actors.venues.derive.calls import CallWriter, call
from actors.venues.derive.codes import BAD_SIGNATURE, INVALID_PARAMS, NO_VALID_CHANNEL, NOTHING_FOUND, ORDER_NOT_FOUND
from actors.venues.derive.decode import FrameReader, read_instrument, read_smile
from actors.venues.derive.names import underlying_of
from actors.venues.derive.signing import SigningKey
from actors.venues.derive.terms import Board
from actors.venues.dialect import AccountFacts, Fill, MmpTerms, Pool, PublishedSmile, RateLimit, Script, VenueOrder
from actors.venues.dialogue import ask, readable

T = TypeVar("T")

PAGE_SIZE = 1000
WINDOW_S = 5.0
"""Derive counts requests over five seconds: a burst of five times the rate is within the limit."""

TRADER_TPS = 1.0
"""Where the account does not say."""

BULK_CANCEL_TPS = 10.0
HISTORY_SLACK_MS = 10_000
"""Looked back further by this in histories: our clock and the venue's differ."""


class Conversations:
    """The scripts of one wallet; `subaccount` None means the wallet's only usable one."""

    def __init__(
        self,
        board: Board,
        reader: FrameReader,
        writer: CallWriter,
        *,
        key: SigningKey | None,
        wallet: str,
        subaccount: int | None,
        clock_ns: Callable[[], int],
    ) -> None:
        self._board = board
        self._reader = reader
        self._writer = writer
        self._key = key
        self._wallet = wallet
        self._wanted = subaccount
        self._clock_ns = clock_ns

    # -- account

    def log_in(self) -> Script[list[int]]:
        """The wallet's subaccounts. A signature that is refused is believed to be wrong the second time."""
        try:
            return (yield from self._log_in())
        except VenueRefused as refusal:
            if refusal.code != BAD_SIGNATURE:
                raise
            return (yield from self._log_in())

    def _log_in(self) -> Script[list[int]]:
        if self._key is None:
            raise ConfigError("private key: missing, a login needs one")
        stamp = str(self._clock_ns() // 1_000_000)
        params = {"wallet": self._wallet, "timestamp": int(stamp), "signature": self._key.sign_text(stamp)}
        return (yield from ask(call("public/login", params, kind="login"), list[int]))

    def find_account(self) -> Script[AccountFacts]:
        """Read the account and choose the subaccount, changing nothing: all the guard's REST session needs."""
        account = yield from self._account()
        self._writer.adopt(choose_subaccount(account, self._wanted))
        return self._facts(account, (yield from self._key_expiry()))

    def open_private(self) -> Script[AccountFacts]:
        """Log in, choose the subaccount, switch on cancel-on-disconnect and see that it is on."""
        yield from self.log_in()
        facts = yield from self.find_account()
        before = facts.cancel_on_disconnect
        if not before:
            yield from self._switch_cancel_on_disconnect(True)
            account = yield from self._account()
            if not account.cancel_on_disconnect:
                raise StrikemakerError("cancel-on-disconnect was switched on, but the account still says it is off")
        spent = yield from self._spent()
        return attrs.evolve(facts, cancel_on_disconnect=True, restore_cancel_on_disconnect=before, spent=spent)

    def _spent(self) -> Script[dict[Pool, int]]:
        """What the venue's present window already holds of this wallet's requests; nothing where it will not say."""
        try:
            used = yield from ask(call("public/getRateLimits", {}), rows.RateLimits)
        except (VenueRefused, OutcomeUnknown):
            return {}
        return {
            Pool.MATCHING: used.remaining_matching.consumedPoints,
            Pool.OTHER: used.remaining_non_matching.consumedPoints,
        }

    def close_private(self, facts: AccountFacts) -> Script[None]:
        """Give the wallet back its own setting; nothing to do where it was on before us."""
        if facts.restore_cancel_on_disconnect is False:
            yield from self._switch_cancel_on_disconnect(False)

    def _switch_cancel_on_disconnect(self, enabled: bool) -> Script[None]:
        params = {"wallet": self._wallet, "enabled": enabled}
        yield call("private/set_cancel_on_disconnect", params, kind="cancel_on_disconnect")

    def _account(self) -> Script[rows.Account]:
        return (yield from ask(call("private/get_account", {"wallet": self._wallet}), rows.Account))

    def _key_expiry(self) -> Script[int]:
        """UTC seconds; 0 for the owner's key, and where the venue will not say."""
        if self._key is None or self._key.address == self._wallet:
            return 0
        try:
            listed = yield from ask(call("private/session_keys", {"wallet": self._wallet}), rows.SessionKeys)
        except (VenueRefused, OutcomeUnknown):
            return 0
        ours = self._key.address.lower()
        return next((key.expiry_sec for key in listed.public_session_keys if key.public_session_key.lower() == ours), 0)

    def _facts(self, account: rows.Account, key_expires_s: int) -> AccountFacts:
        bulk = _bulk_tps(account.per_endpoint_tps or {})
        options = account.websocket_option_tps
        return AccountFacts(
            account=str(self._writer.subaccount),
            limits={
                Pool.MATCHING: _limit(account.websocket_matching_tps),
                Pool.OTHER: _limit(account.websocket_non_matching_tps),
                Pool.BULK_CANCEL: RateLimit(bulk, bulk),
            },
            per_instrument=_limit(options) if options else None,
            cancel_on_disconnect=account.cancel_on_disconnect,
            key_expires_s=key_expires_s,
        )

    # -- instruments and channels

    def load_instruments(self, underlying: str) -> Script[list[Instrument]]:
        """Every active option, and the perpetual. Rows that cannot be read are left out: `Board.unreadable` says why."""
        found: dict[str, Instrument] = {}
        for kind in ("option", "perp"):
            page = pages = 1
            while page <= pages:
                params = {"instrument_type": kind, "currency": underlying, "expired": False}
                listing = call("public/get_all_instruments", {**params, "page": page, "page_size": PAGE_SIZE})
                try:
                    answer = yield from ask(listing, rows.InstrumentPage)
                except VenueRefused as refusal:
                    if refusal.code != NOTHING_FOUND:
                        raise
                    break
                found.update((each.name, each) for each in self._board.read_active(answer.instruments, read_instrument))
                pages, page = answer.pagination.num_pages, page + 1
        self._board.learn(found.values())
        return list(found.values())

    def subscribe(self, channels: Sequence[str], batch: int) -> Script[list[str]]:
        refused: list[str] = []
        for start in range(0, len(channels), batch):
            refused += yield from self._join(list(channels[start : start + batch]))
        return refused

    def _join(self, channels: list[str]) -> Script[list[str]]:
        """One bad name can refuse a whole request: halve it until the bad ones stand alone."""
        request = call("subscribe", {"channels": channels}, kind="subscribe")
        try:
            answer = yield from ask(request, rows.Subscribed)
        except VenueRefused as refusal:
            if refusal.code not in (INVALID_PARAMS, NO_VALID_CHANNEL):
                raise
            if len(channels) == 1 or refusal.code == NO_VALID_CHANNEL:
                return channels
            half = len(channels) // 2
            return (yield from self._join(channels[:half])) + (yield from self._join(channels[half:]))
        joined = set(answer.current_subscriptions)
        return [each for each in channels if answer.status.get(each) != "ok" and each not in joined]

    def unsubscribe(self, channels: Sequence[str], batch: int) -> Script[None]:
        """Leaving a channel that was never joined is no error."""
        for start in range(0, len(channels), batch):
            try:
                yield call("unsubscribe", {"channels": list(channels[start : start + batch])}, kind="unsubscribe")
            except VenueRefused as refusal:
                if refusal.code not in (INVALID_PARAMS, NO_VALID_CHANNEL):
                    raise

    def published_smiles(self, underlying: str, expiries: Sequence[int]) -> Script[list[PublishedSmile]]:
        """The oracle's SVI of these expiries; one that cannot be read is left out, for it must not hide the others."""
        only = {"expiry": expiries[0]} if len(expiries) == 1 else {}
        request = call("public/get_latest_signed_feeds", {"currency": underlying, **only}, kind="smiles")
        answer = yield from ask(request, rows.SignedFeeds)
        found: list[PublishedSmile] = []
        for raw in (answer.vol_data.get(underlying) or {}).values():
            try:
                smile = read_smile(raw)
            except ValueError:
                continue
            if smile.expiry_s in expiries:
                found.append(smile)
        return found

    # -- truth

    def open_orders(self, underlying: str) -> Script[list[VenueOrder]]:
        request = call("private/get_open_orders", {"subaccount_id": self._writer.subaccount}, kind="open_orders")
        answer = yield from ask(request, rows.OrderPage)
        if answer.pagination.num_pages > 1:
            raise OutcomeUnknown(f"{request.method} was answered in part: the first of {answer.pagination.num_pages} pages")
        ours = [row for row in answer.orders if underlying_of(row.instrument_name) == underlying]
        return (yield from readable(self._reader.order, ours, request))

    def order_state(self, client_id: str, venue_id: str, since_ms: int) -> Script[VenueOrder | None]:
        """By venue id, else among the resting, else in the history since then; None proves only that no trace is left."""
        if venue_id and (order := (yield from self._order_by_id(venue_id))) is not None:
            return order
        account = {"subaccount_id": self._writer.subaccount}
        resting = yield from ask(call("private/get_open_orders", account, kind="open_orders"), rows.OrderPage)
        if (row := _matching(resting.orders, client_id, venue_id)) is not None:
            return self._reader.order(row)
        history = {**account, "from_timestamp": max(0, since_ms - HISTORY_SLACK_MS), "page_size": PAGE_SIZE}
        page = pages = 1
        while page <= pages:
            request = call("private/get_order_history", {**history, "page": page})
            answer = yield from ask(request, rows.OrderPage)
            if (row := _matching(answer.orders, client_id, venue_id)) is not None:
                return self._reader.order(row)
            pages, page = answer.pagination.num_pages if answer.orders else 0, page + 1
        return None

    def _order_by_id(self, venue_id: str) -> Script[VenueOrder | None]:
        request = call("private/get_order", {"subaccount_id": self._writer.subaccount, "order_id": venue_id})
        try:
            row = yield from ask(request, rows.OrderRow)
        except VenueRefused as refusal:
            if refusal.code != ORDER_NOT_FOUND:
                raise
            return None  # orders under MMP that ended may be forgotten here and still be in the history
        return self._reader.order(row)

    def positions(self, underlying: str) -> Script[dict[str, int]]:
        request = call("private/get_positions", {"subaccount_id": self._writer.subaccount}, kind="positions")
        answer = yield from ask(request, rows.PositionPage)
        held = [row for row in answer.positions if underlying_of(row.instrument_name) == underlying]
        yield from self._learn_missing(row.instrument_name for row in held)
        counted = yield from readable(lambda row: self._board.any(row.instrument_name).steps[row.amount], held, request)
        return {row.instrument_name: steps for row, steps in zip(held, counted, strict=True) if steps}

    def fills_since(self, since_ms: int, underlying: str) -> Script[list[Fill]]:
        """Oldest first. Newest come first on the wire, so that a trade made meanwhile shifts rows back: none is missed,
        doubles are dropped by trade id."""
        found: dict[str, rows.TradeRow] = {}
        params = {"subaccount_id": self._writer.subaccount, "from_timestamp": max(0, since_ms), "page_size": PAGE_SIZE}
        page = pages = 1
        request = call("private/get_trade_history", params, kind="fills")
        while page <= pages:
            request = call("private/get_trade_history", {**params, "page": page}, kind="fills")
            answer = yield from ask(request, rows.TradePage)
            found.update((row.trade_id, row) for row in answer.trades)
            pages, page = answer.pagination.num_pages if answer.trades else 0, page + 1
        ours = [row for row in found.values() if underlying_of(row.instrument_name) == underlying]
        yield from self._learn_missing(row.instrument_name for row in ours)
        ours.reverse()
        ours.sort(key=lambda row: row.timestamp)
        return (yield from readable(self._reader.fill, ours, request))

    def _learn_missing(self, names: Iterable[str]) -> Script[None]:
        """Teach the board instruments that are no longer (or not yet) listed, one query each."""
        for name in sorted({name for name in names if self._board.get(name) is None}):
            try:
                raw: Any = yield call("public/get_instrument", {"instrument_name": name})
                self._board.learn([read_instrument(raw)[0]])
            except (VenueRefused, ValueError) as exc:
                self._board.unreadable.append(f"{name}: {exc}")

    def server_time(self) -> Script[int]:
        return (yield from ask(call("public/get_time", {}, kind="time"), int))

    # -- market-maker protection

    def set_mmp(self, terms: MmpTerms) -> Script[MmpTerms]:
        """Replaces the whole protection of the subaccount in this currency. Times are cut to whole seconds there."""
        params = {
            "subaccount_id": self._writer.subaccount,
            "currency": terms.currency,
            "mmp_interval": terms.interval_ms,
            "mmp_frozen_time": terms.frozen_ms,
            "mmp_amount_limit": f"{terms.amount_limit:f}",
            "mmp_delta_limit": f"{terms.delta_limit:f}",
        }
        yield call("private/set_mmp_config", params, kind="mmp")
        self._reader.freezes_ms[terms.currency] = terms.frozen_ms
        return terms

    def get_mmp(self, currency: str) -> Script[MmpTerms | None]:
        """None where no protection was ever set."""
        params = {"subaccount_id": self._writer.subaccount, "currency": currency}
        answer = yield from ask(call("private/get_mmp_config", params, kind="mmp"), list[rows.MmpRow])
        row = next((each for each in answer if each.currency == currency), None)
        if row is None:
            return None
        self._reader.freezes_ms[currency] = row.mmp_frozen_time
        return MmpTerms(
            currency,
            row.mmp_interval,
            row.mmp_frozen_time,
            Decimal(str(row.mmp_amount_limit)),
            Decimal(str(row.mmp_delta_limit)),
            row.is_frozen,
            row.mmp_unfreeze_time,
        )

    def reset_mmp(self, currency: str) -> Script[None]:
        yield call("private/reset_mmp", {"subaccount_id": self._writer.subaccount, "currency": currency}, kind="mmp")


def choose_subaccount(account: rows.Account, wanted: int | None) -> int:
    """The wanted one, or the only one that can trade; ConfigError names what there is."""
    usable = [each for each in account.subaccount_ids if each != account.fallback_subaccount_id]
    there = "it has " + (", ".join(map(str, sorted(usable))) if usable else "none that can trade")
    if wanted is None:
        if len(usable) != 1:
            raise ConfigError(f"subaccount: unset, and the wallet does not have exactly one: {there}")
        return usable[0]
    if wanted == account.fallback_subaccount_id:
        raise ConfigError(f"subaccount: {wanted} is the wallet's fallback, which cannot trade: {there}")
    if wanted not in usable:
        raise ConfigError(f"subaccount: {wanted} is not the wallet's: {there}")
    return wanted


def _limit(tps: float | None) -> RateLimit:
    rate = tps if tps and tps > 0 else TRADER_TPS
    return RateLimit(rate, rate * WINDOW_S)


def _bulk_tps(per_endpoint: dict[str, object]) -> float:
    """The pool of cancel-by-label, where the account lists it."""
    for name, tps in per_endpoint.items():
        if "cancel_by_label" in name and isinstance(tps, int | float) and tps > 0:
            return float(tps)
    return BULK_CANCEL_TPS


def _matching(orders: Iterable[rows.OrderRow], client_id: str, venue_id: str) -> rows.OrderRow | None:
    for row in orders:
        if (client_id and str(row.nonce) == client_id) or (venue_id and row.order_id == venue_id):
            return row
    return None
