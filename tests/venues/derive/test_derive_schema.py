"""Every request our Derive dialect can make, against the machine-readable schema of the venue."""

from __future__ import annotations

import re
from typing import Any

from derive_answers import TERMS, Orders, Wallet, listed, listing, newcomer, subscriber
from derive_kit import IN_FLIGHT, NAME, RESTING, drive, maker, params, reference, wish

from actors.venues.dialect import Call


def conforms(value: Any, kind: str, types: dict[str, Any]) -> bool:
    """Whether a JSON value is of a type of the machine-readable schema."""
    if kind.endswith("|null"):
        return value is None or conforms(value, kind[:-5], types)
    if kind.startswith("array<"):
        return isinstance(value, list) and all(conforms(each, kind[6:-1], types) for each in value)
    if kind in types:
        shape = types[kind]
        return value in shape["enum"] if "enum" in shape else not misfits(value, shape["fields"], types)
    return {
        "string": lambda: isinstance(value, str),
        "decimal": lambda: isinstance(value, str) and re.fullmatch(r"\d+(\.\d{1,12})?", value) is not None,
        "int": lambda: isinstance(value, int) and not isinstance(value, bool),
        "bool": lambda: isinstance(value, bool),
    }[kind]()


def misfits(body: dict[str, Any], fields: dict[str, str], types: dict[str, Any]) -> list[str]:
    """What is missing, unknown or of the wrong type."""
    known = {name.rstrip("?"): kind for name, kind in fields.items()}
    wrong = [name for name in fields if not name.endswith("?") and name not in body]
    wrong += [name for name in body if name not in known]
    return wrong + [name for name in body if name in known and not conforms(body[name], known[name], types)]


def every_conversation() -> list[Call]:
    """The calls of every script of the dialect."""
    calls: list[Call] = []
    dialect = maker()
    wallet = Wallet()
    facts, made = drive(newcomer().open_private(), wallet)
    calls += made + drive(newcomer().close_private(facts), wallet)[1]
    calls += drive(newcomer().load_instruments("ETH"), listing([listed()]))[1]
    calls += drive(dialect.subscribe(["a"], private=False), subscriber(set()))[1]
    calls += drive(dialect.unsubscribe(["a"], private=False), lambda *_: {})[1]
    calls += drive(dialect.open_orders("ETH"), lambda *_: {"orders": []})[1]
    calls += drive(dialect.order_state("1", "id", NAME, 0), Orders(history=[[]]))[1]
    calls += drive(dialect.fills_since(0, "ETH"), lambda *_: {"trades": []})[1]
    for expiries in ((1,), (1, 2)):
        calls += drive(dialect.published_smiles("ETH", expiries), lambda *_: {})[1]
    calls += drive(dialect.server_time(), lambda *_: 1)[1]
    calls += drive(dialect.set_mmp(TERMS), lambda *_: {})[1]
    calls += drive(dialect.get_mmp("ETH"), lambda *_: [])[1]
    calls += drive(dialect.reset_mmp("ETH"), lambda *_: "ok")[1]
    stray = {"positions": [{"instrument_name": "ETH-20270101-1-P", "amount": "1"}]}
    answers = {"private/get_positions": stray, "public/get_instrument": listed()}
    return calls + drive(maker().positions("ETH"), lambda call, _: answers[call.method])[1]


def test_every_request_conforms_to_the_schema():
    """Each method exists, and each of its parameters is there and of the documented type."""
    schema = reference("derive-v3-schema.json")
    methods = {**schema["methods"], **schema["ws_only_methods"]}
    dialect = maker()
    calls = [dialect.place(wish()), dialect.replace(wish(), RESTING, 0), dialect.replace(wish(), IN_FLIGHT, 4)]
    calls += [dialect.cancel(RESTING), dialect.cancel(IN_FLIGHT), *dialect.cancel_ours("run", "ETH")]
    calls += [*dialect.cancel_account(), *every_conversation()]
    for call in calls:
        shape = methods[call.method]["params"]
        fields = shape if isinstance(shape, dict) else schema["types"][shape]["fields"]
        assert misfits(params(call), fields, schema["types"]) == [], call.method
    assert len({call.method for call in calls}) >= 20
