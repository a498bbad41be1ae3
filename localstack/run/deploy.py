"""Deploys the template through the emulator's CloudFormation, if anything in it changed."""

import hashlib
import json
import platform
import time

from clickhouse.account import PASSWORD, USER
from run import environment_file, package, parameters, template
from run.environment import locked
from run.instance import Instance
from run.payments import SECRET_KEY, WEBHOOK_SECRET
from run.project import SOUK, TEMPLATE, Failure, say
from run.shop import FLASH_SALE

STACK = "souk"
BUCKET = "souk-packages"
TEMPLATE_KEY = "template.json"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
GENEROUS = 1_000_000
DEFAULTS = {
    "Architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
    "ClickHousePassword": PASSWORD,
    "ClickHouseUser": USER,
    "DeletionProtection": "false",
    "DeletionWaitSeconds": "1",
    "EventBatchSeconds": "0",
    "ResultsRestSeconds": "1",
    "LocalRun": "true",
    "LimitLoginEmail": str(GENEROUS),
    "LimitLoginSource": str(GENEROUS),
    "LimitRegisterEmail": str(GENEROUS),
    "LimitRegisterSource": str(GENEROUS),
    "LimitOrders": str(GENEROUS),
    "LimitDeclined": "1000",
    "LimitCancellations": str(GENEROUS),
    "LimitProducts": str(GENEROUS),
    "LimitProductChanges": str(GENEROUS),
    "LimitConcerts": str(GENEROUS),
    "LimitReviews": str(GENEROUS),
    "LimitWatches": str(GENEROUS),
    "LimitExperiments": str(GENEROUS),
    "LimitVisitorsSource": str(GENEROUS),
    "LimitSearchSource": str(GENEROUS),
    "LimitEventsSource": str(GENEROUS),
    "MailFrom": "souk@souk.example",
    "RequireVerifiedEmail": "false",
    "StripeSecretKey": SECRET_KEY,
    "StripeWebhookSecret": WEBHOOK_SECRET,
    "UndoPauseSeconds": "1",
}


def refuse_faulty(given: dict[str, str]) -> None:
    """Refuses faulty parameters before anything is started. Reads the template only if a parameter is given."""
    if given and (faults := parameters.faults(template.parameters(TEMPLATE), given)):
        raise Failure(*faults)


def deploy(instance: Instance, given: dict[str, str], file=TEMPLATE) -> None:
    # One deployment at a time: all instances share the folder of programs, from which unused programs are deleted.
    with locked(SOUK / "code.lock"):
        deploy_alone(instance, given, file)


def deploy_alone(instance: Instance, given: dict[str, str], file) -> None:
    packages = package.Packages()
    digests: set[str] = set()

    def code_uri(folder) -> str:
        digests.add(packages.digest(folder))
        return f"s3://{BUCKET}/{packages.digest(folder)}"

    package.CODE.mkdir(parents=True, exist_ok=True)
    document = template.read(file, code_uri)
    declared = document.get("Parameters", {})
    addresses = {
        "CacheUrl": "cacheUrl", "ClickHouseUrl": "clickhouseUrl", "KafkaBrokers": "kafkaBrokers", "PaymentsUrl": "paymentsUrl",
        "PublicUrl": "baseUrl",
    }  # fmt: skip
    defaults = DEFAULTS | {key: instance.record.get(name) or "" for key, name in addresses.items()}
    if given.get("KafkaClusterArn"):
        defaults["KafkaBrokers"] = ""  # the emulator says that the cluster's brokers are those of the local run
    if shop := instance.record.get("shopUrl"):
        defaults |= {"CrawlAllow": shop.removeprefix("http://"), "FlashSaleUrl": shop + FLASH_SALE}
    values = {**{key: value for key, value in defaults.items() if key in declared}, **given}
    if faults := parameters.faults(declared, values) + parameters.missing(declared, values):
        raise Failure(*faults)
    body = json.dumps(document, sort_keys=True)
    wanted = hashlib.sha256(json.dumps([body, values], sort_keys=True).encode()).hexdigest()

    cloudformation, s3, functions = clients(instance.record["endpointUrl"])
    stack = describe(cloudformation)
    if stack is None or instance.record.get("deployed") != [wanted, stack["StackId"], str(updated(stack))]:
        say("deploying template.yaml")
        # Includes the running template: a failed deployment rolls back to it, and a stopped emulator forgets files.
        needed = digests.union(instance.record.get("code", []))
        # The template's address: a template of more than 51,200 bytes cannot be in the call itself.
        upload(s3, {**{digest: package.archive(digest) for digest in needed}, TEMPLATE_KEY: body.encode()})
        address = f"{instance.record['endpointUrl']}/{BUCKET}/{TEMPLATE_KEY}"
        stack = apply(cloudformation, stack, address, values)
        instance.environment.unlink(missing_ok=True)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    instance.write(
        stackName=STACK,
        outputs=outputs,
        parameters=values,
        code=sorted(digests),
        deployed=[wanted, stack["StackId"], str(updated(stack))],
    )
    if not environment_file.is_current(instance):
        environment_file.write(instance, functions)
    used = [json.loads(file.read_text()).get("code", []) for file in SOUK.glob("*/instance.json")]
    packages.prune({digest for each in used for digest in each})


def clients(endpoint: str):
    import boto3  # takes a quarter of a second, and only this step needs it

    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return [session.client(name, endpoint_url=endpoint) for name in ("cloudformation", "s3", "lambda")]


def describe(cloudformation) -> dict | None:
    try:
        return cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def updated(stack: dict):
    return stack.get("LastUpdatedTime", stack["CreationTime"])


def upload(s3, archives: dict[str, bytes]) -> None:
    s3.create_bucket(Bucket=BUCKET)
    for key, content in archives.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)


def apply(cloudformation, stack: dict | None, address: str, values: dict[str, str]) -> dict:
    known = stack is not None and stack["StackStatus"] not in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE")
    operation = cloudformation.update_stack if known else cloudformation.create_stack
    try:
        operation(
            StackName=STACK,
            TemplateURL=address,
            Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        )
    except cloudformation.exceptions.ClientError as error:
        if "No updates are to be performed" in str(error):
            return describe(cloudformation)
        raise Failure(f"the deployment was refused: {error}") from error
    while (stack := describe(cloudformation))["StackStatus"].endswith("IN_PROGRESS"):
        time.sleep(0.05)
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise Failure(f"the deployment failed ({stack['StackStatus']}): {reason(cloudformation, stack)}")
    return stack


def reason(cloudformation, stack: dict) -> str:
    """The reason of the first resource that failed; the events are sorted newest first."""
    events = cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    for event in events:  # the newest failure of a resource belongs to this operation
        if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != STACK:
            return f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
    return stack.get("StackStatusReason", "no reason given")
