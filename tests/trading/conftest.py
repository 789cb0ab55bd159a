"""Being here puts this folder on the path, so that tests below it share `quoting_markets`."""
