"""Flag over environment over file over default, merged under every cell, with the origin of each value kept."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from console_kit import GOOD_KEY, GOOD_WALLET, problems

from actors.console import cli, config, shapes
from actors.console.flags import BY_NAME, ENVIRONMENT, FLAGS, two_dashes
from actors.console.settings import Settings
from actors.trading.errors import ConfigError

CHOICE = ["-expiry", "20261225", "-all-strikes"]
FILE = '[[cells]]\nexpiries = ["20261225"]\nall_strikes = true\n'


def load(*argv: str, **environ: str) -> config.Effective:
    return config.load(argv, environ)


def test_the_documented_defaults_hold() -> None:
    """Without anything else a command line gives the defaults of the product's description."""
    settings = load(*CHOICE).settings
    cell = settings.cells[0]
    assert (settings.venue.exchange, settings.venue.live, settings.venue.test) == ("derive", False, False)
    assert cell.underlying == "ETH"
    assert (cell.quoting.spread_bps, cell.quoting.min_spread_bps) == (10.0, 1000.0)
    assert (cell.quoting.size, cell.quoting.refresh_s) == (None, 1.0)
    assert (cell.limits.max_position, cell.limits.max_exposure) == (1.0, 10.0)
    assert (cell.quoting.improvement, cell.quoting.improvement_reference_size) == (0.10, 0.0)
    assert settings.is_paper


def test_flag_beats_environment_beats_file_beats_default(toml: Callable[[str], str]) -> None:
    """Each layer overrides those below it, and the origin says which one spoke."""
    path = toml(f'[venue]\nwallet = "{GOOD_WALLET}"\nsubaccount = 1\n{FILE}')
    assert load(path).settings.venue.subaccount == 1
    assert load(path).origin("venue.subaccount") == "file my.toml"
    from_environment = load(path, DERIVE_SUBACCOUNT_ID="2")
    assert from_environment.settings.venue.subaccount == 2
    assert from_environment.origin("venue.subaccount") == "environment DERIVE_SUBACCOUNT_ID"
    from_flag = load(path, "-subaccount", "3", DERIVE_SUBACCOUNT_ID="2")
    assert from_flag.settings.venue.subaccount == 3
    assert from_flag.origin("venue.subaccount") == "flag -subaccount"
    assert load(path).origin("venue.ping_s") == "default"


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.kind not in ("settings",)], ids=lambda flag: flag.name)
def test_every_flag_works_with_one_dash_and_two(flag: object) -> None:
    """-flag VALUE, --flag VALUE, -flag=VALUE and --flag=VALUE mean the same."""
    assert hasattr(flag, "name")
    assert hasattr(flag, "kind")
    value = [] if flag.kind == "switch" else ["x1"]
    spellings = [[f"{dash}{flag.name}", *value] for dash in ("-", "--")]
    if value:
        spellings += [[f"{dash}{flag.name}=x1"] for dash in ("-", "--")]
    given = [config.flags.parse(words).given for words in spellings]
    assert given == [{flag.name: "true" if flag.kind == "switch" else "x1"}] * len(given)


def test_negative_numbers_and_stray_dashes_stay_as_they_are() -> None:
    """Only words are taken for flags: a number after a flag is its value, and nothing after -- is touched."""
    assert two_dashes(["-size", "-1", "-x", "--", "-size"]) == ["--size", "-1", "-x", "--", "-size"]


def test_every_flag_sets_a_key_that_exists() -> None:
    """The table of flags and the settings cannot drift apart."""
    for path in [flag.path for flag in FLAGS if flag.path] + [row[1] for row in ENVIRONMENT]:
        assert shapes.field_of(path.replace("cells.", "cells[0].", 1)) is not None, path
    assert len(BY_NAME) == len(FLAGS)


def test_shared_sections_are_merged_under_every_cell(toml: Callable[[str], str]) -> None:
    """[quoting] at the top is a default of each cell; a cell's own value wins, key by key."""
    effective = load(
        toml(
            "[quoting]\nsize = 0.2\nrefresh_s = 3\n[limits]\nmax_position = 2\n"
            '[[cells]]\nexpiries = ["20261225"]\nall_strikes = true\n[cells.quoting]\nsize = 0.5\n'
            '[[cells]]\nunderlying = "BTC"\nexpiries = ["25DEC26"]\nstrikes = [100000]\n'
        )
    )
    first, second = effective.settings.cells
    assert (first.quoting.size, first.quoting.refresh_s, first.limits.max_position) == (0.5, 3.0, 2.0)
    assert (second.quoting.size, second.quoting.refresh_s, second.limits.max_position) == (0.2, 3.0, 2.0)
    assert second.expiries == ["20261225"]
    assert effective.origin("cells[1].quoting.size") == "file my.toml"
    assert effective.origin("cells[1].quoting.improvement") == "default"


