"""template.yaml as JSON for CloudFormation: tags in their long form, local files replaced by their content."""

import json
from collections.abc import Callable
from pathlib import Path

import yaml


class Loader(yaml.CSafeLoader):
    """Reads tags such as `!Sub`, and does not parse dates: `2012-10-17` is a string in CloudFormation."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def tagged(loader: Loader, name: str, node: yaml.Node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


Loader.add_multi_constructor("!", tagged)


def parameters(file: Path) -> dict[str, dict]:
    """The declarations of the template's parameters, by name."""
    return yaml.load(file.read_text(), Loader).get("Parameters", {})


def read(file: Path, code_uri: Callable[[Path], str]) -> dict:
    """The template, with `code_uri(folder)` for each function's package."""
    template = yaml.load(file.read_text(), Loader)
    functions = [template.get("Globals", {}).get("Function", {})]
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            functions.append(properties)
        if isinstance(properties.get("DefinitionUri"), str):
            properties["Definition"] = json.loads((file.parent / properties.pop("DefinitionUri")).read_text())
    for properties in functions:
        if isinstance(properties.get("CodeUri"), str):
            properties["CodeUri"] = code_uri(file.parent / properties["CodeUri"])
    return template
