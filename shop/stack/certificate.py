"""The self-signed certificate of the local edge, made on its first start and never committed.

``python -m shop.stack.certificate FOLDER`` makes it in a container.
"""

import os
import sys
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from common_lib import clock

CERTIFICATE, KEY = "edge.crt", "edge.key"
NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")
# Browsers take no leaf certificate that is valid for more than 398 days.
LIFETIME = timedelta(days=397)
RENEWED_BEFORE_END = timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)
OWNER_ONLY = 0o600


def make_if_needed(folder: Path) -> Path:
    """Return the certificate in ``folder``; make it and its key if missing or soon expired."""
    certificate = folder / CERTIFICATE
    if not (is_usable(certificate) and (folder / KEY).exists()):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / KEY, _key_pem(key))
        _write(certificate, _self_signed(key).public_bytes(Encoding.PEM))
    return certificate


def is_usable(certificate: Path) -> bool:
    """Whether it is there and good for a month yet."""
    try:
        known = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return False
    return known.not_valid_after_utc > clock.now() + RENEWED_BEFORE_END


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Sign a leaf with its own key: who trusts it trusts these names and nothing else."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop (local edge)")])
    public, starts_at = key.public_key(), clock.now() - CLOCK_SKEW
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(starts_at)
        .not_valid_after(starts_at + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_alternative_names(), critical=False)
        .add_extension(_digital_signature(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )
    return builder.sign(key, hashes.SHA256())


def _alternative_names() -> x509.SubjectAlternativeName:
    addresses = [x509.IPAddress(ip_address(address)) for address in ADDRESSES]
    return x509.SubjectAlternativeName([*map(x509.DNSName, NAMES), *addresses])


def _digital_signature() -> x509.KeyUsage:
    others = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(digital_signature=True, **dict.fromkeys(others, False))


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)


if __name__ == "__main__":
    make_if_needed(Path(sys.argv[1]))
