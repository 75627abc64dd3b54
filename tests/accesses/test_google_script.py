"""The script for Google: it does what it says, again as often as one likes, and stops at the first refusal."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.exceptions import ValidationError

from accesses.setup import google_script
from tests.tools import need

# Writes down what it is called with, and remembers in a folder what was made, as Google would.
GCLOUD = """\
#!/usr/bin/env bash
printf '%q ' "$@" >>"$STATE/calls"; echo >>"$STATE/calls"
[[ -e $STATE/refuse ]] && [[ "$*" == *"$(cat "$STATE/refuse")"* ]] && { echo 'ERROR: denied' >&2; exit 1; }
case "$*" in
  'auth list'*) [[ -e $STATE/signed-out ]] || echo admin@example.com ;;
  'iam roles list'*) cat "$STATE/role" 2>/dev/null ;;
  'iam roles create'*) echo "projects/acme-prod/roles/$4" >"$STATE/role" ;;
  'iam service-accounts list'*) cat "$STATE/account" 2>/dev/null ;;
  'iam service-accounts create'*) echo "$4@acme-prod.iam.gserviceaccount.com" >"$STATE/account" ;;
  'iam service-accounts keys create'*) echo "{\\"client_email\\": \\"${6#*=}\\"}" >"$5" ;;
esac
exit 0
"""
SLEEP = '#!/bin/sh\necho "sleep $1" >>"$STATE/calls"\n'
EMAIL = "keyhaven-secrets-manager-sa@acme-prod.iam.gserviceaccount.com"


@pytest.fixture
def file(project):
    return project / "secrets" / "accesses" / "setup" / google_script.FILE


@pytest.fixture
def shell(tmp_path, file):
    """A folder in which the script runs with stand-ins for gcloud and sleep."""
    state, tools, home = (tmp_path / name for name in ("state", "tools", "home"))
    for folder in (state, tools, home):
        folder.mkdir()
    for name, text in (("gcloud", GCLOUD), ("sleep", SLEEP)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    def run(*arguments, path=f"{tools}:/usr/bin:/bin"):
        return subprocess.run(
            [shutil.which("bash") or "bash", str(file), *arguments], cwd=home, env={"PATH": path, "STATE": str(state)},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip

    def calls():
        found = state / "calls"
        lines = found.read_text().splitlines() if found.exists() else []
        found.unlink(missing_ok=True)
        return [" ".join(line.split()[: 4 if "keys" in line else 3]) for line in lines]

    return SimpleNamespace(run=run, calls=calls, state=state, home=home, key=home / "key.json")


def said(shell):
    return (shell.state / "calls").read_text()


FIRST = [
    "auth list --filter=status:ACTIVE",
    "services enable secretmanager.googleapis.com",
    "iam roles list",
    "iam roles create",
    "iam service-accounts list",
    "iam service-accounts create",
    "projects add-iam-policy-binding acme-prod",
    "iam service-accounts keys create",
]


def test_shellcheck_has_nothing_to_say(file):
    beside = Path(sys.executable).with_name("shellcheck")
    found = need(beside.exists() and str(beside), "shellcheck")

    checked = subprocess.run(
        [found, "--enable=all", "--exclude=SC2250,SC2310,SC2311,SC2312", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_shell_can_read_it_and_it_evaluates_nothing(file):
    read = subprocess.run(["bash", "-n", str(file)], capture_output=True, text=True, check=False)

    assert (read.returncode, read.stderr) == (0, "")
    assert "eval" not in google_script.SCRIPT.text
    assert google_script.SCRIPT.text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in google_script.SCRIPT.text


def test_a_download_that_broke_off_does_nothing(shell, file, tmp_path):
    part = tmp_path / "part.sh"
    part.write_text(google_script.SCRIPT.text.rpartition('main "$@"')[0])

    ran = subprocess.run(
        ["bash", str(part), "acme-prod"], cwd=shell.home, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False
    )  # fmt: skip

    assert (ran.returncode, ran.stdout) == (0, b"")


def test_the_first_run_makes_everything(shell):
    ran = shell.run("acme-prod")

    words = said(shell)
    assert ran.returncode == 0, ran.stderr
    assert shell.calls() == FIRST
    assert f"--permissions={','.join(google_script.PERMISSIONS)} " in words.replace("\\", "")
    assert f"--member=serviceAccount:{EMAIL} " in words
    assert "--role=projects/acme-prod/roles/keyhaven_secrets_manager_role --condition=None" in words
    assert EMAIL in shell.key.read_text()
    assert shell.key.stat().st_mode & 0o077 == 0
    assert "Done. Next:" in ran.stdout


def test_the_names_are_arguments(shell):
    ran = shell.run("acme-prod", "my_role", "my-account")

    words = said(shell)
    assert ran.returncode == 0, ran.stderr
    assert "iam roles create my_role " in words
    assert "serviceAccount:my-account@acme-prod.iam.gserviceaccount.com" in words
    assert "keyhaven" not in words.lower().replace("keyhaven\\\\ reads", "").replace("keyhaven\\ reads", "")


def test_a_domains_project_has_its_name_turned_round_in_addresses(shell):
    ran = shell.run("example.com:acme-prod")

    assert ran.returncode == 0, ran.stderr
    assert "@acme-prod.example.com.iam.gserviceaccount.com" in said(shell)


def test_the_second_run_keeps_what_is_there(shell):
    shell.run("acme-prod")
    shell.calls()
    before = shell.key.read_text()

    ran = shell.run("acme-prod")

    assert ran.returncode == 0, ran.stderr
    assert shell.calls() == [
        "auth list --filter=status:ACTIVE",
        "services enable secretmanager.googleapis.com",
        "iam roles list",
        "iam roles update",
        "iam service-accounts list",
        "projects add-iam-policy-binding acme-prod",
    ]
    assert shell.key.read_text() == before
    assert "no other key was made" in ran.stdout


def test_a_deleted_role_is_restored(shell):
    (shell.state / "role").write_text("projects/acme-prod/roles/keyhaven_secrets_manager_role\tTrue\n")

    ran = shell.run("acme-prod")

    assert ran.returncode == 0, ran.stderr
    assert shell.calls()[2:5] == ["iam roles list", "iam roles undelete", "iam roles update"]


def test_somebody_elses_key_is_kept_and_nothing_is_touched(shell):
    shell.key.write_text('{"client_email": "other@acme-prod.iam.gserviceaccount.com"}')

    ran = shell.run("acme-prod")

    assert ran.returncode == 1
    assert "is not one of keyhaven-secrets-manager-sa@acme-prod" in ran.stderr
    assert "other@" in shell.key.read_text()
    assert shell.calls() == ["auth list --filter=status:ACTIVE"]


@pytest.mark.parametrize("number", range(1, len(FIRST)))
def test_it_stops_where_gcloud_fails(shell, number):
    (shell.state / "refuse").write_text(" ".join(FIRST[number].split()[:4]))

    ran = shell.run("acme-prod")

    made = [call for call in shell.calls() if not call.startswith("sleep")]
    assert ran.returncode != 0
    assert "ERROR: denied" in ran.stderr
    assert "Done." not in ran.stdout
    # A new service account is waited for, so its binding is asked for more than once.
    assert list(dict.fromkeys(made)) == FIRST[: number + 1]
    assert not shell.key.exists()


def test_a_new_account_is_waited_for_and_a_refusal_of_an_old_one_is_not(shell):
    (shell.state / "refuse").write_text("add-iam-policy-binding")
    first = shell.run("acme-prod")
    waited = shell.calls()
    second = shell.run("acme-prod")
    at_once = shell.calls()

    assert (waited.count("sleep 5"), at_once.count("sleep 5")) == (4, 0)
    assert "You need resourcemanager.projects.setIamPolicy on acme-prod" in first.stderr
    assert first.returncode == second.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "The project is missing"),
        (("",), "The project is missing"),
        (("acme",), "acme is no project ID"),
        (("Acme-Prod",), "Acme-Prod is no project ID"),
        (("acme-prod; rm -rf /",), "is no project ID"),
        (("acme-prod", "my-role"), "my-role is no name for a custom role"),
        (("acme-prod", "role", "x"), "x is no name for a service account"),
        (("acme-prod", "role", "account", "more"), "There are 4 arguments"),
    ],
)
def test_wrong_arguments_are_said_before_anything_is_asked(shell, arguments, words):
    ran = shell.run(*arguments)

    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Usage: " in ran.stderr
    assert shell.calls() == []


def test_without_gcloud_or_signed_out_it_says_so(shell, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = shell.run("acme-prod", path=str(empty))
    (shell.state / "signed-out").touch()
    signed_out = shell.run("acme-prod")

    assert (missing.returncode, signed_out.returncode) == (1, 1)
    assert "gcloud is not here" in missing.stderr
    assert "Run: gcloud auth login" in signed_out.stderr


def test_the_script_and_the_console_name_the_same_permissions():
    (found,) = re.findall(r"PERMISSIONS=(\S+)", google_script.SCRIPT.text)

    assert tuple(found.split(",")) == google_script.PERMISSIONS
    # Listing and reading; nothing that changes.
    assert {one.rpartition(".")[2] for one in google_script.PERMISSIONS} == {"get", "list", "access"}


@pytest.mark.parametrize("tampered", [False, True])
def test_the_command_runs_nothing_but_what_has_the_checksum(shell, tmp_path, tampered):
    """A stand-in for curl brings the file, once as it is and once with a line more."""
    tools = tmp_path / "tools"
    served = tmp_path / "served"
    served.write_text(google_script.SCRIPT.text + ("echo owned\n" if tampered else ""))
    (tools / "curl").write_text(f'#!/bin/sh\ncp "{served}" "$2"\necho "$3" >>"$STATE/urls"\n')
    (tools / "curl").chmod(0o755)

    ran = subprocess.run(
        ["bash", "-c", google_script.command("https://keys.example/", "acme-prod")],
        cwd=shell.home, env={"PATH": f"{tools}:{os.environ['PATH']}", "STATE": str(shell.state)},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip

    assert (ran.returncode == 0) is not tampered
    assert (shell.calls() == []) is tampered
    assert shell.key.exists() is not tampered
    assert (shell.state / "urls").read_text().split() == [f"https://keys.example/setup/{google_script.FILE}"]


def test_the_checksum_is_the_files(file):
    assert google_script.SCRIPT.digest == hashlib.sha256(file.read_bytes()).hexdigest()


def ran_listing(shell, tmp_path, text):
    """Run lines of gcloud with the stand-in, and return what it was called with."""
    done = subprocess.run(
        ["bash", "-euc", text], cwd=shell.home,
        env={"PATH": f"{tmp_path / 'tools'}:/usr/bin:/bin", "STATE": str(shell.state), "GOOGLE_CLOUD_PROJECT": "acme-shell"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return said(shell), done.stdout


def test_the_listing_does_what_the_script_does(shell, tmp_path):
    words, _ = ran_listing(shell, tmp_path, google_script.listing("acme-prod"))

    assert (
        f"--member=serviceAccount:{EMAIL} --role=projects/acme-prod/roles/keyhaven_secrets_manager_role"
        in words
    )
    assert shell.calls() == [call for call in FIRST if " list" not in call]
    assert EMAIL in shell.key.read_text()


def test_without_a_project_cloud_shell_fills_in_its_own(shell, tmp_path):
    words, _ = ran_listing(shell, tmp_path, google_script.listing())

    assert "@acme-shell.iam.gserviceaccount.com" in words


SUBJECT = "system:serviceaccount:external-secrets:gcp-1"


def test_federation_lets_one_subject_in(shell, tmp_path):
    text = google_script.federation_listing(
        "acme-prod", "keyhaven-1", "cluster", "https://oidc.example/id/1?x=$(touch hacked)", SUBJECT
    )

    words, out = ran_listing(shell, tmp_path, text.replace("$NUMBER", "123"))

    plain = words.replace("\\", "")
    principal = f"principal://iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/keyhaven-1/subject/{SUBJECT}"
    assert "--attribute-mapping=google.subject=assertion.sub" in plain
    assert f'--attribute-condition=assertion.sub=="{SUBJECT}"' in plain
    assert "--issuer-uri=https://oidc.example/id/1?x=$(touch hacked)" in plain
    for role in ("secretAccessor", "viewer"):
        assert f"--role=roles/secretmanager.{role} --member={principal} --condition=None" in plain
    assert "--allowed-audiences" not in plain
    assert out.strip() == (
        "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/keyhaven-1/providers/cluster"
    )
    assert not (shell.home / "hacked").exists()


def test_an_audience_of_ones_own_is_named():
    text = google_script.federation_listing(
        "p", "pool", "cluster", "https://x", SUBJECT, "https://my.audience"
    )

    assert "--allowed-audiences=https://my.audience \\" in text


def test_workload_identity_lets_one_serviceaccount_act(shell, tmp_path):
    text = google_script.workload_identity_listing(
        "acme-prod", "acme-clusters", "reader@acme-prod.iam.gserviceaccount.com", "external-secrets", "gcp-1"
    )

    plain = ran_listing(shell, tmp_path, text)[0].replace("\\", "")

    assert "--role=roles/iam.workloadIdentityUser" in plain
    assert "--member=serviceAccount:acme-clusters.svc.id.goog[external-secrets/gcp-1]" in plain
    assert plain.count("--member=serviceAccount:reader@acme-prod.iam.gserviceaccount.com") == 2


def test_the_operators_own_identity_is_granted_directly(shell, tmp_path):
    text = google_script.ambient_listing("acme-prod", "acme-clusters", "external-secrets", "external-secrets")

    plain = ran_listing(shell, tmp_path, text)[0].replace("\\", "")

    assert (
        plain.count(
            "/workloadIdentityPools/acme-clusters.svc.id.goog/subject/ns/external-secrets/sa/external-secrets"
        )
        == 2
    )
    assert "projects describe acme-clusters" in plain


def test_reading_is_narrowed_to_prefixes_and_listing_is_not(shell, tmp_path):
    text = google_script.grants("acme-prod", "user:a@b.c", number="123", prefixes=["prod-*", "prod-", "b_"])

    reads, lists = ran_listing(shell, tmp_path, text)[0].replace("\\", "").splitlines()

    assert "--role=roles/secretmanager.secretAccessor" in reads
    assert (
        '--condition=expression=resource.name.startsWith("projects/123/secrets/b_") || '
        'resource.name.startsWith("projects/123/secrets/prod-"),title=keyhaven-names'
    ) in reads
    assert "--role=roles/secretmanager.viewer" in lists
    assert "--condition=None" in lists


@pytest.mark.parametrize(
    ("prefixes", "words"),
    [
        (["*"], "is every secret"),
        (["prod/"], "cannot begin a secret's name"),
        (['x") || true'], "cannot begin a secret's name"),
        ([f"p{n}" for n in range(14)], "These are 14 prefixes; Google takes 13"),
    ],
)
def test_what_is_no_prefix_at_google_is_refused(prefixes, words):
    with pytest.raises(ValidationError) as refused:
        google_script.grants("p", "user:a", number="1", prefixes=prefixes)

    assert words in refused.value.messages[0]


def test_a_condition_needs_the_projects_number():
    with pytest.raises(ValidationError, match="needs the project's number"):
        google_script.grants("p", "user:a", number="acme-prod", prefixes=["a"])
