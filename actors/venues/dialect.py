"""What a venue's folder must provide: one `Dialect`, pure, that turns our intentions into calls and its frames into news.

Owns the venue-neutral vocabulary of the wire. Never awaits: a conversation of several steps (login, loading instruments,
reconciling) is a *script*, a generator that yields `Call`s and is sent their raw results, or has `VenueRefused` thrown
into it; the link drives it. Adding a venue means adding a folder with a class that satisfies `Dialect`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import attrs
import msgspec

from actors.trading.instruments import Instrument, Side

T = TypeVar("T")


class Pool(StrEnum):
    """The rate pool a call draws from; which calls share one is the venue's business, its size is read at login."""

    MATCHING = "matching"
    OTHER = "other"
    BULK_CANCEL = "bulk_cancel"
    MASS_QUOTE = "mass_quote"
    QUOTES = "quotes"
    """Of mass quotes: one a side."""
    FREE = "free"


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request: `params` is the JSON text of its parameters, written once."""

    method: str
    params: bytes = b"{}"
    pool: Pool = Pool.OTHER
    kind: str = ""
    """What it does, for budgets, logs and figures: place, replace, amend, cancel, ..."""
    instrument: str = ""


Script = Generator[Call, msgspec.Raw, T]
"""A conversation: yields calls, receives the raw JSON of each result, returns what it was held for."""


class OrderStatus(StrEnum):
    """What the venue says of an order."""

    OPEN = "open"
    WAITING = "waiting"
    """A trigger or algo order: alive, and in no book."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    is_final: bool
    """It has ended. A plain attribute of each, as of our own states."""


for _status in OrderStatus:
    _status.is_final = _status not in (OrderStatus.OPEN, OrderStatus.WAITING)


class VenueOrder(msgspec.Struct, frozen=True, gc=False):
    """One order as the venue describes it, in an answer, a notification or a query."""

    client_id: str
    """Our identity of the order: the nonce on Derive, the label on Deribit; whatever it says for others' orders."""
    venue_id: str
    label: str
    instrument: str
    side: Side
    price: int
    amount: int
    filled: int
    status: OrderStatus
    ts_ms: int
    """Venue's clock at the last change."""
    reason: str = ""
    replaces: str = ""
    """Venue id of the order this one replaced."""
    average_price: float = 0.0
    expires_s: int = 0
    mmp: bool = False


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution on the account, ours or the operator's."""

    trade_id: str
    venue_id: str
    label: str
    instrument: str
    side: Side
    """The account's own side."""
    price: int
    amount: int
    fee: str
    """Exact decimal text, in `fee_currency`."""
    fee_currency: str
    is_maker: bool
    ts_ms: int
    index: float = 0.0
    mark: float = 0.0


class BookUpdate(msgspec.Struct, frozen=True, gc=False):
    """A whole book, best first; levels are (ticks, steps). An empty side is an empty tuple."""

    instrument: str
    ts_ms: int
    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]


class BookGap(msgspec.Struct, frozen=True):
    """The book can no longer be trusted; `channels` must be left and joined again."""

    instrument: str
    channels: tuple[str, ...]


class TickerUpdate(msgspec.Struct, frozen=True, gc=False):
    """Venue's view of one instrument. Floats in quote currency (or coin); vols are annual fractions; None is absent."""

    instrument: str
    ts_ms: int
    best_bid: int = 0
    best_ask: int = 0
    mark: float | None = None
    mark_vol: float | None = None
    forward: float | None = None
    index: float | None = None
    discount: float = 1.0
    band_low: int = 0
    """Lowest price a sell may trade at, ticks; 0 unknown."""
    band_high: int = 0
    is_open: bool = True


class IndexUpdate(msgspec.Struct, frozen=True, gc=False):
    index_name: str
    ts_ms: int
    price: float


class Listed(msgspec.Struct, frozen=True):
    instrument: Instrument


class InstrumentState(msgspec.Struct, frozen=True):
    """`tradable` False while locked, settling, halted or gone; `gone` when it will not come back."""

    instrument: str
    tradable: bool
    gone: bool = False
    state: str = ""


