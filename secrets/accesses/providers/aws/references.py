"""What references to AWS's secrets and parameters can be."""

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from django.core.exceptions import ValidationError

from accesses.providers.aws import elsewhere as aws_elsewhere
from accesses.providers.aws import forms as aws_forms
from accesses.providers.references import (
    Below,
    NotReadable,
    Reference,
    References,
    Version,
    split_address,
    split_field,
)
from accesses.setup import policies
from credentials.clouds.aws import regions as aws_regions

if TYPE_CHECKING:
    from accesses.models import Access

_SM, _SSM = policies.SECRETS_MANAGER, policies.PARAMETER_STORE
_SERVICES = {_SM: "secretsmanager", _SSM: "ssm"}
_NAMES = {_SM: re.compile(r"[\w/+=.@!-]{1,512}", re.ASCII), _SSM: re.compile(r"[\w/.-]{1,1011}", re.ASCII)}
CHARACTERS = {_SM: "letters, digits and / _ + = . @ ! -", _SSM: "letters, digits and / _ . -"}
_NOUNS = {_SM: "secret", _SSM: "parameter"}
_WHOLE = re.compile(r"(?P<name>.+)-[A-Za-z0-9]{6}", re.ASCII)
_LABELS = {"secretsmanager": "Secrets Manager", "ssm": "Parameter Store"}


# -- what was typed --------------------------------------------------------------------------------------------
def _read(provider: str, text: str) -> Reference:
    """Return what a name, an ARN, a link of AWS's console or the short form `name#field` says."""
    text = text.strip()
    if text.startswith(("https://", "http://")):
        return _of_link(provider, text)
    key, json_field = split_field(text)
    if key.startswith("arn:"):
        return _of_arn(provider, key, json_field)
    _check_name(provider, key)
    return Reference(key, json_field)


def _check_name(provider: str, name: str) -> None:
    noun = _NOUNS[provider]
    odd = "".join(sorted({letter for letter in name if not re.match(r"[\w/+=.@!-]", letter, re.ASCII)}))
    if not _NAMES[provider].fullmatch(name):
        which = f" It has {' '.join(odd[:8])}." if odd.strip() and odd.isprintable() else ""
        raise NotReadable(
            f"“{name[:80]}” is no name of a {noun}: those have {CHARACTERS[provider]}.{which} "
            "A JSON field follows after #: app/db#password."
        )


def _of_link(provider: str, link: str) -> Reference:
    """Return what a pasted address of AWS's console says."""
    parts = split_address(link)
    asked, host = parse_qs(parts.query), parts.hostname or ""
    place = re.match(r"([a-z]{2}[a-z-]*-\d)\.console\.", host)
    region = asked.get("region", [place[1] if place else ""])[0]
    name = asked.get("name", [""])[0] if provider == _SM else _parameter_of(parts.path)
    if "console" not in host or not name:
        raise NotReadable(
            f"This address names no {_NOUNS[provider]}. Copy its name or its ARN from the AWS console."
        )
    _check_name(provider, name)
    return Reference(name, region=region)


def _parameter_of(path: str) -> str:
    """Return the parameter of a path such as `/systems-manager/parameters/%252Fprod%252Fdb/description`."""
    rest = path.partition("/parameters/")[2]
    name = unquote(unquote(rest)).removesuffix("/description").removesuffix("/")
    # The console writes the first slash of a name or leaves it out.
    return name if "/" not in name or name.startswith("/") else f"/{name}"


def _of_arn(provider: str, arn: str, json_field: str) -> Reference:
    """Return what an ARN says; one of a task definition of ECS has the field and the version behind it."""
    parts = arn.split(":", 5)
    service, wanted = parts[2] if len(parts) > 2 else "", _SERVICES[provider]
    if service != wanted:
        kind = _LABELS.get(service, service or "nothing")
        raise NotReadable(f"This is an ARN of {kind}; this access reads {_LABELS[wanted]}.")
    if len(parts) < 6 or not re.fullmatch(r"\d{12}", parts[4]) or not parts[3]:
        raise NotReadable(
            "This ARN is not whole: after the service come the region, the account of 12 digits and "
            f"the {_NOUNS[provider]}. Copy it whole from the AWS console."
        )
    partition = aws_regions.partition_of(parts[3])
    if parts[1] != partition:
        raise NotReadable(
            f"This ARN begins with arn:{parts[1][:20]}, and {parts[3][:40]} is in the partition {partition}. Copy it "
            "whole from the AWS console."
        )
    read = _of_secret if provider == _SM else _of_parameter
    return read(parts, json_field)


