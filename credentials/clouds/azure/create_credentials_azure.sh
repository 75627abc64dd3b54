#!/usr/bin/env bash
# Makes what Keyhaven signs in to Azure as: an app registration with a custom role on one subscription, and either a
# federated credential, so that no secret is needed, or a client secret.
#
#   bash create_credentials_azure.sh federation SUBSCRIPTION ISSUER SUBJECT AUDIENCE [NAME]
#   bash create_credentials_azure.sh secret     SUBSCRIPTION [NAME]
#
# It may be run again: what is there already is kept, and brought to what stands here.
# Everything it changes is in SUBSCRIPTION and its tenant; it sends nothing anywhere but to Azure.
set -euo pipefail

readonly FEDERATED=keyhaven
readonly SECRET=client-secret.txt
readonly YEARS=1
# A new service principal or role takes a while until role assignments know it.
attempts=1

say() { printf '%s\n' "$*"; }

fail() {
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

usage() {
  say "Usage: bash create_credentials_azure.sh federation SUBSCRIPTION ISSUER SUBJECT AUDIENCE [NAME]" >&2
  say "       bash create_credentials_azure.sh secret SUBSCRIPTION [NAME]" >&2
  printf 'Error: %s\n' "$*" >&2
  exit 2
}

check_arguments() {
  way=${1:-}
  subscription=${2:-}
  case $way in
  federation)
    [[ $# -ge 5 && $# -le 6 ]] || usage "The federation needs SUBSCRIPTION, ISSUER, SUBJECT and AUDIENCE."
    issuer=$3 subject=$4 audience=$5 name=${6:-keyhaven-console}
    [[ $issuer =~ ^https://[A-Za-z0-9./_:-]+$ ]] || usage "$issuer is no issuer: those begin with https://."
    [[ $subject =~ ^[A-Za-z0-9._:/-]+$ ]] || usage "$subject is no subject of Keyhaven."
    [[ $audience =~ ^api://[A-Za-z0-9]+$ ]] || usage "$audience is no audience: those begin with api://."
    ;;
  secret)
    [[ $# -ge 2 && $# -le 3 ]] || usage "The secret needs SUBSCRIPTION."
    name=${3:-keyhaven-console}
    ;;
  *) usage "Say federation or secret." ;;
  esac
  [[ $subscription =~ ^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$ ]] ||
    usage "$subscription is no subscription ID: 32 hexadecimal digits with hyphens. See: az account list -o table"
  [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,90}$ ]] ||
    usage "$name is no name for the app: letters, digits, dots, underscores and hyphens."
  scope=/subscriptions/$subscription
  role="Keyhaven console ${subscription:0:8}"
}

check_tools() {
  command -v az >/dev/null || fail "az is not here. Run this in Cloud Shell, or install the Azure CLI."
  tenant=$(az account show --subscription "$subscription" --query tenantId -o tsv) ||
    fail "az is not signed in, or does not see the subscription $subscription. Run: az login"
}

ensure_app() {
  local found
  found=$(az ad app list --filter "displayName eq '$name'" --query '[].appId' -o tsv)
  case $(grep -c . <<<"$found" || true) in
  0)
    say "Creating the app registration $name"
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId -o tsv)
    ;;
  1)
    client=$found
    say "Keeping the app registration $name, which is there already"
    ;;
  *) fail "There are several app registrations named $name. Give another name as the last argument." ;;
  esac
}

ensure_principal() {
  principal=$(az ad sp list --filter "appId eq '$client'" --query '[0].id' -o tsv)
  if [[ -n $principal ]]; then
    say "Keeping its service principal, which is there already"
    return
  fi
  say "Creating its service principal"
  attempts=8
  principal=$(az ad sp create --id "$client" --query id -o tsv)
}

ensure_federation() {
  local parameters found
  parameters=$(printf '{"name": "%s", "issuer": "%s", "subject": "%s", "audiences": ["%s"]}' \
    "$FEDERATED" "$issuer" "$subject" "$audience")
  found=$(az ad app federated-credential list --id "$client" --query "[?name=='$FEDERATED'].id" -o tsv)
  if [[ -n $found ]]; then
    say "Setting its federated credential $FEDERATED, which is there already"
    az ad app federated-credential update --id "$client" --federated-credential-id "$FEDERATED" \
      --parameters "$parameters" -o none
    return
  fi
  say "Creating its federated credential $FEDERATED"
  az ad app federated-credential create --id "$client" --parameters "$parameters" -o none
}

ensure_secret() {
  if [[ -e $SECRET ]]; then
    say "Keeping $SECRET, which is here already; no other secret was made"
    return
  fi
  say "Making a client secret, good for $YEARS year: $SECRET"
  # --append leaves the app's other secrets as they are.
  (
    umask 077
    az ad app credential reset --id "$client" --append --display-name "keyhaven $(date -u +%Y-%m-%d)" \
      --years "$YEARS" --query password -o tsv --only-show-errors >"$SECRET"
  ) || {
    rm -f "$SECRET"
    fail "No secret was made. Where the tenant forbids secrets, use federation."
  }
}

role_definition() {
  cat <<JSON
{
  "Name": "$role",
  "IsCustom": true,
  "Description": "Finds AKS clusters and reads where they answer; changes nothing.",
  "Actions": [
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.ContainerService/managedClusters/read",
    "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
  ],
  "NotActions": [],
  "DataActions": [],
  "NotDataActions": [],
  "AssignableScopes": ["$scope"]
}
JSON
}

ensure_role() {
  local found
  found=$(az role definition list --name "$role" --scope "$scope" --query '[].id' -o tsv)
  if [[ -n $found ]]; then
    say "Setting the actions of the custom role $role, which is there already"
    az role definition update --role-definition "$(role_definition)" -o none
    return
  fi
  say "Creating the custom role $role"
  attempts=8
  az role definition create --role-definition "$(role_definition)" --subscription "$subscription" -o none
}

assign() {
  say "Assigning the role on the subscription"
  local attempt
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    if az role assignment create --role "$role" --scope "$scope" \
      --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal -o none; then
      return
    fi
    ((attempt == attempts)) || sleep 10
  done
  fail "The role could not be assigned. You need to be Owner or User Access Administrator of the subscription."
}

next_steps() {
  say ""
  say "Done. Enter in Keyhaven:"
  say "  Tenant ID        $tenant"
  say "  Client ID        $client"
  say "  Subscription ID  $subscription"
  if [[ $way == secret ]]; then
    say "  Client secret    what is in $SECRET:  cat $SECRET"
    say "It expires in $YEARS year. Once Keyhaven has it, delete the file: rm $SECRET"
  fi
}

main() {
  check_arguments "$@"
  check_tools
  ensure_app
  ensure_principal
  if [[ $way == federation ]]; then ensure_federation; else ensure_secret; fi
  ensure_role
  assign
  next_steps
}

# Last, so that a download that broke off does nothing.
main "$@"
