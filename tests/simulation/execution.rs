//! Plays Step Functions: interprets the state machines of `statemachines/`.

use crate::{
    jsonata::{Variables, evaluate},
    lambda::{Event, Failed, Output},
    network::{Answered, Sent},
    simulation::{self, Simulation},
};
use futures::{
    FutureExt,
    future::{Either, LocalBoxFuture},
};
use serde_json::{Map, Value, json};
use std::{cell::RefCell, collections::HashMap, rc::Rc};
use tests::{Answer, project, template::Template};

/// The values that the template gives to the machines.
const SUBSTITUTIONS: [(&str, &str); 3] =
    [("${UndoPauseSeconds}", "60"), ("${DeletionWaitSeconds}", "60"), ("${ReviewPagesPerRun}", "1")];

/// A function that is stopped after this number of milliseconds ran into its time limit.
const FUNCTION_TIMEOUT_MS: u64 = 30_000;

/// How long a caller waits for the end of an execution.
const SYNCHRONOUS_MS: u64 = 10_000;

thread_local! {
    static MACHINES: RefCell<HashMap<String, Rc<Value>>> = RefCell::default();
    /// The machines of type EXPRESS.
    static EXPRESS: Vec<String> = express_machines();
}

fn express_machines() -> Vec<String> {
    let template = Template::ours();
    let machines = template.resources("AWS::Serverless::StateMachine");
    let file = |(_, properties): (&str, &Value)| properties["DefinitionUri"].as_str().map(str::to_owned);
    let of_file =
        |file: String| file.strip_prefix("statemachines/")?.strip_suffix(".asl.json").map(str::to_owned);
    machines
        .filter(|(_, properties)| properties["Type"] == "EXPRESS")
        .filter_map(file)
        .filter_map(of_file)
        .collect()
}

/// The definition of a machine.
fn definition(machine: &str) -> Rc<Value> {
    let read = || {
        let mut text = project::read(format!("statemachines/{machine}.asl.json"));
        for (name, value) in SUBSTITUTIONS {
            text = text.replace(name, value);
        }
        Rc::new(serde_json::from_str(&text).expect("a state machine is JSON"))
    };
    MACHINES.with_borrow_mut(|known| Rc::clone(known.entry(machine.to_owned()).or_insert_with(read)))
}

/// Runs an execution; returns its status.
pub async fn run(simulation: &Simulation, machine: &str, input: Value) -> &'static str {
    let definition = definition(machine);
    let seconds = definition["TimeoutSeconds"].as_u64().expect("a machine has a time limit");
    let ends = simulation.clock() + seconds * 1000;
    let machine = format!("arn:aws:states:test-1:000000000000:stateMachine:{machine}");
    let execution = Execution { simulation: simulation.clone(), machine, input: input.clone(), ends };
    match execution.states(&definition, input).await {
        Ok(_) => "SUCCEEDED",
        Err(failed) if failed.error == TIMED_OUT => "TIMED_OUT",
        Err(_) => "FAILED",
    }
}

impl Simulation {
    /// Answers StartExecution, and StartSyncExecution at its beginning. An EXPRESS machine begins an execution at each
    /// start, a STANDARD machine once for each name.
    pub fn start_execution(&self, body: &Value) -> Answer {
        let (machine, name) = execution_of(body);
        let first = execution_resource(machine, name);
        let known = self.executions().get(&first).copied();
        let resource = if EXPRESS.with(|machines| machines.iter().any(|express| express == machine)) {
            let another = (2..).map(|number| format!("{first} #{number}"));
            let mut resources = std::iter::once(first.clone()).chain(another);
            resources.find(|resource| !self.executions().contains_key(resource)).expect("a free name")
        } else if known.is_some_and(|status| status != "RUNNING") {
            return Answer::refusal(400, "ExecutionAlreadyExists");
        } else {
            first
        };
        if !self.executions().contains_key(&resource) {
            let input = serde_json::from_str(body["input"].as_str().expect("an input")).unwrap();
            self.begin_execution(&resource, machine, input);
        }
        Answer { status: 200, body: json!({"executionArn": resource, "startDate": 1.0}) }
    }

    /// Begins an execution of a machine, as an actor of its own.
    pub fn begin_execution(&self, resource: &str, machine: &str, input: Value) {
        self.executions().insert(resource.to_owned(), "RUNNING");
        let actor = self.actor(resource);
        let (this, machine, resource) = (self.clone(), machine.to_owned(), resource.to_owned());
        self.spawn(actor, resource.clone(), None, async move {
            let status = run(&this, &machine, input).await;
            this.executions().insert(resource, status);
        });
    }

    /// Answers DescribeExecution.
    pub fn describe_execution(&self, body: &Value) -> Answer {
        let (machine, name) = execution_of(body);
        match self.executions().get(&execution_resource(machine, name)) {
            Some(status) => {
                let body = json!({"executionArn": "arn", "stateMachineArn": "arn", "status": status, "startDate": 1.0});
                Answer { status: 200, body }
            }
            None => Answer::refusal(400, "ExecutionDoesNotExist"),
        }
    }
}

