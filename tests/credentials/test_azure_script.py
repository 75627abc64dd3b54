"""The script for Azure: it does what it says, again as often as one likes, and stops at the first refusal."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from credentials.clouds.azure import cards, roles, script
from credentials.clouds.base import Helped
from tests.tools import need

SUBSCRIPTION = "3f5c7b19-2e84-4d6a-a07b-91c4e8d2f530"
ISSUER, SUBJECT, AUDIENCE = "https://keyhaven.acme.example", "keyhaven-0123abcd", "api://AzureADTokenExchange"
TRUST = ("federation", SUBSCRIPTION, ISSUER, SUBJECT, AUDIENCE)
CLIENT = "aaaaaaaa-0000-4000-8000-000000000001"

# Writes down what it is called with, and remembers in a folder what was made, as Azure would.
AZ = """\
#!/usr/bin/env bash
printf '%q ' "$@" >>"$STATE/calls"; echo >>"$STATE/calls"
[[ -e $STATE/refuse ]] && [[ "$*" == *"$(cat "$STATE/refuse")"* ]] && { echo 'ERROR: denied' >&2; exit 1; }
case "$*" in
  'account show'*) [[ -e $STATE/signed-out ]] && exit 1; echo 7a1e0c52-5d3b-4f60-9c8e-0b6f2d9a4e11 ;;
  'ad app list'*) cat "$STATE/app" 2>/dev/null ;;
  'ad app create'*) echo CLIENT | tee "$STATE/app" ;;
  'ad sp list'*) cat "$STATE/principal" 2>/dev/null ;;
  'ad sp create'*) echo object-1 | tee "$STATE/principal" ;;
  'ad app federated-credential list'*) cat "$STATE/federated" 2>/dev/null ;;
  'ad app federated-credential create'*) echo keyhaven >"$STATE/federated" ;;
  'ad app credential reset'*) echo canary~secret ;;
  'role definition list'*) cat "$STATE/role" 2>/dev/null ;;
  'role definition create'*) echo role-1 >"$STATE/role" ;;