class PlatformState(msgspec.Struct, frozen=True):
    """Maintenance or a lock of the whole venue (or of one index)."""

    tradable: bool
    reason: str = ""


class AccountState(msgspec.Struct, frozen=True):
    """Whether the venue lets this account trade at all: locked by its owner, by the venue, or not."""

    tradable: bool
    reason: str = ""


class MmpTripped(msgspec.Struct, frozen=True):
    until_ms: int
    """0: frozen until reset by hand."""
    scope: str = ""


class SettledPrice(msgspec.Struct, frozen=True):
    """Option settlement or delivery of a position: the account's position in it is gone."""

    instrument: str
    amount: int
    """Signed steps that left the account."""


class PublishedSmile(msgspec.Struct, frozen=True):
    """The venue's own SVI of one expiry: total variance a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))."""

    expiry_s: int
    a: float
    b: float
    rho: float
    m: float
    sigma: float
    forward: float
    """k = ln(strike / forward)."""
    t_years: float
    """Total variance over this is a squared annual vol; 0: not said, the life left at `written_s`."""
    written_s: float
    """Venue's clock; 0: not said."""


News = (
    BookUpdate | BookGap | TickerUpdate | IndexUpdate | Listed | InstrumentState | PlatformState
    | AccountState | MmpTripped | SettledPrice | VenueOrder | Fill
)  # fmt: skip


class OrderRequest(msgspec.Struct, frozen=True, gc=False):
    """One order to be placed, or the new half of a replacement; everything the signature and the frame need."""

    instrument: str
    side: Side
    price: int
    amount: int
    client_id: str
    """Derive: the nonce, 19 digits. Deribit: the label, unique per order."""
    label: str
    """Derive: the cell run's label. Deribit: equal to `client_id`."""
    expires_s: int
    """Derive: signature expiry, UTC seconds. 0 where the venue has none."""
    reject_ms: int
    """Venue's clock, ms: not executed if it gets to the engine later."""
    mmp: bool = False


class Refusal(StrEnum):
    """What a refusal means for the order it concerned and for what may be sent next."""

    RATE = "rate"
    """Over the rate limit, or too busy: refused unread, what rested still rests; again later (`Dialect.retry_s`)."""
    UNREAD = "unread"
    """Refused before the order was looked at: what rested still rests."""
    MARGIN = "margin"
    PROTECTED = "protected"
    """Market-maker protection has tripped."""
    LOCKED = "locked"
    """The account may only cancel until somebody unlocks it."""
    SIGNATURE = "signature"
    LOGIN = "login"
    """The venue no longer knows who we are: refused unread, and only a new connection helps."""
    OTHER = "other"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What an answer to an order call proves.

    `orders` and `fills` are news as if notified. `refused` is the refusal of the new order or the edit, `cancel_refused`
    that of a cancel, alone (then both are set) or within a replace: no proof of life or death. `old_gone` is True when
    the replaced order is certainly no longer resting although no new one was made.
    """

    orders: tuple[VenueOrder, ...] = ()
    fills: tuple[Fill, ...] = ()
    refused: tuple[int, str] | None = None
    cancel_refused: tuple[int, str] | None = None
    old_gone: bool = False
    unknown: bool = False
    """The venue itself says that it does not know (Derive 9000, 9001; Deribit 13888)."""
    count: int | None = None
    """Of a bulk cancel: how many; None where the venue does not say."""


class MassSide(msgspec.Struct, frozen=True):
    """One side of one instrument in a mass quote: what is wanted there."""

    instrument: str
    side: Side
    client_id: str
    order: OrderRequest | None = None
    """None: nothing may rest there any more."""
    moves: bool = False
    """Only the price of what rests is changed: where nothing rests any more, nothing may come to."""


class MassQuoting(Protocol):
    """Many instruments in one request, at venues that have it; each side has an outcome of its own."""

    is_on: bool
    """Set once, when the cell has chosen to quote this way."""
    most_instruments: int

    def write(self, sides: Sequence[MassSide], run_label: str, reject_ms: int) -> Call:
        """One call for sides of one index; `reject_ms` on the venue's clock, as for single orders."""

    def read(
        self, sides: Sequence[MassSide], result: msgspec.Raw | None, error: tuple[int, str, str] | None
    ) -> list[Outcome]:
        """What the answer proves, side by side; exactly one of `result` and `error` is given."""

    def cancel_run(self, run_label: str) -> Call:
        """Every quote of a run, whichever process sent it."""

    def is_withdrawn(self, code: int) -> bool:
        """A refusal with this code means that no mass quote will be accepted any more."""


