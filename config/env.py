"""Readers of the environment. Each refuses nonsense by the variable's name and accepts NAME_FILE for NAME."""

import ipaddress
import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return the variable, or the content of the file that NAME_FILE names.

    :raises ImproperlyConfigured: both are set, the file is unreadable, or neither is set and there is no default
    """
    value, path = os.environ.get(name, ""), os.environ.get(f"{name}_FILE", "")
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if path:
        try:
            value = Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}.") from error
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set. See README.md, “Run it for real”.")
    return default


def flag(name: str, *, default: bool) -> bool:
    """Return a boolean written as "true" or "false"."""
    value = text(name, "true" if default else "false")
    if value not in ("true", "false"):
        raise ImproperlyConfigured(f"{name} is {value!r}; write true or false.")
    return value == "true"


def number(name: str, *, default: int, least: int, most: int) -> int:
    """Return a whole number between `least` and `most`."""
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name} is {value!r}; write a whole number from {least} to {most}.")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """Return a list written with commas."""
    return [word for word in (part.strip() for part in text(name, default).split(",")) if word]


def networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return addresses and networks written with commas, for example `10.0.0.0/8,192.0.2.7`."""
    try:
        return [ipaddress.ip_network(word) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def url(name: str, schemes: tuple[str, ...], default: str | None = None) -> str:
    """Return a URL of one of `schemes`, or an empty string when that is the default."""
    value = text(name, default)
    if value and urlsplit(value).scheme not in schemes:
        raise ImproperlyConfigured(f"{name} must start with {' or '.join(f'{s}://' for s in schemes)}.")
    return value


def folder(name: str) -> str:
    """Return the absolute path of a folder, or an empty string."""
    value = text(name, "")
    if value and not Path(value).is_absolute():
        raise ImproperlyConfigured(f"{name} is {value!r}; write an absolute path.")
    return value


def mailer(name: str, default: str) -> dict[str, object]:
    """Return Django's settings for an `smtp://user:password@host:587` URL; `smtps://` begins with TLS.

    `file:///folder` writes each mail to a file there, for a demo.
    """
    parts = urlsplit(url(name, ("smtp", "smtps", "file"), default))
    if parts.scheme == "file":
        backend = "django.core.mail.backends.filebased.EmailBackend"
        return {"BACKEND": backend, "OPTIONS": {"file_path": unquote(parts.path)}}
    options = {
        "host": parts.hostname or "localhost",
        "port": parts.port or (465 if parts.scheme == "smtps" else 25),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_ssl": parts.scheme == "smtps",
        "use_tls": parts.scheme == "smtp" and bool(parts.username),
        "timeout": 10,
    }
    return {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}


def database(name: str) -> dict[str, object]:
    """Return Django's settings for a `postgresql://user:password@host:port/name?option=value` URL."""
    parts = urlsplit(url(name, ("postgresql", "postgres")))
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} names no database.")
    return {
        "ENGINE": "config.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }
