"""What it means that Google refuses an exchanged token: a cluster's, or the console's own."""

from dataclasses import dataclass

from credentials.clouds import errors

_COMPARE = "Compare the workload identity pool's provider with what this page shows."


@dataclass(frozen=True, slots=True)
class Trust:
    """The sentences for one kind of token: (error, what stands in its description, reason, remedy), the first that
    fits counts; `denied` is (reason, remedy) for an impersonation that is not allowed."""

    refusals: tuple[tuple[str, str, str, str], ...]
    impersonation: tuple[str, str]

    def meaning(self, code: str, described: str) -> errors.TrustMissing:
        """Return what a refusal of the token service means."""
        return next(
            errors.TrustMissing(reason, remedy)
            for one, words, reason, remedy in self.refusals
            if one in code and words in described
        )

    @property
    def denied(self) -> errors.TrustMissing:
        return errors.TrustMissing(*self.impersonation)


OF_CLUSTERS = Trust(
    refusals=(
        (
            "unauthorized_client", "",
            "The provider's attribute condition refuses this access's ServiceAccount.",
            "Change the condition so that it lets the subject through that this page shows.",
        ),
        (
            "invalid_target", "",
            "Google has no such workload identity pool or provider, or it is disabled.",
            "Check the audience: the project's number, the pool and the provider.",
        ),
        (
            "invalid_request", "",
            "Google does not know this audience.",
            "Check the audience: the project's number, the pool and the provider.",
        ),
        (
            "", "audience",
            "The provider does not allow the audience of this access's token.",
            "Leave the provider's allowed audiences empty, or add the one that this page shows.",
        ),
        (
            "", "connecting",
            "Google does not reach this cluster's issuer.",
            "Let Google reach the issuer's address over HTTPS, or upload the cluster's keys to the provider.",
        ),
        ("", "issuer", "The provider trusts another issuer than this cluster.", _COMPARE),
        (
            "", "signature",
            "The cluster's token is not signed with a key that the provider knows.",
            "Upload the cluster's present keys to the provider.",
        ),
        ("", "", "Google does not accept this cluster's token.", _COMPARE),
    ),
    impersonation=(
        "The service account may not be used by this cluster's ServiceAccount, or does not exist.",
        "Grant roles/iam.workloadIdentityUser (or roles/iam.serviceAccountTokenCreator) on the service account "
        "to the member that this page shows.",
    ),
)  # fmt: skip


# The same for the console's own token; {condition}, {issuer} and {keys} are filled in.
_OF_CONSOLE = (
    (
        "unauthorized_client", "",
        "The provider's attribute condition does not let this organization in.",
        "Set the provider's attribute condition to: {condition}",
    ),
    (
        "invalid_target", "",
        "Google has no such workload identity pool or provider, or it is disabled or deleted.",
        "Check the project's number, the pool and the provider.",
    ),
    (
        "invalid_request", "",
        "Google does not know this workload identity provider.",
        "Copy its resource name again; it has the project's number, the pool and the provider.",
    ),
    (
        "", "google.subject",
        "The provider does not tell Google whose token it is.",
        "Set the provider's attribute mapping to: google.subject=assertion.sub",
    ),
    (
        "", "audience",
        "The provider does not allow the audience of this console's token.",
        "Leave the provider's allowed audiences empty.",
    ),
    (
        "", "connecting",
        "Google does not reach this console to fetch its keys.",
        "BASE_URL has to be an address that the internet reaches over https; where it is none, upload "
        "what {keys} shows to the provider (--jwk-json-path).",
    ),
    (
        "", "stale",
        "Google refuses the time that the token was signed at: the console's clock is wrong.",
        "Set the clock of the console's machine.",
    ),
    (
        "", "issuer",
        "The provider trusts another issuer than this console.",
        "Set the provider's issuer to: {issuer}",
    ),
    (
        "", "signature",
        "The keys that the provider knows are not this console's present ones.",
        "Upload what {keys} shows to the provider (--jwk-json-path).",
    ),
    (
        "", "",
        "Google does not accept this console's token.",
        "Compare the provider with what the set-up steps show.",
    ),
)  # fmt: skip


def of_console(issuer: str, condition: str, member: str, email: str) -> Trust:
    """Return the sentences for the console's own token; `member` is what IAM calls its subject."""
    keys = f"{issuer}/.well-known/jwks.json"
    return Trust(
        refusals=tuple(
            (code, words, reason, remedy.format(condition=condition, issuer=issuer, keys=keys))
            for code, words, reason, remedy in _OF_CONSOLE
        ),
        impersonation=(
            "The service account does not exist, or this console may not act as it.",
            f"Run: gcloud iam service-accounts add-iam-policy-binding {email} "
            f"--role=roles/iam.workloadIdentityUser --member='{member}'",
        ),
    )
