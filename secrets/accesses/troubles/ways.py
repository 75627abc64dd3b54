"""What goes wrong on the way to the secret manager, and what is said when nothing narrower fits."""

from accesses.troubles.base import Trouble
from accesses.troubles.identity import OWN_POD

_WAY_OUT = "Check the endpoint of {access}, and the cluster's way out: NAT, firewall, network policies, VPC endpoint."

# fmt: off
WAYS: tuple[Trouble, ...] = (
    # -- the way there ------------------------------------------------------------
    Trouble("region-unknown", "both",
        "endpoint rule error, Invalid Configuration: Missing Region",
        r"missing region|could not resolve endpoint|InvalidRegion|region .{0,60}(is not valid|invalid)",
        "There is no such region for the secret manager of {access}.",
        "Correct the region of {access}, then deploy."),
    Trouble("certificate-not-trusted", "both",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        r"x509|tls: |certificate signed by",
        "The cluster does not trust the certificate of the secret manager of {access}.",
        "Where a proxy opens the traffic, give the operator its authority; else correct the endpoint of {access}."),
    Trouble("proxy-refused", "both",
        "proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused",
        r"proxyconnect|proxy authentication required",
        "The proxy between the cluster and the secret manager of {access} does not let the operator through.",
        "Check HTTPS_PROXY and NO_PROXY of the operator's pods in {operator}."),
    Trouble("name-not-resolved", "both",
        "dial tcp: lookup secretsmanager.eu-west-3.amazonaws.com: no such host",
        r"no such host|server misbehaving|name resolution",
        "The cluster does not reach the secret manager of {access}: its DNS does not know the name.",
        "Check the endpoint of {access}: its region, and the cluster's DNS and way out."),
    Trouble("no-answer-in-time", "both",
        "dial tcp 10.0.0.1:443: i/o timeout",
        r"i/o timeout|deadline ?exceeded|Client\.Timeout|TLS handshake timeout",
        "The cluster does not reach the secret manager of {access}: nothing answers in time.",
        _WAY_OUT),
    Trouble("not-reachable", "both",
        "dial tcp 10.0.0.1:443: connect: connection refused",
        r"connection (refused|reset)|no route to host|network is unreachable|dial tcp|unexpected EOF",
        "The cluster does not reach the secret manager of {access}.",
        _WAY_OUT),
    Trouble("manager-unwell", "both",
        "https response error StatusCode: 503, api error ServiceUnavailable",
        r"InternalService|InternalFailure|ServiceUnavailable|StatusCode: 5\d\d|code = (Unavailable|Internal)",
        "The secret manager of {access} answers with an error of its own.",
        "It comes by itself when the secret manager is well again; its status page may say more."),
    # -- when nothing narrower fits ------------------------------------------------------------
    Trouble("no-credentials", "both",
        "get identity: get credentials: failed to refresh cached credentials",
        r"failed to refresh cached credentials|get identity: get credentials",
        "The operator gets no credentials to sign in with for {access}.",
        "Test {access}, correct it, then deploy.", cloud="aws", remedies={"ambient": OWN_POD}),
    Trouble("secret-not-written", "link",
        "could not update secret",
        r"\A\s*(could not (update|delete) secret|could not delete orphaned secrets)\s*\Z",
        "The operator could not write the Secret {object} in {namespace}, and does not say why.",
        "Read it again: the reason then shows here. The operator's log in {operator} has it too."),
    Trouble("reason-forgotten", "link",
        "could not get secret data from provider",
        r"\A\s*could not get secret data from provider\s*\Z",
        "The operator could not read {key}; why, the cluster has forgotten.",
        "Read it again: the reason then shows here."),
    Trouble("store-not-accepted", "store",
        "unable to create client",
        r"\A\s*unable to (create client|validate store)\s*\Z",
        "The operator does not get along with the store, and does not say why.",
        "Test the access, correct it, then deploy again. The operator's log in {operator} says more."),
)
# fmt: on
