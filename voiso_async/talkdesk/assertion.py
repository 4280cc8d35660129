"""A signed assertion in place of a client secret; needs the extra ``talkdesk``."""

import base64
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn
from uuid import uuid4

from voiso_async.auth import MASK, Secret, checked_text, hidden, masked, spellings
from voiso_async.errors import ConfigurationError

LONGEST_KEY = 16 * 1024
LIFETIME = 300  # seconds; that of every sample of the vendor
KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PEM = "-----BEGIN"
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class SignedAssertion:
    """A client id and a private key, whose public half the vendor has under ``key_id``.

    Each token request carries a fresh assertion that is good for five minutes. The kind of the key decides the
    algorithm. ``ConfigurationError`` if the key cannot be used or the libraries for it are missing.
    """

    def __init__(
        self, client_id: str, key_id: str, private_key: str, *, wall: Callable[[], float] = time.time
    ) -> None:
        private_key = hidden(private_key)
        self._client_id = checked_text("the client id", client_id)
        self._key_id = checked_text("the id of the private key", key_id)
        self._key, self._algorithm = _loaded(private_key)
        self._wall = wall
        self._spelled = (spellings("eyJ", r"[\w-]+\.[\w-]+\.[\w-]+"),)

    def __repr__(self) -> str:
        return f"SignedAssertion({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SignedAssertion is not pickled; make it anew from its source")

    def evidence(self, token_url: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The form fields with a fresh assertion for exactly this address."""
        import jwt  # noqa: PLC0415 - an extra

        now = int(self._wall())
        claims = {
            "jti": str(uuid4()),
            "iss": str(self._client_id),
            "sub": str(self._client_id),
            "aud": token_url,
            "iat": now,
            "exp": now + LIFETIME,
        }
        signed = jwt.encode(claims, self._key, algorithm=self._algorithm, headers={"kid": str(self._key_id)})
        return {}, {"client_assertion_type": KIND, "client_assertion": Secret(signed)}

    def mask(self, text: str) -> str:
        """Replace every assertion, whoever signed it."""
        return masked(text, self._spelled)


def _loaded(text: Secret) -> tuple[Any, str]:
    """Load the key and choose its algorithm; what a library says of one that is none could show a part of it."""
    try:
        import jwt  # noqa: F401, PLC0415 - an extra
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415 - an extra
    except ImportError:
        missing = "a private key needs more libraries: pip install 'voiso-async[talkdesk]'"
    else:
        missing, key = "", None
        armoured = PEM in text
        load = serialization.load_pem_private_key if armoured else serialization.load_der_private_key
        with suppress(ValueError, TypeError, UnsupportedAlgorithm):  # binascii.Error is a ValueError
            key = load(_data(text, armoured=armoured), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
            return key, CURVES[key.curve.name]
        if isinstance(key, rsa.RSAPrivateKey):
            return key, "RS256"
    raise ConfigurationError(
        missing
        or "the private key must be a PKCS#8 private key, elliptic or RSA: the line that Talkdesk gave, or PEM"
    )


def _data(text: Secret, *, armoured: bool) -> bytes:
    if len(text) > LONGEST_KEY:
        raise ValueError
    return text.encode() if armoured else base64.b64decode("".join(text.split()), validate=True)
