"""Connections of the Deribit face once they stand: heartbeats, cancel on disconnect, credits, misbehaviour."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deribit_desk import CALL, CallError, Client, Venue

from actors.venues.paper.faults import FrameFault

# -- heartbeats


def beats(client: Client) -> list[str]:
    client.take()
    found = [frame["params"]["type"] for frame in client.others if frame.get("method") == "heartbeat"]
    client.others.clear()
    return found


def test_a_silent_client_is_asked_and_then_closed_with_4000(venue: Venue, maker: Client) -> None:
    """One interval of silence draws a test_request; another one the close."""
    assert maker.code("public/set_heartbeat", interval=9) == -32602
    assert maker.call("public/set_heartbeat", interval=10) == "ok"
    venue.later(10)
    assert beats(maker) == ["heartbeat", "test_request"]
    venue.later(9)
    assert not maker.session.doomed
    venue.later(1.1)
    assert (maker.session.doomed, maker.session.close_code) == ("heartbeat close", 4000)


def test_orders_go_with_the_missed_heartbeat_and_not_with_the_goodbye(venue: Venue, maker: Client) -> None:
    """Whoever does not answer may not close either: two intervals, and nothing rests."""
    maker.call("private/enable_cancel_on_disconnect")
    maker.buy()
    maker.call("public/set_heartbeat", interval=10)
    venue.later(10)
    venue.later(9.9)
    assert venue.engine.open_orders(maker.user_id)
    venue.later(0.2)
    assert venue.engine.open_orders(maker.user_id) == []
    assert maker.session.doomed == "heartbeat close"


def test_public_test_is_the_answer_other_requests_are_not(venue: Venue, maker: Client) -> None:
    """The strict reading; a busy client is never asked."""
    maker.call("public/set_heartbeat", interval=10)
    venue.later(10)
    assert maker.call("public/test")["version"]
    venue.later(5)
    maker.call("public/get_time")
    venue.later(5)
    assert beats(maker) == ["heartbeat", "test_request", "heartbeat"]
    venue.later(10)
    maker.call("public/get_time")
    venue.later(10)
    assert maker.session.doomed == "heartbeat close"
    lenient = Venue(face={"any_request_is_life": True}).client()
    lenient.call("public/set_heartbeat", interval=10)
    lenient.venue.later(10)
    lenient.call("public/get_time")
    lenient.venue.later(10)
    assert not lenient.session.doomed


def test_heartbeats_can_be_switched_off(venue: Venue, maker: Client) -> None:
    """No beat, no close."""
    maker.call("public/set_heartbeat", interval=10)
    maker.call("public/disable_heartbeat")
    venue.later(60)
    assert beats(maker) == []
    assert not maker.session.doomed


# -- cancel on disconnect


def test_only_orders_of_that_very_connection_are_pulled(venue: Venue, maker: Client) -> None:
    """Not those of the same user's other socket, and not those that came over HTTP."""
    maker.call("private/enable_cancel_on_disconnect")
    assert maker.call("private/get_cancel_on_disconnect") == {"scope": "connection", "enabled": True}
    second = venue.client(0)
    second.call("private/subscribe", channels=["user.orders.any.any.raw"])
    mine, other = maker.buy(), second.buy(0.029)
    second.heard("user.orders.any.any.raw")
    maker.drop()
    [told] = second.heard("user.orders.any.any.raw")
    assert (told["order_id"], told["cancel_reason"]) == (mine["order_id"], "cancel_on_disconnect")
    assert second.resting() == [other["order_id"]]


def test_without_it_or_after_a_logout_orders_stay(venue: Venue, maker: Client) -> None:
    """A logout closes the socket without an answer and without pulling anything."""
    second = venue.client(0)
    second.buy()
    second.drop()
    maker.call("private/enable_cancel_on_disconnect")
    maker.buy(0.029)
    assert maker.ask("private/logout") is None
    assert (maker.session.doomed, maker.session.close_code) == ("logout", 1000)
    maker.drop()
    assert len(venue.client(0).resting()) == 2


def test_the_accounts_default_holds_for_new_connections(venue: Venue, maker: Client) -> None:
    """Set once, it is on wherever the account logs in afterwards, until that connection says otherwise."""
    maker.call("private/enable_cancel_on_disconnect", scope="account")
    assert maker.call("private/get_cancel_on_disconnect", scope="connection")["enabled"] is False
    second = venue.client(0)
    assert second.call("private/get_cancel_on_disconnect", scope="account")["enabled"] is True
    second.buy()
    second.drop()
    assert maker.resting() == []
    third = venue.client(0)
    third.call("private/disable_cancel_on_disconnect")
    third.buy()
    third.drop()
    assert len(maker.resting()) == 1


def test_silence_without_heartbeats_loses_the_connection(venue: Venue, maker: Client) -> None:
    """After ten minutes, where cancel-on-disconnect is on."""
    maker.call("private/enable_cancel_on_disconnect")
    venue.later(599)
    assert not maker.session.doomed
    venue.later(2)
    assert maker.session.doomed == "idle"


def test_a_late_cancel_is_late_and_a_restart_pulls_too(venue: Venue) -> None:
    """The fault delays the pull; a venue that restarts loses every connection."""
    venue.exchange.faults.late_cancel_s = 2.0
    first = venue.client(0)
    first.call("private/enable_cancel_on_disconnect")
    first.buy()
    first.drop()
    watch = venue.client(0)
    venue.later(1.9)
    assert len(watch.resting()) == 1
    venue.later(0.2)
    assert watch.resting() == []
    watch.call("private/enable_cancel_on_disconnect")
    watch.buy()
    venue.exchange.faults.restart(1.0)
    assert venue.engine.open_orders(watch.user_id) == []