def test_parameters_of_another_strategy_are_not_inherited(toml: Callable[[str], str]) -> None:
    """A cell that chooses its own strategy does not get the parameters meant for the shared one."""
    effective = load(
        toml(f'[quoting]\nstrategy = "theoretical"\n[quoting.params]\n{FILE}[cells.quoting]\nstrategy = "improve"')
    )
    assert effective.settings.cells[0].quoting.params == {}


def test_a_flag_of_the_cell_applies_to_every_cell(toml: Callable[[str], str]) -> None:
    """-size overrides all cells of the file; what can only be meant for one of several is refused."""
    path = toml(FILE + '[[cells]]\nunderlying = "BTC"\nexpiries = ["20261225"]\nall_strikes = true\n')
    assert [cell.quoting.size for cell in load(path, "-size", "0.7").settings.cells] == [0.7, 0.7]
    (line,) = problems([path, "-strikes", "2800"])
    assert line == "-strikes: the file has 2 cells and this cannot say which is meant; change it in the file"


def test_a_flag_silences_what_the_file_says_to_the_contrary(toml: Callable[[str], str]) -> None:
    """-strikes on a file with all_strikes is an override, not a contradiction; likewise the other way."""
    cell = load(toml(FILE), "-strikes", "2800,3000").settings.cells[0]
    assert (cell.strikes, cell.all_strikes) == ([2800.0, 3000.0], False)
    back = load(toml(FILE.replace("all_strikes = true", "strikes = [1.0]")), "-all-strikes").settings.cells[0]
    assert (back.strikes, back.all_strikes) == ([], True)
    named = load(toml(FILE), "-instruments", "ETH-25DEC26-2800-C").settings.cells[0]
    assert (named.expiries, named.all_strikes, named.instruments) == ([], False, ["ETH-25DEC26-2800-C"])


def test_set_reaches_keys_without_a_flag(toml: Callable[[str], str]) -> None:
    """--set takes any key of the file, and a shared section means every cell."""
    effective = load(toml(FILE), "--set", "quoting.order_life_s=600", "-set", "supervision.guard=false")
    assert effective.settings.cells[0].quoting.order_life_s == 600.0
    assert not effective.settings.supervision.guard
    assert effective.origin("supervision.guard") == "flag -set"


def test_set_takes_the_word_as_it_stands_where_the_key_is_text(toml: Callable[[str], str]) -> None:
    """An address is no number, for all its 0x; quotes may be left out, and do no harm."""
    for word in (GOOD_WALLET, f'"{GOOD_WALLET}"'):
        assert load(toml(FILE), "-set", f"venue.wallet={word}").settings.venue.wallet == GOOD_WALLET
    digits = "1" * 64
    assert load(toml(FILE), "-set", f"venue.private_key={digits}").settings.venue.private_key.reveal() == digits
    assert load(toml(FILE), "-set", "venue.tag=7").settings.venue.tag == "7"
    assert load(toml(FILE), "-set", "cells[0].underlying=BTC").settings.cells[0].underlying == "BTC"


def test_who_quotes_nothing_need_not_say_what(toml: Callable[[str], str]) -> None:
    """Neither a missing nor a wrong choice is spoken of then; everything else is."""
    for argv in ([], [toml('[[cells]]\nunderlying = "BTC"\nexpiries = ["soon"]')]):
        assert config.load(argv, {}, is_choice_needed=False).settings.cells
    with pytest.raises(ConfigError, match=r"venue\.tag"):
        config.load(["-set", "venue.tag=a-b"], {}, is_choice_needed=False)


@pytest.mark.parametrize(
    ("extra", "live", "test"),
    [([], True, False), (["-paper"], False, False), (["-test"], False, True), (["-live"], True, False)],
)
def test_only_live_and_test_reach_a_real_venue(extra: list[str], live: bool, test: bool, toml: Callable[[str], str]) -> None:
    """A file that says live is live; -paper and -test take that back, for they are the safer word."""
    path = toml(f'[venue]\nlive = true\nwallet = "{GOOD_WALLET}"\n{FILE}')
    venue = load(path, *extra, DERIVE_PRIVATE_KEY=GOOD_KEY).settings.venue
    assert (venue.live, venue.test) == (live, test)


def test_live_does_not_override_a_file_that_says_test(toml: Callable[[str], str]) -> None:
    """From play money to real money only by an edit of the file."""
    (line,) = problems([toml(f"[venue]\ntest = true\n{FILE}"), "-live", "-private-key", GOOD_KEY, "-wallet", GOOD_WALLET])
    assert line == "-live: the file says venue.test = true; take that out of the file to trade real money"


def test_paper_needs_neither_key_nor_wallet() -> None:
    """The paper exchange's own test credentials are used; the testnet asks for both."""
    assert problems(CHOICE) == ()
    assert len(problems([*CHOICE, "-test"])) == 2
    assert len(problems([*CHOICE, "-test", "-exchange", "deribit"])) == 1


