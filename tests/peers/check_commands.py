"""Checks shell commands with the AWS CLI's own argument parser and the service models it brings.

Reads one script a line from standard input, each an object with `where` and `text`. Bash runs it, so that quoting and
variables mean what they mean to whoever pastes it, with an empty PATH and with `aws` as a function that writes down its
arguments: nothing else is there to be run. The CLI then parses each call and validates what it would send. Prints one
line for each that it refuses.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout

os.environ.update(AWS_CONFIG_FILE="/nonexistent", AWS_SHARED_CREDENTIALS_FILE="/nonexistent", AWS_EC2_METADATA_DISABLED="true")

from awscli.clidriver import CLIOperationCaller, create_clidriver
from awscli.customizations.s3 import subcommands

try:
    from awscli.botocore.validate import ParamValidator
except ImportError:
    from botocore.validate import ParamValidator

# What is printed in place of an answer, and what stands for a variable that a responder fills in.
ANSWER = "example-of-an-identifier-1"
VARIABLES = {
    "GROUP_IDS": '"sg-0a1b2c3d4e5f60718"',
    "SUBNET_IDS": '"subnet-0a11b22c33d44e55f"',
    "POLICY_DOCUMENT": "{}",
    "REGION": "us-east-1",
    "ACCOUNT": "111122223333",
    "TARGET": "111122223333",
    "TRAINING_S3_URI": "s3://bucket/key",
    "OUTPUT_S3_URI": "s3://bucket/key",
    "BACKUP_S3_URI": "s3://bucket/key",
    "JOB": "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/amazon.titan-text-lite-v1:0:4k/abcdefghijkl",
}
PRELUDE = r"""
aws() {
  { printf '%s\0' "$@"; printf '\001\0'; } >&3
  # A hash is longer than anything else that is asked for.
  case "$*" in *definitionHash*) printf '%0128d\n' 0 ;; *) printf '%s\n' "$ANSWER" ;; esac
}
date() { printf '2026-11-20T10:00:00Z\n'; }
cat() { local line; while IFS= read -r line; do printf '%s\n' "$line"; done; }
for tool in head tail sort uniq jq tee grep sed awk cut tr wc column less gunzip zcat xargs python3; do
  eval "$tool() { cat; }"
done
kill() { :; }
command_not_found_handle() { return 0; }
"""


def calls_of(text, bash, folder):
    """The arguments of every `aws` in a script, in order; files that it hands to the CLI are there, and empty."""
    for name in re.findall(r"file://([A-Za-z0-9_][A-Za-z0-9_.-]*)", text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("{}")
    read, write = os.pipe()
    variables = {name: ANSWER for name in re.findall(r"\$\{?([A-Z][A-Z0-9_]*)", text)} | VARIABLES
    try:
        run = subprocess.run(
            [bash, "--norc", "--noprofile", "-c", f"exec 3>&{write}\n{PRELUDE}\nPATH=\n{text}\n"],
            cwd=folder, env=variables | {"ANSWER": ANSWER}, pass_fds=[write], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60,
        )
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as pipe:
        written = pipe.read().decode()
    calls, call = [], []
    for word in written.split("\0")[:-1]:
        if word == "\x01":
            calls.append(call)
            call = []
        else:
            call.append(word)
    wrong = [line for line in run.stderr.splitlines() if "syntax error" in line or "unexpected" in line]
    return calls, wrong


def validate(caller, service_name, operation_name, parameters, parsed_globals):
    """Stands in for sending: checks what would be sent against the service's model."""
    del parsed_globals
    # The CLI pages by itself.
    parameters.pop("PaginationConfig", None)
    model = caller._session.get_service_model(service_name)
    shape = model.operation_model(operation_name).input_shape
    if shape is not None:
        report = ParamValidator().validate(parameters, shape)
        # What stands in a file is not known here, so nothing is missing.
        if caller.has_files:
            report._errors = [error for error in report._errors if error[0] != "missing required field"]
        if report.has_errors():
            raise ValueError(report.generate_report())
    return 0


def refused(driver, call):
    """Why the CLI does not take a call; nothing when it does."""
    out, err = io.StringIO(), io.StringIO()
    CLIOperationCaller.has_files = any(word.startswith("file://") for word in call)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = driver.main(call)
        except SystemExit as ended:
            code = ended.code
    return None if code == 0 else (err.getvalue().strip() or f"exit code {code}")


def check(driver, script, bash, folder):
    """Prints what is wrong with a script, and gives back how many calls it has."""
    calls, wrong = calls_of(script["text"], bash, folder)
    for fault in wrong:
        print(f"{script['where']}: bash: {fault}")
    if not calls and re.search(r"^\s*aws ", script["text"], re.MULTILINE):
        print(f"{script['where']}: no call of aws was reached")
    for call in calls:
        fault = refused(driver, call)
        if fault is not None:
            print(f"{script['where']}: aws {' '.join(call)}\n    {fault.splitlines()[-1]}")
    return len(calls)


def main():
    CLIOperationCaller.invoke = validate
    # The commands of `aws s3` are the CLI's own, and have parsed their arguments once they are about to run.
    for command in vars(subcommands).values():
        if isinstance(command, type) and issubclass(command, subcommands.S3Command):
            command._run_main = lambda *_: 0
    driver = create_clidriver()
    bash = shutil.which("bash")
    count = 0
    for line in sys.stdin:
        script = json.loads(line)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            count += check(driver, script, bash, folder)
            os.chdir("/")
    print(f"{count} calls checked", file=sys.stderr)


main()
