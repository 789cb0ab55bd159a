"""One file a strategy; each a pure function of what is known to what is wanted."""
