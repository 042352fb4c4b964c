"""Which keys name a secret, so that the values under them are masked.

Promises: the cost is linear in the key's length, whatever the key is. A key is judged by its words,
not by its case and separators: ``apiKey``, ``API-KEY`` and ``api_key`` are the same. A key that is
too long to be judged counts as the name of a secret.

The names are those that OpenStack masks (oslo.utils' ``mask_password``, Octavia's ``FILTER_KEYS``)
and those that other programs use for secrets. A key that only describes a secret, such as
``cookie_name`` or ``auth_type``, does not name one.
"""

import re
from collections.abc import Container, Sequence
from typing import Final

MAX_KEY: Final = 256  # characters: no real name is longer, and every character costs time

# A key that contains one of these names a secret.
_STRONG: Final = (
    *("pass", "pwd", "pswd", "psk", "secret", "credential", "hashsuffix", "configdrive"),
    *("clusterfsid", "cephmonkey", "cryptokek"),
)
# The same, unless the key says where the secret is kept or what it is for: token_url, cookie_path.
_WEAK: Final = ("token", "cookie", "bearer", "jwt", "signature", "authorization")
_WEAK_WORDS: Final = frozenset(
    {"auth", "otp", "totp", "sig", "priv"}
)  # only as a whole word: not in "author"
_STRONG_WORDS: Final = frozenset(
    {
        *("kek", "pkcs12", "p12", "pfx", "keystore", "pkey", "pkeys", "keytab", "jks", "pw"),
        *("pwhash", "pws"),
    }
)
_SSH: Final = ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")  # files of private keys
# Whole keys. Octavia masks certificates, too, where they stand with their keys.
_WHOLE: Final = frozenset({"private", "certificate", "intermediates"})
# With one of these before "key" at a word's end, a key names a secret. A separator is optional.
_KINDS_OF_KEY: Final = (
    *("api", "auth", "access", "private", "signing", "encryption", "encrypted", "decryption"),
    *("ssh", "master", "tls", "ssl", "certificate", "cert", "fernet", "kerberos", "host"),
    *("session", "service", "storage", "account", "shared", "server", "client", "admin"),
    *("rsa", "dsa", "ecdsa", "ed25519", "hmac", "aes", "pgp", "gpg", "heartbeat", "rndc"),
    *("rgw", "mds", "priv", "enc", "encrypt", "decrypt", "wrapping", "kms", "wireguard", "wg"),
    *("deploy", "app", "consumer", "tsig", "temp_url", "temp-url", "tempurl", "crypto", "crypt"),
    *("cipher", "luks", "ipsec", "vpn", "dnssec", "license", "licence", "unseal", "recovery"),
)
# Words that contain one of the above but do not name a secret.
_INNOCENT: Final = (
    *("passive", "passage", "passeng", "passed", "passes", "passing", "passthr", "pass_thr"),
    *("pass-thr", "bypass", "compass", "tokeniz", "tokenis", "secretar", "keypair"),
    *("passport", "passion", "passer", "passover", "passband", "passable", "passim", "overpass"),
    *("underpass", "trespass", "surpass", "encompass", "impass", "bandpass", "lowpass", "highpass"),
)
# With one of these as its last word, a key describes a secret and does not name it.
_OF_ANY: Final = frozenset(
    {
        *("name", "names", "type", "types", "kind", "count", "counts", "size", "length", "len"),
        *("ttl", "expiry", "expires", "expiration", "lifetime", "timeout", "age", "at", "policy"),
        *("algorithm", "algorithms", "alg", "method", "methods", "enabled", "disabled", "limit"),
        *("required", "supported", "version", "format", "encoding", "checking", "exchange"),
        *("rotation", "usage", "rate", "pub"),
    }
)
_OF_WEAK: Final = _OF_ANY | frozenset(
    {
        *("url", "uri", "endpoint", "domain", "path", "host", "port", "user", "username", "realm"),
        *("project", "plugin", "section", "strategy", "protocol", "interface", "mode"),
        *("total", "used", "remaining", "level"),
    }
)
# Last words of names of programs and machines. Such a name may contain that of a secret.
_OF_PLACES: Final = frozenset(
    {
        *("service", "services", "svc", "server", "servers", "node", "nodes", "manager", "agent"),
        *("worker", "workers", "gateway", "proxy", "broker", "cluster", "controller", "conductor"),
        *("network", "region", "zone", "job", "task", "flow", "step", "refresh", "refresher"),
        *("handler", "provider", "middleware", "queue", "pool", "api", "backend", "frontend"),
    }
)
# A number under a key that ends with one of these is a count: prompt_tokens.
_COUNTED: Final = frozenset({"tokens", "cookies", "signatures", "jwts"})
# If one of these is beside "pass", it is a count of what passed.
_RESULTS: Final = frozenset({"fail", "fails", "failed", "failures", "skip", "skipped", "error"})
_FOLDERS: Final = re.compile(
    r"/(?:(?:home|root|tmp|var|usr|opt|etc|srv|mnt|data|app|run|lib|work|workspace|builds)"
    r"(?:/[\w.\-]++)*+/?)?|[A-Za-z]:\\[\w.\\ \-]*+"
)
_END_OF_KEY: Final = re.compile(r"key(?:s|data|files?|pem|ids?|values?|material)?(?![a-z])")
_QUESTIONS: Final = frozenset({"is", "has", "max", "min", "num", "total", "require", "requires"})
# With one of these words beside "pem", a file has only certificates; others have a private key.
_PUBLIC_PEM: Final = frozenset(
    {"ca", "cert", "certs", "certificate", "certificates", "chain", "root", "public", "crl", "csr"}
)

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # in camelCase
_SEPARATORS: Final = re.compile(r"[\W_]+")
_NAME: Final = re.compile(r"[\w\-]{1,64}")  # one word, not a sentence or a file's name