/// The rest of StartSyncExecution: waits for the end of an execution, though for as long as its caller would at most.
/// Returns the answer, or nothing if the caller gives up; the execution goes on.
pub fn end_of_execution(begun: &Value) -> impl Future<Output = Option<Value>> + Send + use<> {
    let resource = begun["executionArn"].as_str().expect("the execution that was begun").to_owned();
    let name = resource.clone();
    let ended = move |simulation: &Simulation| simulation.executions()[&name] != "RUNNING";
    let simulation = simulation::current();
    let end = simulation.until("the execution ends", vec![resource.clone()], ended);
    let limit = simulation.wait_ms(SYNCHRONOUS_MS);
    async move {
        if let Either::Right(..) = futures::future::select(end, limit).await {
            return None;
        }
        let status = simulation::current().executions()[&resource];
        Some(json!({"executionArn": "arn", "startDate": 1.0, "stopDate": 1.0, "status": status}))
    }
}

/// The machine and the name of the execution that a request is about.
pub fn execution_of(body: &Value) -> (&str, &str) {
    let arn = body["executionArn"].as_str().or(body["stateMachineArn"].as_str()).expect("an ARN");
    let mut parts = arn.split(':').skip(6);
    let machine = parts.next().expect("the name of a machine");
    (machine, parts.next().or(body["name"].as_str()).expect("the name of an execution"))
}

/// The name of an execution as a resource.
pub fn execution_resource(machine: &str, name: &str) -> String {
    format!("execution {machine} {name}")
}

/// The end of an execution at its own time limit. No state can catch it.
const TIMED_OUT: &str = "execution timed out";

struct Execution {
    simulation: Simulation,
    /// The ARN of the machine.
    machine: String,
    input: Value,
    /// The time limit, in milliseconds since 1970.
    ends: u64,
}

/// Where a state leads, and with which output.
enum Next {
    State(String, Value),
    End(Value),
}

impl Execution {
    /// Runs the states of a machine or of a Map from the first on.
    fn states<'a>(&'a self, machine: &'a Value, input: Value) -> LocalBoxFuture<'a, Result<Value, Failed>> {
        async move {
            let (mut name, mut input) = (name_of(&machine["StartAt"]), input);
            let mut assigned = Variables::new();
            loop {
                if self.simulation.clock() > self.ends {
                    return Err(Failed::of_lambda(TIMED_OUT));
                }
                let state = &machine["States"][&name];
                match self.state(state, input, &mut assigned).await? {
                    Next::End(output) => return Ok(output),
                    Next::State(next, output) => (name, input) = (next, output),
                }
            }
        }
        .boxed_local()
    }

    async fn state(&self, state: &Value, input: Value, assigned: &mut Variables) -> Result<Next, Failed> {
        let context = json!({"Execution": {"Input": self.input}, "StateMachine": {"Id": self.machine}});
        let mut states = json!({"input": input, "context": context});
        let variables = |states: &Value, assigned: &Variables| {
            let mut variables = assigned.clone();
            variables.insert("states".to_owned(), states.clone());
            variables
        };
        let known = variables(&states, assigned);
        let done = match name_of(&state["Type"]).as_str() {
            "Task" => self.task(state, &known).await,
            "Map" => self.map(state, &known).await,
            "Succeed" => return Ok(Next::End(input)),
            "Fail" => return Err(Failed { error: name_of(&state["Error"]), cause: String::new() }),
            "Wait" => {
                let seconds = evaluate(&state["Seconds"], &known).as_u64().expect("a number of seconds");
                self.wait(seconds * 1000).await;
                Ok(input)
            }
            "Choice" => {
                let choices = state["Choices"].as_array().expect("a Choice has choices");
                let chosen =
                    choices.iter().find(|choice| evaluate(&choice["Condition"], &known) == json!(true));
                assign(chosen.unwrap_or(state), &known, assigned);
                let next = chosen.map_or(&state["Default"], |chosen| &chosen["Next"]);
                return Ok(Next::State(name_of(next), input));
            }
            other => panic!("the simulation has no state of type {other}"),
        };
        match done {
            Ok(result) => {
                states["result"] = result.clone();
                assign(state, &variables(&states, assigned), assigned);
                Ok(match state["Next"].as_str() {
                    Some(next) => Next::State(next.to_owned(), result),
                    None => Next::End(result),
                })
            }
            Err(failed) => {
                let catchers = state["Catch"].as_array().into_iter().flatten();
                let Some(catcher) = { catchers }.find(|catcher| matches(catcher, &failed.error)) else {
                    return Err(failed);
                };
                let error = json!({"Error": failed.error, "Cause": failed.cause});
                states["errorOutput"] = error.clone();
                let known = variables(&states, assigned);
                assign(catcher, &known, assigned);
                let output = catcher.get("Output").map_or(error, |output| evaluate(output, &known));
                Ok(Next::State(name_of(&catcher["Next"]), output))
            }
        }
    }

