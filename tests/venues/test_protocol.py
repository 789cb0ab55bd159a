"""The JSON-RPC machine: what goes out is JSON-RPC 2.0, whatever comes in is typed or refused, and no secret is quoted."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.venues.dialect import Call
from actors.venues.protocol import Answer, Heartbeat, JsonRpc, MalformedFrame, Notice

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def receive(message: object) -> Answer | Notice | Heartbeat | None:
    return JsonRpc().receive(json.dumps(message).encode())


def test_a_request_is_json_rpc_with_the_parameters_as_they_were_written() -> None:
    """The frame is valid JSON-RPC 2.0, and the parameter text is not touched."""
    number, frame = JsonRpc(41).request(Call("private/order", b'{"price": "1.10"}'))
    assert number == 41
    assert json.loads(frame) == {"jsonrpc": "2.0", "id": 41, "method": "private/order", "params": {"price": "1.10"}}
    assert b'{"price": "1.10"}' in frame


def test_ids_rise_by_one_and_never_repeat() -> None:
    """Every request has an id of its own."""
    rpc = JsonRpc()
    assert [rpc.request(Call("m"))[0] for _ in range(100)] == list(range(1, 101))


@given(json_values)
def test_a_result_comes_back_as_the_text_it_was(value: object) -> None:
    """Whatever JSON a result is, null included, it is handed on untouched."""
    answer = receive({"jsonrpc": "2.0", "id": 7, "result": value, "usIn": 1, "usOut": 2, "testnet": True})
    assert isinstance(answer, Answer)
    assert answer.id == 7
    assert answer.error is None
    assert answer.result is not None
    assert json.loads(bytes(answer.result)) == value


@given(st.text(max_size=30).filter(bool), json_values)
def test_a_notification_comes_back_with_channel_and_data(channel: str, value: object) -> None:
    """A notice keeps its channel, and its data as text; extra fields such as a label are ignored."""
    params = {"channel": channel, "data": value, "label": "x"}
    heard = receive({"jsonrpc": "2.0", "method": "subscription", "params": params})
    assert isinstance(heard, Notice)
    assert (heard.method, heard.channel) == ("subscription", channel)
    assert json.loads(bytes(heard.data)) == value


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        ("Retry after 12 ms", "Retry after 12 ms"),
        (None, ""),
        ({"reason": "value required", "param": "currency"}, '{"reason":"value required","param":"currency"}'),
        (3, "3"),
    ],
)
def test_an_error_is_code_message_and_detail_as_text(data: object, detail: str) -> None:
    """Details come as text, as objects, or not at all; the reader always gets text."""
    frame = {"id": 3, "error": {"code": -32602, "message": "Invalid params", "data": data}}
    answer = JsonRpc().receive(json.dumps(frame, separators=(",", ":")))
    assert isinstance(answer, Answer)
    assert answer.result is None
    assert answer.error == (-32602, "Invalid params", detail)


def test_an_error_without_details_or_of_unknown_shape_is_still_a_refusal() -> None:
    """A refusal is never taken for success because it looks odd."""
    assert receive({"id": 3, "error": {"code": 1, "message": "no"}}) == Answer(3, None, (1, "no", ""))
    assert receive({"id": 3, "error": "overloaded"}) == Answer(3, None, (0, "overloaded", ""))
    assert receive({"id": 3, "error": {"code": "x"}}) == Answer(3, None, (0, '{"code": "x"}', ""))
    both = receive({"id": 3, "error": {"code": 1, "message": "no"}, "result": 5})
    assert isinstance(both, Answer)
    assert both.error == (1, "no", "")


def test_a_null_error_beside_a_result_is_a_result() -> None:
    """Some servers send both members."""
    answer = receive({"id": 3, "error": None, "result": "ok"})
    assert isinstance(answer, Answer)
    assert answer.error is None
    assert bytes(answer.result or b"") == b'"ok"'


def test_ids_may_be_text_or_missing() -> None:
    """An answer to a request that could not be read has no id."""
    assert receive({"id": "12", "error": {"code": 1, "message": "m"}}) == Answer("12", None, (1, "m", ""))
    assert receive({"id": None, "error": {"code": -32700, "message": "m"}}) == Answer(None, None, (-32700, "m", ""))


def test_heartbeats_say_what_they_want() -> None:
    """A test request is told from a plain heartbeat."""
    assert receive({"method": "heartbeat", "params": {"type": "test_request"}}) == Heartbeat("test_request")
    assert receive({"method": "heartbeat", "params": {"type": "heartbeat"}}) == Heartbeat("heartbeat")


def test_notifications_of_other_kinds_keep_their_method() -> None:
    """An unknown method is handed on, with or without parameters."""
    heard = receive({"method": "maintenance"})
    assert isinstance(heard, Notice)
    assert (heard.method, heard.channel, bytes(heard.data)) == ("maintenance", "", b"")


def test_a_bare_pong_is_nobodys_business() -> None:
    """Derive answers a text ping with a bare word, which is not JSON."""
    assert JsonRpc().receive(b"pong") is None
    assert JsonRpc().receive("pong") is None


@pytest.mark.parametrize(
    "frame",
    [b"", b"{", b"[]", b"null", b"hello", b'{"id":1}', b'{"id":[1],"result":2}', b'{"id":1,"result":2}x', b"\xff\xfe", "{"],
)
def test_what_is_no_message_is_refused(frame: bytes | str) -> None:
    """Nonsense is an error of its own kind, which is a ValueError."""
    with pytest.raises(MalformedFrame):
        JsonRpc().receive(frame)


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(frame: bytes) -> None:
    """Whatever arrives is a typed message, nothing, or a MalformedFrame."""
    try:
        heard = JsonRpc().receive(frame)
    except MalformedFrame:
        return
    assert heard is None or isinstance(heard, (Answer, Notice, Heartbeat))


def test_deep_nesting_is_malformed_not_a_crash() -> None:
    """A hostile depth does not become a RecursionError in the reader."""
    with pytest.raises(MalformedFrame):
        JsonRpc().receive(b'{"id":1,"result":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_every_way_to_cut_a_login_answer_hides_the_token() -> None:
    """The complaint about a mutilated frame quotes its beginning, but never a token, wherever the frame was cut."""
    token = "1770000000.1AbCdEfGhIjKlMnOpQrStUvWx.Yz0123456789-_"
    frame = json.dumps({"id": 1, "result": {"access_token": token}}).encode()
    for start in range(1, len(frame)):
        with pytest.raises(MalformedFrame) as caught:
            JsonRpc().receive(frame[start:-1])
        assert not any(token[at : at + 16] in str(caught.value) for at in range(len(token) - 15))


def test_the_raw_parts_decode_to_typed_structs() -> None:
    """What is handed on can be decoded again without a copy, also from a bytearray."""

    class Ticker(msgspec.Struct):
        mark: float

    heard = JsonRpc().receive(bytearray(b'{"method":"subscription","params":{"channel":"t","data":{"mark":1.5,"x":0}}}'))
    assert isinstance(heard, Notice)
    assert msgspec.json.decode(heard.data, type=Ticker) == Ticker(1.5)
