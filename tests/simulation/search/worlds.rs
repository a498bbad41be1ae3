//! Worlds as values. A request depends on the resources that it names, and changes no others, so what it does is
//! computed once for each content of those, however many worlds have it.

use super::numbered::Numbered;
use crate::{
    network::{Answered, Reply, Sent, Unanswered},
    point::{Condition, Fate},
    provider::Provider,
    run::Scenario,
    simulation::Simulation,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};
use tests::{Answer, TABLE_NAME};

/// A request to the world.
pub struct Request {
    /// The number that equal requests have.
    number: u32,
    /// The number of a transaction's token.
    token: Option<u32>,
    /// The request, without its token.
    pub sent: Sent,
}

/// The number of a world.
pub type WorldId = u32;

/// The partitions of the table that are not empty, the provider and the executions, each by the number of its content.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Contents {
    partitions: BTreeMap<u32, u32>,
    provider: u32,
    executions: u32,
    /// The tokens of the transactions that were carried out without an answer, so that they come again.
    tokens: BTreeSet<u32>,
}

/// A request, its fate, and the contents of the resources that it depends on.
type Cause = (u32, Fate, Vec<u32>);

/// What a request does: its reply, and the contents that it leaves.
#[derive(Clone)]
struct Effect {
    reply: u32,
    partitions: Vec<(u32, u32)>,
    provider: Option<u32>,
    executions: Option<u32>,
}

/// All worlds that came up, and a simulation that can be any of them.
pub struct Worlds {
    simulation: Simulation,
    /// The contents that the simulation's table has.
    loaded: BTreeMap<u32, u32>,
    contents: Numbered<Contents>,
    names: Numbered<String>,
    partitions: Numbered<Vec<Value>>,
    providers: Numbered<Provider>,
    executions: Numbered<BTreeMap<String, &'static str>>,
    tokens: Numbered<String>,
    requests: Numbered<String>,
    replies: Numbered<Option<Reply>>,
    effects: HashMap<Cause, Effect>,
    conditions: HashMap<(u32, Vec<u32>), bool>,
}

impl Worlds {
    /// Worlds in which no time passes.
    pub fn new(simulation: Simulation) -> Self {
        Self {
            simulation,
            loaded: BTreeMap::new(),
            contents: Numbered::default(),
            names: Numbered::default(),
            partitions: Numbered::default(),
            providers: Numbered::default(),
            executions: Numbered::default(),
            tokens: Numbered::default(),
            requests: Numbered::default(),
            replies: Numbered::default(),
            effects: HashMap::new(),
            conditions: HashMap::new(),
        }
    }

    /// The number of effects that were computed.
    pub fn effects(&self) -> usize {
        self.effects.len()
    }

    /// A request without its token, with its number, and the number of its token.
    pub fn request(&mut self, sent: &Sent) -> Request {
        let (mut sent, mut token) = (sent.clone(), None);
        if let Sent::Table { body, .. } = &mut sent
            && let Some(Value::String(drawn)) =
                body.as_object_mut().and_then(|body| body.remove("ClientRequestToken"))
        {
            token = Some(self.tokens.number(drawn));
        }
        Request { number: self.requests.number(format!("{sent:?}")), token, sent }
    }

    /// The reply of this number.
    pub fn reply(&self, number: u32) -> Option<Reply> {
        (**self.replies.value(number)).clone()
    }

    /// The number of the reply to what is no request.
    pub fn no_reply(&mut self) -> u32 {
        self.replies.number(None)
    }

    /// The world in which a scenario begins, and the number of its clients.
    pub fn begin(&mut self, scenario: &Scenario) -> (WorldId, usize) {
        (scenario.start)(&self.simulation, 0);
        let clients = self.simulation.forget();
        (self.present(), clients)
    }

