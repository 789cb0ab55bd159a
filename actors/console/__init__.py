"""What stands between the operator and the machine: words in, pictures out.

Words in: `cli` (the commands), `flags`, `config` and `checks` (flags, environment and TOML into one checked `Settings`,
every problem at once), `settings` (every key, once), `secrets` and `keys` (what must never be shown), `listing` (the
operator's choice against what the venue lists), `doctor` (is this machine fit?).
Pictures out: `plan` (the dry run), `snapshots` (what a cell tells of itself), `live` (the table on a terminal), `logs`.
Nothing here decides a quote or talks to a venue. Invariant: no secret leaves this package as text, except where the
signer is built from it.
"""
