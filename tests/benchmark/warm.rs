//! Warm functions: one event after the other, each with its lower bounds.

use crate::{
    bare::Bare,
    cache::Server as CacheServer,
    data::reviewed_product,
    figures::{Figures, rounded},
    lambda::Function,
    operations::{Cache, Operation},
    programs::Programs,
    services::{Sent, Services},
};
use serde_json::{Value, json};

/// The number of products or concerts in the table.
pub const ITEMS: u32 = 1_000;

/// Wall-clock time and CPU time of one side: the function, the empty function, or the bare requests.
#[derive(Default)]
struct Side {
    wall: Figures,
    cpu: Figures,
}

impl Side {
    fn invoke(&mut self, function: &Function, event: &Value) -> Value {
        let before = function.pid().cpu_at_rest();
        let (took, answer) = function.invoke(event);
        self.wall.add(took);
        self.cpu.add(function.pid().cpu_at_rest().saturating_sub(before));
        answer
    }
}

/// Measures an operation `rounds` times. `None` if it needs a cache and there is none.
pub fn measure(operation: &Operation, rounds: u32, programs: &Programs) -> Option<Value> {
    // A server of its own: a page that another operation left there may be of the same product in another state.
    let cache = match operation.cache {
        Cache::Absent => None,
        Cache::Hit | Cache::Miss => Some(CacheServer::start()?),
    };
    let items = || operation.world.items(ITEMS);
    // Two equal tables: the function uses the first, and its requests are sent again to the second.
    let (table, twin) = (Services::start(items()), Services::start(items()));
    let cache_url = cache.as_ref().map(CacheServer::url);
    let mut environment = table.environment();
    environment.extend(cache_url.clone().map(|url| ("CACHE_URL", url)));
    let function = Function::start(programs.of(operation.function), &environment);
    let empty = Function::start(programs.of(operation.empty), &[]);
    let mut bare = Bare::start(&twin, cache_url.as_deref(), operation.at_once);
    function.polled();
    empty.polled();

    let (mut of_function, mut of_empty, mut of_bare) = (Side::default(), Side::default(), Side::default());
    // Each product is in the cache before the first hit is measured.
    let fewest = if operation.cache == Cache::Hit { crate::data::REVIEWED } else { 1 };
    let warm_up = (rounds / 4).max(fewest);
    let mut requests = 0;
    for number in 0..warm_up + rounds {
        if number == warm_up {
            (of_function, of_empty, of_bare) = Default::default();
        }
        if operation.cache == Cache::Miss {
            cache.iter().for_each(CacheServer::empty);
        }
        let event = (operation.event)(number, ITEMS);
        let answer = of_function.invoke(&function, &event);
        operation.check(&answer);
        let sent = operation.floor(&event, sent(operation, number, &table));
        requests = sent.len();
        let (took, cpu) = bare.send(&sent);
        of_bare.wall.add(took);
        of_bare.cpu.add(cpu);
        of_empty.invoke(&empty, &event);
    }
    assert!(twin.connections() <= operation.at_once + 1, "the bare client opens connections anew");

    let (name, count) = operation.unit;
    let side = |side: &Side| json!({"wallUs": side.wall.spread(), "cpuUs": side.cpu.spread()});
    let ratio = |of: fn(&Side) -> &Figures| {
        rounded(of(&of_function).median() / (of(&of_empty).median() + of(&of_bare).median()), 100.0)
    };
    Some(json!({
        "operation": operation.name,
        "rounds": rounds,
        "function": side(&of_function),
        "empty": side(&of_empty),
        "bare": side(&of_bare),
        "bareRequests": requests,
        "wallRatio": ratio(|side| &side.wall),
        "cpuRatio": ratio(|side| &side.cpu),
        "unit": name,
        "perSecondPerCore": rounded(1e6 * f64::from(count) / of_function.cpu.median(), 1.0),
        "perSecondOneAtATime": rounded(1e6 * f64::from(count) / of_function.wall.median(), 1.0),
        "residentBytes": function.pid().resident(),
        "emptyResidentBytes": empty.pid().resident(),
    }))
}

/// The requests that the operation sent to the table, or to the cache if it was a hit.
fn sent(operation: &Operation, number: u32, table: &Services) -> Vec<Sent> {
    let sent = table.take_sent();
    if sent.is_empty() && operation.cache == Cache::Hit {
        let key = format!("product:{}", reviewed_product(number, ITEMS));
        return vec![("CachedPage".to_owned(), json!({ "Key": key }))];
    }
    sent
}
