"""Deribit's language (API v2), whole: `DeribitDialect` is what the actors hold.

Owns one account's view of the wire in one process: instruments learned, running books, the numbering of labels. Decides
nothing and never awaits; the clock is given to it. Its parts: `calls` writes requests, `decode` and `feeds` read frames,
`outcomes` judges answers, `scripts` and `protection` hold the conversations. Facts: deribit.md.

Invariant: no two orders of an account carry the same label, whichever process or life of it placed them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument
from actors.venues.deribit import codes
from actors.venues.deribit.auth import Credentials
from actors.venues.deribit.calls import CallWriter
from actors.venues.deribit.decode import LOCK_CHANNEL, SETTLED_CHANNEL, FrameReader
from actors.venues.deribit.mass import MassQuotes
from actors.venues.deribit.names import currency_of, index_of
from actors.venues.deribit.outcomes import read_outcome
from actors.venues.deribit.protection import Protection
from actors.venues.deribit.scripts import Conversations
from actors.venues.deribit.terms import Board
from actors.venues.dialect import (
    AccountFacts,
    AccountState,
    Call,
    Fill,
    MassQuoting,
    MmpTerms,
    News,
    OrderRequest,
    Outcome,
    Pool,
    PublishedSmile,
    Refusal,
    Script,
    VenueOrder,
)

BOOKS = ("grouped", "100ms", "agg2", "raw")
"""How books are followed. "grouped": whole snapshots of 20 levels, which no loss can spoil; the others by changes, of
which "raw" needs a login on the public link."""


class DeribitDialect:
    """One process's language with Deribit; satisfies `Dialect`. A dialect without credentials is for public data."""

    name = "deribit"
    native_amend = True
    labels_are_identity = True
    max_channels_per_call = 500
    vital_channels = 1
    republishes_books = False
    lists_by_channel = True
    signs_lives = False
    hang_up_cancels = True
    publishes_smiles = False

    def __init__(
        self,
        clock_ns: Callable[[], int],
        *,
        credentials: Credentials | None = None,
        books: str = "grouped",
        sends_secret: bool = False,
    ) -> None:
        """`clock_ns` is the wall clock, for login stamps; `sends_secret`: log in by the secret instead of a signature."""
        if books not in BOOKS:
            raise ConfigError(f"books: {books!r} is not known; choose {', '.join(BOOKS)}")
        self.board = Board()
        self._is_raw = books == "raw"
        self._book_suffix = ".none.20.100ms" if books == "grouped" else f".{books}"
        self._reader = FrameReader(self.board)
        self._decoders = self._reader.decoders
        self._writer = CallWriter(self.board, clock_ns() // 1000)
        self._quotes = MassQuotes(self.board, self._reader, self._writer)
        self.mass: MassQuoting | None = self._quotes
        self._scripts = Conversations(
            self.board, self._reader, credentials=credentials, clock_ns=clock_ns, sends_secret=sends_secret
        )
        self._protection = Protection(self.board, self._quotes)

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """Teach instruments that another process (or link) loaded."""
        self.board.learn(instruments)

    # -- connections

    def open_public(self) -> Script[None]:
        return self._scripts.open_public(with_login=self._is_raw)

    def open_private(self) -> Script[AccountFacts]:
        return self._scripts.open_private()

    def find_account(self) -> Script[AccountFacts]:
        """The account without login and without touching cancel-on-disconnect: for REST."""
        return self._scripts.find_account()

    def prove_rights(self) -> Script[None]:
        return self._scripts.prove_rights()

    def close_private(self, facts: AccountFacts) -> Script[None]:
        """Nothing to restore: cancel-on-disconnect is the connection's and ends with it."""
        return
        yield Call("")  # makes this a generator, like every script

    def renew_login(self) -> Script[float]:
        return self._scripts.renew_login()

    def keep_alive(self) -> Call | None:
        """Also the answer to a `test_request`, without which the venue hangs up."""
        return Call("public/test", pool=Pool.OTHER, kind="keep_alive")

    # -- market data

    def load_instruments(self, underlying: str) -> Script[list[Instrument]]:
        """Once is enough: what is listed later is announced."""
        return self._scripts.load_instruments(underlying)

    def instrument_channels(self, instrument: Instrument) -> list[str]:
        name = instrument.name
        return [f"book.{name}{self._book_suffix}", f"ticker.{name}.{'raw' if self._is_raw else '100ms'}"]

    def shared_channels(self, underlying: str) -> list[str]:
        currency = currency_of(underlying)
        return [
            f"deribit_price_index.{self._index(underlying)}",
            f"instrument.state.option.{currency}",
            f"instrument.creation.option.{currency}",
            "platform_state",
        ]

    def private_channels(self, underlying: str) -> list[str]:
        changes = f"user.changes.option.{currency_of(underlying)}.raw"
        return [changes, f"user.mmp_trigger.{self._index(underlying)}", LOCK_CHANNEL, SETTLED_CHANNEL]

    def _index(self, underlying: str) -> str:
        return self.board.index_name(underlying, index_of(underlying))

    def subscribe(self, channels: Sequence[str], *, private: bool) -> Script[list[str]]:
        return self._scripts.subscribe(channels, self.max_channels_per_call, private=private)

    def unsubscribe(self, channels: Sequence[str], *, private: bool) -> Script[None]:
        return self._scripts.unsubscribe(channels, self.max_channels_per_call, private=private)

    def published_smiles(self, underlying: str, expiries: Sequence[int]) -> Script[list[PublishedSmile]]:
        """The venue publishes marks only."""
        return []
        yield Call("")  # makes this a generator, like every script

    def decode_notice(self, method: str, channel: str, data: msgspec.Raw) -> Iterable[News]:
        decoder = self._decoders.get(channel)
        if decoder is None:
            decoder = self._reader.decoder(channel)
        if self._reader.must_tell_platform and channel.startswith(("book.", "ticker.", "deribit_price_index.")):
            return [self._reader.platform(), *decoder(data)]
        return decoder(data)

    # -- orders

    def next_client_id(self, now_ns: int, run_label: str) -> str:
        """A label of its own for every order."""
        return self._writer.next_label(now_ns, run_label)

    def place(self, order: OrderRequest) -> Call:
        return self._writer.place(order)

    def replace(self, order: OrderRequest, old: VenueOrder | Any, old_filled: int) -> Call:
        """An edit: the order keeps its id and label, and can never be there twice. `order.amount` is the new total."""
        return self._writer.edit(order, old.venue_id)

    def cancel(self, old: VenueOrder | Any) -> Call:
        """By venue id, or by label while the order has none."""
        if old.venue_id:
            return self._writer.cancel(old.venue_id, old.instrument)
        return self._writer.cancel_label(old.client_id, old.instrument)

    def burn(self, client_id: str, instrument: str) -> Call | None:
        """A label can be used again and again: nothing makes an order in flight impossible but its `valid_until`."""
        return None

    def cancel_ours(self, run_label: str, underlying: str) -> list[Call]:
        """Mass quotes of a run are one set. Orders have a label each: single cancels, or a hang-up, are scoped to us."""
        return [self._quotes.cancel_run(run_label)] if self._quotes.is_on else []

    def cancel_account(self) -> list[Call]:
        return [self._writer.cancel_account()]

    def read_outcome(self, call: Call, result: msgspec.Raw | None, error: tuple[int, str, str] | None) -> Outcome:
        return read_outcome(self._reader, call, result, error)

    # -- truth

    def open_orders(self, underlying: str) -> Script[list[VenueOrder]]:
        return self._scripts.open_orders(underlying)

    def order_state(self, client_id: str, venue_id: str, instrument: str, since_ms: int) -> Script[VenueOrder | None]:
        return self._scripts.order_state(client_id, venue_id, instrument)

    def positions(self, underlying: str) -> Script[dict[str, int]]:
        return self._scripts.positions(underlying)

    def fills_since(self, since_ms: int, underlying: str) -> Script[list[Fill]]:
        return self._scripts.fills_since(since_ms, underlying)

    def account_state(self, underlying: str) -> Script[AccountState]:
        return self._scripts.account_state(underlying)

    def server_time(self) -> Script[int]:
        return self._scripts.server_time()

    # -- market-maker protection

    def set_mmp(self, terms: MmpTerms) -> Script[MmpTerms]:
        return self._protection.set_mmp(terms)

    def get_mmp(self, currency: str) -> Script[MmpTerms | None]:
        return self._protection.get_mmp(currency)

    def reset_mmp(self, currency: str) -> Script[None]:
        return self._protection.reset_mmp(currency)

    # -- for people

    def tell_operator(self, facts: AccountFacts) -> list[str]:
        """The scope of the venue's net, and what the account may not do."""
        lines = [
            "cancel-on-disconnect is on for the order connection alone: if it drops, the venue cancels what we sent over it"
            " and nothing else"
        ]
        if not facts.mmp_allowed:
            lines.append("market-maker protection is not enabled for this account: mmp and mass quotes are not available")
        return lines

    # -- errors

    def explain(self, code: int) -> str:
        return codes.explain(code)

    def classify(self, code: int) -> Refusal:
        return codes.classify(code)

    def retry_s(self, code: int, details: str) -> float | None:
        return codes.BUSY_S if code in codes.BUSY else None

    def is_fatal(self, code: int) -> bool:
        return code in codes.FATAL
