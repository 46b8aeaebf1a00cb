#!/usr/bin/env python3
"""Writes the recording that `bedrock-watch demo` plays: one afternoon in an invented account, and an attack in it.

    python3 make_recording.py

It writes afternoon.jsonl (the records, in the order of their delivery) and expected.json (the alerts that must come)
beside itself. Everything is invented, and the same at each run. The shape of the records comes from rules/events.
"""

import copy
import json
import math
import random
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
EVENTS = HERE.parents[2] / "rules" / "events"
ACCOUNT = "111122223333"
HOME = "us-east-1"
DAY = datetime(2026, 11, 18, tzinfo=timezone.utc)
RANDOM = random.Random(20261118)
NAMESPACE = uuid.UUID("6f0f3f9e-1d3a-5c55-9d43-0b6d2f6f7a10")

GROUP = "sg-0a1b2c3d4e5f60718"  # the group of the customization job, as in rules/events
ATTACKER = "arn:aws:iam::111122223333:user/ml-batch"
ATTACKER_IPS = ["192.0.2.77", "192.0.2.78", "192.0.2.140", "192.0.2.201"]
BEDROCK = "bedrock.amazonaws.com"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET = "anthropic.claude-3-5-sonnet-20241022-v2:0"
NOVA = "amazon.nova-pro-v1:0"
FAN_OUT = [
    SONNET,
    "anthropic.claude-3-opus-20240229-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "mistral.mistral-large-2407-v1:0",
    "deepseek.r1-v1:0",
    "cohere.command-r-plus-v1:0",
]

deliveries = []  # (delivery time, number, line)
made = 0


def at(clock, plus=0.0):
    """The time of day `HH:MM:SS`, plus seconds."""
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return DAY + timedelta(hours=hours, minutes=minutes, seconds=seconds + plus)


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id(kind):
    return str(uuid.uuid5(NAMESPACE, f"{kind}-{made}"))


def delay():
    """Seconds from an event to its delivery, as measured on a real trail: 3 to 594, half of them above 200."""
    return min(594.0, max(3.0, math.exp(RANDOM.gauss(math.log(200), 0.6))))


def role(name, session, **changes):
    number = name.upper().replace("-", "")[:12]
    identity = {
        "type": "AssumedRole",
        "principalId": f"AROAEX{number}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": f"ASIAEX{number}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": f"AROAEX{number}",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {"creationDate": "2026-11-18T12:41:07Z", "mfaAuthenticated": "false"},
        },
    }
    identity.update(changes)
    return identity


APP = {"userIdentity": role("rag-api", "i-0d1e2f3a4b5c6d7e8"), "sourceIPAddress": "198.51.100.20"}
SCIENTIST = {"userIdentity": role("ml-engineer", "a.rivera"), "sourceIPAddress": "203.0.113.41"}
TERRAFORM = {
    "userIdentity": role("terraform", "atlantis"),
    "sourceIPAddress": "198.51.100.61",
    "userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/5.100.0 aws-sdk-go-v2/1.36.3",
}
CI = {"userIdentity": role("ci-build", "AWSCodeBuild-7f3a"), "sourceIPAddress": "198.51.100.70"}
SCANNER = {
    "userIdentity": role("cspm-scanner", "scan-20261118"),
    "sourceIPAddress": "198.51.100.200",
    "userAgent": "Boto3/1.38.13 md/Botocore#1.38.13 lang/python#3.12.3 cspm/4.2",
}
RESPONDER = {
    "userIdentity": role("AWSReservedSSO_SecurityIncident_3f1c2a9d8e7b6a50", "r.okafor"),
    "sourceIPAddress": "203.0.113.9",
}
INTRUDER_ROLE = {"userIdentity": role("platform-admin", "maintenance"), "sourceIPAddress": ATTACKER_IPS[0]}
KEY = {"sourceIPAddress": ATTACKER_IPS[0], "userAgent": "python-requests/2.32.3"}


