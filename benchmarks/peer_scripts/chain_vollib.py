"""Prices, Greeks and implied vols of a chain with vollib, one option after the other as its users do."""

from typing import Any

from vollib.black import black  # type: ignore[import-not-found]
from vollib.black.greeks.analytical import delta, gamma, rho, theta, vega  # type: ignore[import-not-found]
from vollib.black.implied_volatility import implied_volatility  # type: ignore[import-not-found]

from benchmarks.peer_scripts.answering import Work, serve


def prepare(question: dict[str, Any]) -> Work:
    """The first question holds the chain (flag, forward, strike, years, vol) and what is asked of it."""
    chain = [tuple(option) for option in question["chain"]]
    if question["what"] == "greeks":

        def work(_number: int) -> float:
            made = 0.0
            for flag, forward, strike, years, vol in chain:
                made += black(flag, forward, strike, years, 0.0, vol)
                for greek in (delta, gamma, vega, theta, rho):
                    made += greek(flag, forward, strike, years, 0.0, vol)
            return made

        return work
    priced = [(black(flag, f, k, t, 0.0, vol), f, k, t, flag) for flag, f, k, t, vol in chain]

    def invert(_number: int) -> float:
        return float(sum(implied_volatility(price, f, k, 0.0, t, flag) for price, f, k, t, flag in priced))

    return invert


if __name__ == "__main__":
    serve(prepare)
