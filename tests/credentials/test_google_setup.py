"""The set-up help for Google: the script does what it says, again as often as one likes; the cards are filled in."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.urls import reverse

from credentials import clouds, issuer
from credentials.clouds.base import Helped
from credentials.clouds.google import cards, federation, keyring, policies, script
from tests.tools import need

ISSUER = "https://keys.example"
SUBJECT = "keyhaven-" + "0123456789abcdef" * 2
PROVIDER = "keyhaven-0123456789abcdef"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/keyhaven"
EMAIL = "keyhaven@acme-prod.iam.gserviceaccount.com"
ARGUMENTS = ("acme-prod", "keyhaven", ISSUER, SUBJECT)
HELPED = Helped(subject=SUBJECT, issuer=ISSUER, base_url=ISSUER)

# Writes down what it is called with, and remembers in a folder what was made, as Google would.
GCLOUD = """\
#!/usr/bin/env bash
printf '%s ' "$@" >>"$STATE/calls"; echo >>"$STATE/calls"
[[ -e $STATE/refuse ]] && [[ "$*" == *"$(cat "$STATE/refuse")"* ]] && { echo 'ERROR: denied' >&2; exit 1; }
case "$*" in
  'auth list'*) [[ -e $STATE/signed-out ]] || echo admin@example.com ;;
  'projects describe'*) echo 123456789012 ;;
  'iam workload-identity-pools list'*) cat "$STATE/pool" 2>/dev/null ;;
  'iam workload-identity-pools create '*) echo ACTIVE >"$STATE/pool" ;;
  'iam workload-identity-pools providers list'*) cat "$STATE/provider" 2>/dev/null ;;
  'iam workload-identity-pools providers create-oidc'*) echo ACTIVE >"$STATE/provider" ;;
  'iam roles list'*) cat "$STATE/role" 2>/dev/null ;;
  'iam roles create'*) echo "projects/acme-prod/roles/$4" >"$STATE/role" ;;
  'iam service-accounts list'*) cat "$STATE/account" 2>/dev/null ;;
  'iam service-accounts create'*) echo "$4@acme-prod.iam.gserviceaccount.com" >"$STATE/account" ;;
