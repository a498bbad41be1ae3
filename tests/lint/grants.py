"""The rights of functions that nothing used: `tests/lint/grants.py [PREFIX]` compares template.yaml with the record of instances.

The emulator records what it allowed to which role in `.souk/<instance>/grants.jsonl`. PREFIX is the beginning of the
names of the instances, `e2e` unless told: those of the test command. What the emulator does not check, and what a run may not
meet, is in grants.json, each with its reason. Functions with the same rights share a role; a contract test compares it with
each of them.
"""

import json
import pathlib
import re
import sys

from cfnlint.decode.decode import decode

ROOT = pathlib.Path(__file__).resolve().parents[2]
REASONS = pathlib.Path(__file__).with_name("grants.json")
STACK = "souk"  # of the local run


def listed(value):
    return value if isinstance(value, list) else [value]


def branches(value):
    """A value, or those between which an Fn::If chooses."""
    return value["Fn::If"][1:] if isinstance(value, dict) and "Fn::If" in value else [value]


class Grants:
    """What the roles of functions allow: role, action, resource, beginning of the leading key."""

    def __init__(self, template):
        self.resources = template["Resources"]

    def all(self):
        functions = [each for each in self.resources.values() if each["Type"] == "AWS::Serverless::Function"]
        roles = {each["Properties"]["Role"]["Fn::GetAtt"][0] for each in functions}
        return {grant for role in sorted(roles) for grant in self.of_role(role)}

    def of_role(self, role):
        properties = self.resources[role]["Properties"]
        documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
        for policy in properties.get("ManagedPolicyArns", []):
            managed = [self.resources.get(each.get("Ref")) for each in branches(policy) if isinstance(each, dict)]
            documents += [each["Properties"]["PolicyDocument"] for each in managed if each]
        for statement in (each for document in documents for each in listed(document["Statement"])):
            if statement["Effect"] != "Allow":
                continue
            keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [None])
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    for key in listed(keys):
                        yield role, action, self.shown(resource), key and str(key).removesuffix("*")

    def shown(self, resource):
        """A resource in one line: a logical id, or a text in which `*` stands for anything."""
        if isinstance(resource, str):
            return resource
        kind, value = next(iter(resource.items()))
        if kind == "Ref":
            return value
        if kind == "Fn::GetAtt":
            return value[0] if value[1] == "Arn" else ".".join(value)
        if kind == "Fn::Sub" and isinstance(value, str):
            return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", value)
        return json.dumps(resource)

    def pattern(self, shown):
        """What the ARN of a resource, as `shown` wrote it, looks like in the local run."""
        if shown in self.resources:
            properties = self.resources[shown]["Properties"]
            name = next((properties[each] for each in ("QueueName", "FunctionName", "Name") if each in properties), None)
            if isinstance(name, dict):
                return re.compile(r".*[:/]" + re.escape(name["Fn::Sub"].replace("${AWS::StackName}", STACK)) + "$")
            return re.compile(rf".*{STACK}-{shown}-[^/]*$")
        if shown.endswith(".StreamArn"):
            return re.compile(rf".*{STACK}-{shown.removesuffix('.StreamArn')}-[^/]*/stream/.*")
        text = shown.replace("${AWS::StackName}", STACK)
        parts = re.split(r"(\$\{[\w:.]+\}|\*|^\w+(?=/))", text)
        known = {each: f".*{STACK}-{each}-[^/]*" for each in self.resources}
        return re.compile("".join(known.get(each, ".*" if re.match(r"\$\{|\*", each) else re.escape(each)) for each in parts) + "$")


def is_used(grants, grant, uses):
    role, action, resource, key = grant
    name, pattern = re.compile(rf"{STACK}-{role}(-|$)"), grants.pattern(resource)
    return any(
        action == use["action"] and key == use["key"] and name.match(use["role"]) and pattern.match(use["resource"])
        for use in uses
    )


def is_explained(grant, reasons):
    return any(all(wanted in ("*", got) for wanted, got in zip(reason["grant"], grant, strict=True)) for reason in reasons)


def unused(grants, uses):
    return sorted((each for each in grants.all() if not is_used(grants, each, uses)), key=str)


def faults(grants, uses, reasons):
    idle = unused(grants, uses)
    yield from (f"nothing used: {' '.join(filter(None, each))}" for each in idle if not is_explained(each, reasons))
    # A right with a reason may be used: whether a test meets a repair or a race depends on the time.
    every = grants.all()
    for reason in reasons:
        if not any(is_explained(each, [reason]) for each in every):
            yield f"grants.json explains what no function has: {' '.join(map(str, reason['grant']))}"


def main():
    prefix = sys.argv[1] if len(sys.argv) > 1 else "e2e"
    files = sorted((ROOT / ".souk").glob(f"{prefix}*/grants.jsonl"))
    uses = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    if not uses:
        print(f"no instance {prefix}… has a record of what roles are used for")
        return 1
    grants = Grants(decode(str(ROOT / "template.yaml"))[0])
    found = list(faults(grants, uses, json.loads(REASONS.read_text())))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(grants.all())} rights of functions, {len(found)} findings, from {len(files)} instances")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
