"""The table of faults. Each row is tested twice, and is a line of docs/faults.md."""

from __future__ import annotations

from datetime import timedelta

from tests.faults.support import HOUR, IN_12_HOURS, Alarm, Holds, Row, cut_off, endpoint_is, lose, reset, says
from tests.plugins.mwaa_codeartifact.core.support import (
    BY_HAND,
    DOMAIN,
    REPOSITORY,
    START,
    after,
    answer,
    hang_up,
)

MINUTE = timedelta(minutes=1)
_QUARTER = 15 * MINUTE
_THROTTLED = answer(429, "ThrottlingException")
_THROTTLED_FOR_A_MINUTE = answer(429, "ThrottlingException", Retry_After="60")
_TWICE = 2
_NOT_AUTHORIZED_FOR_KMS = (
    "User: arn:aws:sts::123456789012:assumed-role/refresher/refresher is not authorized to perform: "
    "kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:123456789012:key/k because no identity-based policy "
    "allows the kms:GenerateDataKey action"
)

PUBLISHED = "published: by lambda"
FRESH = "fresh: by dag"
SUPERSEDED = "superseded: by dag"

HEAD = [
    Row(
        "HEAD: 503 SlowDown, twice",
        lambda on: on.at("head", *[answer(503)] * _TWICE),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "HEAD: 503 at every try",
        lambda on: on.always("head", answer(503)),
        Holds.OLD,
        "Could not see how fresh the index-url is",
        Alarm.UNKNOWN,
    ),
    Row(
        "HEAD: 500 at every try",
        lambda on: on.always("head", answer(500)),
        Holds.OLD,
        "Could not see how fresh the index-url is",
        Alarm.UNKNOWN,
    ),
    Row(
        "HEAD: access denied",
        lambda on: on.always("head", answer(403)),
        Holds.OLD,
        "access denied: allow s3:GetObject and, on the bucket, s3:ListBucket",
        Alarm.UNKNOWN,
    ),
    Row(
        "HEAD: expired credentials",
        lambda on: on.always("head", answer(400, x_amz_bucket_region="eu-west-1")),
        Holds.OLD,
        "most likely the AWS credentials have expired: renew them",
        Alarm.UNKNOWN,
    ),
    Row("HEAD: no answer in time", lambda on: on.hangs("head"), Holds.OLD, "[ReadTimeoutError]", Alarm.UNKNOWN),
    Row(
        "HEAD: connection closed at every try",
        lambda on: on.always("head", hang_up),
        Holds.OLD,
        "[ConnectionClosedError]",
        Alarm.UNKNOWN,
    ),
    Row(
        "No credentials",
        lambda on: on.without_credentials(),
        Holds.OLD,
        "no AWS credentials were found: run under a role",
        Alarm.UNKNOWN,
    ),
    Row(
        "The bucket does not exist",
        lambda on: on.without_bucket(),
        Holds.NOTHING,
        "the bucket does not exist: check the setting destination",
        Alarm.UNKNOWN,
    ),
]

ENDPOINT = [
    Row(
        "Endpoint: access denied",
        lambda on: on.always("endpoint", answer(403, "AccessDeniedException")),
        Holds.OLD,
        "access denied: allow codeartifact:GetRepositoryEndpoint",
        Alarm.ERRORS,
    ),
    Row(
        "Endpoint: ThrottlingException at every try",
        lambda on: on.always("endpoint", answer(400, "ThrottlingException")),
        Holds.OLD,
        "Could not get the repository's endpoint",
        Alarm.ERRORS,
    ),
    Row(
        "Endpoint: connection reset in mid-answer, once",
        lambda on: on.at("endpoint", reset),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Endpoint: answer cut off in the middle",
        lambda on: on.at("endpoint", cut_off),
        Holds.OLD,
        "Could not get the repository's endpoint",
        Alarm.ERRORS,
    ),
    Row(
        "The repository was deleted",
        lambda on: on.aws.state.delete_repository(DOMAIN, REPOSITORY),
        Holds.OLD,
        "not found: check the settings domain, domain_owner, repository and region",
        Alarm.ERRORS,
    ),
    Row(
        "The domain is unknown",
        lambda on: on.set_target(domain="nowhere"),
        Holds.OLD,
        "not found: check the settings domain, domain_owner, repository and region",
        Alarm.UNKNOWN,
    ),
    Row(
        "The repository's endpoint has changed",
        lambda on: on.at("endpoint", endpoint_is(on.other_endpoint)),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "The repository's endpoint has changed to one that cannot be reached",
        lambda on: on.at("endpoint", endpoint_is(f"http://127.0.0.1:{on.closed_port}/pypi/python/")),
        Holds.OLD,
        "no answer (NewConnectionError): check the VPC endpoint codeartifact.repositories",
        Alarm.ERRORS,
    ),
]

