"""Policies: as AWS's and our documentation give them, narrowed to prefixes and names, never wider than asked for."""

import json
import re

import pytest
from django.core.exceptions import ValidationError

from accesses.setup import policies
from accesses.setup.policies import PARAMETER_STORE, SECRETS_MANAGER, Place

# As the seeds write an account that is not to be told.
ACCOUNT = "X" * 12
PARIS = Place(ACCOUNT, "eu-west-3")
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

SECRETS_ALL = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "secretsmanager:GetResourcePolicy",
                "secretsmanager:GetSecretValue",
                "secretsmanager:DescribeSecret",
                "secretsmanager:ListSecretVersionIds",
                "secretsmanager:ListSecrets",
            ],
            "Resource": "*",
        }
    ],
}
SECRETS_STAGING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "secretsmanager:GetResourcePolicy",
                "secretsmanager:GetSecretValue",
                "secretsmanager:DescribeSecret",
                "secretsmanager:ListSecretVersionIds",
            ],
            "Resource": f"arn:aws:secretsmanager:eu-west-3:{ACCOUNT}:secret:staging*",
        },
        {"Effect": "Allow", "Action": ["secretsmanager:ListSecrets"], "Resource": "*"},
    ],
}
PARAMETERS_ALL = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "ssm:GetParameter",
                "ssm:GetParameters",
                "ssm:GetParametersByPath",
                "ssm:DescribeParameters",
            ],
            "Resource": "*",
        }
    ],
}
PARAMETERS_STAGING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"],
            "Resource": f"arn:aws:ssm:eu-west-3:{ACCOUNT}:parameter/staging*",
        },
        {"Effect": "Allow", "Action": ["ssm:DescribeParameters"], "Resource": "*"},
    ],
}
CASES = [
    (SECRETS_MANAGER, [], SECRETS_ALL),
    (SECRETS_MANAGER, ["staging"], SECRETS_STAGING),
    (PARAMETER_STORE, [], PARAMETERS_ALL),
    (PARAMETER_STORE, ["staging"], PARAMETERS_STAGING),
]


def documents(text):
    """Every policy in a text, as JSON without its layout."""
    decoder = json.JSONDecoder()
    starts = [match.start() for match in re.finditer(r'\{\s*"Version"', text)]
    return {json.dumps(decoder.raw_decode(text[start:])[0], sort_keys=True) for start in starts}


def same(*wanted):
    return {json.dumps(document, sort_keys=True) for document in wanted}


@pytest.mark.parametrize(("provider", "prefixes", "expected"), CASES)
def test_a_policy_is_what_the_documentation_gives(provider, prefixes, expected):
    assert policies.document(provider, place=PARIS, prefixes=prefixes) == expected


def test_the_documentation_beside_the_project_gives_no_other_policies(shared):
    first, second = (
        next((shared / "seeds").glob(f"{number}_*.txt")).read_text() for number in ("000", "001")
    )
    # Older than the second text: automatic mode without listing, with which no name can be picked.
    statement = SECRETS_ALL["Statement"][0]
    older = SECRETS_ALL | {"Statement": [statement | {"Action": statement["Action"][:-1]}]}

    assert documents(second) == same(SECRETS_ALL, SECRETS_STAGING)
    assert documents(first) == same(older, SECRETS_ALL, SECRETS_STAGING, PARAMETERS_ALL, PARAMETERS_STAGING)


# Who makes the request, with which action: what of the operator and of the console needs it.
USES = {
    SECRETS_MANAGER: {
        "the operator reads a value": "secretsmanager:GetSecretValue",
        "the operator reads a secret's tags": "secretsmanager:DescribeSecret",
        "the console lists names to pick from": "secretsmanager:ListSecrets",
        "a link pins a version": "secretsmanager:ListSecretVersionIds",
        "the operator compares whom a secret is shared with": "secretsmanager:GetResourcePolicy",
    },
    PARAMETER_STORE: {
        "the operator reads a value": "ssm:GetParameter",
        "several values in one request": "ssm:GetParameters",
        "the operator reads what is below a path": "ssm:GetParametersByPath",
        "the console lists names to pick from": "ssm:DescribeParameters",
    },
}


@pytest.mark.parametrize("provider", policies.ACTIONS)
def test_each_granted_action_is_used_and_each_used_one_granted_and_explained(provider):
    granted = policies.document(provider)["Statement"][0]["Action"]

    assert sorted(granted) == sorted(USES[provider].values())
    assert list(policies.ACTIONS[provider]) == granted
    assert all(why.endswith(".") for why in policies.ACTIONS[provider].values())
    assert policies.LISTING[provider] in policies.note(provider)