esac
exit 0
"""
SLEEP = '#!/bin/sh\necho "sleep $1" >>"$STATE/calls"\n'


@pytest.fixture
def file(project):
    return project / "credentials" / "clouds" / "google" / script.FILE


@pytest.fixture
def shell(tmp_path, file):
    """A folder in which the script runs with stand-ins for gcloud and sleep."""
    state, tools, home = (tmp_path / name for name in ("state", "tools", "home"))
    for folder in (state, tools, home):
        folder.mkdir()
    for name, text in (("gcloud", GCLOUD), ("sleep", SLEEP)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    env = {"PATH": f"{tools}:/usr/bin:/bin", "STATE": str(state), "GOOGLE_CLOUD_PROJECT": "acme-prod"}

    def run(*arguments, path=env["PATH"]):
        return subprocess.run(
            [shutil.which("bash") or "bash", str(file), *arguments], cwd=home, env=env | {"PATH": path},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip

    def lines(text):
        return subprocess.run(
            ["bash", "-euc", text], cwd=home, env=env, capture_output=True, text=True, check=False, timeout=30
        )

    def calls():
        found = state / "calls"
        said = found.read_text().splitlines() if found.exists() else []
        found.unlink(missing_ok=True)
        return said

    return SimpleNamespace(run=run, lines=lines, calls=calls, state=state, home=home, tools=tools)


def verbs(calls):
    return [re.split(r" (?:--|acme|keyhaven|iam\.)", call.strip())[0] for call in calls]


FIRST = [
    "auth list",
    "projects describe",
    "services enable",
    "iam workload-identity-pools list",
    "iam workload-identity-pools create",
    "iam workload-identity-pools providers list",
    "iam workload-identity-pools providers create-oidc",
    "iam roles list",
    "iam roles create",
    "iam service-accounts list",
    "iam service-accounts create",
    "projects add-iam-policy-binding",
    "iam service-accounts add-iam-policy-binding",
]


class TestScript:
    def test_shellcheck_has_nothing_to_say(self, file):
        beside = Path(sys.executable).with_name("shellcheck")
        found = need(beside.exists() and str(beside), "shellcheck")

        checked = subprocess.run(
            [found, "--enable=all", "--exclude=SC2250,SC2310,SC2311,SC2312", str(file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert (checked.returncode, checked.stdout) == (0, "")

    def test_a_download_that_broke_off_does_nothing(self, shell, tmp_path):
        part = tmp_path / "part.sh"
        part.write_text(script.SCRIPT.text.rpartition('main "$@"')[0])

        ran = subprocess.run(
            ["bash", str(part), *ARGUMENTS], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False
        )

        assert (ran.returncode, ran.stdout) == (0, b"")

    def test_the_first_run_makes_everything_and_prints_what_the_form_takes(self, shell):
        ran = shell.run(*ARGUMENTS)

        calls = shell.calls()
        words = "\n".join(calls)
        assert ran.returncode == 0, ran.stderr
        assert verbs(calls) == FIRST
        assert f"--issuer-uri={ISSUER} --attribute-mapping=google.subject=assertion.sub" in words
        assert f"--attribute-condition=assertion.sub=='{SUBJECT}'" in words
        assert "--jwk-json-path" not in words
        assert f"--permissions={','.join(policies.LOOKING)} " in words
        assert f"--member=principal://iam.googleapis.com/{POOL}/subject/{SUBJECT}" in words
        printed = dict(re.findall(r"^  (\S.+?) {2,}(\S+)$", ran.stdout, re.M))
        form = federation.FederationForm(
            {"project": printed["Project ID"], "provider": printed["Workload identity provider"], "email": printed["Service account"]}
        )  # fmt: skip
        assert form.is_valid(), form.errors
        assert form.given() == {
            "project": "acme-prod",
            "provider": f"{POOL}/providers/{PROVIDER}",
            "email": EMAIL,
        }

    def test_the_second_run_keeps_what_is_there(self, shell):
        shell.run(*ARGUMENTS)
        shell.calls()

        ran = shell.run(*ARGUMENTS)

        assert ran.returncode == 0, ran.stderr
        made = [call for call in verbs(shell.calls()) if " create" in call]
        assert made == []

    def test_what_was_deleted_is_restored(self, shell):
        (shell.state / "pool").write_text("DELETED\n")
        (shell.state / "provider").write_text("DELETED\n")
        (shell.state / "role").write_text("projects/acme-prod/roles/keyhaven_console\tTrue\n")

        ran = shell.run(*ARGUMENTS)

        called = verbs(shell.calls())
        assert ran.returncode == 0, ran.stderr
        assert [call for call in called if "undelete" in call] == [
            "iam workload-identity-pools undelete",
            "iam workload-identity-pools providers undelete",
            "iam roles undelete",
        ]
        assert "iam workload-identity-pools providers update-oidc" in called

    def test_keys_are_uploaded_where_they_are_given(self, shell):
        (shell.home / "jwks.json").write_text('{"keys": []}')

        ran = shell.run("--keys", "jwks.json", *ARGUMENTS)

        assert ran.returncode == 0, ran.stderr
        assert "--jwk-json-path=jwks.json" in "\n".join(shell.calls())

    def test_automatic_access_has_permissions_more(self, shell):
        shell.run("--automatic", *ARGUMENTS)

        (found,) = re.findall(r"--permissions=(\S+)", "\n".join(shell.calls()))
        assert set(found.split(",")) == {*policies.LOOKING, *policies.AUTOMATIC}
        assert set(found.split(",")) == set(json.loads(policies.role("x"))["includedPermissions"])

    @pytest.mark.parametrize("number", range(1, len(FIRST)))
    def test_it_stops_where_gcloud_fails(self, shell, number):
        (shell.state / "refuse").write_text(FIRST[number])

        ran = shell.run(*ARGUMENTS)

        called = verbs(call for call in shell.calls() if not call.startswith("sleep"))
        assert ran.returncode != 0
        assert "Done." not in ran.stdout
        # A new service account is waited for, so a binding is asked for more than once.
        assert list(dict.fromkeys(called)) == FIRST[: number + 1]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "There are 0 arguments; four are needed."),
            (("acme", *ARGUMENTS[1:]), "acme is no project ID"),
            (("acme-prod", "x", *ARGUMENTS[2:]), "x is no name for a service account"),
            (("acme-prod", "keyhaven", "http://localhost:8000", SUBJECT), "an address with https"),
            (("acme-prod", "keyhaven", "https://x$(id)", SUBJECT), "is no issuer"),
            ((*ARGUMENTS[:3], "*"), "is no subject of a console"),
            (("--keys", "none.json", *ARGUMENTS), "none.json holds no public keys"),
            (("--all", *ARGUMENTS), "--all is no option"),
        ],
    )
    def test_wrong_arguments_are_said_before_anything_is_asked(self, shell, arguments, words):
        ran = shell.run(*arguments)

        assert ran.returncode == 2
        assert words in ran.stderr
        assert shell.calls() == []

    def test_without_gcloud_or_signed_out_it_says_so(self, shell, tmp_path):
        (tmp_path / "empty").mkdir()
        missing = shell.run(*ARGUMENTS, path=str(tmp_path / "empty"))
        (shell.state / "signed-out").touch()
        signed_out = shell.run(*ARGUMENTS)

        assert "gcloud is not here" in missing.stderr
        assert "Run: gcloud auth login" in signed_out.stderr

    def test_everybody_may_download_it(self, client):
        answer = client.get(reverse("setup_google_federation"))
        again = client.get(
            reverse("setup_google_federation"), headers={"If-None-Match": answer.headers["ETag"]}
        )

        assert answer.content.decode() == script.SCRIPT.text
        assert answer.headers["Content-Type"].startswith("text/x-shellscript")
        assert again.status_code == 304
        assert client.post(reverse("setup_google_federation")).status_code == 405


class TestCards:
    @pytest.mark.parametrize("tampered", [False, True])
    def test_the_command_runs_nothing_but_what_has_the_checksum(self, shell, tmp_path, tampered):
        served = tmp_path / "served"
        served.write_text(script.SCRIPT.text + ("echo owned\n" if tampered else ""))
        (shell.tools / "curl").write_text(f'#!/bin/sh\ncp "{served}" "$2"\necho "$3" >>"$STATE/urls"\n')
        (shell.tools / "curl").chmod(0o755)

        ran = shell.lines(script.command(HELPED, uploads=False))

        assert (ran.returncode == 0) is not tampered
        assert (shell.calls() == []) is tampered
        assert (shell.state / "urls").read_text().split() == [f"{ISSUER}/setup/{script.FILE}"]

    def test_the_checksum_is_the_files(self, file):
        assert script.SCRIPT.digest == hashlib.sha256(file.read_bytes()).hexdigest()

    def test_the_listing_does_what_the_script_does(self, shell):
        by_script = (shell.run(*ARGUMENTS), shell.calls())[1]
        ran = shell.lines(script.listing(HELPED, uploads=False))
        by_listing = shell.calls()

        def trusted(calls):
            found = re.findall(r"--(?:issuer-uri|attribute-\w+|permissions|member)=\S+", "\n".join(calls))
            return {word.rstrip("\\") for word in found}

        assert ran.returncode == 0, ran.stderr
        assert trusted(by_listing) == trusted(by_script)
        assert ran.stdout.strip().endswith(f"{POOL}/providers/{PROVIDER}")

    def test_the_keys_listing_ends_in_a_key(self, shell):
        ran = shell.lines(script.key_listing({}))

        assert ran.returncode == 0, ran.stderr
        assert f"keys create key.json --iam-account={EMAIL}" in shell.calls()[-1]

    def test_a_public_console_uploads_nothing(self):
        steps = cards.federation(HELPED)

        assert steps[0].title == "Run this in Google's Cloud Shell"
        assert SUBJECT in steps[0].listings[0].text
        assert f"--issuer-uri={ISSUER}" in steps[0].listings[2].text
        assert "jwk" not in steps[0].listings[0].text

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        "address", ["http://localhost:8000", "http://keys.example", "https://keyhaven", "https://localhost"]
    )
    def test_a_console_that_google_does_not_reach_uploads_its_keys(self, address):
        helped = Helped(subject=SUBJECT, issuer=address, base_url=address)

        first, run, *_ = cards.federation(helped)

        assert json.loads(first.listings[0].text) == issuer.keys()
        assert first.listings[0].file == "jwks.json"
        assert ("set BASE_URL" in first.text) is address.startswith("http:")
        assert "--keys jwks.json" in run.listings[0].text
        assert "--jwk-json-path=jwks.json" in run.listings[2].text
        assert "curl" not in run.listings[0].text

    def test_a_key_is_advised_against_and_renewed_by_the_console(self):
        first, *_, last = cards.key(HELPED)

        assert "federation" in first.title
        assert last.listings[0].text == keyring.policy({})

    @pytest.mark.django_db
    def test_each_way_has_its_cards(self):
        for method in clouds.CLOUDS["gcp"].methods:
            steps = method.cards(HELPED)

            assert len(steps) >= 3
            assert all(card.title and card.text for card in steps)
            assert os.sep + "tmp" not in str(steps)
