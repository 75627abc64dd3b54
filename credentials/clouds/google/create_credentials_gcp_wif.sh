#!/usr/bin/env bash
# Lets a Keyhaven console in to one Google Cloud project without a key: a workload identity pool with a provider that
# trusts the console's tokens for one organization, and a service account with a custom role, which it acts as.
#
#   bash create_credentials_gcp_wif.sh [--automatic] [--keys FILE] PROJECT SERVICE_ACCOUNT ISSUER SUBJECT
#
#   --automatic   also lets it make and remove service accounts, and the project's bindings, for accesses of clusters
#   --keys FILE   the console's public keys (jwks.json), where Google cannot fetch them from ISSUER
#
# It may be run again: what is there already is kept, and brought to what stands here.
# Everything it changes is in PROJECT; it sends nothing anywhere but to Google.
set -euo pipefail

readonly APIS=(iam.googleapis.com iamcredentials.googleapis.com sts.googleapis.com cloudresourcemanager.googleapis.com container.googleapis.com)
readonly LOOKING=container.clusters.get,container.clusters.list,resourcemanager.projects.get
readonly AUTOMATIC=iam.serviceAccounts.create,iam.serviceAccounts.delete,iam.serviceAccounts.get,iam.serviceAccounts.getIamPolicy,iam.serviceAccounts.setIamPolicy,resourcemanager.projects.getIamPolicy,resourcemanager.projects.setIamPolicy
readonly POOL=keyhaven
readonly ROLE=keyhaven_console
# A new service account takes some seconds until policies know it.
attempts=1
permissions=$LOOKING
keys=

say() { printf '%s\n' "$*"; }