INSIDE = {
    SECRETS_MANAGER: f"arn:aws:secretsmanager:eu-west-3:{ACCOUNT}:secret:staging/db-AbCdEf",
    PARAMETER_STORE: f"arn:aws:ssm:eu-west-3:{ACCOUNT}:parameter/staging/db",
}


@pytest.mark.parametrize("provider", policies.ACTIONS)
def test_an_evaluator_allows_what_is_below_the_prefix_and_nothing_else(provider):
    from moto.iam.access_control import IAMPolicy, PermissionResult

    policy = IAMPolicy(json.dumps(policies.document(provider, place=PARIS, prefixes=["staging"])))
    inside, listing = INSIDE[provider], policies.LISTING[provider]
    outside = [
        inside.replace("staging", "production"), inside.replace("staging", "my-staging"),
        inside.replace("eu-west-3", "eu-west-1"), inside.replace(ACCOUNT, "999999999999"),
    ]  # fmt: skip

    def allowed(action, resource):
        return policy.is_action_permitted(action, resource) is PermissionResult.PERMITTED

    for action in policies.ACTIONS[provider]:
        assert allowed(action, inside), action
        assert [arn for arn in outside if allowed(action, arn)] == (outside if action == listing else [])
    assert allowed(listing, "*")
    assert not allowed(f"{listing.partition(':')[0]}:DeleteSecret", inside)
    assert not allowed("kms:Decrypt", KEY)


def matches(pattern, arn):
    """IAM's own matching: a star is anything, a question mark one character."""
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, arn) is not None


def test_single_names_are_those_secrets_and_no_longer_ones():
    found = policies.document(SECRETS_MANAGER, place=PARIS, names=["prod/db", "prod/db", "a@b"])
    (secret, database), listing = found["Statement"][0]["Resource"], found["Statement"][1]
    start = f"arn:aws:secretsmanager:eu-west-3:{ACCOUNT}:secret:"

    assert secret == f"{start}a@b-??????"
    assert matches(database, f"{start}prod/db-AbCdEf")
    assert not matches(database, f"{start}prod/db-replica-AbCdEf")
    assert not matches(database, f"{start}prod/db")
    assert listing["Resource"] == "*"


@pytest.mark.parametrize(
    ("given", "resource"),
    [
        ("arn:aws:secretsmanager:eu-west-1:999999999999:secret:shared/db-AbCdEf", "secret:shared/db-AbCdEf"),
        ("arn:aws:secretsmanager:eu-west-1:999999999999:secret:shared/db", "secret:shared/db-??????"),
    ],
)
def test_a_full_arn_stays_as_it_is_given(given, resource):
    found = policies.document(SECRETS_MANAGER, place=PARIS, names=[given])

    assert found["Statement"][0]["Resource"] == f"arn:aws:secretsmanager:eu-west-1:999999999999:{resource}"


@pytest.mark.parametrize("written", ["/prod/db", "prod/db"])
def test_a_parameter_has_one_slash(written):
    exact = policies.document(PARAMETER_STORE, place=PARIS, names=[written])
    below = policies.document(PARAMETER_STORE, place=PARIS, prefixes=[written])

    assert exact["Statement"][0]["Resource"] == f"arn:aws:ssm:eu-west-3:{ACCOUNT}:parameter/prod/db"
    assert below["Statement"][0]["Resource"] == f"arn:aws:ssm:eu-west-3:{ACCOUNT}:parameter/prod/db*"


@pytest.mark.parametrize("provider", policies.ACTIONS)
def test_without_names_only_listing_is_left(provider):
    found = policies.document(provider, place=PARIS, names=[])

    assert found["Statement"] == [
        {"Effect": "Allow", "Action": [policies.LISTING[provider]], "Resource": "*"}
    ]


@pytest.mark.parametrize(
    "name", ["*", "prod/*", "prod/d?", "${aws:username}", "", "a b", 'x","Resource":"*', "arn:aws:s3:::x"]
)
@pytest.mark.parametrize("provider", policies.ACTIONS)
def test_a_name_that_would_widen_the_policy_is_refused(provider, name):
    with pytest.raises(ValidationError, match="is no name of a"):
        policies.document(provider, place=PARIS, names=["good", name])
    assert not policies.is_name(provider, name)