# -- credits


def test_a_spent_pool_answers_10028_and_ends_the_session() -> None:
    """Each pool for itself: the matching one is empty, the other is not."""
    venue = Venue(tier="4")
    maker, second = venue.client(0), venue.client(0)
    codes = [maker.ask("private/cancel", order_id="x") for _ in range(21)]
    assert [answer["error"]["code"] for answer in codes if answer] == [10004] * 20 + [10028]
    assert maker.session.doomed == "too many requests"
    assert second.call("private/get_open_orders") == []
    venue.later(1)
    assert second.code("private/cancel", order_id="x") == 10004


@pytest.mark.parametrize(
    ("method", "params", "burst"),
    [
        ("public/subscribe", {"channels": []}, 10),
        ("public/get_instruments", {"currency": "BTC"}, 50),
        ("private/cancel_all", {}, 20),
        ("private/cancel_by_label", {"label": "x"}, 20),
        ("private/get_transaction_log", {"currency": "ETH", "start_timestamp": 1, "end_timestamp": 2}, 8),
        ("public/get_time", {}, 100),
    ],
)
def test_every_pool_has_its_own_burst(method: str, params: dict[str, Any], burst: int) -> None:
    """As the account's limits and the venue's table of costs say; a login is the address's."""
    client = Venue(tier="4").client()
    for _ in range(burst):
        answer = client.ask(method, **params)
        assert answer is not None
        assert "result" in answer
    assert client.code(method, **params) == 10028


def test_limits_are_told_with_the_account(venue: Venue) -> None:
    """The summary's pools are those that are charged."""
    limits = Venue(tier="trader").client().call("private/get_account_summary", currency="ETH", extended=True)["limits"]
    assert limits["matching_engine"]["trading"]["total"] == {"rate": 5, "burst": 20}
    assert limits["non_matching_engine"] == {"rate": 20, "burst": 100}
    assert limits["matching_engine"]["maximum_quotes"] == {"rate": 500, "burst": 500}
    assert limits["limits_per_currency"] is False


# -- misbehaviour


def test_faults_speak_the_venues_numbers(venue: Venue, maker: Client) -> None:
    """Neutral faults become 10028 (with the end of the session), 13888 and 11094; a given code is kept."""
    faults = venue.exchange.faults
    faults.unknown_outcome("private/buy")
    assert maker.code("private/buy", instrument_name=CALL, amount=1, price=0.03) == 13888
    assert len(maker.resting()) == 1
    faults.refuse("private/cancel_all")
    assert maker.code("private/cancel_all") == 11094
    faults.refuse("private/cancel_all", code=10047, message="matching_engine_queue_full")
    assert maker.code("private/cancel_all") == 10047
    faults.swallow_answer("private/cancel_all")
    assert maker.ask("private/cancel_all") is None
    assert maker.resting() == []
    faults.rate_limit("public/get_time")
    assert maker.code("public/get_time") == 10028
    assert maker.session.doomed == "too many requests"


def test_notices_may_come_before_the_answer() -> None:
    """Or after it, as the exchange is told."""
    order = {}
    for notices in ("before", "after"):
        maker = Venue(notices=notices).client()
        maker.call("private/subscribe", channels=["user.orders.any.any.raw"])
        order_terms = {"instrument_name": CALL, "amount": 1, "price": 0.03}
        maker.say(json.dumps({"id": 99, "method": "private/buy", "params": order_terms}))
        order[notices] = ["notice" if "method" in frame else "answer" for frame in maker.take()]
    assert order == {"before": ["notice", "answer"], "after": ["answer", "notice"]}


def test_answers_may_come_out_of_order(venue: Venue, maker: Client) -> None:
    """A reordering fault on answers alone: ids are all a client can go by."""
    venue.exchange.faults.arm(FrameFault("reorder", match='"usOut"'))
    for id_ in range(100, 110):
        maker.say(json.dumps({"id": id_, "method": "public/get_time", "params": {}}))
    arrived = []
    for _ in range(30):
        venue.later(0.01)
        arrived += [frame["id"] for frame in maker.take()]
    assert sorted(arrived) == list(range(100, 110))
    assert arrived != sorted(arrived)


def test_too_many_sockets_of_one_address_are_turned_off() -> None:
    """Told and closed."""
    venue = Venue(max_connections_per_ip=1)
    venue.client(login=False)
    second = venue.client(login=False)
    assert second.take()[0]["error"]["code"] == 10028
    assert second.session.doomed == "too many connections"


def test_the_ready_facts_log_in(venue: Venue) -> None:
    """`client_id:client_secret` of each account, and a key that may only read."""
    facts = venue.face.ready_facts()
    client_id, secret = facts["accounts"][1]["session_key"].split(":")
    guest = venue.client(login=False)
    login = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    assert guest.call("public/auth", **login)
    assert guest.call("private/get_account_summary", currency="ETH", extended=True)["id"] == facts["accounts"][1]["user_id"]
    assert facts["expiries"] == ["20261218"]
    with pytest.raises(CallError):
        guest.call("public/auth", **{**login, "client_secret": "x"})