def _of_secret(parts: list[str], json_field: str) -> Reference:
    kind, _, rest = parts[5].partition(":")
    name, *more = rest.split(":")
    if kind != "secret" or not name:
        raise NotReadable("This is not the ARN of a secret: after the account stands secret: and its name.")
    if not _WHOLE.fullmatch(name):
        raise NotReadable(
            f"This ARN is not whole: AWS ends it with a hyphen and six characters, like secret:{name}-AbCdEf. "
            f"Copy it whole, or enter the name {name} if the secret is in the access's own account."
        )
    _check_name(_SM, name)
    told, stage, version_id = [*more, "", "", ""][:3]
    return Reference(
        ":".join([*parts[:5], "secret", name]),
        json_field or told,
        version_stage=stage,
        version_id=version_id,
        region=parts[3],
        account=parts[4],
    )


def _of_parameter(parts: list[str], json_field: str) -> Reference:
    kind, _, rest = parts[5].partition("/")
    name, _, version = rest.partition(":")
    if kind != "parameter" or not name:
        raise NotReadable(
            "This is not the ARN of a parameter: after the account stands parameter/ and its name."
        )
    _check_name(_SSM, name)
    key = ":".join([*parts[:5], f"parameter/{name}"])
    return Reference(key, json_field, version=version, region=parts[3], account=parts[4])


# -- several ---------------------------------------------------------------------------------------------------
def _clean_start(text: str) -> str:
    path = text.strip().removesuffix("*")
    if not _NAMES[_SM].fullmatch(path):
        raise NotReadable(f"“{path[:80]}” begins no name: those have {CHARACTERS[_SM]}.", "below")
    return path


def _clean_path(text: str) -> str:
    path = text.strip().removesuffix("*").rstrip("/") or "/"
    if not text.strip().startswith("/"):
        raise NotReadable(
            f"A path of Parameter Store is absolute: /{text.strip()[:80]}. Parameters without a slash at the "
            "beginning are in no path; link them one by one.",
            "below",
        )
    if not _NAMES[_SSM].fullmatch(path) or "//" in path:
        raise NotReadable(f"“{path[:80]}” is no path: those have {CHARACTERS[_SSM]}.", "below")
    return path


