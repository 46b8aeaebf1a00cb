#!/usr/bin/env python3
"""Which events EventBridge must forward: derived from what the product needs, for Terraform and CloudFormation.

    python infra/events.py                    compare events.json and the template with the product; 1 if they differ
    python infra/events.py --write            bring them up to date
    python infra/events.py --prove PROGRAM    take from every case of every rule what would not be forwarded, and let
                                              the program run what is left: no rule may lose an alert

Two things need events: the world (`detector/engine/src/world/interests.rs`) and the rules (`rules/*/rule.yml`, with the
cases, which show every name that a rule lists, and the sample records, which show what reads and what writes).
Everything of Bedrock's own is forwarded as a whole, so a new operation needs no deployment.
"""

import copy
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import botocore.session
import yaml

ROOT = Path(__file__).resolve().parent.parent
INTERESTS = ROOT / "detector/engine/src/world/interests.rs"
OPERATIONS = ROOT / "detector/engine/src/bedrock/operation.rs"
RULES = ROOT / "rules"
OUTPUT = ROOT / "infra/events.json"
TEMPLATE = ROOT / "infra/cloudformation/forwarder.yaml"
BEDROCK = "bedrock"
# Events that AWS services send themselves, without CloudTrail. Of evaluation and import jobs there are none.
NATIVE = {"Model Customization Job State Change", "Batch Inference Job State Change"}
# Services that log in us-east-1, whatever region they are used from, and STS, whose global endpoint does.
GLOBAL = {"account", "iam", "organizations", "signin", "sso", "sts"}
# Services that botocore calls otherwise than CloudTrail.
OTHER_NAMES = {"aoss.amazonaws.com": "opensearchserverless", "es.amazonaws.com": "opensearch"}
# Calls that a case makes of another service's sample, by changing the name alone: whose they are.
CALLED_ON = {
    "CreateFunction20150331": "lambda.amazonaws.com",
    "RunInstances": "ec2.amazonaws.com",
    "SendCommand": "ssm.amazonaws.com",
}
# Rules about who calls, whatever is called: what `detail` must have. `--prove` finds out if one is missing here.
BY_IDENTITY = {
    "phantom-user-outside-bedrock": (
        "phantom-users",
        {"eventSource": [{"anything-but": {"prefix": "bedrock"}}], "userIdentity": {"userName": [{"prefix": "BedrockAPIKey-"}]}},
    ),
}
# EventBridge's limit for a pattern, and CloudFormation's for a template that is sent as it is.
PATTERN_CHARACTERS_MAX = 2048
TEMPLATE_BYTES_MAX = 51200


def interests():
    """What the world follows: (event source, event name)."""
    text = INTERESTS.read_text()
    services = dict(re.findall(r'^const (\w+): &str = "([^"]+)";', text, re.M))
    table = text.split("INTERESTS", 1)[1].split("];", 1)[0]
    found = {(services[source], name) for source, name in re.findall(r'\((\w+), "(\w+)", Meaning::', table)}
    declared = int(re.search(r"; (\d+)\]", table).group(1))
    if len(found) != declared:
        raise SystemExit(f"{INTERESTS}: read {len(found)} of {declared} interests; mend infra/events.py")
    return found


def inference():
    """The calls that make a model work."""
    names = re.search(r"INFERENCE_OPERATIONS: \[&str; \d+\] = \[(.*?)\];", OPERATIONS.read_text(), re.S).group(1)
    return sorted(re.findall(r'"(\w+)"', names))


def texts(value):
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def fields(detection, wanted):
    """Every value of a field in a rule's searches, with its modifiers: {modifiers: [values]}."""
    found = {}
    for name, search in detection.items():
        if name in ("condition", "timeframe"):
            continue
        for one in search if isinstance(search, list) else [search]:
            for key, value in (one.items() if isinstance(one, dict) else ()):
                field, *modifiers = key.split("|")
                if field == wanted:
                    found.setdefault(tuple(modifiers), []).extend(texts(value))
    return found


def sample(name):
    """A sample record, and the envelope that it comes in, if it has one."""
    path = RULES / "events" / f"{name}.json"
    record = json.loads(path.read_text())
    return record.get("detail", record), record if "detail" in record else {}


def happened(folder):
    """(event source, event name, reads?) of every event of CloudTrail in a rule's cases."""
    for path in sorted(folder.glob("cases/*.yml")):
        case = yaml.safe_load(path.read_text())
        for step in (case.get("teach") or []) + (case.get("steps") or []):
            record, _ = sample(step["event"])
            changed = step.get("set") or {}
            name = changed.get("eventName", record.get("eventName"))
            source = changed.get("eventSource", CALLED_ON.get(name, record.get("eventSource")))
            if source and name:
                yield source, name, bool(changed.get("readOnly", record.get("readOnly")))


