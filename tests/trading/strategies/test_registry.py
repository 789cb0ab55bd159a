"""Strategies are found by their file's name and refuse what they do not understand, before any order."""

from __future__ import annotations

import importlib

import attrs
import pytest
from quoting_markets import settings

from actors.console.settings import key
from actors.trading.errors import ConfigError
from actors.trading.strategies import build, names, read_parameters


@attrs.frozen
class Parameters:
    gamma: float = key(0.1, "risk aversion", unit="per coin", above=0)
    share: float = key(0.5, "a share", low=0, high=1)


def test_the_files_are_the_names() -> None:
    """Every file of the folder is a strategy."""
    assert {"improve", "mid_spread"} <= set(names())


def test_an_unknown_strategy_shows_those_there_are() -> None:
    """The fix is in the message."""
    with pytest.raises(ConfigError, match=r"quoting\.strategy: no strategy 'grid'; choose one of .*improve"):
        build(settings(strategy="grid"))


def test_no_path_leads_out_of_the_folder() -> None:
    """A dotted name is no strategy, so configuration cannot import anything else."""
    with pytest.raises(ConfigError):
        build(settings(strategy="..errors"))


def test_a_parameter_of_no_use_is_refused() -> None:
    """`improve` has none of its own."""
    with pytest.raises(ConfigError, match=r"quoting\.params\.gamma: unknown to improve"):
        build(settings(params={"gamma": 1.0}))


def test_all_wrong_parameters_are_named_at_once() -> None:
    """A misspelt one with a suggestion, one out of range with its range, one that is no number."""
    given = {"gama": 1.0, "gamma": 0.0, "share": float("nan")}
    with pytest.raises(ConfigError) as caught:
        read_parameters(Parameters, given, "toy")
    assert caught.value.problems == (
        "quoting.params.gama: unknown to toy; did you mean gamma?",
        "quoting.params.gamma: 0 is out of range; give above 0 per coin",
        "quoting.params.share: nan is no finite number; give 0 or more, at most 1",
    )


def test_given_parameters_replace_defaults() -> None:
    """Integers from the TOML become floats; what is not given keeps its default."""
    assert read_parameters(Parameters, {"gamma": 2}, "toy") == Parameters(gamma=2.0, share=0.5)


def test_every_default_is_inside_its_own_range() -> None:
    """A strategy that would refuse its own defaults is broken."""
    for name in names():
        kind = importlib.import_module(f"actors.trading.strategies.{name}").Parameters
        defaults = {field.name: field.default for field in attrs.fields(kind)}
        assert read_parameters(kind, defaults, name) == kind()
        assert all(field.metadata["help"] for field in attrs.fields(kind))