class SecretKeys:
    """Judges keys, by common names of secrets and by ``more``, an operator's own keys.

    Each of ``more`` is a whole key, in any case and with any separators. A ``*`` at its beginning
    or end matches anything.
    """

    def __init__(self, more: Sequence[str] = ()) -> None:
        self._more = tuple(more)
        self._exact, self._begin, self._end, self._within = (
            set[str](),
            list[str](),
            list[str](),
            list[str](),
        )
        for each in more:
            word = _joined(each)
            match each.startswith("*"), each.endswith("*"):
                case False, False:
                    self._exact.add(word)
                case True, False:
                    self._end.append(word)
                case False, True:
                    self._begin.append(word)
                case _:
                    self._within.append(word)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretKeys) and self._more == other._more

    def __hash__(self) -> int:
        return hash(self._more)

    def may_name(self, lower: str) -> bool:
        """Return, quickly, whether a text in lower case may contain the name of a secret."""
        return bool(self._more) or "key" in lower or any(word in lower for word in _ANYWHERE)

    def names(self, key: str) -> bool:
        """Return whether ``key`` names a secret."""
        if len(key) > MAX_KEY:
            return True
        if self._more and self._is_more(_joined(key)):
            return True
        lower = key.lower()
        if not ("key" in lower or any(word in lower for word in _ANYWHERE)):
            return False
        return _is_secret(_snake(key))

    def names_value(self, name: str) -> bool:
        """Return whether ``name``, which is a value itself, names a secret in another value.

        The names of programs and machines do not: ``token-service``.
        """
        return _NAME.fullmatch(name) is not None and self.names(name) and not _is_place(name)

    def hides(self, key: str, value: object, beside: Container[str] = ()) -> bool:
        """Return whether ``value`` is a secret under ``key``; ``beside`` are keys next to it."""
        if value is None or isinstance(value, bool) or (not value and value in ([], {})):
            return False
        return self.names(key) and not self._is_count(key, value, beside)

    def _is_count(self, key: str, value: object, beside: Container[str]) -> bool:
        """Return whether ``value`` is a count of what ``key`` names, or a working directory."""
        if isinstance(value, str):
            is_pwd = key.lower() in {"pwd", "oldpwd"}
            return is_pwd and len(value) <= MAX_KEY and _FOLDERS.fullmatch(value) is not None
        if not isinstance(value, int | float) or len(key) > MAX_KEY:
            return False
        snake = _snake(key)
        if snake == "pass":
            return any(word in beside for word in _RESULTS)
        return _SEPARATORS.split(snake)[-1] in _COUNTED and not any(w in snake for w in _STRONG)

    def _is_more(self, joined: str) -> bool:
        return (
            joined in self._exact
            or any(joined.startswith(word) for word in self._begin)
            or any(joined.endswith(word) for word in self._end)
            or any(word in joined for word in self._within)
        )


_ANYWHERE: Final = (
    *_STRONG,
    *_WEAK,
    *("auth", "otp", "kek", "pkcs12", "p12", "pfx", "keystore", "private", "certificate"),
    *("intermediates", "pem", "priv", "pw", "sig", "jks", "id"),
)


def _joined(key: str) -> str:
    return _SEPARATORS.sub("", key).casefold()


def _snake(key: str) -> str:
    return _HUMP.sub("_", key).lower()


def _is_place(name: str) -> bool:
    """Return whether ``name`` is that of a program or a machine, perhaps with a number."""
    words = [word for word in _SEPARATORS.split(_snake(name)) if word and not word.isdigit()]
    return bool(words) and words[-1] in _OF_PLACES


def _is_key(snake: str) -> bool:
    """Return whether a name contains a kind of key that is kept secret."""
    return any(
        before.endswith(_KINDS_OF_KEY) or before.rstrip("0123456789_-. ").endswith(_KINDS_OF_KEY)
        for before in (
            snake[: found.start()].rstrip("_-. ") for found in _END_OF_KEY.finditer(snake)
        )
    )


def _is_secret(snake: str) -> bool:
    """Return whether a key in lower case, with separators between words, names a secret."""
    for word in _INNOCENT:
        snake = snake.replace(word, "_")
    words = [word for word in _SEPARATORS.split(snake) if word]
    if not words:
        return False
    joined = "".join(words)
    is_strong = (
        any(word in snake for word in _STRONG)
        or _is_key(snake)
        or not _STRONG_WORDS.isdisjoint(words)
        or joined in _WHOLE
        or any(word in "_".join(words) for word in _SSH)
        or ("pem" in words and _PUBLIC_PEM.isdisjoint(words))
    )
    is_weak = any(word in snake for word in _WEAK) or not _WEAK_WORDS.isdisjoint(words)
    if not (is_strong or is_weak):
        return False
    if len(words) == 1:
        return True
    while len(words) > 1 and words[-1].isdigit():  # the number of one of several
        words.pop()
    described = _OF_ANY if is_strong else _OF_WEAK
    if not is_strong and words[-1] in _OF_PLACES and len(words) > 1:
        return False
    return words[-1] not in described and words[0] not in _QUESTIONS
