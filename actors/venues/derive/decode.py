"""From Derive's frames to typed news: books, tickers, index, orders, trades, settlements.

Owns the meaning of each field: what a "0" is, which side a trade is on, what a status says. Keeps nothing but the
instruments it was taught and the length of the MMP freeze. Invariant: a row of ours is either decoded exactly or
raises ValueError; market data of others is cut to the grid, and what is absent is None, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from math import inf, isfinite

import msgspec

from actors.trading.instruments import FeeSchedule, Instrument, OptionKind, Side, whole_units
from actors.venues.derive import rows
from actors.venues.derive.names import underlying_of
from actors.venues.derive.signing import address_bytes
from actors.venues.derive.terms import Board, Terms
from actors.venues.dialect import (
    BookUpdate,
    Fill,
    IndexUpdate,
    MmpTripped,
    News,
    OrderStatus,
    PublishedSmile,
    SettledPrice,
    TickerUpdate,
    VenueOrder,
)
from actors.venues.units import decimal_of, present

FEE_CURRENCY = "USDC"
MAX_DECIMALS = 12
LATEST_SECONDS = 1e11
"""A feed's timestamp beyond this is in milliseconds; which of both it is, nobody has seen."""

_STATUS = {
    "open": OrderStatus.OPEN,
    "untriggered": OrderStatus.WAITING,
    "algo_active": OrderStatus.WAITING,
    "filled": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
"""Whatever else (values to come) is alive for all we know."""


_MOVED = {"transfer", "asset_deposit", "asset_withdrawal", "subaccount_deposit", "subaccount_withdrawal"}
_MOVED |= {"liquidation", "liquidator", "onchain_drift_fix", "onchain_revert", "double_revert"}
"""Balance updates that change a position without a trade."""


class _Sides(dict[str, Side]):
    def __missing__(self, direction: str) -> Side:
        raise ValueError(f"direction {direction!r} is neither buy nor sell")


_SIDE = _Sides(buy=Side.BID, sell=Side.ASK)

_NO_PRICING = rows.Pricing()

_ticker = rows.reader(rows.SlimTicker)
_book = rows.reader(rows.BookSnapshot)
_spot = rows.reader(rows.SpotFeed)
_orders = rows.reader(list[rows.OrderRow])
_trades = rows.reader(list[rows.TradeRow])
_balances = rows.reader(list[rows.BalanceRow])
_instrument = rows.reader(rows.InstrumentRow)
_smile = rows.reader(rows.SmileRow)

Decoder = Callable[[msgspec.Raw], Iterable[News]]


class FrameReader:
    """Turns notifications and rows into news. `freezes_ms`: length of an MMP freeze by currency, where known."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.decoders: dict[str, Decoder] = {}
        """By channel, as far as bound."""
        self.freezes_ms: dict[str, int] = {}

    def decoder(self, channel: str) -> Decoder:
        """A decoder bound to its channel's instrument, once per channel; one not yet learned is looked for again.

        It gives nothing for channels not known, and raises ValueError on malformed data.
        """
        kind, _, rest = channel.partition(".")
        read = _MARKET.get(kind)
        if read is not None:
            name = rest.partition(".")[0]
            terms = self._board.get(name)
            if terms is None:
                self._board.strays.add(name)
                return _nothing
            decoder: Decoder = partial(read, terms)
        elif kind == "spot_feed":
            decoder = partial(self._spot_feed, rest)
        else:
            account = {"orders": self._orders, "trades": self._trades, "balances": self._balances}
            decoder = account.get(rest, _nothing)
        self.decoders[channel] = decoder
        return decoder

    # -- market data

    def _spot_feed(self, wanted: str, data: msgspec.Raw) -> Iterable[News]:
        """Of the channel's own currency: a cell has one index, whatever else is in the frame."""
        feed = _spot.decode(data)
        return [
            IndexUpdate(self._board.index_name(currency, f"{currency}-USD"), feed.timestamp, spot.price)
            for currency, spot in feed.feeds.items()
            if currency == wanted and present(spot.price)
        ]

    # -- the account

    def _orders(self, data: msgspec.Raw) -> Iterable[News]:
        known = [row for row in _orders.decode(data) if self._board.is_known(row.instrument_name)]
        news: list[News] = [self.order(row) for row in known]
        tripped = {underlying_of(row.instrument_name): row for row in known if row.cancel_reason == "mmp_trigger"}
        for currency, row in tripped.items():
            freeze = self.freezes_ms.get(currency, 0)
            news.append(MmpTripped(row.last_update_timestamp + freeze if freeze else 0, currency))
        return news

    def _trades(self, data: msgspec.Raw) -> Iterable[News]:
        return [self.fill(row) for row in _trades.decode(data) if self._board.is_known(row.instrument_name)]

    def _balances(self, data: msgspec.Raw) -> Iterable[News]:
        """Settlements. Raising, where a position moved without a trade, ends the connection, and truth is read afresh."""
        held = [row for row in _balances.decode(data) if "-" in row.name and self._board.is_known(row.name)]
        if moved := [row for row in held if row.update_type in _MOVED]:
            raise ValueError(f"{moved[0].name}: the position was moved by {moved[0].update_type}, not by a trade")
        return [self._settled(row) for row in held if row.update_type == "option_settlement"]

    def _settled(self, row: rows.BalanceRow) -> SettledPrice:
        """The position's balance went to (usually) zero; what left is the difference."""
        steps = self._board.known(row.name).steps
        return SettledPrice(row.name, steps[row.previous_balance] - steps[row.new_balance])

    def order(self, row: rows.OrderRow) -> VenueOrder:
        """An order row; of an instrument never learned, price and amount are counted in 1e-12."""
        terms = self._board.any(row.instrument_name)
        return VenueOrder(
            client_id=str(row.nonce),
            venue_id=row.order_id,
            label=row.label or "",
            instrument=row.instrument_name,
            side=_SIDE[row.direction],
            price=terms.ticks[row.limit_price],
            amount=terms.steps[row.amount],
            filled=terms.steps[row.filled_amount],
            status=_STATUS.get(row.order_status, OrderStatus.OPEN),
            ts_ms=row.last_update_timestamp,
            reason=row.cancel_reason or "",
            replaces=row.replaced_order_id or "",
            average_price=row.average_price or 0.0,
            expires_s=row.signature_expiry_sec,
            mmp=row.mmp,
        )

    def fill(self, row: rows.TradeRow) -> Fill:
        """A trade row of the account. A block trade's price may lie off the grid; it is cut down to it."""
        terms = self._board.any(row.instrument_name)
        steps = terms.steps[row.trade_amount]
        if steps <= 0 or not row.trade_id:
            raise ValueError(f"trade {row.trade_id!r} of {row.trade_amount} is none")
        return Fill(
            trade_id=row.trade_id,
            venue_id=row.order_id,
            label=row.label or "",
            instrument=row.instrument_name,
            side=_SIDE[row.direction],
            price=terms.loose_ticks[row.trade_price],
            amount=steps,
            fee=plain_text(row.trade_fee),
            fee_currency=FEE_CURRENCY,
            is_maker=row.liquidity_role == "maker",
            ts_ms=row.timestamp,
            index=row.index_price or 0.0,
            mark=row.mark_price or 0.0,
        )


def _nothing(_data: msgspec.Raw) -> Iterable[News]:
    return ()


def plain_text(number: rows.Num) -> str:
    """A decimal without exponent, to the last digit."""
    return f"{decimal_of(number, 'fee'):f}"


def read_book(terms: Terms, data: msgspec.Raw) -> tuple[BookUpdate]:
    """A whole book, best first."""
    book = _book.decode(data)
    bids, asks = terms.levels.of(book.bids), terms.levels.of(book.asks)
    return (BookUpdate(terms.instrument.name, book.timestamp, bids, asks),)


def read_ticker(terms: Terms, data: msgspec.Raw) -> tuple[TickerUpdate]:
    """A slim ticker; also lets the instrument's fee cap follow index and mark. A mark of "0" is a far option's rounded
    price: None here, to be recomputed from vol, forward and discount."""
    row = _ticker.decode(data).instrument_ticker
    ticks, mark, index = terms.loose_ticks, present(row.M), present(row.I)
    if index is not None:
        terms.note_reference(index, mark or 0.0)
    pricing = row.option_pricing or _NO_PRICING
    forward, discount, vol = present(pricing.f), present(pricing.df) or 1.0, present(pricing.i)
    return (
        TickerUpdate(
            terms.instrument.name,
            row.t,
            ticks[row.b],
            ticks[row.a],
            mark,
            vol,
            forward,
            index,
            discount,
            ticks[row.minp],
            ticks[row.maxp],
        ),
    )


_MARKET: dict[str, Callable[[Terms, msgspec.Raw], Iterable[News]]] = {"ticker_slim": read_ticker, "orderbook": read_book}


def read_instrument(raw: msgspec.Raw) -> tuple[Instrument, bool]:
    """(the instrument, is it active); ValueError when a row cannot be read or is finer than Derive signs."""
    row = _instrument.decode(raw)
    name = row.instrument_name
    tick, step = _unit(row.tick_size, f"{name} tick_size"), _unit(row.amount_step, f"{name} amount_step")
    option, perp = row.option_details, row.perp_details
    address_bytes(row.base_asset_address)
    if option is not None and not (present(option.strike) and 0 < option.expiry < LATEST_SECONDS):
        raise ValueError(f"{name}: no option has strike {option.strike} and expiry {option.expiry}")
    if not all(map(isfinite, (row.maker_fee_rate, row.taker_fee_rate, row.base_fee, row.mark_price_fee_rate_cap or 0.0))):
        raise ValueError(f"{name}: its fees are no numbers")
    instrument = Instrument(
        name=name,
        venue="derive",
        underlying=row.base_currency or underlying_of(name),
        tick=tick,
        amount_step=step,
        min_amount=whole_units(decimal_of(row.minimum_amount, "minimum_amount"), step, f"{name} minimum_amount"),
        max_amount=int(decimal_of(row.maximum_amount, "maximum_amount") / step),
        kind=OptionKind(option.option_type) if option else None,
        strike=option.strike if option else 0.0,
        expiry_s=option.expiry if option else 0,
        index_name=option.index if option else perp.index if perp else "",
        activation_s=row.scheduled_activation,
        deactivation_s=row.scheduled_deactivation,
        fees=FeeSchedule(row.maker_fee_rate, row.taker_fee_rate, row.base_fee, row.mark_price_fee_rate_cap or 0.0),
        asset_address=row.base_asset_address,
        sub_id=int(row.base_asset_sub_id),
    )
    return instrument, row.is_active


def read_smile(raw: msgspec.Raw) -> PublishedSmile:
    """An expiry's SVI, its signature unread; ValueError for what is no smile: other units are not guessed at."""
    row = _smile.decode(raw)
    svi = row.vol_data
    sound = svi.SVI_b >= 0.0 and abs(svi.SVI_rho) <= 1.0 and svi.SVI_sigma >= 0.0 and svi.SVI_refTau >= 0.0
    if not (sound and 0.0 < svi.SVI_fwd < inf and max(abs(svi.SVI_a), svi.SVI_b, abs(svi.SVI_m), svi.SVI_sigma) < inf):
        raise ValueError(f"the SVI of expiry {row.expiry} is no smile: {svi}")
    written_s = row.timestamp / 1000 if row.timestamp > LATEST_SECONDS else row.timestamp
    return PublishedSmile(
        row.expiry,
        svi.SVI_a,
        svi.SVI_b,
        svi.SVI_rho,
        svi.SVI_m,
        svi.SVI_sigma,
        svi.SVI_fwd,
        svi.SVI_refTau,
        written_s,
    )


def _unit(number: rows.Num, what: str) -> Decimal:
    """A tick or step without trailing zeros (Derive writes "0.10" and "10" alike), at most 12 decimals."""
    value = decimal_of(number, what).normalize()
    exponent = value.as_tuple().exponent
    if value <= 0 or not isinstance(exponent, int) or -exponent > MAX_DECIMALS:
        raise ValueError(f"{what} {number!r} is no grid Derive can sign")
    return value