MINT = [
    Row(
        "Mint: 429 with Retry-After, twice",
        lambda on: on.at("mint", *[_THROTTLED_FOR_A_MINUTE] * _TWICE),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Mint: 429 with Retry-After at every try",
        lambda on: on.always("mint", _THROTTLED_FOR_A_MINUTE),
        Holds.OLD,
        "[ThrottlingException]",
        Alarm.ERRORS,
    ),
    Row(
        "Mint: 429 without Retry-After at every try",
        lambda on: on.always("mint", _THROTTLED),
        Holds.OLD,
        "[ThrottlingException]",
        Alarm.ERRORS,
    ),
    Row(
        "Mint: ThrottlingException as a 400, twice",
        lambda on: on.at("mint", *[answer(400, "ThrottlingException")] * _TWICE),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Mint: 500 at every try",
        lambda on: on.always("mint", answer(500, "InternalServerException")),
        Holds.OLD,
        "[InternalServerException]",
        Alarm.ERRORS,
    ),
    Row("Mint: no answer in time", lambda on: on.hangs("mint"), Holds.OLD, "[ReadTimeoutError]", Alarm.ERRORS),
    Row(
        "Mint: connection reset in mid-answer, twice",
        lambda on: on.at("mint", *[reset] * _TWICE),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Mint: connection reset in mid-answer at every try",
        lambda on: on.always("mint", reset),
        Holds.OLD,
        "Could not mint a token",
        Alarm.ERRORS,
    ),
    Row(
        "Mint: answer cut off in the middle",
        lambda on: on.at("mint", cut_off),
        Holds.OLD,
        "Could not mint a token",
        Alarm.ERRORS,
    ),
    Row(
        "Mint: access denied",
        lambda on: on.always("mint", answer(403, "AccessDeniedException")),
        Holds.OLD,
        "access denied: allow codeartifact:GetAuthorizationToken and sts:GetServiceBearerToken",
        Alarm.ERRORS,
    ),
    Row(
        "Mint: expired credentials",
        lambda on: on.always("mint", answer(400, "ExpiredTokenException")),
        Holds.OLD,
        "the AWS credentials have expired: renew them",
        Alarm.ERRORS,
    ),
    Row(
        "The token is valid for 3 hours instead of 12",
        lambda on: on.limit_tokens(3 * HOUR),
        Holds.NEW,
        "The token is valid for only 3:00:00 although 12 hours were requested",
        Alarm.SHORT,
        lasts=8 * HOUR,
    ),
    Row(
        "The token expires before the line in the file",
        lambda on: on.limit_tokens(HOUR),
        Holds.OLD,
        SUPERSEDED,
        Alarm.SHORT,
        lasts=8 * HOUR,
    ),
]

CLOCK = [
    Row(
        "The clock here is 15 minutes ahead",
        lambda on: on.clock_is(_QUARTER, standing=9 * HOUR + 10 * MINUTE),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "The clock here is 15 minutes behind",
        lambda on: on.clock_is(-_QUARTER, standing=9 * HOUR - 10 * MINUTE),
        Holds.OLD,
        FRESH,
        Alarm.FALLBACK,
    ),
    Row(
        "The clock here is 13 hours ahead",
        lambda on: on.clock_is(13 * HOUR),
        Holds.OLD,
        "it expired at 2030-01-01T12:00:00Z, before it could be used: check the clock here",
        Alarm.ERRORS_AT_ONCE,
    ),
    Row("The clock here is 5 hours behind", lambda on: on.clock_is(-5 * HOUR), Holds.NEW, PUBLISHED, Alarm.FALLBACK),
    Row(
        "The clock here is 7 hours behind, and AWS accepts it",
        lambda on: on.clock_is(-7 * HOUR),
        Holds.OLD,
        FRESH,
        Alarm.FALLBACK,
    ),
    Row(
        "The clock here is hours off, and S3 refuses the HEAD",
        lambda on: on.always("head", answer(403)),
        Holds.OLD,
        "access denied",
        Alarm.UNKNOWN,
    ),
    Row(
        "The clock here is hours off, and CodeArtifact refuses to mint",
        lambda on: on.always("mint", answer(403, "InvalidSignatureException")),
        Holds.OLD,
        "[InvalidSignatureException]",
        Alarm.ERRORS,
    ),
    Row(
        "The clock here is hours off, and S3 refuses the PUT",
        lambda on: on.always("put", answer(403, "RequestTimeTooSkewed")),
        Holds.OLD,
        "[RequestTimeTooSkewed]",
        Alarm.ERRORS,
    ),
]