    /// The world that the simulation is now.
    fn present(&mut self) -> WorldId {
        let mut items: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for item in self.simulation.world().items() {
            let partition = item["pk"]["S"].as_str().expect("a partition key").to_owned();
            items.entry(partition).or_default().push(item);
        }
        self.loaded.clear();
        for (name, mut items) in items {
            sort(&mut items);
            let (name, content) = (self.names.number(name), self.partitions.number(items));
            self.loaded.insert(name, content);
        }
        let provider = self.simulation.provider(|provider, _| provider.clone());
        let executions = self.simulation.executions().clone();
        self.contents.number(Contents {
            partitions: self.loaded.clone(),
            provider: self.providers.number(provider),
            executions: self.executions.number(executions),
            tokens: BTreeSet::new(),
        })
    }

    /// Carries a request out in a world. Returns the world that it leaves, its reply, and the execution that it began.
    pub fn carry_out(
        &mut self,
        world: WorldId,
        request: &Request,
        fate: Fate,
    ) -> (WorldId, u32, Option<String>) {
        let before = Rc::clone(self.contents.value(world));
        let Request { number, token, sent } = request;
        if token.is_some_and(|token| before.tokens.contains(&token)) {
            return (
                world,
                self.replies.number(Some(Ok(Answer { status: 200, body: json!({}) }.into()))),
                None,
            );
        }
        let names = self.partitions_of(sent);
        let content = |name: &u32| before.partitions.get(name).copied().unwrap_or(u32::MAX);
        let mut inputs: Vec<u32> = names.iter().map(content).collect();
        match sent {
            Sent::Provider(_) => inputs.push(before.provider),
            Sent::Machines { .. } => inputs.push(before.executions),
            _ => {}
        }
        // What is carried out does not depend on whether the answer arrives.
        let is_lost = fate == Fate::LoseAnswer;
        let fate = if is_lost { Fate::Proceed } else { fate };
        let cause = (*number, fate, inputs);
        let effect = if let Some(effect) = self.effects.get(&cause) {
            effect.clone()
        } else {
            let effect = self.compute(&before, &names, sent, fate);
            self.effects.insert(cause, effect.clone());
            effect
        };
        let mut after = (*before).clone();
        for (name, content) in effect.partitions {
            if self.partitions.value(content).is_empty() {
                after.partitions.remove(&name);
            } else {
                after.partitions.insert(name, content);
            }
        }
        after.provider = effect.provider.unwrap_or(before.provider);
        after.executions = effect.executions.unwrap_or(before.executions);
        let mut reply = effect.reply;
        if is_lost {
            let is_done = matches!(&**self.replies.value(reply), Some(Ok(Answered { status: 200, .. })));
            after.tokens.extend(token.filter(|_| is_done));
            reply = self.replies.number(Some(Err(Unanswered::Reset)));
        }
        let (known, now) =
            (self.executions.value(before.executions), self.executions.value(after.executions));
        let begun = now.keys().find(|resource| !known.contains_key(*resource)).cloned();
        (self.contents.number(after), reply, begun)
    }

    /// The world in which an execution has ended.
    pub fn end_execution(&mut self, world: WorldId, resource: &str, status: &'static str) -> WorldId {
        let mut after = (**self.contents.value(world)).clone();
        let mut executions = (**self.executions.value(after.executions)).clone();
        executions.insert(resource.to_owned(), status);
        after.executions = self.executions.number(executions);
        self.contents.number(after)
    }

    /// Whether a condition on these resources is true in a world. The number stands for the condition.
    pub fn is_true(&mut self, world: WorldId, number: u32, reads: &[String], condition: &Condition) -> bool {
        let contents = Rc::clone(self.contents.value(world));
        let names: Vec<u32> = reads.iter().map(|name| self.names.number(name.clone())).collect();
        let of_tables = names.iter().map(|name| contents.partitions.get(name).copied().unwrap_or(u32::MAX));
        let inputs: Vec<u32> = of_tables.chain([contents.executions]).collect();
        if let Some(known) = self.conditions.get(&(number, inputs.clone())) {
            return *known;
        }
        self.load(&contents, &names);
        let is_true = condition(&self.simulation);
        self.conditions.insert((number, inputs), is_true);
        is_true
    }

