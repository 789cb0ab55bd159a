"""What reading and writing Derive's frames costs: ours against json, orjson and msgspec without types.

Three pieces of work: a ticker (text to typed values), an order's answer (text to proof), an order (values to text, its
signature given). Untyped variants stop at dicts of strings; the ones called "to the same values" go on to exact ticks
and floats, which is what a maker needs. Every round reads other frames, so that no memory of ours is always warm.
`run` is called by `python -m benchmarks wire`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from actors.trading.instruments import FeeSchedule, Instrument, OptionKind, Side
from actors.venues.derive import rows
from actors.venues.derive.signing import OrderSigner, SigningKey
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import OrderRequest, Outcome, TickerUpdate
from actors.venues.protocol import Answer, JsonRpc, Notice
from benchmarks.peers import Peer, start_peers
from benchmarks.rounds import Medians, Variant, interleave, one_core, print_table, timed
from benchmarks.sign import KEY, ORDER

NAME = "ETH-20261225-2800-C"
FRAMES = 256
TIMES = 1024
SIGNATURE = "0x" + "ab" * 64 + "1b"

OPTION = Instrument(
    name=NAME,
    venue="derive",
    underlying="ETH",
    tick=Decimal("0.1"),
    amount_step=Decimal("0.01"),
    min_amount=10,
    max_amount=1_000_000,
    kind=OptionKind.CALL,
    strike=2800.0,
    expiry_s=1_798_185_600,
    fees=FeeSchedule(0.0001, 0.0003, 0.5, 0.125),
    asset_address=ORDER["asset"],
    sub_id=int(ORDER["sub_id"]),
)


class Presigned(OrderSigner):
    """Signs nothing: the benchmark `sign` measures that."""

    __slots__ = ()

    def sign(self, *_words: Any) -> str:
        return SIGNATURE


class _Params(msgspec.Struct, gc=False):
    channel: str
    data: rows.SlimTicker


class _TickerFrame(msgspec.Struct, gc=False):
    params: _Params


def ticker_frame(dice: random.Random) -> bytes:
    """A slim ticker as the exchange sends it, with other numbers each time."""
    mark = dice.randint(1000, 4000)

    def text(low: float, high: float, digits: int) -> str:
        return f"{dice.uniform(low, high):.{digits}f}"

    pricing = {"d": text(0.1, 0.9, 5), "g": text(0, 1e-3, 8), "v": text(0.1, 4, 5), "t": "-" + text(0.1, 4, 5)}
    pricing |= {"i": text(0.3, 0.9, 5), "f": text(2500, 2700, 1), "m": f"{mark / 10}", "df": "0.999"}
    pricing |= {"ai": text(0.6, 0.9, 5), "bi": text(0.3, 0.5, 5), "r": text(1, 20, 5)}
    stats = {"c": "12.5", "h": "400.1", "l": "380", "n": 7, "oi": "42.13", "p": "-0.045", "pr": "4950.2", "v": "32000.5"}
    snapshot = {
        "A": text(1, 500, 2),
        "B": text(1, 500, 2),
        "I": text(2595, 2605, 1),
        "M": f"{mark / 10}",
        "a": f"{(mark + dice.randint(1, 30)) / 10}",
        "b": f"{(mark - dice.randint(1, 30)) / 10}",
        "f": None,
        "maxp": f"{(mark + 400) / 10}",
        "minp": f"{max(1, mark - 400) / 10}",
        "option_pricing": pricing,
        "stats": stats,
        "t": 1_795_338_000_000 + dice.randint(0, 10**6),
    }
    data = {"instrument_ticker": snapshot, "timestamp": snapshot["t"]}
    return msgspec.json.encode({"method": "subscription", "params": {"channel": f"ticker_slim.{NAME}.1000", "data": data}})


def answer_frame(dice: random.Random) -> bytes:
    """The answer to a placed order, resting."""
    order = {
        "order_id": f"6a6eed97-b882-4909-a7ac-{dice.randrange(16**12):012x}",
        "subaccount_id": ORDER["subaccount_id"],
        "instrument_name": NAME,
        "direction": dice.choice(["buy", "sell"]),
        "label": "mm-ETH-1",
        "order_type": "limit",
        "time_in_force": "post_only",
        "amount": f"{dice.randint(10, 500) / 100}",
        "filled_amount": "0",
        "average_price": "0",
        "limit_price": f"{dice.randint(1000, 4000) / 10}",
        "signed_limit_price": None,
        "max_fee": "7.34",
        "order_fee": "0",
        "extra_fee": "0",
        "nonce": str(1_795_338_000_123_456_000 + dice.randint(0, 10**9)),
        "signature": SIGNATURE,
        "signature_expiry_sec": 1_795_338_900,
        "signer": ORDER["owner"],
        "mmp": False,
        "is_transfer": False,
        "order_status": "open",
        "cancel_reason": "",
        "creation_timestamp": 1_795_338_000_200,
        "last_update_timestamp": 1_795_338_000_200,
        "quote_id": None,
        "replaced_order_id": None,
    }
    return msgspec.json.encode({"id": dice.randint(1, 10**6), "result": {"order": order, "trades": []}})


class Desk:
    """Our side, as the cell holds it: the JSON-RPC machine and the dialect."""

    def __init__(self) -> None:
        self.rpc = JsonRpc()
        self.dialect = DeriveDialect(lambda: 0, key=SigningKey.from_hex(KEY), wallet=ORDER["owner"])
        self.dialect.adopt(ORDER["subaccount_id"])
        self.dialect.learn([OPTION])
        self.dialect.note_reference(NAME, 2600.0, 100.0)
        nonce, expires_s, reject_ms = "1795338000123456007", 1_795_338_900, 1_795_338_001_123
        self.order = OrderRequest(NAME, Side.BID, 1005, 10, nonce, "mm-ETH-1", expires_s, reject_ms)
        self.call = self.dialect.place(self.order)
        self.dialect._writer._signer = Presigned(SigningKey.from_hex(KEY), ORDER["owner"], ORDER["subaccount_id"], 1)

    def ticker(self, frame: bytes) -> TickerUpdate:
        notice = self.rpc.receive(frame)
        assert isinstance(notice, Notice)
        (news,) = self.dialect.decode_notice(notice.method, notice.channel, notice.data)
        assert isinstance(news, TickerUpdate)
        return news

    def answer(self, frame: bytes) -> Outcome:
        answer = self.rpc.receive(frame)
        assert isinstance(answer, Answer)
        return self.dialect.read_outcome(self.call, answer.result, answer.error)

    def write(self) -> bytes:
        return self.rpc.request(self.dialect.place(self.order))[1]


def plain_ticker(frame: bytes) -> TickerUpdate:
    """What a careful maker does with json: exact ticks through Decimal, floats for the rest."""
    message = json.loads(frame)
    row = message["params"]["data"]["instrument_ticker"]
    pricing = row["option_pricing"]
    return TickerUpdate(
        instrument=message["params"]["channel"].split(".")[1],
        ts_ms=row["t"],
        best_bid=OPTION.price_ticks(row["b"]),
        best_ask=OPTION.price_ticks(row["a"]),
        mark=float(row["M"]) or None,
        mark_vol=float(pricing["i"]) or None,
        forward=float(pricing["f"]) or None,
        index=float(row["I"]) or None,
        discount=float(pricing["df"]) or 1.0,
        band_low=OPTION.price_ticks(row["minp"]),
        band_high=OPTION.price_ticks(row["maxp"]),
    )


def plain_request(order: OrderRequest) -> bytes:
    """The same frame from a dict through json.dumps."""
    params = {
        "subaccount_id": ORDER["subaccount_id"],
        "instrument_name": order.instrument,
        "direction": "buy",
        "order_type": "limit",
        "time_in_force": "post_only",
        "reject_post_only": True,
        "signer": ORDER["owner"],
        "max_fee": "7.34",
        "limit_price": str(order.price * OPTION.tick),
        "amount": str(order.amount * OPTION.amount_step),
        "nonce": order.client_id,
        "signature_expiry_sec": order.expires_s,
        "reject_timestamp": order.reject_ms,
        "mmp": order.mmp,
        "label": order.label,
        "signature": SIGNATURE,
    }
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "private/order", "params": params}).encode()


def over(frames: list[bytes], read: Callable[[bytes], object]) -> tuple[Variant, int]:
    """Reads one frame after another; all variants read the same ones."""
    endless = itertools.cycle(frames)
    return timed(lambda: read(next(endless))), TIMES


def orjson_variant(peer: Peer, frames: list[bytes]) -> tuple[Variant, int]:
    def run(times: int) -> float:
        return float(peer.ask({"numbers": list(range(times))})["us"])

    peer.ask({"frames": [frame.decode() for frame in frames]})
    return run, TIMES


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """Prints three tables; {"ratios": how many times ours each costs, "medians": microseconds}."""
    dice = random.Random(6)
    tickers = [ticker_frame(dice) for _ in range(FRAMES)]
    answers = [answer_frame(dice) for _ in range(FRAMES)]
    desk = Desk()
    if [desk.ticker(frame) for frame in tickers] != [plain_ticker(frame) for frame in tickers]:
        raise ArithmeticError("our reading of a ticker differs from the plain one")
    typed = msgspec.json.Decoder(_TickerFrame, strict=False)
    reading: dict[str, tuple[Variant, int]] = {
        "ticker: ours, text to news": over(tickers, desk.ticker),
        "ticker: ours, text to Struct": over(tickers, typed.decode),
        "ticker: json.loads": over(tickers, json.loads),
        "ticker: json to the same values": over(tickers, plain_ticker),
        "ticker: msgspec untyped": over(tickers, msgspec.json.decode),
        "answer: ours, text to proof": over(answers, desk.answer),
        "answer: json.loads": over(answers, json.loads),
        "answer: msgspec untyped": over(answers, msgspec.json.decode),
        "order: ours, values to text": (timed(desk.write), TIMES),
        "order: dict and json.dumps": (timed(lambda: plain_request(desk.order)), TIMES),
    }
    with one_core(), contextlib.ExitStack() as stack:
        wanted = {f"{what}: orjson": ("json", "read_orjson") for what in ("ticker", "answer")}
        peers, absent = start_peers({} if quick else wanted)
        for name, peer in peers.items():
            stack.callback(peer.close)
            reading[name] = orjson_variant(peer, tickers if name.startswith("ticker") else answers)
        medians = interleave(reading, rounds)
    return _report(medians, absent)


_FIRST = {
    "ticker": "ticker: ours, text to news",
    "answer": "answer: ours, text to proof",
    "order": "order: ours, values to text",
}


def _report(medians: Medians, absent: dict[str, str]) -> dict[str, Any]:
    ratios: dict[str, float] = {}
    for what, ours in _FIRST.items():
        part = Medians({name: each for name, each in medians.rounds_us.items() if name.startswith(what)})
        missing = {name: remedy for name, remedy in absent.items() if name.startswith(what)}
        print_table(f"Derive, {what}", part, ours, missing)
        ratios |= {name: part.ratio(name, ours) for name in part.rounds_us if name != ours}
    struct, loads = "ticker: ours, text to Struct", "ticker: json.loads"
    ratios["ticker: json.loads / ours, text to Struct"] = medians.ratio(loads, struct)
    print(f"\njson.loads costs {ratios['ticker: json.loads / ours, text to Struct']:.2f} times our typed Struct")
    return {"ratios": ratios, "medians": {name: medians[name] for name in medians.rounds_us}, "absent": sorted(absent)}
