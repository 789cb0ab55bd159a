"""Where a venue is and who we are there: what a process needs to open connections, whichever venue it is.

Owns the choice of site (paper, testnet, live) and of the venue's dialect; the only place outside a venue's folder that
names one. Crosses a pipe from the supervisor to its children, key included, and shows it to nobody. Invariant: a host
that is not loopback is dialled only when `network` is not paper.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio

from actors.clock import Clock
from actors.console.settings import Settings
from actors.trading.errors import ConfigError
from actors.venues.dial import dial_tcp
from actors.venues.dialect import Dialect
from actors.venues.rest import RestForm

GUARD_SLOT = 1
FIRST_CELL_SLOT = 10
"""Process slots that keep nonces of different processes apart."""


@attrs.frozen
class Access:
    """One account at one site of one venue."""

    exchange: str
    network: str
    """paper, testnet or live."""
    ws_url: str
    rest_url: str
    chain_id: int = 1
    wallet: str = ""
    subaccount: int | None = None
    key: str = attrs.field(default="", repr=False)
    """Derive: private key, hex. Deribit: client_id:client_secret."""

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """Testnet or live, or a paper exchange at a given address; the key is in the settings by now."""
        from actors.venues.deribit import sites as deribit
        from actors.venues.derive import sites as derive

        venue = settings.venue
        deployed = deribit if venue.exchange == "deribit" else derive
        site = deployed.MAINNET if venue.live else deployed.TESTNET
        url = venue.url or site.ws_url
        return cls(
            exchange=venue.exchange,
            network=settings.network,
            ws_url=url,
            rest_url=deployed.rest_url_of(url) if venue.url else site.rest_url,
            chain_id=derive.PAPER_CHAIN if settings.is_paper else site.chain_id,
            wallet=venue.wallet,
            subaccount=venue.subaccount,
            key=venue.private_key.reveal(),
        )

    def dialect(self, clock: Clock, slot: int) -> Dialect:
        """A fresh dialect of this venue for one process; ConfigError when the key or wallet cannot be."""
        if self.exchange == "derive":
            from actors.venues.derive.signing import SigningKey
            from actors.venues.derive.wire import DeriveDialect

            return DeriveDialect(
                clock.now_ns,
                key=SigningKey.from_hex(self.key) if self.key else None,
                wallet=self.wallet,
                subaccount=self.subaccount,
                chain_id=self.chain_id,
                slot=slot,
            )
        if self.exchange == "deribit":
            from actors.venues.deribit.auth import Credentials
            from actors.venues.deribit.wire import DeribitDialect

            return DeribitDialect(clock.now_ns, credentials=Credentials.parse(self.key) if self.key else None)
        raise ConfigError(f"exchange: {self.exchange!r} is not known; choose derive or deribit")

    def rest_form(self, clock: Clock) -> RestForm:
        """How single signed requests are posted at this venue."""
        if self.exchange == "derive":
            from actors.venues.derive.rest import DeriveRest
            from actors.venues.derive.signing import SigningKey

            return DeriveRest(self.rest_url, SigningKey.from_hex(self.key), self.wallet, clock.wall_ns)
        if self.exchange == "deribit":
            from actors.venues.deribit.auth import Credentials
            from actors.venues.deribit.rest import DeribitRest

            return DeribitRest(self.rest_url, Credentials.parse(self.key) if self.key else None, clock.now_ns)
        raise ConfigError(f"exchange: {self.exchange!r} is not known; choose derive or deribit")

    def dial(self, timeout_s: float) -> Callable[[], Awaitable[trio.abc.Stream]]:
        """A stream factory for the WebSocket."""
        return dial_tcp(self.ws_url, timeout_s, allow_real=self.network != "paper")
