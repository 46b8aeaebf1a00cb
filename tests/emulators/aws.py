"""moto, with what it gets wrong about the services that bedrock-watch uses put right.

    python aws.py [POLICY ...]

The real program, which its user agent names, may do what the IAM policies in these files allow, and nothing else.
What it has needed so far, refused or not, is answered to GET /bedrock-watch/called.
Listens on a free port of 127.0.0.1, prints `listening on PORT`, and ends when its standard input does, so that it never
outlives the test that started it. What is put right, and why, stands at each function.
"""

import base64
import copy
import json
import re
import sys
import threading
import time
from fnmatch import fnmatchcase
from urllib.parse import unquote

from moto.account.responses import AccountResponse
from moto.account.urls import url_paths as account_paths
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.bedrock.models import ModelCustomizationJob
from moto.bedrock.responses import BedrockResponse
from moto.bedrockagent import models as agents
from moto.bedrockagent.responses import AgentsforBedrockResponse
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.events.models import Rule
from moto.iam.responses import IamResponse
from moto.kinesis import kinesis_backends
from moto.kinesis.responses import KinesisResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer


def iso(value):
    """Bedrock's times are RFC 3339; moto prints them with a space, which the SDKs refuse."""
    if isinstance(value, str) and len(value) == 19 and value[10] == " ":
        return value.replace(" ", "T") + "Z"
    return value


def identifier(path_part):
    """Jobs are named by ARN or name; moto does not decode an ARN in a path."""
    return unquote(path_part).split("/")[-1]


def mend_bedrock():
    """Times, ARNs in paths, a job that still runs having ended, and one that is stopped having ended when it began."""
    plain = ModelCustomizationJob.to_dict

    def to_dict(job):
        runs = getattr(job, "status", "") == "InProgress"
        ended = ("endTime", "failureMessage")
        return {key: iso(value) for key, value in plain(job).items() if not (runs and key in ended)}

    def get(response):
        name = identifier(response.path[len("/model-customization-jobs/") :])
        job = response.bedrock_backend.get_model_customization_job(job_identifier=name)
        return json.dumps(job.to_dict())

    listed = BedrockResponse.list_model_customization_jobs

    def list_all(response):
        answer = json.loads(listed(response))
        for job in answer.get("modelCustomizationJobSummaries", []):
            job.update({key: iso(value) for key, value in job.items()})
        return json.dumps(answer)

    def stop(response):
        name = identifier(unquote(response.path).rsplit("/", 1)[0])
        response.bedrock_backend.stop_model_customization_job(job_identifier=name)
        job = response.bedrock_backend.get_model_customization_job(job_identifier=name)
        job.end_time = job.last_modified_time = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        return "{}"

    ModelCustomizationJob.to_dict = to_dict
    BedrockResponse.get_model_customization_job = get
    BedrockResponse.list_model_customization_jobs = list_all
    BedrockResponse.stop_model_customization_job = stop


class DependencyViolation(EC2ClientError):
    """What EC2 answers when a security group is still in use."""

    def __init__(self, group):
        super().__init__("DependencyViolation", f"resource {group} has a dependent object")


def mend_security_groups():
    """A group that an interface or another group's rule uses cannot be deleted; moto deletes it."""
    plain = SecurityGroupBackend._delete_security_group

    def delete(backend, vpc_id, group_id):
        for interface in backend.enis.values():
            if group_id in [getattr(group, "id", group) for group in interface.group_set or []]:
                raise DependencyViolation(group_id)
        for groups in backend.groups.values():
            for group in groups.values():
                rules = list(group.ingress_rules) + list(group.egress_rules)
                peers = [getattr(rule, "source_group", None) or {} for rule in rules]
                if group.id != group_id and any(peer.get("GroupId") == group_id for peer in peers):
                    raise DependencyViolation(group_id)
        return plain(backend, vpc_id, group_id)

    SecurityGroupBackend._delete_security_group = delete


def partition_key(event, path):
    """The value at a JSON path such as $.account; EventBridge falls back to the event's id."""
    value = event
    for part in path.removeprefix("$.").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return str(value or event["id"])


def put_into_stream(target, event):
    """The whole envelope becomes a record, as EventBridge does it."""
    path = target.get("KinesisParameters", {}).get("PartitionKeyPath", "$.id")
    _, _, _, region, account, stream = target["Arn"].split(":", 5)
    data = base64.b64encode(json.dumps(event).encode()).decode()
    backend = kinesis_backends[account][region]
    backend.put_record(target["Arn"], None, partition_key(event, path), None, data)