fail() {
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

usage() {
  say "Usage: bash create_credentials_gcp_wif.sh [--automatic] [--keys FILE] PROJECT SERVICE_ACCOUNT ISSUER SUBJECT" >&2
  printf 'Error: %s\n' "$*" >&2
  exit 2
}

read_arguments() {
  while [[ ${1-} == --* ]]; do
    case $1 in
      --automatic) permissions=$LOOKING,$AUTOMATIC ;;
      --keys)
        keys=${2-}
        [[ -n $keys ]] || usage "The file of --keys is missing."
        shift
        ;;
      *) usage "$1 is no option." ;;
    esac
    shift
  done
  [[ $# -eq 4 ]] || usage "There are $# arguments; four are needed."
  project=$1
  account=$2
  issuer=$3
  subject=$4
}

check_arguments() {
  [[ $project =~ ^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
    usage "$project is no project ID: 6 to 30 lower-case letters, digits and hyphens."
  [[ $account =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
    usage "$account is no name for a service account: 6 to 30 lower-case letters, digits and hyphens."
  [[ $issuer =~ ^https://[A-Za-z0-9./:_-]+$ ]] ||
    usage "$issuer is no issuer that Google takes: an address with https. Set the console's BASE_URL to one."
  [[ $subject =~ ^keyhaven-[0-9a-f]{32}$ ]] ||
    usage "$subject is no subject of a console. Copy it from the page again."
  [[ -z $keys ]] || grep -qs '"keys"' "$keys" || usage "$keys holds no public keys. Download jwks.json from the page."
  # The project of a domain, example.com:project, has it behind its name in addresses.
  if [[ $project == *:* ]]; then
    email=$account@${project#*:}.${project%%:*}.iam.gserviceaccount.com
  else
    email=$account@$project.iam.gserviceaccount.com
  fi
  # One provider for each organization of a console.
  provider=${subject:0:25}
}

check_tools() {
  command -v gcloud >/dev/null || fail "gcloud is not here. Run this in Cloud Shell, or install the Google Cloud CLI."
  local signed_in
  signed_in=$(gcloud auth list --filter=status:ACTIVE --format='value(account)')
  [[ -n $signed_in ]] || fail "gcloud is not signed in. Run: gcloud auth login"
}

enable_apis() {
  say "Enabling ${APIS[*]} in $project"
  gcloud services enable "${APIS[@]}" --project="$project"
}

ensure_pool() {
  local pools=(gcloud iam workload-identity-pools) found
  found=$("${pools[@]}" list --location=global --project="$project" --show-deleted \
    --filter="name~/workloadIdentityPools/$POOL\$" --format='value(state)')
  if [[ -z $found ]]; then
    say "Creating the workload identity pool $POOL"
    "${pools[@]}" create "$POOL" --location=global --project="$project" --display-name=Keyhaven --quiet
  elif [[ $found == DELETED ]]; then
    say "Restoring the workload identity pool $POOL, which was deleted"
    "${pools[@]}" undelete "$POOL" --location=global --project="$project" --quiet
  else
    say "Keeping the workload identity pool $POOL, which is there already"
  fi
}

ensure_provider() {
  local providers=(gcloud iam workload-identity-pools providers) found
  local inside=(--location=global --workload-identity-pool="$POOL" --project="$project" --quiet)
  local trust=(
    --issuer-uri="$issuer"
    --attribute-mapping=google.subject=assertion.sub
    --attribute-condition="assertion.sub=='$subject'"
  )
  [[ -z $keys ]] || trust+=(--jwk-json-path="$keys")
  found=$("${providers[@]}" list "${inside[@]}" --show-deleted --filter="name~/providers/$provider\$" --format='value(state)')
  if [[ -z $found ]]; then
    say "Creating the provider $provider, which trusts $issuer for $subject alone"
    "${providers[@]}" create-oidc "$provider" "${inside[@]}" "${trust[@]}"
    return
  fi
  if [[ $found == DELETED ]]; then
    say "Restoring the provider $provider, which was deleted"
    "${providers[@]}" undelete "$provider" "${inside[@]}"
  fi
  say "Setting what the provider $provider trusts, which is there already"
  "${providers[@]}" update-oidc "$provider" "${inside[@]}" "${trust[@]}"
}

ensure_role() {
  local found
  found=$(gcloud iam roles list --project="$project" --show-deleted \
    --filter="name=projects/$project/roles/$ROLE" --format='value(name,deleted)')
  if [[ -z $found ]]; then
    say "Creating the custom role $ROLE"
    gcloud iam roles create "$ROLE" --project="$project" --title="Keyhaven console" \
      --description="What a Keyhaven console needs, and no more." --permissions="$permissions" --stage=GA --quiet
    return
  fi
  if [[ $found == *True ]]; then
    say "Restoring the custom role $ROLE, which was deleted"
    gcloud iam roles undelete "$ROLE" --project="$project" --quiet
  fi
  say "Setting the permissions of the custom role $ROLE, which is there already"
  gcloud iam roles update "$ROLE" --project="$project" --permissions="$permissions" --stage=GA --quiet
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
  gcloud iam service-accounts create "$account" --project="$project" --display-name="Keyhaven console"
}

# Runs a command until it works, as often as a new service account needs.
patiently() {
  local attempt
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    if "$@" --condition=None --quiet >/dev/null; then
      return
    fi
    ((attempt == attempts)) || sleep 5
  done
  return 1
}

bind() {
  say "Granting the role to the service account"
  patiently gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$email" \
    --role="projects/$project/roles/$ROLE" ||
    fail "The role could not be granted. You need resourcemanager.projects.setIamPolicy on $project."
  say "Letting the console act as the service account"
  patiently gcloud iam service-accounts add-iam-policy-binding "$email" --project="$project" \
    --role=roles/iam.workloadIdentityUser \
    --member="principal://iam.googleapis.com/$pool_name/subject/$subject" ||
    fail "The service account could not be opened. You need iam.serviceAccounts.setIamPolicy on $email."
}

next_steps() {
  say ""
  say "Done. Enter this in Keyhaven:"
  say "  Project ID                  $project"
  say "  Workload identity provider  $pool_name/providers/$provider"
  say "  Service account             $email"
}

main() {
  read_arguments "$@"
  check_arguments
  check_tools
  local number
  number=$(gcloud projects describe "$project" --format='value(projectNumber)')
  pool_name=projects/$number/locations/global/workloadIdentityPools/$POOL
  enable_apis
  ensure_pool
  ensure_provider
  ensure_role
  ensure_account
  bind
  next_steps
}

# Last, so that a download that broke off does nothing.
main "$@"