def test_another_exchanges_environment_is_not_looked_at() -> None:
    """A Deribit key in the environment is no Derive key."""
    assert not load(*CHOICE, DERIBIT_PRIVATE_KEY="id:secret").settings.venue.private_key
    deribit = load(*CHOICE, "-exchange", "deribit", DERIBIT_PRIVATE_KEY="id:secret", DERIVE_PRIVATE_KEY="junk")
    assert deribit.settings.venue.private_key.reveal() == "id:secret"


def test_a_key_in_the_environment_beats_a_key_file_in_the_file(toml: Callable[[str], str]) -> None:
    """Of several sources of the key the highest layer counts; two of one layer are refused."""
    path = toml(f'[venue]\nprivate_key_file = "k"\n{FILE}')
    venue = load(path, DERIVE_PRIVATE_KEY=GOOD_KEY).settings.venue
    assert (venue.private_key.reveal(), venue.private_key_file) == (GOOD_KEY, "")


def test_a_key_on_the_command_line_draws_a_warning() -> None:
    """It works, and the operator is told that ps shows it."""
    effective = load(*CHOICE, "-private-key", GOOD_KEY)
    assert effective.settings.venue.private_key.reveal() == GOOD_KEY
    (warning,) = effective.warnings
    assert "ps" in warning
    assert GOOD_KEY not in warning


def test_a_key_in_a_readable_file_draws_a_warning(toml: Callable[[str], str]) -> None:
    """A configuration with a key in it that others may read is worth a warning; a private one is not."""
    path = toml(f'[venue]\nprivate_key = "{GOOD_KEY}"\n{FILE}')
    Path(path).chmod(0o644)
    assert any("chmod 600" in warning for warning in load(path).warnings)
    Path(path).chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert load(path).warnings == ()


def test_less_patience_than_the_venue_needs_draws_a_warning(toml: Callable[[str], str]) -> None:
    """Deribit repeats a quiet option's ticker every four seconds: a shorter bound would pull quotes for nothing."""
    path = toml(f"{FILE}\n[cells.quoting]\nmax_book_age_s = 3.0\n")
    assert load(path).warnings == ()
    assert any("max_book_age_s" in each for each in load(path, "-exchange", "deribit").warnings)


def test_durations_may_carry_a_unit() -> None:
    """90s, 5m and 2h are seconds too."""
    assert load(*CHOICE, "-duration", "5m").settings.duration_s == 300.0
    assert load(*CHOICE, "-duration", "1.5h").settings.duration_s == 5400.0
    assert load(*CHOICE, "-refresh", "0.25").settings.cells[0].quoting.refresh_s == 0.25


def test_options_of_the_run_are_not_settings() -> None:
    """--plain and its like belong to one run; they come beside the settings."""
    options = load(*CHOICE, "--plain", "-verbose", "-dry-run", "--summary", "s.json").options
    assert options == config.RunOptions(None, dry_run=True, plain=True, verbose=True, summary="s.json")


def test_settings_cross_a_pipe_unchanged(toml: Callable[[str], str]) -> None:
    """What a child process decodes equals what its parent encoded, the key included."""
    path = toml("[quoting]\nstrategy = 'improve'\n" + FILE)
    settings = load(path, DERIVE_PRIVATE_KEY=GOOD_KEY, DERIVE_WALLET_ADDRESS=GOOD_WALLET).settings
    assert shapes.decode(shapes.encode(settings)) == settings
    assert shapes.decode(shapes.encode(Settings())) == Settings()


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_are_good(path: Path) -> None:
    """Every file in configs/ loads without complaint, and goes where its name says."""
    key = "id:secret" if "deribit" in path.stem else GOOD_KEY
    name = "DERIBIT_PRIVATE_KEY" if "deribit" in path.stem else "DERIVE_PRIVATE_KEY"
    effective = config.load([str(path)], {name: key, "DERIVE_WALLET_ADDRESS": GOOD_WALLET})
    assert effective.warnings == ()
    assert effective.settings.network == (path.stem.rpartition("-")[2] if "paper" not in path.stem else "paper")


def test_market_maker_and_run_are_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hand the same settings to the supervisor."""
    import supervisor

    seen: list[config.Effective] = []

    def remember(effective: config.Effective, options: config.RunOptions) -> int:
        assert options == effective.options
        seen.append(effective)
        return 0

    monkeypatch.setattr(supervisor, "run", remember)
    assert cli.main(["market-maker", *CHOICE]) == 0
    assert cli.main(["run", *CHOICE]) == 0
    assert seen[0] == seen[1]


def test_load_raises_one_error_with_all_problems() -> None:
    """Callers get a ConfigError whose problems are single lines."""
    with pytest.raises(ConfigError) as caught:
        load("-size", "-1")
    assert len(caught.value.problems) == 3
    assert all("\n" not in line for line in caught.value.problems)
