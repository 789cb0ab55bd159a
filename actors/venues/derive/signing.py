"""Derive's signatures: the words of an order, their hashes, and the key that signs them.

Owns the private key while the process lives. Never shows it: not in a repr, not in an error. An order's words are laid
by hand (seven ABI words of the trade, eight of the action, then the EIP-712 digest) and signed by libsecp256k1
directly; what does not change between orders is laid once. Reference: derive.md sections 1.2 to 1.6 and 2.

Invariant: the words hold exactly the integers the caller gives, which are also what the frame's strings are made of.
Not for more than one thread: the output buffers of the signer are reused.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
import coincurve
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from sha3 import keccak_256

from actors.trading.errors import ConfigError

MATCHING_CONTRACT = "0xeB8d770ec18DB98Db922E9D83260A585b9F0DeAD"
TRADE_MODULE = "0xB8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b"
DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ACTION_TYPE = (
    b"Action(uint256 subaccountId,uint256 nonce,address module,bytes data,uint256 expiry,address owner,address signer)"
)

_ADDRESS = re.compile(r"(?:0x)?[0-9a-fA-F]{40}")
_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")

# The direct way into the C library: coincurve's own method allocates and wraps on each call (1-2 us more).
_sign_recoverable: Any = lib.secp256k1_ecdsa_sign_recoverable
_serialize: Any = lib.secp256k1_ecdsa_recoverable_signature_serialize_compact
_context: Any = GLOBAL_CONTEXT.ctx
_NULL: Any = ffi.NULL


def keccak(data: bytes) -> bytes:
    """Ethereum's Keccak-256 (not SHA3-256): 32 bytes."""
    digest: bytes = keccak_256(data).digest()
    return digest


ACTION_TYPEHASH = keccak(ACTION_TYPE)

# -- words


def uint_word(value: int) -> bytes:
    """An unsigned integer as one ABI word; OverflowError when negative or too large."""
    return value.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    return bytes(12) + address_bytes(address)


def address_bytes(text: str) -> bytes:
    """20 bytes of an address in hex, with or without 0x; ValueError when it is none, or its mixed case is mistyped."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is not an address: 0x and 40 hex digits")
    digits = text[-40:]
    raw = bytes.fromhex(digits)
    is_mixed = digits != digits.lower() and digits != digits.upper()
    if is_mixed and checksum_address(raw)[2:] != digits:
        raise ValueError(f"{text} is mistyped: the upper and lower case of its letters (EIP-55) does not check out")
    return raw


def checked_wallet(text: str) -> str:
    """The operator's wallet in the spelling Derive wants; ConfigError when it is no address."""
    try:
        return checksum_address(address_bytes(text.strip()))
    except ValueError as exc:
        raise ConfigError(f"wallet: {exc}") from None


def checksum_address(raw: bytes) -> str:
    """An address in EIP-55 spelling: a letter is upper case where the hash of the lower case text has a high nibble."""
    digits = raw.hex()
    return "0x" + "".join(
        letter.upper() if nibble in "89abcdef" else letter
        for letter, nibble in zip(digits, keccak(digits.encode()).hex(), strict=False)
    )


def asset_words(address: str, sub_id: int) -> bytes:
    """The first two words of an instrument's trades; laid once per instrument."""
    return address_word(address) + uint_word(sub_id)


# -- hashes


def domain_separator(
    chain_id: int, contract: str = MATCHING_CONTRACT, name: str = "Matching", version: str = "1.0"
) -> bytes:
    """EIP-712's domain hash; the paper exchange may use any chain id."""
    return keccak(
        keccak(DOMAIN_TYPE)
        + keccak(name.encode())
        + keccak(version.encode())
        + uint_word(chain_id)
        + address_word(contract)
    )


@attrs.frozen
class ActionTrace:
    """Every intermediate value of one signed trade, for self-checks against `private/order_debug`."""

    encoded_data: bytes
    encoded_data_hash: bytes
    action_hash: bytes
    typed_data_hash: bytes


def trace_trade(
    words: bytes,
    price_e18: int,
    amount_e18: int,
    max_fee_e18: int,
    is_bid: bool,
    *,
    nonce: int,
    expiry_s: int,
    subaccount: int,
    owner: str,
    signer: str,
    domain: bytes,
    module: str = TRADE_MODULE,
) -> ActionTrace:
    """The cold path: the same hashes as `OrderSigner.sign`, laid separately from everything it has prepared."""
    numbers = (price_e18, amount_e18, max_fee_e18, subaccount, int(is_bid))
    data = words + b"".join(map(uint_word, numbers))
    data_hash = keccak(data)
    action = keccak(
        ACTION_TYPEHASH
        + uint_word(subaccount)
        + uint_word(nonce)
        + address_word(module)
        + data_hash
        + uint_word(expiry_s)
        + address_word(owner)
        + address_word(signer)
    )
    return ActionTrace(data, data_hash, action, keccak(b"\x19\x01" + domain + action))