def service(name):
    return {"userIdentity": {"type": "AWSService", "invokedBy": name}, "sourceIPAddress": name, "userAgent": name}


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def call(source, name, request, read_only):
    """A record of an operation for which rules/events has no sample."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {},
        "eventTime": "",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": HOME,
        "sourceIPAddress": "",
        "userAgent": "Boto3/1.38.13 md/Botocore#1.38.13 lang/python#3.12.3",
        "requestParameters": request,
        "responseElements": None,
        "requestID": "",
        "eventID": "",
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def emit(time, record, who=None, delayed=None, **changes):
    """Delivers a CloudTrail record; dotted names of `changes` are written with two underscores."""
    global made
    made += 1
    record = copy.deepcopy(record)
    record.update(copy.deepcopy(who or {}))
    for path, value in changes.items():
        place = record
        *parents, last = path.split("__")
        for part in parents:
            place = place[part]
        place[last] = value
    if "errorCode" in changes:
        record["responseElements"] = None
    record["eventTime"] = text(time)
    record["requestID"] = new_id("request")
    record["eventID"] = new_id("event")
    line = record
    if RANDOM.random() < 0.6:
        source = record["eventSource"].split(".")[0]
        line = {
            "version": "0",
            "id": new_id("envelope"),
            "detail-type": "AWS API Call via CloudTrail",
            "source": f"aws.{source}",
            "account": ACCOUNT,
            "time": text(time),
            "region": record["awsRegion"],
            "resources": [],
            "detail": record,
        }
    deliver(time + timedelta(seconds=delay() if delayed is None else delayed), line)
    if RANDOM.random() < 0.012:  # at least once is sometimes twice
        deliver(time + timedelta(seconds=delay()), line)
    return record["eventID"]


def deliver(time, line):
    deliveries.append((time, len(deliveries), json.dumps(line, separators=(",", ":"), ensure_ascii=False)))


def spread(first, last, mean):
    """Times from `first` to `last`, on average `mean` seconds apart."""
    time, end = at(first), at(last)
    while True:
        time += timedelta(seconds=mean * (0.5 + RANDOM.random()))
        if time >= end:
            return
        yield time


# ---- Ordinary traffic ------------------------------------------------------------------------------------------------


def applications():
    invoke, agent, converse = sample("bedrock/InvokeModel"), sample("bedrock/InvokeAgent"), sample("bedrock/Converse")
    for time in spread("13:00:00", "17:00:00", 40):
        tokens = {"inputTokens": RANDOM.randint(600, 2400), "outputTokens": RANDOM.randint(60, 400)}
        if RANDOM.random() < 0.02:
            emit(time, invoke, APP, errorCode="ThrottlingException", errorMessage="Too many requests, please wait.")
        else:
            emit(time, invoke, APP, additionalEventData=tokens)
    for time in spread("13:05:00", "16:55:00", 350):
        emit(time, agent, APP)
    for time in spread("13:10:00", "16:40:00", 170):
        model = RANDOM.choice([HAIKU, HAIKU, "us." + SONNET, NOVA])
        emit(time, converse, SCIENTIST, requestParameters__modelId=model)


def scanner():
    reads = [
        ("bedrock", "ListFoundationModels"),
        ("bedrock", "ListCustomModels"),
        ("bedrock", "ListModelCustomizationJobs"),
        ("bedrock", "GetModelInvocationLoggingConfiguration"),
        ("bedrock", "ListProvisionedModelThroughputs"),
        ("ec2", "DescribeSecurityGroups"),
        ("ec2", "DescribeSubnets"),
        ("ec2", "DescribeVpcEndpoints"),
        ("kms", "ListKeys"),
        ("logs", "DescribeLogGroups"),
    ]
    for start in ("13:15:00", "14:45:00", "16:15:00"):
        number = 0
        for region in ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"):
            for source, name in reads:
                number += 1
                emit(at(start, 1.7 * number), call(source, name, None, True), SCANNER, awsRegion=region)


def pipelines():
    create, delete = sample("ec2/CreateSecurityGroup"), sample("ec2/DeleteSecurityGroup")
    for number, start in enumerate(("13:25:00", "14:05:00", "14:40:00", "15:30:00", "16:20:00")):
        group = f"sg-0c1c1c1c1c1c1c1{number:02}"
        emit(at(start), call("codebuild", "StartBuild", {"projectName": "web"}, False), CI)
        emit(
            at(start, 9),
            create,
            CI,
            requestParameters__groupName=f"ci-{number}",
            requestParameters__groupDescription="integration test",
            responseElements__groupId=group,
            responseElements__securityGroupArn=f"arn:aws:ec2:{HOME}:{ACCOUNT}:security-group/{group}",
        )
        for step in range(8):
            emit(at(start, 15 + 9 * step), call("ecr", "BatchGetImage", {"repositoryName": "web"}, True), CI)
            emit(at(start, 19 + 9 * step), call("logs", "CreateLogStream", {"logGroupName": "/ci/web"}, False), CI)
        emit(at(start, 240), delete, CI, requestParameters__groupId=group, responseElements__groupId=group)


def terraform():
    put = sample("bedrock/PutModelInvocationLoggingConfiguration")
    emit(at("13:02:10"), put, TERRAFORM)
    for start in ("13:02:00", "14:20:00"):
        for step, name in enumerate(("DescribeVpcs", "DescribeSubnets", "DescribeSecurityGroups", "DescribeRouteTables")):
            for again in range(5):
                emit(at(start, step * 5 + again), call("ec2", name, {}, True), TERRAFORM)
    # The group of the web servers gets new rules: the old ones are revoked first.
    web = {"requestParameters__groupId": "sg-0eb5eb5eb5eb5eb50"}
    emit(at("14:20:31"), sample("ec2/RevokeSecurityGroupEgress"), TERRAFORM, **web)
    emit(at("14:20:33"), sample("ec2/AuthorizeSecurityGroupEgress"), TERRAFORM, **web)


def noise():
    profile = service("ec2.amazonaws.com")
    for time in spread("13:00:00", "17:00:00", 62):
        emit(time, call("sts", "AssumeRole", {"roleArn": APP["userIdentity"]["arn"], "durationSeconds": 3600}, True), profile)
    for time in spread("13:00:00", "17:00:00", 75):
        name = RANDOM.choice(["Decrypt", "GenerateDataKey"])
        emit(time, call("kms", name, {"encryptionContext": {"aws:s3:arn": "arn:aws:s3:::acme-docs"}}, True), APP)
    for time in spread("13:00:00", "17:00:00", 95):
        name = RANDOM.choice(["GetBucketAcl", "ListBuckets", "GetBucketPolicyStatus", "GetBucketLocation"])
        emit(time, call("s3", name, {"bucketName": "acme-docs"}, True), RANDOM.choice([CI, APP, SCANNER]))
    for time in spread("13:00:00", "17:00:00", 130):
        name = RANDOM.choice(["DescribeInstances", "DescribeNetworkInterfaces", "DescribeVolumes"])
        emit(time, call("ec2", name, {}, True), service("autoscaling.amazonaws.com"))


# ---- The customization job and the attack ----------------------------------------------------------------------------


def customization_job():
    emit(at("13:08:02"), sample("ec2/CreateSecurityGroup"), TERRAFORM)
    emit(at("13:08:04"), sample("ec2/RevokeSecurityGroupEgress"), TERRAFORM)
    emit(at("13:08:06"), sample("ec2/AuthorizeSecurityGroupEgress"), TERRAFORM)
    emit(at("13:20:00"), sample("bedrock/CreateModelCustomizationJob"), SCIENTIST)
    emit(at("13:21:30"), sample("ec2/CreateNetworkInterface"))
    change = sample("bedrock/ModelCustomizationJobStateChange")
    change["id"], change["time"] = str(uuid.uuid5(NAMESPACE, "job")), text(at("13:20:05"))
    change["detail"]["creationTime"] = text(at("13:20:00"))
    deliver(at("13:20:08"), change)


def sabotage():
    """The intruder becomes an administrator, frees the job's security group, deletes it, and switches logging off."""
    key = sample("bedrock/Converse")["userIdentity"]
    assume = call("sts", "AssumeRole", {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/platform-admin"}, True)
    emit(at("14:52:00"), assume, {**KEY, "userIdentity": key})
    interface = {"networkInterfaceId": "eni-0d4c3b2a1f0e9d8c7"}
    delete = sample("ec2/DeleteSecurityGroup")
    message = f"resource {GROUP} has a dependent object"
    emit(at("14:55:12"), delete, INTRUDER_ROLE, errorCode="Client.DependencyViolation", errorMessage=message)
    emit(at("14:58:40"), call("ec2", "DescribeNetworkInterfaces", interface, True), INTRUDER_ROLE)
    emit(at("15:03:05"), call("ec2", "DeleteNetworkInterface", interface, False), INTRUDER_ROLE)
    emit(at("15:05:17"), delete, INTRUDER_ROLE)
    emit(at("15:09:30"), call("bedrock", "GetModelInvocationLoggingConfiguration", None, True), INTRUDER_ROLE)
    return emit(at("15:10:04"), sample("bedrock/DeleteModelInvocationLoggingConfiguration"), INTRUDER_ROLE)


def stolen_key():
    """The key finds out what it may do, enables a model, tries models and regions, and is put to use."""
    invoke, converse = sample("bedrock/InvokeModel"), sample("bedrock/Converse")
    key = {**KEY, "userIdentity": converse["userIdentity"]}
    emit(at("15:14:00"), call("sts", "GetCallerIdentity", None, True), key)
    emit(at("15:14:06"), call("bedrock", "ListFoundationModels", None, True), key)
    limit = {"errorCode": "ValidationException", "errorMessage": "max_tokens_to_sample: range: 1..1,000,000"}
    emit(at("15:14:20"), invoke, key, requestParameters__modelId="anthropic.claude-v2", **limit)
    for number, model in enumerate(FAN_OUT[:3]):
        denied = {"errorCode": "AccessDeniedException", "errorMessage": "You don't have access to the model."}
        emit(at("15:15:00", 20 * number), invoke, key, requestParameters__modelId=model, **denied)

    steps = ["GetUseCaseForModelAccess", "PutUseCaseForModelAccess", "ListFoundationModelAgreementOffers"]
    steps += ["CreateFoundationModelAgreement", "PutFoundationModelEntitlement"] + ["GetFoundationModelAvailability"] * 5
    for number, name in enumerate(steps):
        emit(at("15:20:00", 9 * number), sample(f"bedrock/{name}"), KEY)
    emit(at("15:21:34"), converse, KEY)

    for number, model in enumerate(FAN_OUT):
        emit(at("15:24:00", 55 * number), converse, KEY, requestParameters__modelId=model)
    for number, region in enumerate(("us-east-1", "us-west-2", "eu-west-1")):
        for again in range(4):
            emit(at("15:36:00", 280 * number + 20 * again), converse, KEY, awsRegion=region)

    stream = {**converse, "eventName": "ConverseStream"}
    for number in range(260):
        burst = {**KEY, "sourceIPAddress": ATTACKER_IPS[number % 4]}
        region = ("us-east-1", "us-east-1", "us-west-2")[number % 3]
        emit(at("15:52:00", number * 120 / 260), stream, burst, awsRegion=region)
    for number in range(25):
        throttled = {"errorCode": "ThrottlingException", "errorMessage": "Too many requests, please wait."}
        emit(at("15:53:10", 2 * number), stream, KEY, **throttled)


def response():
    """Somebody reads the alerts."""
    lookup = {"lookupAttributes": [{"attributeKey": "AccessKeyId", "attributeValue": "AKIAIOSFODNN7EXAMPLE"}]}
    emit(at("15:58:00"), call("cloudtrail", "LookupEvents", lookup, True), RESPONDER)
    disable = {"userName": "ml-batch", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "status": "Inactive"}
    emit(at("16:03:10"), call("iam", "UpdateAccessKey", disable, False), RESPONDER)
    emit(at("16:05:00"), sample("bedrock/PutModelInvocationLoggingConfiguration"), RESPONDER)


def main():
    for part in (applications, scanner, pipelines, terraform, noise, customization_job):
        part()
    blinded = sabotage()
    stolen_key()
    response()
    deliveries.sort()
    (HERE / "afternoon.jsonl").write_text("".join(line + "\n" for _, _, line in deliveries), encoding="utf-8")
    expected = [
        ("customization-job-security-group-delete-refused", GROUP),
        ("customization-job-security-group-deleted", GROUP),
        ("invocation-logging-disabled", blinded),
        ("invocation-probing", ATTACKER),
        ("model-access-api-with-long-term-key", ATTACKER),
        ("model-access-enabled-then-used", ATTACKER),
        ("invocation-model-fanout", ATTACKER),
        ("invocation-region-fanout", ATTACKER),
        ("invocation-burst", ATTACKER),
    ]
    lines = ",\n".join("  " + json.dumps({"rule": rule, "subject": subject}) for rule, subject in expected)
    (HERE / "expected.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