@attrs.frozen
class RateLimit:
    """A bucket: `per_second` refill, `burst` capacity, in requests."""

    per_second: float
    burst: float


@attrs.frozen
class AccountFacts:
    """What login and the account queries told us."""

    account: str
    """Fingerprint-safe name of the account: subaccount id or user id."""
    limits: dict[Pool, RateLimit]
    per_instrument: RateLimit | None
    cancel_on_disconnect: bool
    mmp_allowed: bool = True
    mass_quote_allowed: bool = False
    key_expires_s: int = 0
    """0: the key does not expire (or the venue does not say)."""
    login_ends_s: float = math.inf
    """Seconds from login until it must have been renewed; infinite where it lasts as long as the connection."""
    restore_cancel_on_disconnect: bool | None = None
    """The wallet's setting before we touched it; None where it is not persistent."""
    spent: dict[Pool, int] = attrs.field(factory=dict)
    """Requests that count against us now, also those of a process that died a moment ago; empty where it is not said."""


@attrs.frozen
class MmpTerms:
    """Market-maker protection of one underlying as the venue holds it. Limits of 0: none; interval 0: off."""

    currency: str
    """The underlying; a venue that keeps it by index translates."""
    interval_ms: int
    frozen_ms: int
    amount_limit: Decimal
    """Units of the underlying."""
    delta_limit: Decimal
    is_frozen: bool = False
    unfreeze_ms: int = 0
    vega_limit: Decimal = Decimal(0)
    """Deribit: USD per vol point."""
    quote_limit: Decimal = Decimal(0)
    """Deribit: most that may rest under protection, per side of an instrument; 0: as much as `amount_limit`."""


class Dialect(Protocol):
    """A venue's language. One object per process and role; it keeps only what decoding needs (instruments, books)."""

    name: str
    native_amend: bool
    """True: an order keeps its id when its price changes (Deribit). False: a replacement is a new order (Derive)."""
    labels_are_identity: bool
    """True: `client_id` is the label (Deribit). False: it is the nonce and one label covers the run (Derive)."""
    max_channels_per_call: int
    vital_channels: int
    """So many of the private channels are needed to quote at all."""
    republishes_books: bool
    """True: a book is sent again although it did not change (Derive, each second), so its age proves staleness."""
    signs_lives: bool
    """True: an order dies with its signature, so it must be renewed (Derive)."""
    lists_by_channel: bool
    """True: new strikes are announced (Deribit). False: the listing must be asked again (Derive)."""
    hang_up_cancels: bool
    """True: closing the private link pulls all that was sent over it and nothing else (Deribit); where single cancels
    would take long, that is the fast scoped mass cancel."""
    publishes_smiles: bool
    """True: `published_smiles` has something to say (Derive)."""
    mass: MassQuoting | None
    """None where the venue has no mass quotes."""

    # -- connections

    def open_public(self) -> Script[None]:
        """What a public socket says first. On Derive nothing: a login would widen cancel-on-disconnect."""

    def open_private(self) -> Script[AccountFacts]:
        """Log in, read the account, switch on cancel-on-disconnect and verify it. Raises VenueRefused."""

    def find_account(self) -> Script[AccountFacts]:
        """The account without login and without changing a setting of it: for REST."""

    def prove_rights(self) -> Script[None]:
        """Before anybody is born, over REST: may these credentials trade? Raises NotGranted."""

    def close_private(self, facts: AccountFacts) -> Script[None]:
        """After the proof: restore what the account had before us."""

    def renew_login(self) -> Script[float]:
        """Prolong the login of an open private link; seconds until it ends then, infinite where it does not end."""

    def keep_alive(self) -> Call | None:
        """A cheap request that proves life both ways, or None where protocol pings suffice."""

    # -- market data

    def load_instruments(self, underlying: str) -> Script[list[Instrument]]:
        """All live options of an underlying, and the hedge; also teaches this object their ticks and steps."""

    def instrument_channels(self, instrument: Instrument) -> list[str]: ...

    def shared_channels(self, underlying: str) -> list[str]: ...

    def private_channels(self, underlying: str) -> list[str]:
        """The first `vital_channels` of them carry orders and fills."""

    def subscribe(self, channels: Sequence[str], *, private: bool) -> Script[list[str]]:
        """Batched under the venue's limits; returns the channels that were *not* accepted."""

    def unsubscribe(self, channels: Sequence[str], *, private: bool) -> Script[None]: ...

    def published_smiles(self, underlying: str, expiries: Sequence[int]) -> Script[list[PublishedSmile]]:
        """The venue's own fit of these expiries, of those that have a readable one; empty where it publishes none."""

    def decode_notice(self, method: str, channel: str, data: msgspec.Raw) -> Iterable[News]:
        """One notification to typed news; unknown channels and fields are ignored, malformed data raises ValueError."""

    # -- orders

    def next_client_id(self, now_ns: int, run_label: str) -> str:
        """A fresh identity: nonce or unique label."""

    def place(self, order: OrderRequest) -> Call: ...

    def replace(self, order: OrderRequest, old: VenueOrder | Any, old_filled: int) -> Call:
        """The call that turns `old` into `order` such that at most one of both can fill."""

    def cancel(self, old: VenueOrder | Any) -> Call: ...

    def burn(self, client_id: str, instrument: str) -> Call | None:
        """The call that makes an order in flight impossible (Derive: cancel_by_nonce); None where there is none."""

    def cancel_ours(self, run_label: str, underlying: str) -> list[Call]:
        """The cheapest calls that pull everything of a run; an empty list where only single cancels are scoped."""

    def cancel_account(self) -> list[Call]:
        """Everything on the account, the operator's manual orders included."""

    def read_outcome(self, call: Call, result: msgspec.Raw | None, error: tuple[int, str, str] | None) -> Outcome:
        """An answer to an order call, as proof. Exactly one of `result` and `error` is given."""

    # -- truth

    def open_orders(self, underlying: str) -> Script[list[VenueOrder]]:
        """Every resting order of the account in this underlying; paging done."""

    def order_state(self, client_id: str, venue_id: str, instrument: str, since_ms: int) -> Script[VenueOrder | None]:
        """One order by whatever identity is known, from open orders and history; None: the venue has no trace of it."""

    def positions(self, underlying: str) -> Script[dict[str, int]]:
        """Signed steps by instrument, zero ones left out."""

    def fills_since(self, since_ms: int, underlying: str) -> Script[list[Fill]]:
        """Every execution of the account since a venue time, oldest first; paging done."""

    def account_state(self, underlying: str) -> Script[AccountState]:
        """Whether the account is locked, where the venue can be asked."""

    def server_time(self) -> Script[int]:
        """Venue's clock, ms."""

    # -- market-maker protection

    def set_mmp(self, terms: MmpTerms) -> Script[MmpTerms]:
        """Replaces the whole protection of the underlying; what was asked of the venue, cut to what it can keep."""

    def get_mmp(self, currency: str) -> Script[MmpTerms | None]:
        """None where no protection was ever set."""

    def reset_mmp(self, currency: str) -> Script[None]:
        """Ends a freeze."""

    # -- for people

    def tell_operator(self, facts: AccountFacts) -> list[str]:
        """What the operator should know of the venue's nets on this account, one line each, said at every login."""

    def explain(self, code: int) -> str:
        """An error code in words."""

    def classify(self, code: int) -> Refusal:
        """What a refusal with this code means for us; by number, never by message."""

    def retry_s(self, code: int, details: str) -> float | None:
        """Of a refusal for rate: when it may be tried again, where its code or details say so."""

    def is_fatal(self, code: int) -> bool:
        """True when retrying cannot help: wrong key, no rights, region, liquidation."""
