"""Imports the OpenAPI `Body` of an AWS::ApiGatewayV2::Api: routes, integrations, authorizers, CORS.

AWS: an API with a Body gets a route for every operation in it. This is the only form in which SAM's
AWS::Serverless::HttpApi describes its routes. An update of the Body replaces them.

ministack 1.5.33: drops the Body, so that the API has no routes, and stores CorsConfiguration with the member
names of CloudFormation, which it does not read.
"""

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
IMPORTED = "importedFromBody"  # marks our records, so that an update replaces only them


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create, update = handlers["create"], handlers["update"]

    def create_with_body(logical_id, properties, stack_name):
        api_id, attributes = create(logical_id, with_cors(properties), stack_name)
        replace_routes(api_id, properties.get("Body"))
        return api_id, attributes

    def update_with_body(physical_id, old, new, stack_name, logical_id=None):
        api_id, attributes = update(physical_id, with_cors(old), with_cors(new), stack_name, logical_id)
        replace_routes(api_id, new.get("Body"))
        return api_id, attributes

    handlers.update(create=create_with_body, update=update_with_body)


def with_cors(properties: dict) -> dict:
    body = properties.get("Body") or {}
    cors = body.get("x-amazon-apigateway-cors") or {
        name[0].lower() + name[1:]: value for name, value in (properties.get("CorsConfiguration") or {}).items()
    }
    named = {"Name": body["info"]["title"]} if body and not properties.get("Name") else {}
    return {**properties, **named, "CorsConfiguration": cors}


def replace_routes(api_id: str, body: dict | None) -> None:
    for records in (apigateway._routes, apigateway._integrations, apigateway._authorizers):
        kept = {key: record for key, record in records.get(api_id, {}).items() if not record.get(IMPORTED)}
        records[api_id] = kept
    if not body:
        return
    authorizers = {
        name: add(apigateway._authorizers, api_id, "authorizerId", authorizer(name, scheme))
        for name, scheme in body.get("components", {}).get("securitySchemes", {}).items()
        if "x-amazon-apigateway-authorizer" in scheme
    }
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            key = route_key(path, method)
            if key is None:
                continue
            target = add(apigateway._integrations, api_id, "integrationId", integration(key, operation))
            security = operation.get("security", body.get("security"))
            add(apigateway._routes, api_id, "routeId", route(key, target, security, authorizers))


def add(records, api_id: str, id_name: str, record: dict) -> str:
    identifier = apigateway.new_uuid()[:8]
    records[api_id][identifier] = {id_name: identifier, **record, IMPORTED: True}
    return identifier


def route_key(path: str, method: str) -> str | None:
    if path in ("$default", "/$default"):
        return "$default"
    if method == "x-amazon-apigateway-any-method":
        return f"ANY {path}"
    return f"{method.upper()} {path}" if method in METHODS else None


def integration(key: str, operation: dict) -> dict:
    given = operation.get("x-amazon-apigateway-integration") or {}
    if given.get("type", "").lower() != "aws_proxy" or str(given.get("payloadFormatVersion")) != "2.0":
        raise ValueError(f"route {key}: only Lambda integrations of payload format 2.0 are emulated")
    return {
        "integrationType": "AWS_PROXY",
        "integrationMethod": "POST",
        "integrationUri": given["uri"],
        "payloadFormatVersion": "2.0",
        "timeoutInMillis": int(given.get("timeoutInMillis", 30000)),
        "connectionType": "INTERNET",
    }


def authorizer(name: str, scheme: dict) -> dict:
    given = scheme["x-amazon-apigateway-authorizer"]
    if given.get("type") != "request":
        raise ValueError(f"authorizer {name}: only Lambda authorizers of type request are emulated")
    identity = given.get("identitySource", ["$request.header.Authorization"])
    return {
        "authorizerType": "REQUEST",
        "name": name,
        "identitySource": [identity] if isinstance(identity, str) else identity,
        "authorizerUri": given["authorizerUri"],
        "authorizerPayloadFormatVersion": str(given.get("authorizerPayloadFormatVersion", "2.0")),
        "authorizerResultTtlInSeconds": int(given.get("authorizerResultTtlInSeconds", 300)),
        "enableSimpleResponses": str(given.get("enableSimpleResponses", False)).lower() == "true",
        "jwtConfiguration": {},
    }


def route(key: str, integration_id: str, security: list | None, authorizers: dict) -> dict:
    named = [name for requirement in security or [] for name in requirement if name in authorizers]
    secured = (
        {"authorizationType": "CUSTOM", "authorizerId": authorizers[named[0]]}
        if named
        else {"authorizationType": "NONE"}
    )
    return {"routeKey": key, "target": f"integrations/{integration_id}", "apiKeyRequired": False, **secured}