VERIFY = [
    Row(
        "Verify: 401, the repository does not know the token",
        lambda on: on.always("verify", answer(401)),
        Holds.OLD,
        "the repository rejects it: allow codeartifact:ReadFromRepository in the role's policy [401]",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: 403, access denied",
        lambda on: on.always("verify", answer(403)),
        Holds.OLD,
        "the repository rejects it: allow codeartifact:ReadFromRepository in the role's policy [403]",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: 404, and a wrong token gets 401",
        lambda on: on.at("control", answer(401)),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Verify: 404, and a wrong token gets 404 as well",
        lambda on: on.hide_from_bad_tokens(),
        Holds.OLD,
        "it answers 404 to a wrong token as well, which proves nothing: add the package pip to the repository",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: 404, and a wrong token gets 404 as well, but the repository has pip",
        lambda on: on.hide_from_bad_tokens(but_has="pip"),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Verify: 404, and a wrong token gets 503 at every try",
        lambda on: on.always("control", answer(503)),
        Holds.OLD,
        "neither accepts nor rejects it: try again [503]",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: 404, and then no answer in time",
        lambda on: on.hangs("control"),
        Holds.OLD,
        "no answer (ReadTimeoutError)",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: 429 with Retry-After, twice",
        lambda on: on.at("verify", *[answer(429, Retry_After="60")] * _TWICE),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Verify: 429 at every try",
        lambda on: on.always("verify", answer(429)),
        Holds.OLD,
        "neither accepts nor rejects it: try again [429]",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: 503 at every try",
        lambda on: on.always("verify", answer(503)),
        Holds.OLD,
        "neither accepts nor rejects it: try again [503]",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: a redirect",
        lambda on: on.always("verify", answer(302, Location="/elsewhere/")),
        Holds.OLD,
        "neither accepts nor rejects it: try again [302]",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: no answer in time",
        lambda on: on.hangs("verify"),
        Holds.OLD,
        "no answer (ReadTimeoutError)",
        Alarm.ERRORS,
    ),
    Row(
        "Verify: connection reset in mid-answer, once",
        lambda on: on.at("verify", reset),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Verify: connection closed at every try",
        lambda on: on.always("verify", hang_up),
        Holds.OLD,
        "no answer (ProtocolError)",
        Alarm.ERRORS,
    ),
]

