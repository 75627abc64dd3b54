"""Settings refuse nonsense by name, and the console does not start without its own keys."""

import os
import re
import subprocess
import sys

import pytest

from config.paths import BASE_DIR

GOOD = {
    "SECRET_KEY": "a-key-that-is-long-enough-for-the-console-to-start",
    "FIELD_ENCRYPTION_KEY": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
    "DATABASE_URL": "postgresql://u:p@db.example:5432/keyhaven?sslmode=require",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
PRINT = "from django.conf import settings as s; import json; print(json.dumps([{}], default=str))"


def start(what: str = "s.DEBUG", **changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment |= {name: value for name, value in (GOOD | changes).items() if value is not None}
    command = [sys.executable, "-c", f"import config; {PRINT.format(what)}"]
    return subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SECRET_KEY", None, "SECRET_KEY is not set"),
        ("SECRET_KEY", "short", "shorter than 32"),
        ("FIELD_ENCRYPTION_KEY", None, "FIELD_ENCRYPTION_KEY is not set"),
        ("FIELD_ENCRYPTION_KEY", "nonsense", "32 bytes"),
        ("DATABASE_URL", None, "DATABASE_URL is not set"),
        ("DATABASE_URL", "sqlite:///x", "postgresql://"),
        ("DATABASE_URL", "postgresql://host/", "names no database"),
        ("REDIS_URL", "http://x", "redis://"),
        ("DEBUG", "yes", "write true or false"),
        ("BASE_URL", "keyhaven.example", "https://"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "TRUSTED_PROXIES"),
        ("LEASE_SECONDS", "many", "whole number from 5 to 600"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL"),
        ("AUDIT_FILES_DIR", "audit", "write an absolute path"),
        ("EMAIL_URL", "pop3://mail", "smtp:// or smtps:// or file://"),
    ],
)
def test_nonsense_is_refused_by_name(name, value, words):
    result = start(**{name: value})

    assert result.returncode != 0
    assert "ImproperlyConfigured" in result.stderr
    assert words in result.stderr.splitlines()[-1]


def test_a_database_url_is_taken_apart():
    result = start(
        "[s.DATABASES['default'][k] for k in ('NAME', 'USER', 'PASSWORD', 'HOST', 'PORT', 'OPTIONS')]"
    )

    assert '"keyhaven", "u", "p", "db.example", "5432", {"sslmode": "require"}' in result.stdout


def test_mails_may_be_written_to_a_folder():
    result = start("s.MAILERS['default']", EMAIL_URL="file:///var/my%20mail")

    assert "filebased.EmailBackend" in result.stdout
    assert '"file_path": "/var/my mail"' in result.stdout


def test_over_tls_cookies_are_host_bound_and_hsts_is_on():
    names = "[s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0]"

    assert start(names, BASE_URL="https://keyhaven.example").stdout.strip() == (
        '[["__Host-session", "__Host-csrf", true, true]]'
    )


def test_a_key_may_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text(GOOD["SECRET_KEY"] + "\n")

    assert start("s.SECRET_KEY", SECRET_KEY=None, SECRET_KEY_FILE=str(tmp_path / "key")).stdout.strip() == (
        f'["{GOOD["SECRET_KEY"]}"]'
    )


def test_a_list_of_encryption_keys_is_accepted():
    two = f"{GOOD['FIELD_ENCRYPTION_KEY']},MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="

    assert start("len(s.FIELD_ENCRYPTION_KEY)", FIELD_ENCRYPTION_KEY=two).stdout.strip() == "[2]"


def test_the_readme_lists_every_variable_and_no_other():
    source = (BASE_DIR / "config" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    rows = [
        line.split("|")[1]
        for line in (BASE_DIR / "README.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    listed = {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row)}

    # The SDK of AWS reads its own.
    assert listed - {"AWS_ENDPOINT_URL"} == read
