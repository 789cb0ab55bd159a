"""The exchange's side of Derive's signatures: rebuild what must have been signed, recover who signed it.

Owns the EIP-712 words of an order (reference 1.2, 1.3) and the EIP-191 login text, laid out here a second time on purpose:
the client signs through its own module, so a mistake in either one shows. Never sees a private key, keeps no state.
Invariant: `recover` answers the address whose key made the signature over exactly these bytes, or None.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import attrs
import coincurve
import sha3

TRADE_MODULE = "0xB8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b"
VERIFYING_CONTRACT = "0xeB8d770ec18DB98Db922E9D83260A585b9F0DeAD"
MAINNET_CHAIN = 1
TESTNET_CHAIN = 11155111
DECIMALS = 12
"""What the protocol keeps of the 18 decimals of a word: more is refused, not rounded."""


def keccak(text: bytes) -> bytes:
    return bytes(sha3.keccak_256(text).digest())


DOMAIN_TYPEHASH = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
ACTION_TYPEHASH = keccak(
    b"Action(uint256 subaccountId,uint256 nonce,address module,bytes data,uint256 expiry,address owner,address signer)"
)


class WordError(ValueError):
    """A value does not fit the 32-byte word it must be signed in."""


def uint_word(value: int) -> bytes:
    if not 0 <= value < 1 << 256:
        raise WordError(f"{value} is no uint256")
    return value.to_bytes(32, "big")


def int_word(value: int) -> bytes:
    if not -(1 << 255) <= value < 1 << 255:
        raise WordError(f"{value} is no int256")
    return value.to_bytes(32, "big", signed=True)


def address_word(address: str) -> bytes:
    return bytes(12) + address_bytes(address)


def address_bytes(address: str) -> bytes:
    """Twenty bytes of a 0x address; WordError when it is none. Checksums are `is_checksummed`'s business."""
    if len(address) != 42 or address[:2] != "0x":
        raise WordError(f"{address!r} is no address")
    try:
        return bytes.fromhex(address[2:])
    except ValueError:
        raise WordError(f"{address!r} is no address") from None


def scaled(value: Decimal) -> int:
    """A human decimal x 1e18 as an integer, free of any decimal context; WordError beyond the protocol's 12 decimals."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent > DECIMALS:
        raise WordError(f"{value} is no number that can be signed")
    coefficient = int("".join(map(str, digits)))
    if exponent < -DECIMALS:
        coefficient, lost = divmod(coefficient, 10 ** (-DECIMALS - exponent))
        exponent = -DECIMALS
        if lost:
            raise WordError(f"{value} has more than {DECIMALS} decimals")
    whole: int = coefficient * 10 ** (exponent + 18)
    return -whole if sign else whole


@lru_cache(maxsize=4096)
def checksum(raw: bytes) -> str:
    """The EIP-55 text of twenty bytes."""
    plain = raw.hex()
    digest = keccak(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(plain, digest, strict=False))


def same_address(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def address_of(private_key: bytes) -> str:
    """The address a key signs for; used where test accounts are made, never on a request."""
    public = coincurve.PublicKey.from_valid_secret(private_key).format(compressed=False)
    return checksum(keccak(public[1:])[12:])


def domain_separator(chain_id: int) -> bytes:
    return keccak(
        DOMAIN_TYPEHASH
        + keccak(b"Matching")
        + keccak(b"1.0")
        + uint_word(chain_id)
        + address_word(VERIFYING_CONTRACT)
    )


@attrs.frozen
class OrderAction:
    """Everything an order's signature covers; decimals are human values."""

    subaccount_id: int
    nonce: int
    expiry_s: int
    owner: str
    signer: str
    asset: str
    sub_id: int
    limit_price: Decimal
    amount: Decimal
    max_fee: Decimal
    is_bid: bool
    module: str = TRADE_MODULE

    def encoded_data(self) -> bytes:
        """The seven words of the trade payload; the recipient is the order's own subaccount."""
        return b"".join(
            (
                address_word(self.asset),
                uint_word(self.sub_id),
                int_word(scaled(self.limit_price)),
                int_word(scaled(self.amount)),
                uint_word(scaled(self.max_fee)),
                uint_word(self.subaccount_id),
                uint_word(int(self.is_bid)),
            )
        )

    def struct_hash(self) -> bytes:
        return keccak(
            b"".join(
                (
                    ACTION_TYPEHASH,
                    uint_word(self.subaccount_id),
                    uint_word(self.nonce),
                    address_word(self.module),
                    keccak(self.encoded_data()),
                    uint_word(self.expiry_s),
                    address_word(self.owner),
                    address_word(self.signer),
                )
            )
        )

    def digest(self, separator: bytes) -> bytes:
        return keccak(b"\x19\x01" + separator + self.struct_hash())


def login_digest(timestamp_text: str) -> bytes:
    """EIP-191 personal message over the decimal text of the timestamp."""
    message = timestamp_text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


SECP256K1_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def recover(digest: bytes, signature: str) -> str | None:
    """The signer's address in checksum form; None for anything that is no low-s signature of 65 bytes, v 27 or 28."""
    text = signature.removeprefix("0x")
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    if len(raw) != 65 or raw[64] not in (27, 28) or int.from_bytes(raw[32:64], "big") > SECP256K1_HALF_ORDER:
        return None
    try:
        key = coincurve.PublicKey.from_signature_and_message(raw[:64] + bytes((raw[64] - 27,)), digest, hasher=None)
    except Exception:  # coincurve raises bare Exception for a point that is not on the curve
        return None
    return checksum(keccak(key.format(compressed=False)[1:])[12:])
