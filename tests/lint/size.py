"""How large template.yaml is after the SAM transform, held below what CloudFormation takes.

CloudFormation takes 500 resources and a body of 1 MB. SAM adds resources that the file does not show: a permission for
each route, a schedule, a mapping for each stream, the stage of the API. `--all` prints how many there are of each type.
"""

import collections
import json
import pathlib
import sys

import boto3
from cfnlint.decode.decode import decode
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_RESOURCES = 400
MOST_BYTES = 700_000
UPLOADED = "s3://bucket/key"  # what `sam deploy` puts in place of a path


def translated(template):
    """The template as CloudFormation gets it, JSON in plain dictionaries."""
    template = json.loads(json.dumps(template))
    for resource in template["Resources"].values():
        for name in ("CodeUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = UPLOADED
    values = {name: str(each["Default"]) for name, each in template.get("Parameters", {}).items() if "Default" in each}
    session = boto3.Session(region_name="us-east-1")  # for the name of the partition; nothing is called
    translator = Translator(managed_policy_map={}, sam_parser=Parser(), boto_session=session)
    result = translator.translate(template, values)
    translator.metrics.publish()  # to nobody; else it warns that they were not
    return result


def faults(resources, size):
    if resources > MOST_RESOURCES:
        yield f"{resources} resources are more than {MOST_RESOURCES}"
    if size > MOST_BYTES:
        yield f"{size} bytes are more than {MOST_BYTES}"


def main():
    try:
        result = translated(decode(str(ROOT / "template.yaml"))[0])
    except InvalidDocumentException as fault:
        print(fault.message, *(cause.message for cause in fault.causes), sep="\n")
        return 1
    resources, size = len(result["Resources"]), len(json.dumps(result))
    kinds = collections.Counter(resource["Type"] for resource in result["Resources"].values())
    most = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(None if "--all" in sys.argv else 3))
    print(f"template.yaml after the SAM transform: {resources} resources ({most}), {size / 1000:.0f} KB")
    found = list(faults(resources, size))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
