"""Which paths a file or a directory may have in a container."""

import posixpath

from django.core.exceptions import ValidationError

from external_secrets.models import path_rule

# What an image needs to start, or the kernel gives it: a directory mounted there would hide it.
_NAMES = (
    "", "app", "bin", "boot", "dev", "etc", "etc/ssl", "etc/ssl/certs", "home", "lib", "lib32", "lib64", "libx32",
    "media", "mnt", "opt", "proc", "root", "run", "run/secrets", "sbin", "srv", "sys", "tmp", "usr", "usr/bin", "usr/lib",
    "usr/lib64", "usr/libexec", "usr/local", "usr/local/bin", "usr/local/lib", "usr/local/sbin", "usr/sbin",
    "usr/share", "var", "var/cache", "var/lib", "var/log", "var/run",
    "var/run/secrets", "var/tmp",
)  # fmt: skip
_SYSTEM = frozenset(f"/{name}" for name in _NAMES)
# The kernel's own trees, where nothing can be mounted, and where Kubernetes puts the token of every pod.
_KERNEL = ("/dev", "/proc", "/sys")
_TOKENS = ("/var/run/secrets/kubernetes.io", "/run/secrets/kubernetes.io")
_LONGEST_NAME = 253


def clean(path: str, *, several: bool = False, whole: bool = True) -> str:
    """Return a path that a container can have; `whole` says that its directory is mounted, not only the file.

    :raises ValidationError: what is wrong with it
    """
    path = path.strip()
    if not path.startswith("/"):
        raise ValidationError(
            f"{path} is not absolute: begin with /, as in /vault/secrets/{path or 'db.json'}."
        )
    if path.endswith("/") and not several:
        raise ValidationError(f"{path} is a directory: add the file's name.")
    path = path.rstrip("/") or "/"
    _refuse_names(path)
    if path != "/":
        try:
            path_rule(path)
        except ValidationError as error:
            raise ValidationError(f"{path} is no legal path. {error.message}") from error
    point = path if several else posixpath.dirname(path)
    _refuse_place(path, point, whole or several)
    return path


def _refuse_names(path: str) -> None:
    names = path.split("/")[1:]
    if any(name in (".", "..") for name in names):
        raise ValidationError(f"{path} has a step such as . or ..; write the path that it means.")
    if any(name.startswith("..") for name in names):
        raise ValidationError(
            f"{path} has a name that begins with two dots, which Kubernetes keeps for itself."
        )
    if any(len(name) > _LONGEST_NAME for name in names):
        raise ValidationError(f"A name in it has more than {_LONGEST_NAME} characters.")


def _refuse_place(path: str, point: str, whole: bool) -> None:
    if any(path == root or path.startswith(f"{root}/") for root in (*_KERNEL, *_TOKENS)):
        raise ValidationError(f"{path} is in a place that belongs to the system; choose another directory.")
    if whole and point in _SYSTEM:
        raise ValidationError(
            f"The whole of {point} would be hidden, and the container needs what is there. Choose a directory of its "
            "own, such as /vault/secrets, or mount only this file."
        )
