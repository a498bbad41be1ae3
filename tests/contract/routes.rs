//! The template, the OpenAPI document, line 1 of each function and the README name the same routes.

use crate::{assert_none, differences};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};
use tests::{
    generated,
    project::{self, Source},
    template::Template,
};

/// A route, and the function that serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    /// The route key: `GET /products`, or `$default`.
    key: String,
    function: String,
    public: bool,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, function, public } = self;
        write!(f, "{key} ({function}{})", if *public { ", public" } else { "" })
    }
}

/// The route for requests that match no other route. It is described in prose, not listed as a route.
const DEFAULT: &str = "$default";

/// The method of routes that are beside those of GET. They are described in prose, not listed as routes.
const HEAD: &str = "HEAD ";

/// Whether the contract lists the route as one of its own.
fn is_listed(route: &Route) -> bool {
    route.key != DEFAULT && !route.key.starts_with(HEAD)
}

/// HEAD is answered wherever GET is, by the same function and with the same access.
fn unlike_get(routes: &BTreeSet<Route>) -> Vec<String> {
    let of = |method: &str| -> BTreeSet<Route> {
        let of_method = routes.iter().filter_map(|route| {
            Some(Route { key: route.key.strip_prefix(method)?.to_owned(), ..route.clone() })
        });
        of_method.collect()
    };
    differences(("the routes of GET", &of("GET ")), ("the routes of HEAD", &of(HEAD)))
}

fn of_template(template: &Template) -> BTreeSet<Route> {
    let mut routes = BTreeSet::new();
    for function in template.functions() {
        let events = function.properties["Events"].as_object().into_iter().flat_map(serde_json::Map::values);
        for event in events.filter(|event| event["Type"] == "HttpApi") {
            let properties = &event["Properties"];
            let text = |name: &str| properties[name].as_str().unwrap_or_default();
            let key = match text("Path") {
                DEFAULT => DEFAULT.to_owned(),
                path => format!("{} {path}", text("Method")),
            };
            let public = properties["Auth"]["Authorizer"] == "NONE";
            routes.insert(Route { key, function: function.name.clone(), public });
        }
    }
    routes
}

fn of_document(document: &Value) -> BTreeSet<Route> {
    let everywhere = &document["security"];
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            // Operations have different ids, also those that one function serves.
            let function = operation["x-function"].as_str().or(operation["operationId"].as_str());
            let Some(function) = function else { continue };
            let security = operation.get("security").unwrap_or(everywhere);
            routes.insert(Route {
                key: format!("{} {path}", method.to_ascii_uppercase()),
                function: function.to_owned(),
                public: security.as_array().is_none_or(Vec::is_empty),
            });
        }
    }
    routes
}

/// The table of routes in README.md, sorted by function.
fn table(routes: &BTreeSet<Route>) -> String {
    let mut routes: Vec<&Route> = routes.iter().filter(|route| is_listed(route)).collect();
    routes.sort_by_key(|route| (&route.function, &route.key));
    let mut rows = vec!["| method and path | function | |\n|---|---|---|\n".to_owned()];
    rows.extend(routes.iter().map(|Route { key, function, public }| {
        let access = if *public { "public " } else { "" };
        format!("| `{key}` | {function} | {access}|\n")
    }));
    rows.concat()
}

/// The routes in line 1 of a function: `` //! `METHOD /path` and `METHOD /path`: … ``. Query strings are ignored.
fn of_line_1(source: &Source) -> Option<Vec<(String, String)>> {
    let function = source.path.split('/').nth(1)?;
    let (routes, _) = source.text.lines().next()?.strip_prefix("//! `")?.split_once("`: ")?;
    let routes = routes.split('`').filter(|route| *route == DEFAULT || route.contains(" /"));
    let path = |route: &str| (route.split('?').next().unwrap_or_default().to_owned(), function.to_owned());
    Some(routes.map(path).collect())
}

fn of_code(sources: &[Source]) -> BTreeSet<String> {
    let routes = sources.iter().filter_map(of_line_1).flatten();
    routes.map(|(route, function)| format!("{route} ({function})")).collect()
}

fn without_access(routes: &BTreeSet<Route>) -> BTreeSet<String> {
    routes.iter().map(|route| format!("{} ({})", route.key, route.function)).collect()
}

/// Differences between the state machines that line 1 of a function names, and those that the template passes the
/// function to.
fn unlike_steps(template: &Template, sources: &[Source]) -> Vec<String> {
    let functions = template.functions();
    let mut of_machines = BTreeSet::new();
    for (_, properties) in template.resources("AWS::Serverless::StateMachine") {
        let uri = properties["DefinitionUri"].as_str().unwrap_or_default();
        let machine = uri.trim_start_matches("statemachines/").trim_end_matches(".asl.json");
        let substitutions = properties["DefinitionSubstitutions"].as_object().into_iter().flatten();
        for arn in substitutions.filter_map(|(_, value)| value["Fn::GetAtt"].as_str()) {
            let id = arn.trim_end_matches(".Arn");
            let function = functions.iter().find(|function| function.id == id);
            of_machines.extend(function.map(|function| format!("{} is a step of {machine}", function.name)));
        }
    }
    let steps = |source: &Source| {
        let function = source.path.split('/').nth(1)?;
        let (machines, _) = source.text.lines().next()?.strip_prefix("//! Step of ")?.split_once(':')?;
        let step = |machine: &str| format!("{function} is a step of {machine}");
        Some(machines.split(" and ").map(step).collect::<Vec<_>>())
    };
    let of_code: BTreeSet<String> = sources.iter().filter_map(steps).flatten().collect();
    differences(("line 1 of its main.rs", &of_code), ("template.yaml", &of_machines))
}