def mend_events():
    """Targets that are Kinesis streams, on which moto fails, and rules that are disabled, which it heeds all the same."""
    plain = Rule.send_to_targets

    def send(rule, event, transform_input=True):
        if rule.state == "DISABLED":
            return
        streams = [target for target in rule.targets if ":kinesis:" in target["Arn"]]
        if streams and rule.event_pattern.matches_event(event):
            envelope = dict(event)
            if not isinstance(envelope.get("time"), str):
                moment = time.gmtime(float(envelope["time"]))
                envelope["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
            for target in streams:
                put_into_stream(target, envelope)
        everything = rule.targets
        rule.targets = [target for target in everything if target not in streams]
        try:
            plain(rule, event, transform_input)
        finally:
            rule.targets = everything

    Rule.send_to_targets = send


def mend_dynamodb():
    """One call after the other: moto's threads see each other's half-done writes, and a transaction that fails puts the
    whole table back as it was before, with what others wrote meanwhile. And quicker: it sorts the whole table for each
    query, not only the partition that is asked for, and copies it for each transaction."""
    lock = threading.RLock()
    call_action = DynamoHandler.call_action
    sorted_items = Table.all_items
    query = Table.query
    transact_write_items = DynamoDBBackend.transact_write_items

    def call(handler):
        with lock:
            return call_action(handler)

    def query_partition(table, hash_key, *arguments, **named):
        index_name = arguments[6] if len(arguments) > 6 else named.get("index_name")
        is_global = any(index.name == index_name for index in table.global_indexes or [])
        if hash_key is None or is_global or not table.range_key_attr:
            return query(table, hash_key, *arguments, **named)
        Table.all_items = lambda table: list(table.items.get(hash_key, {}).values())
        try:
            return query(table, hash_key, *arguments, **named)
        finally:
            Table.all_items = sorted_items

    def snapshot(table, _memo):
        twin = copy.copy(table)
        nested = bool(table.range_key_attr)
        twin.items = type(table.items)(table.items.default_factory)
        twin.items.update({key: dict(value) if nested else value for key, value in table.items.items()})
        return twin

    def transact(backend, items):
        # To be able to undo a transaction moto copies the whole table. Only updates change items in place.
        if any("Update" in item for item in items):
            return transact_write_items(backend, items)
        Table.__deepcopy__ = snapshot
        try:
            return transact_write_items(backend, items)
        finally:
            del Table.__deepcopy__

    DynamoHandler.call_action = call
    DynamoDBBackend.transact_write_items = transact
    Table.query = query_partition


def statements(backend, arn):
    """The statements of a role's or user's own policies, and whether moto knows it at all."""
    kind, _, name = arn.split(":")[-1].rpartition("/")
    try:
        known = backend.get_role(name) if kind.startswith("role") else backend.get_user(name)
    except Exception:
        return [], False
    documents = list(known.policies.values())
    documents += [policy.document for policy in known.managed_policies.values()]
    found = []
    for document in documents:
        document = json.loads(document) if isinstance(document, str) else document
        of_document = document["Statement"]
        found += of_document if isinstance(of_document, list) else [of_document]
    return found, True


def listed(value):
    return value if isinstance(value, list) else [value]


def applies(statement, effect, action, resource):
    """Whether a statement has this effect on an action and resource; conditions are not looked at."""
    actions = any(fnmatchcase(action.lower(), one.lower()) for one in listed(statement.get("Action", [])))
    resources = any(fnmatchcase(resource, one) for one in listed(statement.get("Resource", [])))
    return statement["Effect"] == effect and actions and resources


def simulate(response):
    """SimulatePrincipalPolicy, which moto lacks. The credentials of tests, which moto has no user for, may everything."""
    found, known = statements(response.backend, response._get_param("PolicySourceArn"))
    results = []
    for action in response._get_param("ActionNames"):
        resources = response._get_param("ResourceArns") or ["*"]
        allowed = not known or all(
            any(applies(one, "Allow", action, resource) for one in found)
            and not any(applies(one, "Deny", action, resource) for one in found)
            for resource in resources
        )
        decision = "allowed" if allowed else "implicitDeny"
        results.append({"EvalActionName": action, "EvalDecision": decision, "EvalResourceName": "*"})
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def mend_iam():
    """The simulation of policies."""
    IamResponse.simulate_principal_policy = simulate


def list_regions(response):
    """Two regions are enough for everything that tests do with regions."""
    regions = [{"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"} for name in ("eu-central-1", "us-east-1")]
    return ActionResult({"Regions": regions})


def mend_account():
    """The regions of an account, which moto does not list."""
    AccountResponse.list_regions = list_regions
    account_paths["{0}/listRegions$"] = AccountResponse.dispatch


def mend_what_is_made():
    """What is said when something is made and moto forgets, so that Terraform would say it again for ever: tags of
    streams and scaling targets, and how an ECS service spreads over zones."""
    create_stream = KinesisResponse.create_stream
    register = ApplicationAutoScalingResponse.register_scalable_target
    create_service = EC2ContainerServiceResponse.create_service
    tags_of_targets = {}

    def make_stream(response):
        answer = create_stream(response)
        tags = response._get_param("Tags") or {}
        response.kinesis_backend.add_tags_to_stream(None, response._get_param("StreamName"), tags)
        return answer

    def make_target(response):
        answer = register(response)
        # Without tags it changes a target that is there.
        if (tags := response._get_param("Tags")) is not None:
            tags_of_targets[json.loads(answer)["ScalableTargetARN"]] = tags
        return answer

    def make_service(response):
        answer = create_service(response)
        rebalancing = response._get_param("availabilityZoneRebalancing") or "DISABLED"
        answer.result["service"].availability_zone_rebalancing = rebalancing
        return answer

    KinesisResponse.create_stream = make_stream
    ApplicationAutoScalingResponse.register_scalable_target = make_target
    ApplicationAutoScalingResponse.list_tags_for_resource = lambda response: json.dumps(
        {"Tags": tags_of_targets.get(response._get_param("ResourceARN"), {})}
    )
    EC2ContainerServiceResponse.create_service = make_service


def mend_agents():
    """The Rust SDK asks for /agents and /agents/ID, others for /agents/, which is all that moto knows. Times are RFC 3339."""
    def get_agent(response):
        agent = response.bedrockagent_backend.get_agent(agent_id=response.path.rstrip("/").split("/")[-1])
        return json.dumps({"agent": dict(agent.to_dict())})

    AgentsforBedrockResponse.get_agent = get_agent
    agents.unix_time = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    plain = DomainDispatcherApplication.__call__

    def call(application, environ, start_response):
        if re.fullmatch("/(agents(/[^/]+)?|knowledgebases)", environ.get("PATH_INFO", "")):
            environ["PATH_INFO"] += "/"
        return plain(application, environ, start_response)

    DomainDispatcherApplication.__call__ = call


# Operations that need other actions than the one of their own name, of those that the program calls.
OTHERWISE = {
    "dynamodb:TransactWriteItems": {"ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem"},
    "s3:DeleteObjects": {"DeleteObject"},
    "s3:HeadBucket": {"ListBucket"},
    "s3:HeadObject": {"GetObject"},
    "s3:ListObjects": {"ListBucket"},
    "s3:ListObjectsV2": {"ListBucket"},
    "sns:PublishBatch": {"Publish"},
    "sqs:ChangeMessageVisibilityBatch": {"ChangeMessageVisibility"},
    "sqs:DeleteMessageBatch": {"DeleteMessage"},
    "sts:GetCallerIdentity": set(),
}
PREFIX = {"bedrock-agent": "bedrock"}
ANSWERS_XML = {"ec2", "iam", "s3", "sns", "sts"}


CALLED = "/bedrock-watch/called"
# Requests that moto does not know at all: what they need, and an answer.
UNKNOWN = {
    ("PATCH", "/findings/batchupdate"): (
        "securityhub:BatchUpdateFindings",
        {"ProcessedFindings": [], "UnprocessedFindings": []},
    ),
}


def is_the_program(agent):
    """Whether a user agent is the program's: through the SDK, or of a request that it signed by hand."""
    return "app/bedrock-watch" in agent or agent.startswith("bedrock-watch/")


def enforce(policies):
    """The policies of the program: who deploys it has no more, and moto would let it do everything. What it needs is
    remembered."""
    allowed, called = set(), set()
    for path in policies:
        with open(path, encoding="utf-8") as file:
            for statement in json.load(file)["Statement"]:
                allowed.update(listed(statement["Action"]))

    def authorize(response, _iam_request_cls, _resource="*"):
        if not is_the_program(response.headers.get("User-Agent", "")):
            return
        service = PREFIX.get(response.service_name, response.service_name)
        operation = response._get_action()
        needed = OTHERWISE.get(f"{service}:{operation}", {operation})
        for action in sorted(f"{service}:{action}" for action in needed):
            called.add(action)
            if action not in allowed:
                print(f"no policy allows {action} to bedrock-watch", file=sys.stderr, flush=True)
                if service in ANSWERS_XML:
                    raise AccessDeniedError("arn:aws:iam::123456789012:role/bedrock-watch", action)
                raise JsonRESTError("AccessDeniedException", f"not authorized to perform: {action}")

    plain = DomainDispatcherApplication.__call__

    def call(application, environ, start_response):
        asked = (environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
        action, answer = UNKNOWN.get(asked, (None, None))
        if action is None and asked != ("GET", CALLED):
            return plain(application, environ, start_response)
        status = "200 OK"
        if action is not None and is_the_program(environ.get("HTTP_USER_AGENT", "")):
            called.add(action)
            if action not in allowed:
                status, answer = "403 Forbidden", {"__type": "AccessDeniedException", "message": action}
        start_response(status, [("content-type", "application/json")])
        return [json.dumps(sorted(called) if answer is None else answer).encode()]

    ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize
    DomainDispatcherApplication.__call__ = call


def main():
    enforce(sys.argv[1:])
    for mend in (mend_bedrock, mend_security_groups, mend_events, mend_dynamodb, mend_iam, mend_account, mend_agents):
        mend()
    mend_what_is_made()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(f"listening on {server.get_host_and_port()[1]}", flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
