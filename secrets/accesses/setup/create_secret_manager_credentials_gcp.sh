#!/usr/bin/env bash
# Makes key.json: the key of a Google service account that lists and reads the secrets of one project.
#
#   bash create_secret_manager_credentials_gcp.sh PROJECT [ROLE] [SERVICE_ACCOUNT]
#
# It may be run again: what is there already is kept, and brought to what stands here.
# Everything it changes is in PROJECT; it sends nothing anywhere but to Google.
set -euo pipefail

readonly API=secretmanager.googleapis.com
readonly PERMISSIONS=resourcemanager.projects.get,secretmanager.locations.list,secretmanager.secrets.get,secretmanager.secrets.list,secretmanager.versions.access,secretmanager.versions.get,secretmanager.versions.list
readonly KEY=key.json
# A new service account takes some seconds until the project's policy knows it.
attempts=1

say() { printf '%s\n' "$*"; }

fail() {
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

usage() {
  say "Usage: bash create_secret_manager_credentials_gcp.sh PROJECT [ROLE] [SERVICE_ACCOUNT]" >&2
  printf 'Error: %s\n' "$*" >&2
  exit 2
}

check_arguments() {
  [[ $# -ge 1 && -n $1 ]] || usage "The project is missing. In Cloud Shell it is in \$GOOGLE_CLOUD_PROJECT."
  [[ $# -le 3 ]] || usage "There are $# arguments; three are known."
  project=$1
  role=${2:-keyhaven_secrets_manager_role}
  account=${3:-keyhaven-secrets-manager-sa}
  [[ $project =~ ^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
    usage "$project is no project ID: 6 to 30 lower-case letters, digits and hyphens."
  [[ $role =~ ^[A-Za-z0-9_.]{3,64}$ ]] ||
    usage "$role is no name for a custom role: 3 to 64 letters, digits, underscores and dots."
  [[ $account =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
    usage "$account is no name for a service account: 6 to 30 lower-case letters, digits and hyphens."
  # The project of a domain, example.com:project, has it behind its name in addresses.
  if [[ $project == *:* ]]; then
    email=$account@${project#*:}.${project%%:*}.iam.gserviceaccount.com
  else
    email=$account@$project.iam.gserviceaccount.com
  fi
}

check_tools() {
  command -v gcloud >/dev/null || fail "gcloud is not here. Run this in Cloud Shell, or install the Google Cloud CLI."
  local signed_in
  signed_in=$(gcloud auth list --filter=status:ACTIVE --format='value(account)')
  [[ -n $signed_in ]] || fail "gcloud is not signed in. Run: gcloud auth login"
}

check_key() {
  [[ -e $KEY ]] || return 0
  grep -qF "\"$email\"" "$KEY" ||
    fail "$KEY is here already and is not one of $email. Move it away, then run this again."
}

enable_api() {
  say "Enabling $API in $project"
  gcloud services enable "$API" --project="$project"
}

ensure_role() {
  local found
  found=$(gcloud iam roles list --project="$project" --show-deleted \
    --filter="name=projects/$project/roles/$role" --format='value(name,deleted)')
  if [[ -z $found ]]; then
    say "Creating the custom role $role"
    gcloud iam roles create "$role" --project="$project" --title="Keyhaven reads secrets" \
      --description="Lists and reads secrets; changes nothing." --permissions="$PERMISSIONS" --stage=GA --quiet
    return
  fi
  if [[ $found == *True ]]; then
    say "Restoring the custom role $role, which was deleted"
    gcloud iam roles undelete "$role" --project="$project" --quiet
  fi
  say "Setting the permissions of the custom role $role, which is there already"
  gcloud iam roles update "$role" --project="$project" --permissions="$PERMISSIONS" --stage=GA --quiet
}

ensure_account() {
  local found
  found=$(gcloud iam service-accounts list --project="$project" --filter="email=$email" --format='value(email)')
  if [[ -n $found ]]; then
    say "Keeping the service account $email, which is there already"
    return
  fi
  say "Creating the service account $email"
  attempts=5
  gcloud iam service-accounts create "$account" --project="$project" --display-name="Keyhaven reads secrets"
}

bind() {
  say "Granting the role to the service account"
  local attempt
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    if gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$email" \
      --role="projects/$project/roles/$role" --condition=None --quiet >/dev/null; then
      return
    fi
    ((attempt == attempts)) || sleep 5
  done
  fail "The role could not be granted. You need resourcemanager.projects.setIamPolicy on $project."
}

make_key() {
  if [[ -e $KEY ]]; then
    say "Keeping $KEY, which is here already and is one of $email; no other key was made"
    return
  fi
  say "Making a key: $KEY"
  umask 077
  gcloud iam service-accounts keys create "$KEY" --iam-account="$email" --project="$project" ||
    fail "No key was made. Where an organization forbids keys (iam.disableServiceAccountKeyCreation), use workload identity federation."
}

next_steps() {
  say ""
  say "Done. Next:"
  say "  1. Download $KEY. In Cloud Shell: cloudshell download $KEY"
  say "  2. Upload it in Keyhaven, with the project $project."
  say "  3. Delete it here and from your downloads: rm $KEY"
}

main() {
  check_arguments "$@"
  check_tools
  check_key
  enable_api
  ensure_role
  ensure_account
  bind
  make_key
  next_steps
}

# Last, so that a download that broke off does nothing.
main "$@"