@pytest.mark.parametrize(
    ("region", "start"),
    [
        ("eu-west-3", "arn:aws:"),
        ("cn-north-1", "arn:aws-cn:"),
        ("us-gov-west-1", "arn:aws-us-gov:"),
        ("eusc-de-east-1", "arn:aws-eusc:"),
    ],
)
def test_arns_have_the_partition_of_the_region(region, start):
    place = Place("111122223333", region)
    found = policies.document(SECRETS_MANAGER, place=place, prefixes=["a"])

    assert found["Statement"][0]["Resource"].startswith(f"{start}secretsmanager:{region}:111122223333:")
    assert policies.provider_arn(place, "https://oidc.example/id/1") == (
        f"{start}iam::111122223333:oidc-provider/oidc.example/id/1"
    )


@pytest.mark.parametrize(
    ("provider", "key", "via"),
    [
        (SECRETS_MANAGER, KEY, "secretsmanager.eu-west-3.amazonaws.com"),
        (PARAMETER_STORE, KEY, "ssm.eu-west-3.amazonaws.com"),
        (
            SECRETS_MANAGER,
            KEY.replace("aws:kms:eu-west-3", "aws-cn:kms:cn-north-1"),
            "secretsmanager.cn-north-1.amazonaws.com.cn",
        ),
    ],
)
def test_a_customers_key_decrypts_only_through_the_secret_manager(provider, key, via):
    found = policies.document(provider, kms_keys=[f" {key} ", key, ""])

    assert found["Statement"][1] == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": [key],
        "Condition": {"StringEquals": {"kms:ViaService": via}},
    }


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("arn:aws:kms:eu-west-3:111122223333:alias/prod", "is an alias"),
        ("alias/prod", "is an alias"),
        ("arn:aws:kms:eu-west-3:111122223333:key/*", "is not the ARN"),
        ("*", "is not the ARN"),
        (KEY.replace("eu-west-3", "eu-west-1"), "is in eu-west-1; the secrets are in eu-west-3"),
    ],
)
def test_what_is_no_key_is_refused_in_words(arn, said):
    with pytest.raises(ValidationError, match=re.escape(said)):
        policies.clean_kms_keys([arn], "eu-west-3")


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("*", "is every secret"),
        ("/", "is every secret"),
        ("prod db", "has a space"),
        ("prod/*/db", "no star but the last one"),
        ("prod?", "cannot begin a name"),
        ("${aws:username}", "cannot begin a name"),
        ("pröd", "cannot begin a name"),
        ("x" * 513, "cannot begin a name"),
    ],
)
def test_what_is_no_prefix_is_refused_in_words(prefix, said):
    with pytest.raises(ValidationError, match=re.escape(said)):
        policies.clean_prefixes(SECRETS_MANAGER, [prefix])


def test_prefixes_are_cleaned_and_at_most_twenty():
    assert policies.clean_prefixes(SECRETS_MANAGER, [" prod/* ", "prod/", "", "a"]) == ["a", "prod/"]
    assert len(policies.clean_prefixes(SECRETS_MANAGER, [f"p{n}" for n in range(20)])) == 20
    with pytest.raises(ValidationError, match="These are 21 prefixes; a policy takes 20"):
        policies.clean_prefixes(SECRETS_MANAGER, [f"p{n}" for n in range(21)])


def test_a_policy_is_never_longer_than_iam_takes():
    names = [f"production/payments/service-{number}/database-password" for number in range(200)]

    fitting = policies.document(SECRETS_MANAGER, place=PARIS, names=names[:70])
    with pytest.raises(policies.TooLarge, match=r"IAM takes 10,240 for a role\. Choose prefixes instead"):
        policies.document(SECRETS_MANAGER, place=PARIS, names=names)

    assert policies.size(fitting) <= policies.LARGEST
    assert policies.size(fitting) < len(policies.text(fitting))


def test_narrowing_needs_to_know_where():
    with pytest.raises(ValueError, match="account and the region"):
        policies.document(SECRETS_MANAGER, prefixes=["a"])


def test_a_role_trusts_one_serviceaccount_of_one_cluster():
    issuer = "https://oidc.eks.eu-west-3.amazonaws.com/id/ABC"
    arn = policies.provider_arn(Place("111122223333", "eu-west-3"), issuer)

    assert policies.trust(arn, issuer, "system:serviceaccount:external-secrets:aws-1") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {
                    "Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-3.amazonaws.com/id/ABC"
                },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        "oidc.eks.eu-west-3.amazonaws.com/id/ABC:aud": "sts.amazonaws.com",
                        "oidc.eks.eu-west-3.amazonaws.com/id/ABC:sub": "system:serviceaccount:external-secrets:aws-1",
                    }
                },
            }
        ],
    }


def test_pod_identity_is_for_one_serviceaccount_too():
    statement = policies.pod_identity_trust("external-secrets", "operator")["Statement"][0]

    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert set(statement["Condition"]["StringEquals"].values()) == {"external-secrets", "operator"}