    /// A hash of a world in which nothing is left to happen, and what is wrong in it.
    pub fn check(&mut self, world: WorldId, scenario: &Scenario) -> (u64, Vec<String>) {
        let contents = Rc::clone(self.contents.value(world));
        let names: Vec<u32> = contents.partitions.keys().chain(self.loaded.keys()).copied().collect();
        self.load(&contents, &names);
        self.simulation.resume();
        let end = self.simulation.state();
        let wrong = scenario.come_to_rest(&self.simulation);
        self.simulation.forget();
        self.present();
        (end, wrong)
    }

    /// The partitions of the table that a request depends on.
    fn partitions_of(&mut self, sent: &Sent) -> Vec<u32> {
        let Sent::Table { body, .. } = sent else { return Vec::new() };
        assert!(body["IndexName"].is_null(), "an exhaustive search knows no partitions of an index");
        let access = sent.access();
        let mut names: Vec<u32> =
            access.reads.into_iter().chain(access.writes).map(|name| self.names.number(name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn compute(&mut self, before: &Contents, names: &[u32], sent: &Sent, fate: Fate) -> Effect {
        self.load(before, names);
        self.simulation.resume();
        let reply = self.simulation.carry_out(sent, fate);
        let reply = self.replies.number(reply);
        let mut effect = Effect { reply, partitions: Vec::new(), provider: None, executions: None };
        match sent {
            Sent::Table { .. } => {
                for name in names {
                    let content = self.partition(*name);
                    self.loaded.insert(*name, content);
                    effect.partitions.push((*name, content));
                }
            }
            Sent::Provider(_) => {
                let provider = self.simulation.provider(|provider, _| provider.clone());
                effect.provider = Some(self.providers.number(provider));
            }
            Sent::Machines { .. } => {
                let executions = self.simulation.executions().clone();
                effect.executions = Some(self.executions.number(executions));
                self.simulation.forget();
            }
            Sent::Cache(_) => panic!("an exhaustive search has no cache"),
        }
        effect
    }

    /// Gives the simulation the provider, the executions and these partitions of a world.
    fn load(&mut self, contents: &Contents, names: &[u32]) {
        for name in names {
            let wanted = contents.partitions.get(name).copied();
            let present = self.loaded.get(name).copied();
            if wanted == present {
                continue;
            }
            let items = |content: Option<u32>| {
                content.map(|content| Rc::clone(self.partitions.value(content))).unwrap_or_default()
            };
            let (wanted_items, present_items) = (items(wanted), items(present));
            let wire = &self.simulation.world().wire;
            for item in present_items.iter().filter(|item| !wanted_items.contains(item)) {
                let key = json!({"pk": item["pk"], "sk": item["sk"]});
                wire.carry_out("DeleteItem", json!({"TableName": TABLE_NAME, "Key": key}));
            }
            for item in wanted_items.iter().filter(|item| !present_items.contains(item)) {
                let put = wire.carry_out("PutItem", json!({"TableName": TABLE_NAME, "Item": item}));
                assert_eq!(put.status, 200, "{}", put.body);
            }
            match wanted {
                Some(content) => self.loaded.insert(*name, content),
                None => self.loaded.remove(name),
            };
        }
        let wanted = (**self.providers.value(contents.provider)).clone();
        self.simulation.provider(|provider, _| *provider = wanted);
        *self.simulation.executions() = (**self.executions.value(contents.executions)).clone();
    }

    /// The number of a partition's content in the simulation's table.
    fn partition(&mut self, name: u32) -> u32 {
        let query = json!({
            "TableName": TABLE_NAME,
            "ConsistentRead": true,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": **self.names.value(name)}},
        });
        let mut answer = self.simulation.world().wire.carry_out("Query", query);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body["LastEvaluatedKey"].is_null(), "a partition of a simulation is small");
        let mut items = answer.body["Items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        sort(&mut items);
        self.partitions.number(items)
    }
}

fn sort(items: &mut [Value]) {
    items.sort_by(|one, other| one["sk"]["S"].as_str().cmp(&other["sk"]["S"].as_str()));
}
