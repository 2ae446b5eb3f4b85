"""Signs by an Ed25519 key that never leaves its PKCS#11 token: a hardware module, or SoftHSM.

It needs `tonewall[pkcs11]`. The mechanism is EdDSA (PKCS #11 v3.0 section 2.3.14).

Rule 1: a token that went is asked anew once for each signature; what fails then is an OSError.
"""

from __future__ import annotations

import contextlib
import errno
import functools
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from b2bua.audit.pkcs11_uri import KeyName

_OCTETS: Final = 32  # of a public key
# How modules write a point: as a string of octets or of bits (ASN.1), or as it is.
_PREFIXES: Final = (b"\x04\x20", b"\x03\x21\x00", b"")
# "edwards25519" as a PrintableString, then id-Ed25519 (RFC 8410): what modules call the curve.
_CURVES: Final = (bytes.fromhex("130c656477617264733235353139"), bytes.fromhex("06032b6570"))


class TokenKey(Ed25519PrivateKey):
    """The key of that name. Raises ValueError where there is none, and OSError."""

    def __init__(self, name: KeyName) -> None:
        self._name = name
        self._session: Any = None
        self._key: Any = None
        self._public = _public_of(self._open())

    @classmethod
    def make(cls, name: KeyName) -> TokenKey:
        """A new pair of keys in the token. Raises ValueError, and OSError."""
        session = _log_in(name, writes=True)
        try:
            _generate(session, name)
        finally:
            session.close()
        return cls(name)

    def public_key(self) -> Ed25519PublicKey:
        return self._public

    def sign(self, data: Any, /) -> bytes:
        """Raises OSError."""
        pkcs11 = _library()
        mechanism = pkcs11.Mechanism.EDDSA
        if self._session is not None:
            with contextlib.suppress(pkcs11.PKCS11Error):
                return bytes(self._key.sign(bytes(data), mechanism=mechanism))
            self.close()
        try:
            if _public_of(self._open(anew=True)) != self._public:
                raise ValueError("it has another key of that name now")
            return bytes(self._key.sign(bytes(data), mechanism=mechanism))
        except (ValueError, pkcs11.PKCS11Error) as error:
            self.close()
            raise OSError(errno.EIO, f"the token does not sign ({_word(error)})") from None

    def close(self) -> None:
        """Log out."""
        session, self._session, self._key = self._session, None, None
        if session is not None:
            with contextlib.suppress(_library().PKCS11Error):
                session.close()

    def _open(self, *, anew: bool = False) -> Any:
        """Log in, and find the pair; its public key, as the token has it. `anew`: the module is
        initialised again first."""
        self._session = _log_in(self._name, anew=anew)
        try:
            self._key = _find(self._session, self._name, "PRIVATE_KEY")
            return _find(self._session, self._name, "PUBLIC_KEY")
        except BaseException:
            self.close()
            raise

    def private_bytes(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the key does not leave its token")

    def private_bytes_raw(self) -> NoReturn:
        raise TypeError("the key does not leave its token")

    def __copy__(self) -> TokenKey:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> TokenKey:
        return self


def has_library() -> bool:
    """Whether `tonewall[pkcs11]` is installed."""
    with contextlib.suppress(ValueError):
        _library()
        return True
    return False


@functools.cache
def _library() -> Any:
    try:
        import pkcs11  # noqa: PLC0415 - an extra
    except ImportError:
        raise ValueError("a key in a PKCS#11 token needs `pip install tonewall[pkcs11]`") from None
    return pkcs11


@contextlib.contextmanager
def _as_fault() -> Iterator[None]:
    """Its errors as OSError; their texts quote nothing of ours."""
    pkcs11 = _library()
    try:
        yield
    except pkcs11.PKCS11Error as error:
        raise OSError(errno.EIO, f"the token cannot be used ({_word(error)})") from None


def _word(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else type(error).__name__


def _log_in(name: KeyName, *, writes: bool = False, anew: bool = False) -> Any:
    pkcs11, pin = _library(), name.read_pin()
    try:
        module = pkcs11.lib(str(name.module))
    except (RuntimeError, OSError):
        raise OSError(errno.ENOENT, "module-path: the module cannot be loaded") from None
    with _as_fault():
        if anew:
            module.reinitialize()
        wanted = {"token_label": name.token or None, "token_serial": name.serial.encode() or None}
        token = module.get_token(**{key: value for key, value in wanted.items() if value is not None})
        return token.open(user_pin=pin, rw=writes)


def _find(session: Any, name: KeyName, kind: str) -> Any:
    pkcs11 = _library()
    wanted = {"label": name.label or None, "id": name.id or None}
    with _as_fault():
        try:
            return session.get_key(
                object_class=pkcs11.ObjectClass[kind],
                key_type=pkcs11.KeyType.EC_EDWARDS,
                **{key: value for key, value in wanted.items() if value is not None},
            )
        except pkcs11.exceptions.NoSuchKey:
            raise ValueError("the token has no Ed25519 key of that name") from None
        except pkcs11.exceptions.MultipleObjectsReturned:
            raise ValueError("the token has several keys of that name: name its id, too") from None


def _public_of(key: Any) -> Ed25519PublicKey:
    with _as_fault():
        point = bytes(key[_library().Attribute.EC_POINT])
    for prefix in _PREFIXES:
        if point.startswith(prefix) and len(point) == len(prefix) + _OCTETS:
            return Ed25519PublicKey.from_public_bytes(point[len(prefix) :])
    raise ValueError("the token has no Ed25519 key of that name")


def _generate(session: Any, name: KeyName) -> None:
    pkcs11 = _library()
    reason: Exception | None = None
    for curve in _CURVES:
        try:
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC_EDWARDS, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
            )
            parameters.generate_keypair(
                mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                label=name.label or None,
                id=name.id or None,
            )
        except pkcs11.PKCS11Error as error:
            reason = error
        else:
            return
    assert reason is not None
    raise OSError(errno.EIO, f"the token makes no Ed25519 key ({_word(reason)})")
