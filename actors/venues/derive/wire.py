"""Derive's language (API v3), whole: `DeriveDialect` is what the actors hold.

Owns one account's view of the wire in one process: instruments learned, the signer, the nonces. Decides nothing and
never awaits; the clock is given to it. Its parts: `calls` writes requests, `decode` reads frames, `outcomes` judges
answers, `scripts` holds the conversations. Facts: derive.md.

Invariant: no two orders of a process carry the same nonce, and of no two processes with different slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument
from actors.venues.derive import codes
from actors.venues.derive.calls import CallWriter
from actors.venues.derive.decode import FrameReader
from actors.venues.derive.outcomes import read_outcome
from actors.venues.derive.scripts import Conversations
from actors.venues.derive.signing import SigningKey, checked_wallet
from actors.venues.derive.sites import MAINNET
from actors.venues.derive.terms import Board
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
    PublishedSmile,
    Refusal,
    Script,
    VenueOrder,
)

SLOTS = 1000
"""Processes that may share a wallet: the last three digits of a nonce are the process's slot."""


class DeriveDialect:
    """One process's language with Derive; satisfies `Dialect`. A dialect without key and wallet is for public data."""

    name = "derive"
    native_amend = False
    labels_are_identity = False
    max_channels_per_call = 50
    vital_channels = 2
    republishes_books = True
    signs_lives = True
    lists_by_channel = False
    hang_up_cancels = False
    publishes_smiles = True
    mass: MassQuoting | None = None

    def __init__(
        self,
        clock_ns: Callable[[], int],
        *,
        key: SigningKey | None = None,
        wallet: str = "",
        subaccount: int | None = None,
        chain_id: int = MAINNET.chain_id,
        slot: int = 0,
        book_depth: int = 10,
        ticker_ms: int = 1000,
    ) -> None:
        """`clock_ns` is the wall clock, for login stamps. ConfigError on a wallet or slot that cannot be."""
        if not 0 <= slot < SLOTS:
            raise ConfigError(f"process slot {slot}: must be 0 to {SLOTS - 1}")
        self.key = key
        self.wallet = checked_wallet(wallet) if wallet else ""
        self.board = Board()
        self._clock_ns = clock_ns
        self._slot = slot
        self._last_nonce = 0
        self._book_suffix = f".1.{book_depth}"
        self._ticker_suffix = f".{ticker_ms}"
        self._reader = FrameReader(self.board)
        self._decoders = self._reader.decoders
        self._writer = CallWriter(self.board, key, self.wallet, chain_id)
        self._scripts = Conversations(
            self.board,
            self._reader,
            self._writer,
            key=key,
            wallet=self.wallet,
            subaccount=subaccount,
            clock_ns=clock_ns,
        )

    # -- what this process knows

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """Teach instruments that another process (or link) loaded."""
        self.board.learn(instruments)

    def note_reference(self, instrument: str, index: float, mark: float) -> None:
        """Index and mark that the fee cap follows; tickers decoded by this object are noted by themselves."""
        self.board.known(instrument).note_reference(index, mark)

    def adopt(self, subaccount: int) -> None:
        """Trade this subaccount without asking the venue which there are; a login may still name another."""
        self._writer.adopt(subaccount)

    # -- connections

    def open_public(self) -> Script[None]:
        """Nothing is said: a login would make this socket's loss fire cancel-on-disconnect."""
        return
        yield Call("")  # makes this a generator, like every script

    def open_private(self) -> Script[AccountFacts]:
        return self._scripts.open_private()

    def find_account(self) -> Script[AccountFacts]:
        """The account without login and without touching cancel-on-disconnect: for REST."""
        return self._scripts.find_account()

    def prove_rights(self) -> Script[None]:
        """Nothing is asked: what a session key may not do, the venue says at its first order."""
        return
        yield Call("")  # makes this a generator, like every script

    def close_private(self, facts: AccountFacts) -> Script[None]:
        return self._scripts.close_private(facts)

    def renew_login(self) -> Script[float]:
        """Nothing to do: a login lasts as long as its connection."""
        return math.inf
        yield Call("")  # makes this a generator, like every script

    def keep_alive(self) -> Call | None:
        """Protocol pings are answered and count as life."""
        return None

    # -- market data

    def load_instruments(self, underlying: str) -> Script[list[Instrument]]:
        """Run it again to find new listings: Derive announces none."""
        return self._scripts.load_instruments(underlying)

    def instrument_channels(self, instrument: Instrument) -> list[str]:
        name = instrument.name
        return [f"orderbook.{name}{self._book_suffix}", f"ticker_slim.{name}{self._ticker_suffix}"]

    def shared_channels(self, underlying: str) -> list[str]:
        return [f"spot_feed.{underlying}"]

    def private_channels(self, underlying: str) -> list[str]:
        account = self._writer.subaccount
        return [f"{account}.orders", f"{account}.trades", f"{account}.balances"]

    def subscribe(self, channels: Sequence[str], *, private: bool) -> Script[list[str]]:
        return self._scripts.subscribe(channels, self.max_channels_per_call)

    def unsubscribe(self, channels: Sequence[str], *, private: bool) -> Script[None]:
        return self._scripts.unsubscribe(channels, self.max_channels_per_call)

    def published_smiles(self, underlying: str, expiries: Sequence[int]) -> Script[list[PublishedSmile]]:
        """One request whatever the number of expiries. The oracle's signatures are not checked: nothing is priced by it."""
        return self._scripts.published_smiles(underlying, expiries)

    def decode_notice(self, method: str, channel: str, data: msgspec.Raw) -> Iterable[News]:
        decoder = self._decoders.get(channel)
        if decoder is None:
            decoder = self._reader.decoder(channel)
        return decoder(data)

    # -- orders

    def next_client_id(self, now_ns: int, run_label: str) -> str:
        """A nonce: microseconds of the clock, then this process's slot; rising even when the clock stands or steps."""
        nonce = max(now_ns // 1000 * SLOTS + self._slot, self._last_nonce + SLOTS)
        self._last_nonce = nonce
        return str(nonce)

    def place(self, order: OrderRequest) -> Call:
        return self._writer.place(order)

    def replace(self, order: OrderRequest, old: VenueOrder | Any, old_filled: int) -> Call:
        """Not atomic: the old order is gone even where the new one is refused; see `read_outcome`."""
        return self._writer.replace(order, old.venue_id, old.client_id, old_filled)

    def cancel(self, old: VenueOrder | Any) -> Call:
        """By venue id, or by nonce while the order has none."""
        if old.venue_id:
            return self._writer.cancel(old.venue_id, old.instrument)
        return self._writer.burn(old.client_id, old.instrument)

    def burn(self, client_id: str, instrument: str) -> Call | None:
        return self._writer.burn(client_id, instrument)

    def cancel_ours(self, run_label: str, underlying: str) -> list[Call]:
        """One call for the whole run, whatever the instrument; it answers -1, so ask for open orders after it."""
        return [self._writer.cancel_label(run_label)]

    def cancel_account(self) -> list[Call]:
        return [self._writer.cancel_account()]

    def read_outcome(self, call: Call, result: msgspec.Raw | None, error: tuple[int, str, str] | None) -> Outcome:
        return read_outcome(self._reader, call, result, error)

    # -- truth

    def open_orders(self, underlying: str) -> Script[list[VenueOrder]]:
        return self._scripts.open_orders(underlying)

    def order_state(self, client_id: str, venue_id: str, instrument: str, since_ms: int) -> Script[VenueOrder | None]:
        return self._scripts.order_state(client_id, venue_id, since_ms)

    def positions(self, underlying: str) -> Script[dict[str, int]]:
        return self._scripts.positions(underlying)

    def fills_since(self, since_ms: int, underlying: str) -> Script[list[Fill]]:
        return self._scripts.fills_since(since_ms, underlying)

    def account_state(self, underlying: str) -> Script[AccountState]:
        """The venue has no locks to ask about."""
        return AccountState(True)
        yield Call("")  # makes this a generator, like every script

    def server_time(self) -> Script[int]:
        return self._scripts.server_time()

    # -- market-maker protection

    def set_mmp(self, terms: MmpTerms) -> Script[MmpTerms]:
        return self._scripts.set_mmp(terms)

    def get_mmp(self, currency: str) -> Script[MmpTerms | None]:
        return self._scripts.get_mmp(currency)

    def reset_mmp(self, currency: str) -> Script[None]:
        return self._scripts.reset_mmp(currency)

    # -- for people

    def tell_operator(self, facts: AccountFacts) -> list[str]:
        """The scope of the wallet's net, and what a session costs in connections."""
        former = "on" if facts.restore_cancel_on_disconnect else "off, and is set back at a clean stop"
        return [
            "cancel-on-disconnect is on for the whole wallet: if any logged-in socket of it drops, the venue cancels your"
            f" manual orders too (before us it was {former})",
            "each cell holds 2 connections, one of them logged in; the guard uses none (a trader has 4 per address)",
        ]

    # -- errors

    def explain(self, code: int) -> str:
        return codes.explain(code)

    def classify(self, code: int) -> Refusal:
        return codes.classify(code)

    def retry_s(self, code: int, details: str) -> float | None:
        return codes.retry_s(details)

    def is_fatal(self, code: int) -> bool:
        return code in codes.FATAL
