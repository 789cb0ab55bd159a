"""Run by the interpreters of the peers, never by ours."""