def of_rules():
    """What the rules need: {(event source, event name): reads?}."""
    needed = {}
    for path in sorted(RULES.glob("*/rule.yml")):
        for rule in yaml.safe_load_all(path.read_text()):
            if not rule or rule.get("logsource", {}).get("service") != "cloudtrail":
                continue
            if path.parent.name in BY_IDENTITY:
                continue
            names, sources = (fields(rule["detection"], field) for field in ("eventName", "eventSource"))
            # A name beside another service's source in one rule means nothing: the cases show which belong together.
            for source, name, reads in happened(path.parent):
                if name in names.get((), [name]) and source in sources.get((), [source]):
                    needed[source, name] = needed.get((source, name), False) or reads
    return needed


def check_operations(pairs):
    """Each call is one that its service has, as far as botocore knows the service: a case may have made it up."""
    session = botocore.session.get_session()
    known = session.get_available_services()
    for source, name in sorted(pairs):
        service = OTHER_NAMES.get(source, source.removesuffix(".amazonaws.com"))
        # CloudTrail puts the API's version behind Lambda's names.
        operation = re.sub(r"\d{8}(v\d)?$", "", name)
        # S3's events have names of their own; Bedrock is forwarded as a whole.
        if service == "s3" or service.startswith(BEDROCK) or service not in known:
            continue
        if operation not in session.get_service_model(service).operation_names:
            raise SystemExit(f"{source} has no {name}: name its real service in CALLED_ON of infra/events.py")


def derive():
    needed = {pair: False for pair in interests()} | of_rules()
    families = {}
    check_operations(needed)
    for (source, name), reads in sorted(needed.items()):
        service = source.removesuffix(".amazonaws.com")
        if service.startswith(BEDROCK):
            continue
        family = service + ("-reads" if reads else "")
        empty = {"source": source, "reads": reads, "global": service in GLOBAL, "names": []}
        families.setdefault(family, empty)["names"].append(name)
    # A native event is one that a sample shows, and that the product knows.
    shown = {sample(f"{path.parent.name}/{path.stem}")[1].get("detail-type") for path in RULES.glob("events/bedrock/*.json")}
    return {
        "comment": "Made by infra/events.py from the rules and the engine; do not edit.",
        "inference": inference(),
        "native": sorted(shown & NATIVE),
        "identities": {family: detail for family, detail in BY_IDENTITY.values()},
        "families": families,
    }


def patterns(events):
    """Every pattern with the state of its rule, as the modules and the template have them: {name: (pattern, reads?)}."""
    bedrock = [{"prefix": "aws.bedrock"}]
    made = {
        "bedrock-activity": ({"source": bedrock, "detail": {"eventName": events["inference"]}}, True),
        "bedrock-state": ({"source": bedrock, "detail": {"eventName": [{"anything-but": events["inference"]}]}}, True),
        "bedrock-jobs": ({"source": bedrock, "detail-type": events["native"]}, False),
    }
    for name, family in events["families"].items():
        detail = {"eventSource": [family["source"]], "eventName": family["names"]}
        made[name] = ({"source": [{"prefix": "aws."}], "detail": detail}, family["reads"])
    for name, detail in events["identities"].items():
        # What somebody does who should do nothing here: reads count.
        made[name] = ({"source": [{"prefix": "aws."}], "detail": detail}, True)
    for name, (pattern, _) in made.items():
        length = len(json.dumps(pattern, separators=(",", ":")))
        if length > PATTERN_CHARACTERS_MAX:
            raise SystemExit(f"the pattern of {name} has {length} characters: split the family in infra/events.py")
    return made


def rendered(events):
    text = json.dumps(events, indent=2) + "\n"
    # A name a line makes the file four times as long and no easier to read.
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + re.sub(r"\s+", " ", found.group(1)) + "]", text)


def block(name, lines):
    """The part of the template between two marks."""
    return f"  # BEGIN {name}\n" + "".join(line + "\n" if line else "\n" for line in lines) + f"  # END {name}\n"


def member_role():
    """The role that the service assumes, with the rights that infra/iam says."""
    policy = json.loads((ROOT / "infra/iam/member-role.json").read_text())
    document = yaml.safe_dump(policy, sort_keys=False, width=110, default_flow_style=False)
    return ["            " + line for line in document.replace("'2012-10-17'", '"2012-10-17"').splitlines()]