def begins(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Tell whether Secrets Manager's filters take a secret: they know beginnings, and no pairs of name and value."""
    return all(
        any(name.startswith(key) for name in found) and any(text.startswith(value) for text in found.values())
        for key, value in wanted.items()
    )


def has(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Tell whether something has all of these tags."""
    return wanted.items() <= found.items()


# -- read from elsewhere -----------------------------------------------------------------------------------------
_BY_TOKEN = ("automatic", "role", "federation")
_NO_TOKEN = "This access signs in with {}, without a token that an audience could be on."
_BASES = {"static": "an access key", "ambient": "the operator's own identity"}


def _overrides(access: "Access") -> dict[str, str]:
    base = _BASES.get(access.method, "")
    return {"region": "", "role_arn": "", "audience": _NO_TOKEN.format(base) if base else ""}


def _clean_override(service: str, access: "Access", name: str, value: str) -> str:
    """Return an override as a store takes it.

    :raises ValidationError: it is none
    """
    value = value.strip()
    if not value:
        return ""
    if name == "region":
        value = aws_forms.clean_region(value, service)
    elif name == "role_arn":
        aws_forms.check_role(value)
    elif not re.fullmatch(r"[\w.:/@+-]{1,500}", value, re.ASCII):
        raise ValidationError("An audience is one word or address, such as sts.amazonaws.com.")
    return "" if value == aws_elsewhere.own(access, name) else value


OVERRIDE_HELP = {
    "region": "Where this secret is, when it is not where the access reads.",
    "role_arn": "Which role reads it. A session name has no counterpart: the operator names its sessions itself; to "
    "tell secrets apart in CloudTrail, give each a role of its own.",
    "audience": "For whom the cluster's token is made out, when the role trusts another audience than "
    "sts.amazonaws.com.",
}

_STAGE = Version(
    "Version stage",
    "A staging label such as AWSCURRENT, AWSPENDING or AWSPREVIOUS; empty follows AWSCURRENT.",
    re.compile(r"[\w/+=.@-]{1,100}", re.ASCII),
    "A staging label has letters, digits and / _ + = . @ -, such as AWSPREVIOUS.",
)
_ID = Version(
    "Version ID",
    "Pins one version for good; a rotation changes nothing then. Not together with a stage.",
    re.compile(r"[A-Za-z0-9-]{32,64}", re.ASCII),
    "A version's ID has 32 to 64 letters, digits and hyphens, like 01234567-89ab-cdef-0123-456789abcdef.",
    "uuid/{}",
)
_NUMBER_OR_LABEL = Version(
    "Version",
    "A number or a label, as in name:3 or name:stable; empty follows the newest.",
    # A label does not begin with a digit, with aws or with ssm.
    re.compile(r"[1-9]\d{0,14}|(?!aws|ssm)[A-Za-z_.-][\w.-]{0,99}", re.ASCII | re.IGNORECASE),
    "A version is a number from 1, or a label of letters, digits and _ . - that begins with none of a digit, aws and "
    "ssm.",
)

SECRETS_MANAGER = References(
    noun="secret",
    key_help="A name, or the whole ARN of a secret of another account. With #field for one field: app/db#password.",
    characters=CHARACTERS[_SM],
    read=partial(_read, _SM),
    check=partial(aws_elsewhere.check, _SM),
    # The id first: what begins with uuid/ is one.
    versions={"version_id": _ID, "version_stage": _STAGE},
    below=Below(
        "Names that begin with",
        "Each secret whose name begins so becomes a key, for example prod/shop/.",
        _clean_start,
        lambda path: path,
    ),
    tags_help="One a line, as name=value. AWS looks for beginnings: env=prod finds env=production as well, and with "
    "several tags any name may go with any value.",
    has_tags=begins,
    overrides=_overrides,
    override_help=OVERRIDE_HELP,
    clean_override=partial(_clean_override, "secretsmanager"),
    vary=aws_elsewhere.vary,
    wrong_together=aws_elsewhere.wrong_together,
    override_notes=aws_elsewhere.notes,
    several_note="Needs secretsmanager:BatchGetSecretValue and secretsmanager:ListSecrets on * beside reading the values.",
)
PARAMETER_STORE = References(
    noun="parameter",
    key_help="A name such as /prod/db, or the ARN of a parameter that another account shares. With #field for one "
    "field of a JSON value: /prod/db#password.",
    characters=CHARACTERS[_SSM],
    read=partial(_read, _SSM),
    check=partial(aws_elsewhere.check, _SSM),
    versions={"version": _NUMBER_OR_LABEL},
    below=Below(
        "Parameters below the path",
        "An absolute path; each parameter below it, however deep, becomes a key: /prod/shop.",
        _clean_path,
        lambda path: path if path.endswith("/") else f"{path}/",
    ),
    tags_help="One a line, as name=value; parameters that have all of them become keys.",
    has_tags=has,
    overrides=_overrides,
    override_help=OVERRIDE_HELP,
    clean_override=partial(_clean_override, "ssm"),
    vary=aws_elsewhere.vary,
    wrong_together=aws_elsewhere.wrong_together,
    override_notes=aws_elsewhere.notes,
    tags_listed=False,
    several_note="Needs ssm:GetParametersByPath on the path; by tags ssm:DescribeParameters and tag:GetResources on *.",
)
