"""A forger's own keys."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common_lib.auth import SigningKey

OWN: Final = SigningKey(
    ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)
OWN_RSA: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