fn mains() -> Vec<Source> {
    let mut sources = project::sources("functions");
    sources.retain(|source| source.path.ends_with("/src/main.rs"));
    sources
}

#[test]
fn the_document_has_the_routes_of_the_template() {
    let document = serde_json::from_str(web::openapi::DOCUMENT).unwrap();
    let mut deployed = of_template(&Template::ours());
    deployed.retain(is_listed);
    assert_none(&differences(
        ("template.yaml", &deployed),
        ("the OpenAPI document", &of_document(&document)),
    ));
}

#[test]
fn the_readme_has_the_routes_of_the_template() {
    generated::assert_section("README.md", "routes", &table(&of_template(&Template::ours())));
}

#[test]
fn line_1_of_each_function_names_its_route() {
    let mut deployed = of_template(&Template::ours());
    deployed.retain(|route| !route.key.starts_with(HEAD));
    assert_none(&differences(
        ("template.yaml", &without_access(&deployed)),
        ("line 1 of the function's main.rs", &of_code(&mains())),
    ));
}

#[test]
fn line_1_of_each_step_names_its_machine() {
    assert_none(&unlike_steps(&Template::ours(), &mains()));
}

#[test]
fn head_is_answered_wherever_get_is() {
    assert_none(&unlike_get(&of_template(&Template::ours())));
}

/// A route without `Auth` in the template must need a token.
#[test]
fn the_default_authorizer_is_on() {
    let template = Template::ours();
    for (id, api) in template.resources("AWS::Serverless::HttpApi") {
        assert_eq!(api["Auth"]["DefaultAuthorizer"], "Bearer", "{id}");
        assert!(api["Auth"]["Authorizers"]["Bearer"]["FunctionArn"].is_object(), "{id}");
    }
}

#[test]
fn the_checks_find_differences_between_routes() {
    let template = Template::parse(
        "Resources:
  AFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: target/lambda/a/
      Events:
        Open: {Type: HttpApi, Properties: {Method: GET, Path: '/a/{id}', Auth: {Authorizer: NONE}}}
        Closed: {Type: HttpApi, Properties: {Method: POST, Path: /a}}
        Rest: {Type: HttpApi, Properties: {Method: ANY, Path: $default}}
  BFunction: {Type: AWS::Serverless::Function, Properties: {CodeUri: target/lambda/b/}}
  M:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: statemachines/m.asl.json
      DefinitionSubstitutions: {X: !GetAtt BFunction.Arn}
",
    );
    let deployed = of_template(&template);
    let shown: Vec<String> = deployed.iter().map(Route::to_string).collect();
    assert_eq!(shown, ["$default (a)", "GET /a/{id} (a, public)", "POST /a (a)"]);

    let found = unlike_get(&deployed);
    assert_eq!(found, ["/a/{id} (a, public): in the routes of GET, not in the routes of HEAD"]);

    let document = serde_json::json!({
        "security": [{"t": []}],
        "paths": {"/a/{id}": {"get": {"operationId": "a", "security": []}, "parameters": []},
                  "/a": {"post": {"operationId": "a"}, "put": {"operationId": "b", "x-function": "a", "security": []}}},
    });
    let documented = of_document(&document);
    let found = differences(("t", &deployed), ("d", &documented));
    assert_eq!(found, ["$default (a): in t, not in d", "PUT /a (a, public): in d, not in t"]);

    let rows = "| `GET /a/{id}` | a | public |\n| `POST /a` | a | |\n";
    assert!(table(&deployed).ends_with(&format!("|---|---|---|\n{rows}")), "{}", table(&deployed));

    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let code = [
        source("functions/a/src/main.rs", "//! `POST /a?x=…` or `?y=…`: does it.\n"),
        source("functions/c/src/main.rs", "//! Does it.\n"),
        source("functions/d/src/main.rs", "//! Step of m and n: does it.\n"),
        source("functions/e/src/main.rs", "//! `POST /e` and `POST /f`: does it, as `GET /g`: not.\n"),
    ];
    let routes = ["POST /a (a)", "POST /e (e)", "POST /f (e)"];
    assert_eq!(of_code(&code), BTreeSet::from(routes.map(str::to_owned)));
    let found = unlike_steps(&template, &code);
    let wrong = ["d is a step of m", "d is a step of n", "b is a step of m"];
    assert!(found.iter().zip(wrong).all(|(found, wrong)| found.starts_with(wrong)), "{found:?}");
    assert_eq!(found.len(), wrong.len());
}