    /// Starts an execution of a machine, as the state's arguments say.
    async fn start(&self, state: &Value, known: &Variables) -> Result<Value, Failed> {
        let wanted = evaluate(&state["Arguments"], known);
        let (machine, name) = (&wanted["StateMachineArn"], &wanted["Name"]);
        let body = json!({"stateMachineArn": machine, "name": name, "input": wanted["Input"].to_string()});
        let sent = Sent::Machines { operation: "StartExecution".to_owned(), body };
        match self.simulation.send(sent).await {
            Some(Ok(Answered { status: 200, body, .. })) => Ok(body),
            _ => Err(Failed::of_lambda("StepFunctions.SdkClientException")),
        }
    }

    async fn task(&self, state: &Value, known: &Variables) -> Result<Value, Failed> {
        if state["Resource"] == "arn:aws:states:::states:startExecution" {
            return self.start(state, known).await;
        }
        let function = function(&state["Resource"]);
        let mut attempts: HashMap<usize, u64> = HashMap::new();
        loop {
            let arguments = evaluate(&state["Arguments"], known);
            let failed = match self.invoke(function, arguments).await {
                Ok(result) => return Ok(result),
                Err(failed) => failed,
            };
            let retriers = state["Retry"].as_array().into_iter().flatten().enumerate();
            let Some((index, retrier)) = { retriers }.find(|(_, retrier)| matches(retrier, &failed.error))
            else {
                return Err(failed);
            };
            let attempt = attempts.entry(index).or_default();
            if *attempt >= retrier["MaxAttempts"].as_u64().unwrap_or(3) {
                return Err(failed);
            }
            let number = |member: &str, default| retrier[member].as_u64().unwrap_or(default);
            let doubled = u32::try_from(*attempt)
                .ok()
                .and_then(|attempt| number("BackoffRate", 2).checked_pow(attempt));
            let seconds = number("IntervalSeconds", 1).saturating_mul(doubled.unwrap_or(u64::MAX));
            *attempt += 1;
            self.wait(seconds.min(number("MaxDelaySeconds", u64::MAX / 1000)) * 1000).await;
            if self.simulation.clock() > self.ends {
                return Err(Failed::of_lambda(TIMED_OUT));
            }
        }
    }

    async fn invoke(&self, function: &'static str, input: Value) -> Result<Value, Failed> {
        let started = self.simulation.clock();
        match self.simulation.invoke(function, Event::Step(input)).await {
            Some(Ok(Output::Step(output))) => Ok(output),
            Some(Ok(_)) => panic!("{function} is no step"),
            Some(Err(failed)) => Err(failed),
            None if self.simulation.clock() >= started + FUNCTION_TIMEOUT_MS => {
                Err(Failed::of_lambda("Sandbox.Timedout"))
            }
            None => Err(Failed::of_lambda("Lambda.Unknown")),
        }
    }

    /// All items at once.
    async fn map(&self, state: &Value, known: &Variables) -> Result<Value, Failed> {
        let items = evaluate(&state["Items"], known);
        let items = items.as_array().expect("the items of a Map are a list");
        let runs = items.iter().map(|item| self.states(&state["ItemProcessor"], item.clone()));
        let results = futures::future::try_join_all(runs).await?;
        Ok(Value::Array(results))
    }

    async fn wait(&self, ms: u64) {
        self.simulation.wait_ms(ms).await;
    }
}

/// Sets the variables that a state or a choice assigns.
fn assign(state: &Value, known: &Variables, assigned: &mut Variables) {
    if let Some(members) = state["Assign"].as_object() {
        let values: Map<String, Value> =
            members.iter().map(|(name, value)| (name.clone(), evaluate(value, known))).collect();
        assigned.extend(values);
    }
}

/// Whether a `Retry` or a `Catch` names the error.
fn matches(handler: &Value, error: &str) -> bool {
    let names = handler["ErrorEquals"].as_array().expect("a list of errors");
    error != TIMED_OUT
        && names.iter().any(|name| name == error || name == "States.ALL" || name == "States.TaskFailed")
}

fn name_of(value: &Value) -> String {
    value.as_str().expect("a name").to_owned()
}

/// The function of a task: `${OrderUndoFunctionArn}` is order-undo.
fn function(resource: &Value) -> &'static str {
    let id = resource.as_str().and_then(|text| text.strip_prefix("${")?.strip_suffix("FunctionArn}"));
    let mut name = String::new();
    for letter in id.expect("the ARN of a function").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    let known = crate::functions::FUNCTIONS.iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("the simulation has no function {name}")).0
}