def personal_digest(text: str) -> bytes:
    """EIP-191: what a wallet signs for a plain message."""
    message = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))


def recover_address(digest: bytes, signature: bytes) -> str:
    """Who signed a digest (65 bytes r, s, v); ValueError when nobody can have."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise ValueError("a signature is 65 bytes, the last of them 27 or 28")
    raw = signature[:64] + bytes((signature[64] - 27,))
    try:
        public = coincurve.PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as exc:  # the C library's wrapper raises bare Exception for a point that is not on the curve
        raise ValueError("the signature belongs to no key") from exc
    return _address_of(public)


def _address_of(public: coincurve.PublicKey) -> str:
    return checksum_address(keccak(public.format(compressed=False)[1:])[12:])


# -- keys


class SigningKey:
    """A secp256k1 key that signs digests; it knows its address and never shows itself."""

    __slots__ = ("_out", "_recovery", "_secret", "_signature", "_view", "address")

    def __init__(self, secret: bytes) -> None:
        """Takes 32 bytes; ConfigError when they are no key (zero, or not below the order of the curve)."""
        try:
            private = coincurve.PrivateKey(secret)
        except ValueError:
            raise ConfigError("private key: the number it spells is not a secp256k1 key") from None
        self._secret: bytes = private.secret
        self.address: str = _address_of(private.public_key)
        self._signature: Any = ffi.new("secp256k1_ecdsa_recoverable_signature *")
        self._recovery: Any = ffi.new("int *")
        self._out: Any = ffi.new("unsigned char[64]")
        self._view: Any = ffi.buffer(self._out, 64)

    @classmethod
    def from_hex(cls, text: str) -> SigningKey:
        """From 64 hex digits, with or without 0x; ConfigError says what is wrong without showing the text."""
        digits = text.strip()
        if not _KEY.fullmatch(digits):
            raise ConfigError(
                f"private key: expected 64 hex digits (0x in front is fine), got {len(digits)} characters"
                + ("" if digits.isascii() else ", some of them not ASCII")
            )
        return cls(bytes.fromhex(digits[-64:]))

    @property
    def fingerprint(self) -> str:
        """Enough of the signer's address to tell keys apart."""
        return f"{self.address[:6]}…{self.address[-4:]}"

    def sign_digest(self, digest: bytes) -> str:
        """0x and 130 hex digits: r, s (low), v (27 or 28). `digest` is 32 bytes."""
        if not _sign_recoverable(_context, self._signature, digest, self._secret, _NULL, _NULL):
            raise ArithmeticError("libsecp256k1 found no nonce for this digest")
        _serialize(_context, self._out, self._recovery, self._signature)
        compact: bytes = self._view[:]
        return f"0x{compact.hex()}{'1c' if self._recovery[0] else '1b'}"

    def sign_text(self, text: str) -> str:
        """EIP-191 personal signature: the login signs the decimal text of a timestamp."""
        return self.sign_digest(personal_digest(text))

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key is not to be pickled")


class OrderSigner:
    """Signs trades of one subaccount with one key; all that does not change between orders is laid here, once."""

    __slots__ = ("_after_amounts", "_digest_head", "_key", "_module_word", "_struct_head", "_struct_tail", "owner")

    def __init__(
        self, key: SigningKey, owner: str, subaccount: int, chain_id: int, *, module: str = TRADE_MODULE
    ) -> None:
        """`owner` is the account's wallet; the key is the owner's or a session key's. ValueError on a bad address."""
        self.owner = checksum_address(address_bytes(owner))
        self._key = key
        recipient = uint_word(subaccount)
        self._after_amounts = (recipient + uint_word(0), recipient + uint_word(1))
        self._struct_head = ACTION_TYPEHASH + uint_word(subaccount)
        self._module_word = address_word(module)
        self._struct_tail = address_word(owner) + address_word(key.address)
        self._digest_head = b"\x19\x01" + domain_separator(chain_id)

    @property
    def signer(self) -> str:
        return self._key.address

    def sign(
        self,
        asset_words: bytes,
        price_e18: int,
        amount_e18: int,
        max_fee_e18: int,
        is_bid: bool,
        nonce: int,
        expiry_s: int,
    ) -> str:
        """The signature of one order, 0x hex. OverflowError on a negative number: nothing negative is ever signed."""
        data = keccak_256(
            asset_words
            + price_e18.to_bytes(32, "big")
            + amount_e18.to_bytes(32, "big")
            + max_fee_e18.to_bytes(32, "big")
            + self._after_amounts[is_bid]
        ).digest()
        action = keccak_256(
            self._struct_head
            + nonce.to_bytes(32, "big")
            + self._module_word
            + data
            + expiry_s.to_bytes(32, "big")
            + self._struct_tail
        ).digest()
        return self._key.sign_digest(keccak_256(self._digest_head + action).digest())

    def __repr__(self) -> str:
        return f"OrderSigner({self._key!r} for {self.owner})"
