"""What goes wrong with Doppler alone."""

from accesses.troubles.base import Trouble

# fmt: off
DOPPLER: tuple[Trouble, ...] = (
    Trouble("doppler-trust-missing", "both",
        "failed to get OIDC token: Doppler OIDC auth failed with status 401",
        r"Doppler OIDC auth failed",
        "Doppler does not let the cluster's token in by the identity of {access}.",
        "Compare the identity's discovery URL with the cluster's issuer, its audience with https://api.doppler.com, and its "
        "subject with {subject}."),
    Trouble("doppler-token-refused", "both",
        "Doppler API Client Error: Invalid Auth token",
        r"Doppler API Client Error:.*(Invalid \w+ token|token has expired|provide an Auth token)",
        "Doppler does not know the token of {access}, or it has expired.",
        "Make a new one in Doppler, replace it in {access}, then deploy."),
    Trouble("doppler-other-place", "both",
        "Doppler API Client Error: This token does not have access to requested config 'stg'",
        r"Doppler API Client Error:.*(access to requested|could not find requested) (project|config)",
        "The token of {access} does not reach the project and the config that are entered.",
        "Correct the project or the config of {access}, or replace its token by one of that config."),
    Trouble("doppler-secret-missing", "link",
        "could not get secret DB: Doppler API Client Error: secret 'DB' not found",
        r"Doppler API Client Error:.*secret '[^']*' not found",
        "There is no {named} in the config of {access}.",
        "Check the name, which has capital letters, digits and _ only."),
    Trouble("doppler-denied", "both",
        "Doppler API Client Error: You do not have access to this config's secrets.",
        r"Doppler API Client Error:.*do(es)? not have",
        "The token of {access} may not read this config's secrets.",
        "Give its service account a role of the project that reads secrets, or use a service token of the config."),
)
