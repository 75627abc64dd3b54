"""What goes wrong with whom the operator signs in as: pods, tokens, trust, credentials."""

from accesses.troubles.base import Trouble

# Also for credentials that nobody gives, at the end of the table.
OWN_POD = (
    "Give the identity to the operator's own pod, not to those of a service: a Pod Identity association or an IAM role "
    "(IRSA) for the operator's ServiceAccount in {operator}; then restart its pods. If the node's role is meant, raise "
    "the node's metadata hop limit from 1 to 2."
)

# fmt: off
IDENTITY: tuple[Trouble, ...] = (
    # -- whose identity ------------------------------------------------------------
    Trouble("role-not-named", "both",
        "an IAM role must be associated with service account keyhaven-1a2b3c4d (namespace: external-secrets)",
        r"an IAM role must be associated with service account",
        "The ServiceAccount of {access} does not name its role.",
        "Deploy: it brings the annotation eks.amazonaws.com/role-arn back."),
    Trouble("google-pool", "both",
        'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or '
        "provider is disabled or deleted or doesn't exist.",
        r"pool or provider is disabled|identity pool does not exist",
        "The workload identity pool or its provider is not there, or is disabled.",
        "Compare the pool and the provider of {access} with those in its project.", cloud="gcp"),
    Trouble("issuer-not-registered", "both",
        "InvalidIdentityToken: No OpenIDConnect provider found in your account for https://oidc.example.com/id/1",
        r"No OpenIDConnect provider found",
        "The AWS account does not know the issuer of the cluster's tokens.",
        "Make an IAM OIDC provider of the cluster's issuer in the account of the role; the page of {access} shows how.",
        cloud="aws"),
    Trouble("issuer-not-reachable", "both",
        "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider",
        r"verification key from your identity provider|connecting to the issuer|OpenIDConnect provider's HTTPS certificate",
        "The cloud does not reach the issuer of the cluster's tokens, or does not trust its certificate.",
        "The issuer's keys must be public. Where they cannot be, let {access} sign in by access key or key.json."),
    Trouble("token-audience", "both",
        "InvalidIdentityToken: Incorrect token audience",
        r"(incorrect|invalid) (token )?audience|audience.{0,120}(not match|invalid|incorrect|mismatch|not allowed)",
        "The token of {access} is made out for another audience than the cloud expects.",
        "Make the audience of the trust policy, of the identity provider and of {access} the same; "
        "on AWS it is sts.amazonaws.com unless somebody chose another."),
    Trouble("clock-skew", "both",
        "SignatureDoesNotMatch: Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
        r"signature expired|not yet current|RequestTimeTooSkewed|RequestExpired|token expired: current|used before issued"
        r"|in a reasonable timeframe|token (is|has) expired|token is not yet valid|ID token .{0,80}(expired|stale)",
        "What {access} signs in with counts as expired when it arrives: a clock is wrong, or the token is an old one.",
        "Set the clocks of the cluster's nodes by NTP, then restart the operator's pods in {operator}."),
    Trouble("token-not-valid", "both",
        "InvalidIdentityToken: The ID Token provided is not a valid JWT",
        r"InvalidIdentityToken|invalid JWT|not a valid (ID token|JWT)",
        "The cloud does not accept the token of the cluster's ServiceAccount.",
        "Compare the issuer that the identity provider names with the cluster's own; after a restore it may be another."),
    Trouble("trust-refused", "both",
        "operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, api error AccessDenied: "
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        r"(AccessDenied|not authorized).{0,200}AssumeRoleWithWebIdentity|AssumeRoleWithWebIdentity.{0,300}AccessDenied",
        "The role of {access} does not trust the cluster's ServiceAccount.",
        "Let the role's trust policy name the cluster's issuer, the audience and {subject}; "
        "the page of {access} shows the whole policy.", cloud="aws"),
    Trouble("pod-identity-missing", "both",
        "operation error EKS Auth: AssumeRoleForPodIdentity, ResourceNotFoundException: no association found",
        r"AssumeRoleForPodIdentity|eks-auth|EKS Pod Identity|169\.254\.170\.23",
        "EKS Pod Identity gives the operator's pod no role.",
        "Install the Pod Identity agent, make an association for the operator's ServiceAccount in {operator}, "
        "then restart its pods.", cloud="aws"),
    Trouble("role-not-assumed", "both",
        "AccessDenied: User: arn:aws:sts::1:assumed-role/eso/x is not authorized to perform: sts:AssumeRole on resource: "
        "arn:aws:iam::1:role/eu",
        r"sts:AssumeRole\b|sts:TagSession",
        "The identity of {access} may not become the role that the store names.",
        "Both sides have to agree: sts:AssumeRole for the identity, and the identity in the role's trust policy.",
        cloud="aws"),
    Trouble("identity-on-the-wrong-pod", "both",
        "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error "
        "ec2imds: GetMetadata, canceled, context deadline exceeded",
        r"no EC2 IMDS role found|ec2imds|EC2RoleRequestError|NoCredentialProviders|no valid providers in chain"
        r"|169\.254\.169\.254",
        "The operator's pod has no AWS identity.",
        "A role on the pods of a service does nothing here: the operator reads the secrets. "
        "Deploy, so that the store in the cluster says how {access} signs in.",
        cloud="aws", remedies={"ambient": OWN_POD}),
    Trouble("web-token-missing", "both",
        "failed to retrieve jwt from web identity token file: open /var/run/secrets/eks.amazonaws.com/serviceaccount/token: "
        "no such file or directory",
        r"web identity token|WebIdentityErr|serviceaccount/token",
        "The operator's pod has no token to sign in with.",
        "Deploy, so that the store in the cluster says how {access} signs in.",
        cloud="aws", remedies={"ambient":
            "The token comes into pods that start after their ServiceAccount names a role: "
            "restart the operator's pods in {operator}."}),
    Trouble("google-impersonation", "both",
        "generateAccessToken: Permission 'iam.serviceAccounts.getAccessToken' denied on resource",
        r"iam\.serviceAccounts\.getAccessToken|getAccessToken|generateAccessToken",
        "The cluster's identity may not act as the Google service account of {access}.",
        "Grant roles/iam.workloadIdentityUser on that service account to {subject}; "
        "the page of {access} shows the command.", cloud="gcp",
        remedies={"ambient": "Grant roles/iam.workloadIdentityUser on that service account to the operator's own "
                             "ServiceAccount in {operator}."}),
    Trouble("google-metadata", "both",
        "google: could not find default credentials; Get http://169.254.169.254/computeMetadata/v1/: i/o timeout",
        r"metadata server|metadata\.google\.internal|169\.254\.169\.254|could not find default credentials",
        "The operator's pod gets no Google identity: the metadata server does not answer it.",
        "Deploy, so that the store in the cluster says how {access} signs in.",
        cloud="gcp", remedies={"ambient":
            "Turn workload identity on for the cluster and its node pools, and bind the operator's own ServiceAccount in "
            "{operator}. Off Google Cloud, choose federation or a key.json for {access}."}),
    Trouble("google-api-disabled", "both",
        "Secret Manager API has not been used in project 1 before or it is disabled. SERVICE_DISABLED",
        r"has not been used in project|SERVICE_DISABLED",
        "An API of Google that reading needs is disabled in the project.",
        "Enable the API that the message names in the project, and wait a minute.", cloud="gcp"),
    # -- credentials ------------------------------------------------------------
    Trouble("credentials-expired", "both",
        "ExpiredTokenException: The security token included in the request is expired",
        r"ExpiredToken|security token included in the request is expired|token expired and refresh",
        "The credentials of {access} are refused: they have expired.",
        "Replace the credentials of {access}, then deploy. A session token is for hours, not for a cluster."),
    Trouble("credentials-refused", "both",
        "UnrecognizedClientException: The security token included in the request is invalid",
        r"UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|InvalidSignature|security token included in the request"
        r"|IncompleteSignature|invalid_grant|invalid_client|UNAUTHENTICATED|account (has been|is) (disabled|deleted)",
        "The credentials of {access} are refused.",
        "Replace the credentials of {access}, then deploy."),
)
# fmt: on
