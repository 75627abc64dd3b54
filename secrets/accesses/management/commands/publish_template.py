"""Put the CloudFormation templates into an S3 bucket: a quick-create link needs one at an address of S3."""

import contextlib
import json
import re
from pathlib import PurePosixPath
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accesses.setup import cloudformation, policies
from credentials.clouds.aws import regions as aws_regions
from credentials.clouds.aws import stacks
from credentials.published import Published

# A dot would fall out of the certificate of virtual-hosted addresses.
BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,300}")
SID = "KeyhavenTemplate"
DENIED = (
    "AWS does not allow {what}. The credentials need s3:PutObject on the bucket, with --create-bucket also "
    "s3:CreateBucket, with --public also s3:GetBucketPolicy and s3:PutBucketPolicy; and a bucket that is to be public "
    "may not block public policies."
)
REASONS = {
    "NoSuchBucket": "There is no bucket {bucket}. Add --create-bucket to make it.",
    "BucketAlreadyExists": "The name {bucket} belongs to somebody else. Choose another.",
    "PermanentRedirect": "The bucket {bucket} is not in {region}. Name its own region with --region.",
    "AuthorizationHeaderMalformed": "The bucket {bucket} is not in {region}. Name its own region with --region.",
    "IllegalLocationConstraintException": "The bucket {bucket} cannot be in {region}. Check the credentials' partition.",
    "InvalidAccessKeyId": "AWS does not know the access key.",
    "SignatureDoesNotMatch": "AWS does not accept the secret access key.",
    "ExpiredToken": "The credentials have expired. Sign in to AWS again.",
}


class Command(BaseCommand):
    help = (
        "Publish the CloudFormation templates, of accesses and of the console's own role, to an S3 bucket, with the AWS credentials of whoever runs this "
        "(environment, profile or role). The console itself never uses them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bucket", required=True)
        parser.add_argument("--region", required=True, help="the bucket's region, for example eu-west-3")
        parser.add_argument("--create-bucket", action="store_true", help="make the bucket if it is missing")
        parser.add_argument(
            "--key",
            default=f"keyhaven/{cloudformation.FILE}",
            metavar="PATH",
            help="path of the accesses' template in the bucket, whose checksum becomes part of it; the other is put beside it",
        )
        parser.add_argument(
            "--public",
            action="store_true",
            help="let everybody read them; otherwise only accounts that may read the bucket can use the link",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        bucket, region = options["bucket"], options["region"]
        keys = _keys(options["key"])
        if not BUCKET.fullmatch(bucket):
            raise CommandError(
                f"{bucket} is no bucket for this: 3 to 63 lower-case letters, digits and hyphens."
            )
        self._publish(bucket, region, keys, options)
        ending = policies.suffix(aws_regions.partition_of(region))
        for key, template in keys.items():
            url = f"https://{bucket}.s3.{region}.{ending}/{key}"
            cloudformation.remember(template, region, url)
            self.stdout.write(url)

    def _publish(self, bucket: str, region: str, keys: dict[str, Published], options: dict[str, Any]) -> None:
        from botocore import exceptions

        try:
            s3 = _client(region)
            made = options["create_bucket"] and _make_bucket(s3, bucket, region)
            for key, template in keys.items():
                s3.put_object(
                    Bucket=bucket, Key=key, Body=template.text.encode(), ContentType="application/yaml"
                )
            _check_region(s3, bucket, region)
            if options["public"]:
                _make_public(s3, bucket, keys, aws_regions.partition_of(region), new=made)
        except exceptions.ClientError as error:
            raise CommandError(_reason(error, bucket, region)) from None
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
            raise CommandError(
                "There are no AWS credentials. Sign in first, for example with aws sso login."
            ) from None
        except (exceptions.ConnectionError, exceptions.HTTPClientError):
            raise CommandError(f"S3 does not answer in {region}. Check the region and the network.") from None
        except exceptions.BotoCoreError as error:
            raise CommandError(f"The request to S3 failed ({type(error).__name__}).") from None


def _client(region: str) -> Any:
    """Return a client with the default chain of credentials: the one place where the console's own are not used."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2, "mode": "standard"})
    session: Any = boto3.session.Session()
    return session.client("s3", region_name=region, config=config)


def _keys(path: str) -> dict[str, Published]:
    """Return where each template goes."""
    if not KEY.fullmatch(path) or ".." in path or "//" in path or path.endswith("/"):
        raise CommandError(
            f"{path} is no path for the template: letters, digits and / _ . - as in keyhaven/role.yaml."
        )
    beside = str(PurePosixPath(path).with_name(stacks.CONSOLE.file))
    return {
        _key(path, cloudformation.TEMPLATE): cloudformation.TEMPLATE,
        _key(beside, stacks.CONSOLE): stacks.CONSOLE,
    }


def _key(path: str, template: Published) -> str:
    """Return the key with the checksum in it: what was once published at an address never changes."""
    parts, short = PurePosixPath(path), template.digest[:12]
    return path if short in path else str(parts.with_stem(f"{parts.stem}-{short}"))


def _make_bucket(s3: Any, bucket: str, region: str) -> bool:
    """Make the bucket and tell so; one that is there already stays as it is."""
    from botocore import exceptions

    try:
        s3.head_bucket(Bucket=bucket)
        return False
    except exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
    # us-east-1 is the one region that may not be named.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **place)
    return True


def _check_region(s3: Any, bucket: str, region: str) -> None:
    """Refuse another region than the bucket's: the SDK follows S3 there by itself, and the address would be wrong."""
    from botocore import exceptions

    # Who may write need not be allowed to look.
    with contextlib.suppress(exceptions.ClientError):
        if (found := s3.head_bucket(Bucket=bucket).get("BucketRegion", region)) != region:
            raise CommandError(
                f"The bucket {bucket} is in {found}, not in {region}. Name its own region with --region."
            )


def _make_public(s3: Any, bucket: str, keys: dict[str, Published], partition: str, *, new: bool) -> None:
    """Add a statement for each of these objects to the bucket's policy, and keep the others."""
    from botocore import exceptions

    try:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        policy = {"Version": "2012-10-17", "Statement": []}
    # Names of earlier templates stay readable: links to them are out there.
    own = [_readable(f"arn:{partition}:s3:::{bucket}/{key}", template) for key, template in keys.items()]
    sids = {statement["Sid"] for statement in own}
    others = [statement for statement in policy["Statement"] if statement.get("Sid") not in sids]
    if new:
        # A new bucket blocks public policies; public ACLs stay blocked.
        blocks = {"BlockPublicAcls": True, "IgnorePublicAcls": True}
        blocks |= {"BlockPublicPolicy": False, "RestrictPublicBuckets": False}
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy | {"Statement": [*others, *own]}))


def _readable(arn: str, template: Published) -> dict[str, Any]:
    sid = f"{SID}{template.digest[:12]}"
    return {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": arn}


def _reason(error: Any, bucket: str, region: str) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in REASONS:
        return REASONS[code].format(bucket=bucket, region=region)
    if code.startswith(("AccessDenied", "AllAccessDisabled", "403")):
        return DENIED.format(what=re.sub(r"(?<!^)(?=[A-Z])", " ", error.operation_name).lower())
    return f"S3 answered {code or 'with an error'} to {error.operation_name}."