esac
exit 0
""".replace("CLIENT", CLIENT)
SLEEP = '#!/bin/sh\necho "sleep $1" >>"$STATE/calls"\n'


@pytest.fixture
def file(project):
    return project / "credentials" / "clouds" / "azure" / script.FILE


@pytest.fixture
def shell(tmp_path, file):
    """A folder in which the script runs with stand-ins for az and sleep."""
    state, tools, home = (tmp_path / name for name in ("state", "tools", "home"))
    for folder in (state, tools, home):
        folder.mkdir()
    for name, text in (("az", AZ), ("sleep", SLEEP)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    def run(*arguments, path=f"{tools}:/usr/bin:/bin", text=""):
        command = ["-euc", text] if text else [str(file), *arguments]
        return subprocess.run(
            [shutil.which("bash") or "bash", *command], cwd=home, env={"PATH": path, "STATE": str(state)},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip

    def calls():
        found = state / "calls"
        text = found.read_text() if found.exists() else ""
        found.unlink(missing_ok=True)
        return [line.partition(" -")[0].strip() for line in text.splitlines()]

    return SimpleNamespace(run=run, calls=calls, state=state, home=home, secret=home / "client-secret.txt")


def said(shell):
    return (shell.state / "calls").read_text()


FIRST = [
    "account show",
    "ad app list",
    "ad app create",
    "ad sp list",
    "ad sp create",
    "ad app federated-credential list",
    "ad app federated-credential create",
    "role definition list",
    "role definition create",
    "role assignment create",
]
AGAIN = [
    "account show",
    "ad app list",
    "ad sp list",
    "ad app federated-credential list",
    "ad app federated-credential update",
    "role definition list",
    "role definition update",
    "role assignment create",
]


def test_shellcheck_has_nothing_to_say(file):
    beside = Path(sys.executable).with_name("shellcheck")
    found = need(beside.exists() and str(beside), "shellcheck")

    checked = subprocess.run(
        [found, "--enable=all", "--exclude=SC2250,SC2310,SC2311,SC2312", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_download_that_broke_off_does_nothing(shell, tmp_path):
    part = tmp_path / "part.sh"
    part.write_text(script.SCRIPT.text.rpartition('main "$@"')[0])

    ran = subprocess.run(["bash", str(part), *TRUST], cwd=shell.home, capture_output=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, b"")


def test_the_first_run_makes_everything(shell):
    ran = shell.run(*TRUST)

    words = said(shell)
    assert ran.returncode == 0, ran.stderr
    assert shell.calls() == FIRST
    for exact in (ISSUER, SUBJECT, AUDIENCE, "--assignee-object-id object-1"):
        assert exact in words
    for value in ("7a1e0c52-5d3b-4f60-9c8e-0b6f2d9a4e11", CLIENT, SUBSCRIPTION):
        assert value in ran.stdout
    assert not shell.secret.exists()


def test_the_second_run_keeps_what_is_there(shell):
    shell.run(*TRUST)
    shell.calls()

    ran = shell.run(*TRUST)

    assert ran.returncode == 0, ran.stderr
    assert shell.calls() == AGAIN


def test_a_secret_is_written_for_its_owner_alone_and_never_printed(shell):
    first = shell.run("secret", SUBSCRIPTION)
    made = shell.calls()
    again = shell.run("secret", SUBSCRIPTION)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "ad app credential reset" in made
    assert "ad app credential reset" not in shell.calls()
    assert shell.secret.read_text() == "canary~secret\n"
    assert shell.secret.stat().st_mode & 0o077 == 0
    assert "canary" not in first.stdout + first.stderr + again.stdout
    assert "no other secret was made" in again.stdout


def test_a_secret_that_was_refused_leaves_no_file(shell):
    (shell.state / "refuse").write_text("credential reset")

    ran = shell.run("secret", SUBSCRIPTION)

    assert ran.returncode == 1
    assert "use federation" in ran.stderr
    assert not shell.secret.exists()


def test_of_several_apps_of_that_name_none_is_touched(shell):
    (shell.state / "app").write_text("one\ntwo\n")

    ran = shell.run(*TRUST)

    assert ran.returncode == 1
    assert "several app registrations named keyhaven-console" in ran.stderr
    assert shell.calls() == FIRST[:2]


@pytest.mark.parametrize("number", range(1, len(FIRST)))
def test_it_stops_where_azure_refuses(shell, number):
    (shell.state / "refuse").write_text(FIRST[number])

    ran = shell.run(*TRUST)

    made = [call for call in shell.calls() if not call.startswith("sleep")]
    assert ran.returncode != 0
    assert "ERROR: denied" in ran.stderr
    assert "Done." not in ran.stdout
    # What was just made is waited for, so its assignment is asked for more than once.
    assert list(dict.fromkeys(made)) == FIRST[: number + 1]


def test_what_is_new_is_waited_for_and_a_refusal_of_what_is_old_is_not(shell):
    (shell.state / "refuse").write_text("role assignment create")
    first = shell.run(*TRUST)
    waited = shell.calls()
    second = shell.run(*TRUST)
    at_once = shell.calls()

    assert (waited.count("sleep 10"), at_once.count("sleep 10")) == (7, 0)
    assert "Owner or User Access Administrator" in first.stderr
    assert first.returncode == second.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Say federation or secret."),
        (("federation", SUBSCRIPTION), "needs SUBSCRIPTION, ISSUER, SUBJECT and AUDIENCE"),
        (("federation", SUBSCRIPTION, "http://x", SUBJECT, AUDIENCE), "is no issuer"),
        (("federation", SUBSCRIPTION, ISSUER, 'x", "y', AUDIENCE), "is no subject"),
        (("federation", SUBSCRIPTION, ISSUER, SUBJECT, "other"), "is no audience"),
        (("secret", "production"), "production is no subscription ID"),
        (("secret", SUBSCRIPTION, "a'b"), "is no name for the app"),
        (("secret", SUBSCRIPTION, "app", "more"), "The secret needs SUBSCRIPTION."),
    ],
)
def test_wrong_arguments_are_said_before_anything_is_asked(shell, arguments, words):
    ran = shell.run(*arguments)

    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Usage: " in ran.stderr
    assert shell.calls() == []


def test_without_az_or_signed_out_it_says_so(shell, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = shell.run("secret", SUBSCRIPTION, path=str(empty))
    (shell.state / "signed-out").touch()
    signed_out = shell.run("secret", SUBSCRIPTION)

    assert (missing.returncode, signed_out.returncode) == (1, 1)
    assert "az is not here" in missing.stderr
    assert "Run: az login" in signed_out.stderr


def test_the_script_and_the_console_name_the_same_role(shell):
    text = script.SCRIPT.text.partition("cat <<JSON\n")[2].partition("\nJSON\n")[0]
    name = f"Keyhaven console {SUBSCRIPTION[:8]}"
    written = json.loads(text.replace("$role", name).replace("$scope", f"/subscriptions/{SUBSCRIPTION}"))

    assert written == json.loads(roles.definition(SUBSCRIPTION))
    # Reading, and asking where a cluster answers; nothing that changes.
    assert all(action.endswith(("/read", "/listClusterUserCredential/action")) for action in roles.ACTIONS)


HELPED = Helped(SUBJECT, ISSUER, "https://keys.example/")


@pytest.mark.parametrize("tampered", [False, True])
def test_the_command_runs_nothing_but_what_has_the_checksum(shell, tmp_path, tampered):
    """A stand-in for curl brings the file, once as it is and once with a line more."""
    tools, served = tmp_path / "tools", tmp_path / "served"
    served.write_text(script.SCRIPT.text + ("echo owned\n" if tampered else ""))
    (tools / "curl").write_text(f'#!/bin/sh\ncp "{served}" "$2"\necho "$3" >>"$STATE/urls"\n')
    (tools / "curl").chmod(0o755)
    helped = Helped(SUBJECT, ISSUER, "https://keys.example/", {"subscription": SUBSCRIPTION})

    ran = shell.run(text=script.command("federation", helped), path=f"{tools}:{os.environ['PATH']}")

    assert (ran.returncode == 0) is not tampered, ran.stderr
    assert (shell.calls() == []) is tampered
    assert (shell.state / "urls").read_text().split() == [f"https://keys.example/setup/{script.FILE}"]


def test_the_checksum_is_the_files(file):
    assert script.SCRIPT.digest == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("facts", [{}, {"subscription": SUBSCRIPTION}])
@pytest.mark.parametrize("way", ["federation", "secret"])
def test_the_listing_does_what_the_script_does(shell, way, facts):
    helped = Helped(SUBJECT, ISSUER, "https://keys.example/", facts)

    ran = shell.run(text=script.listing(way, helped))

    words, proof = said(shell), "federated-credential create" if way == "federation" else "credential reset"
    assert ran.returncode == 0, ran.stderr
    assert [call for call in shell.calls() if call != "account show"] == [
        "ad app create", "ad sp create", f"ad app {proof}", "role definition create", "role assignment create",
    ]  # fmt: skip
    known = facts.get("subscription", "7a1e0c52-5d3b-4f60-9c8e-0b6f2d9a4e11")
    assert f"/subscriptions/{known}" in words
    assert f"--role Keyhaven\\ console\\ {known[:8]}" in words
    assert "SUBSCRIPTION_ID" not in words


def test_both_ways_have_numbered_steps_with_this_organizations_words():
    trust, secret = cards.federation(HELPED), cards.secret(HELPED)

    said = "\n".join(listing.text for card in trust for listing in card.listings)
    assert ISSUER in said
    assert SUBJECT in said
    assert "second one" in secret[-1].text
    assert "--append" in secret[-1].listings[0].text
    for card in (*trust, *secret):
        assert card.title
        assert card.text


def test_the_script_is_there_for_everybody(client):
    found = client.get(f"/setup/{script.FILE}")

    assert found.status_code == 200
    assert found.content.decode() == script.SCRIPT.text
    assert client.get(f"/setup/{script.FILE}", headers={"If-None-Match": found["ETag"]}).status_code == 304
