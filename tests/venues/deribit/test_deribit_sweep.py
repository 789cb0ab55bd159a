"""How everything of ours is pulled on Deribit by whoever comes after: order by order, and quotes by their set."""

from __future__ import annotations

import json
from typing import Any

from deribit_kit import Refusal, drive, maker, order_row

from actors.venues.dialect import Call
from actors.venues.proof import SINGLY, prefixed, sweep

RUN = "sm-main-cell0-r1"


def test_orders_are_cancelled_one_by_one_and_the_operators_never():
    """Each has a label of its own; another prefix is another's."""
    rows = [
        order_row(order_id="1", label=f"{RUN}-a"),
        order_row(order_id="2", label=f"{RUN}-b"),
        order_row(order_id="3", label="x"),
    ]

    def venue(call: Call, params: dict[str, Any]) -> Any:
        return rows if call.method == "private/get_open_orders_by_currency" else Refusal(11044)

    resting, calls = drive(sweep(maker(), "ETH", prefixed("sm-main-")), venue)
    assert [order.venue_id for order in resting] == ["1", "2"]
    assert [json.loads(call.params) for call in calls[1:]] == [{"order_id": "1"}, {"order_id": "2"}]


def test_quotes_of_a_dead_run_go_by_their_set_and_a_few_singly():
    """One call for all of them; should it be refused, each round still takes some away."""
    quote = {"label": "", "quote": True, "quote_set_id": RUN, "mmp": True}
    rows = [order_row(order_id=str(n), quote_id=str(n), **quote) for n in range(40)]
    rows.append(order_row(order_id="plain", label=f"{RUN}-a"))

    def venue(call: Call, params: dict[str, Any]) -> Any:
        return rows if call.method == "private/get_open_orders_by_currency" else Refusal(10001)

    resting, calls = drive(sweep(maker(), "ETH", prefixed("sm-main-")), venue)
    assert len(resting) == 41
    sets = [json.loads(call.params) for call in calls if call.method == "private/cancel_quotes"]
    assert sets == [{"cancel_type": "quote_set_id", "quote_set_id": RUN}]
    singly = [json.loads(call.params)["order_id"] for call in calls if call.method == "private/cancel"]
    assert singly == [*map(str, range(SINGLY)), "plain"]