def with_rules(template, made):
    """The template with these rules and rights."""
    lines = []
    for name, (pattern, reads) in made.items():
        logical = "".join(part.capitalize() for part in re.split(r"[^a-z0-9]+", name))
        state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" if reads else "ENABLED"
        lines += [
            f"  {logical}Rule:",
            "    Type: AWS::Events::Rule",
            "    DependsOn: UndeliveredPolicy",
            "    Properties:",
            f"      Name: bedrock-watch-forward-{name}",
            "      Description: Forwards to bedrock-watch in another account or region",
            f"      State: {state}",
            f"      EventPattern: {json.dumps(pattern)}",
            "      Targets:",
            "        - Id: bus",
            "          Arn: !Ref BusArn",
            "          RoleArn: !GetAtt ForwardRole.Arn",
            "          DeadLetterConfig: {Arn: !GetAtt Undelivered.Arn}",
            "          RetryPolicy: {MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185}",
            "",
        ]
    for name, content in {"rules": lines, "rights": member_role()}.items():
        mark = f"infra/events.py: {name}"
        template = re.sub(
            rf"  # BEGIN {mark}\n.*?  # END {mark}\n", lambda _: block(mark, content), template, flags=re.S
        )
    return template


class Cases(yaml.SafeLoader):
    """Times stay as they are written."""


Cases.yaml_implicit_resolvers = {
    first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def leaf_matches(wanted, there, value):
    if not isinstance(wanted, dict):
        return there and value == wanted
    (operator, operand), *_ = wanted.items()
    if operator == "prefix":
        return there and str(value).startswith(operand)
    if operator == "anything-but":
        if isinstance(operand, dict):
            return there and not leaf_matches(operand, there, value)
        return there and value not in operand
    raise SystemExit(f"the operator {operator} of a pattern is not known to infra/events.py")


def matches(pattern, event):
    """Whether an event matches, as EventBridge does it, for the operators that are used here."""
    for field, wanted in pattern.items():
        value = event.get(field)
        if isinstance(wanted, dict):
            if not isinstance(value, dict) or not matches(wanted, value):
                return False
        elif not any(leaf_matches(one, field in event, value) for one in wanted):
            return False
    return True


def as_delivered(step):
    """The event of a case's step as EventBridge would have it; None if it does not come that way."""
    record, envelope = sample(step["event"])
    event = copy.deepcopy(envelope) if envelope else {}
    if not envelope and "eventSource" not in record:
        return None
    event["detail"] = copy.deepcopy(record)
    for path, value in (step.get("set") or {}).items():
        place = event if envelope else event["detail"]
        *parents, last = path.split(".")
        for parent in parents:
            place = place.setdefault(parent, {}) if isinstance(place, dict) else {}
        if isinstance(place, dict):
            place[last] = value
    detail = event["detail"]
    if "eventName" in detail:
        service = CALLED_ON.get(detail["eventName"], detail["eventSource"])
        detail["eventSource"] = (step.get("set") or {}).get("eventSource", service)
        event.setdefault("source", "aws." + detail["eventSource"].removesuffix(".amazonaws.com"))
    return event if event.get("source", "").startswith("aws.") else None


def is_forwarded(step, made):
    event = as_delivered(step)
    if event is None:
        return True
    reads = bool(event["detail"].get("readOnly")) and event["detail"].get("managementEvent") is not False
    return any(matches(pattern, event) for pattern, sees_reads in made.values() if sees_reads or not reads)


def prove(program, made):
    """Runs the cases without the steps that would not be forwarded."""
    dropped = 0
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules"
        shutil.copytree(RULES, rules)
        for path in sorted(rules.glob("*/cases/*.yml")):
            case = yaml.load(path.read_text(), Cases)
            before = {part: case.get(part) for part in ("teach", "steps") if case.get(part)}
            after = {part: [step for step in steps if is_forwarded(step, made)] for part, steps in before.items()}
            if after != before:
                dropped += sum(len(before[part]) - len(after[part]) for part in before)
                path.write_text(yaml.safe_dump(case | after, sort_keys=False, allow_unicode=True, width=1000))
        code = subprocess.run([program, "rules", "test", str(rules)]).returncode
    print(f"{dropped} steps of cases would not have been forwarded")
    if code != 0:
        raise SystemExit("without them the cases above have another end: infra/events.py misses events")


def main():
    events = derive()
    made = patterns(events)
    wanted = {OUTPUT: rendered(events)}
    wanted[TEMPLATE] = with_rules(TEMPLATE.read_text(), made)
    if len(wanted[TEMPLATE].encode()) > TEMPLATE_BYTES_MAX:
        raise SystemExit(f"{TEMPLATE} is too long for a stack set: leave out or merge families")
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--prove" in sys.argv[1:]:
        prove(sys.argv[sys.argv.index("--prove") + 1], made)
    elif "--write" in sys.argv[1:]:
        for path in stale:
            path.write_text(wanted[path])
    elif stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        raise SystemExit(f"{names}: not what the rules and the engine need; run `python infra/events.py --write`")


if __name__ == "__main__":
    main()
