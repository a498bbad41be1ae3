"""Secrets that CloudFormation generates.

AWS: GenerateSecretString excludes the characters that ExcludePunctuation, ExcludeNumbers and similar members name,
contains a character of every remaining kind unless RequireEachIncludedType is false, and is unpredictable.

Ref of a secret is its ARN.

ministack 1.5.33: supports only the length and ExcludeCharacters, uses a predictable generator, and returns the name for
Ref.
"""

import json
import secrets
import string

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

KINDS = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}


def apply() -> None:
    provisioners._sm_secret_string = secret_string
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def create_by_arn(*arguments):
        _name, attributes = create(*arguments)
        return attributes["Arn"], attributes

    def update_by_arn(arn, *arguments):
        _name, attributes = update(name_of(arn), *arguments)
        return attributes["Arn"], attributes

    handlers.update(create=create_by_arn, update=update_by_arn)
    handlers["delete"] = lambda arn, properties: delete(name_of(arn), properties)


def name_of(arn: str) -> str:
    return next((name for name, secret in secretsmanager._secrets.items() if secret["ARN"] == arn), arn)


def secret_string(properties: dict) -> str:
    wanted = properties.get("GenerateSecretString")
    if wanted is None or properties.get("SecretString"):
        return properties.get("SecretString", "")
    generated = generate(wanted)
    if "SecretStringTemplate" not in wanted:
        return generated
    return json.dumps({**json.loads(wanted["SecretStringTemplate"]), wanted["GenerateStringKey"]: generated})


def generate(wanted: dict) -> str:
    def on(option: str, default: bool = False) -> bool:
        return str(wanted.get(option, default)).lower() == "true"

    excluded = set(wanted.get("ExcludeCharacters", ""))
    kinds = [kind for option, kind in KINDS.items() if not on(option)] + ([" "] if on("IncludeSpace") else [])
    kinds = [kept for kind in kinds if (kept := [one for one in kind if one not in excluded])]
    length = int(wanted.get("PasswordLength", 32))
    required = kinds if on("RequireEachIncludedType", True) else []
    if not kinds or length < len(required):
        raise ValueError("GenerateSecretString leaves no password of this length")
    every = [one for kind in kinds for one in kind]
    chosen = [secrets.choice(kind) for kind in required]
    chosen += [secrets.choice(every) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)