PUT = [
    Row(
        "PUT: access denied",
        lambda on: on.always("put", answer(403, "AccessDenied")),
        Holds.OLD,
        "access denied: allow s3:PutObject in the role's policy",
        Alarm.ERRORS,
    ),
    Row(
        "PUT: the role may not use the bucket's KMS key",
        lambda on: on.always("put", says(403, "AccessDenied", _NOT_AUTHORIZED_FOR_KMS)),
        Holds.OLD,
        "access denied: allow kms:GenerateDataKey",
        Alarm.ERRORS,
    ),
    Row(
        "PUT: the bucket's KMS key is disabled",
        lambda on: on.always(
            "put", says(400, "KMS.DisabledException", "arn:aws:kms:eu-west-1:123456789012:key/k is disabled.")
        ),
        Holds.OLD,
        "key/k is disabled. [KMS.DisabledException]",
        Alarm.ERRORS,
    ),
    Row(
        "PUT: expired credentials",
        lambda on: on.always("put", answer(400, "ExpiredToken")),
        Holds.OLD,
        "the AWS credentials have expired: renew them",
        Alarm.ERRORS,
    ),
    Row(
        "PUT: 503 SlowDown at every try",
        lambda on: on.always("put", answer(503, "SlowDown")),
        Holds.OLD,
        "[SlowDown]",
        Alarm.ERRORS,
    ),
    Row("PUT: no answer in time", lambda on: on.hangs("put"), Holds.OLD, "[ReadTimeoutError]", Alarm.ERRORS),
    Row(
        "PUT: connection closed at every try",
        lambda on: on.always("put", hang_up),
        Holds.OLD,
        "[ConnectionClosedError]",
        Alarm.ERRORS,
    ),
    Row(
        "PUT: 503 after it took effect",
        lambda on: on.at("put", lose(then=answer(503, "ServiceUnavailable"))),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "PUT: 503 after it took effect, and at every later try",
        lambda on: on.at("put", lose(then=answer(503, "SlowDown")), *[answer(503, "SlowDown")] * _TWICE),
        Holds.NEW,
        "[SlowDown]",
        Alarm.NONE,
    ),
    Row(
        "PUT: 412 after it took effect",
        lambda on: on.at("put", lose(then=answer(412, "PreconditionFailed"))),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "PUT: 409 after it took effect",
        lambda on: on.at("put", lose(then=answer(409, "ConditionalRequestConflict"))),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "PUT: no answer in time after it took effect",
        lambda on: on.hangs("put", taking_effect=True),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "PUT: connection reset in mid-answer after it took effect",
        lambda on: on.at("put", reset),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "PUT: 409 once, and no other refresher wrote",
        lambda on: on.at("put", answer(409, "ConditionalRequestConflict")),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
]

DESTINATION = [
    Row(
        "Another refresher wins (412)",
        lambda on: on.at("put", after(on.other_publishes)),
        Holds.OTHER,
        SUPERSEDED,
        Alarm.NONE,
    ),
    Row(
        "Another refresher wins (409)",
        lambda on: on.at("put", after(on.other_publishes, answer(409, "ConditionalRequestConflict"))),
        Holds.OTHER,
        SUPERSEDED,
        Alarm.NONE,
    ),
    Row(
        "Another refresher wins with a line that expires sooner",
        lambda on: on.at("put", after(lambda: on.other_publishes(11 * HOUR))),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Others write during every attempt",
        lambda on: on.others_publish(3, 4, 5, 6, 7),
        Holds.OTHER,
        "others wrote there during each of 5 attempts",
        Alarm.ERRORS_ONLY,
    ),
    Row(
        "Others write during every attempt, the last one a line that expires later than the new one",
        lambda on: on.others_publish(3, 4, 5, 6, 12),
        Holds.OTHER,
        SUPERSEDED,
        Alarm.NONE,
    ),
    Row(
        "The file is deleted between HEAD and PUT",
        lambda on: on.at("put", after(on.delete)),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row("There is no file", lambda on: on.delete(), Holds.NEW, PUBLISHED, Alarm.FALLBACK),
    Row(
        "The object has no metadata",
        lambda on: on.bucket.write(BY_HAND),
        Holds.NEW,
        "was not written by a refresher: it counts as stale; a copy of it is kept",
        Alarm.FALLBACK,
    ),
    Row(
        "The object's metadata is nonsense",
        lambda on: on.bucket.write_line(IN_12_HOURS, BY_HAND, token_expires_at="soon"),
        Holds.NEW,
        "was not written by a refresher: it counts as stale; a copy of it is kept",
        Alarm.FALLBACK,
    ),
    Row(
        "The line is another repository's",
        lambda on: on.bucket.write_line(START + 24 * HOUR, repository="eu-west-1/123456789012/data/another"),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Bucket versioning is off",
        lambda on: on.without_versions().write_line(START + 2 * HOUR),
        Holds.NEW,
        PUBLISHED,
        Alarm.FALLBACK,
    ),
    Row(
        "Bucket versioning is off, and the object has no metadata",
        lambda on: on.without_versions().write(BY_HAND),
        Holds.BY_HAND,
        "no version would keep it: turn on bucket versioning and upload it again",
        Alarm.UNKNOWN,
    ),
]

ROWS = [*HEAD, *ENDPOINT, *MINT, *CLOCK, *VERIFY, *PUT, *DESTINATION]
