//! The table's stream: a record for each change of an item in a product's partition. Each product is a shard; a shard is
//! delivered in order and at least once.

use crate::{
    chance,
    lambda::{Event, Output},
    point::Access,
    simulation::Simulation,
};
use domain::id::ProductId;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};
use table::keys;
use tests::{samples, template::Template};

/// The most records in a batch.
const BATCH_SIZE: u64 = 4;

static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::ours);

/// The items of the partitions of products that a request writes.
fn written(simulation: &Simulation, access: &Access) -> BTreeMap<String, Value> {
    let items = simulation.world().items().into_iter().filter(|item| {
        let pk = item["pk"]["S"].as_str().unwrap();
        pk.starts_with("PRODUCT#") && access.writes.iter().any(|written| written == pk)
    });
    items.map(|item| (format!("{} {}", item["pk"], item["sk"]), item)).collect()
}

/// Carries a request out, and adds records of its changes to the stream, if the scenario reads it.
pub fn recording<T>(simulation: &Simulation, access: &Access, carry_out: impl FnOnce() -> T) -> T {
    if access.writes.is_empty() || simulation.stream().is_none() {
        return carry_out();
    }
    let before = written(simulation, access);
    let result = carry_out();
    let after = written(simulation, access);
    let mut stream = simulation.stream();
    let records = stream.get_or_insert_default();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (old, new) = (before.get(key), after.get(key));
        let Some(item) = new.or(old).filter(|_| old != new) else { continue };
        let number = (records.len() + 1).to_string();
        let keys = json!({"pk": item["pk"], "sk": item["sk"]});
        let mut record = json!({"SequenceNumber": number, "Keys": keys});
        for (name, image) in [("OldImage", old), ("NewImage", new)] {
            if let Some(image) = image {
                record[name] = image.clone();
            }
        }
        records.push(json!({"eventSourceARN": samples::stream_arn(samples::STREAM), "dynamodb": record}));
    }
    result
}

/// A consumer of the stream, as the template declares it.
struct Consumer {
    name: &'static str,
    /// The patterns of the sort keys that it reads.
    sort_keys: Vec<Value>,
}

impl Consumer {
    fn of(name: &'static str) -> Self {
        let functions = TEMPLATE.functions().into_iter();
        let function = { functions }.find(|function| function.name == name).expect("a consumer");
        let properties = &function.properties["Events"]["Changes"]["Properties"];
        assert_eq!(
            properties["MaximumRetryAttempts"], -1,
            "{name} is retried as long as the stream keeps a record"
        );
        let pattern = properties["FilterCriteria"]["Filters"][0]["Pattern"].as_str().expect("a filter");
        let pattern: Value = serde_json::from_str(pattern).expect("a filter is JSON");
        let sort_keys = pattern["dynamodb"]["Keys"]["sk"]["S"].as_array().expect("patterns").clone();
        Self { name, sort_keys }
    }

    fn reads(&self, record: &Value) -> bool {
        let sk = record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap();
        self.sort_keys.iter().any(|pattern| match pattern["prefix"].as_str() {
            Some(prefix) => sk.starts_with(prefix),
            None => pattern == sk,
        })
    }
}

/// Delivers a product's records to a consumer, in batches whose sizes depend on the seed.
pub async fn deliver(simulation: Simulation, name: &'static str, product: ProductId, mut seed: u64) {
    let consumer = Consumer::of(name);
    let partition = keys::product_partition(product);
    let mut at = 0;
    loop {
        let waiting =
            move |simulation: &Simulation| simulation.stream().as_ref().is_some_and(|all| all.len() > at);
        simulation.until("the stream has records", Vec::new(), waiting).await;
        let size = usize::try_from(1 + chance::next(&mut seed) % BATCH_SIZE).unwrap();
        // The positions in the stream, and the records of this shard that the consumer reads.
        let batch: Vec<(usize, Value)> = {
            let stream = simulation.stream();
            let records = stream.iter().flatten().enumerate().skip(at);
            let of_shard = records.filter(|(_, record)| record["dynamodb"]["Keys"]["pk"]["S"] == *partition);
            of_shard
                .filter(|(_, record)| consumer.reads(record))
                .take(size)
                .map(|(index, record)| (index, record.clone()))
                .collect()
        };
        let Some((last, _)) = batch.last() else {
            at = simulation.stream().as_ref().map_or(0, Vec::len);
            continue;
        };
        let records = batch.iter().map(|(_, record)| record.clone()).collect();
        match simulation.invoke(consumer.name, Event::Records(records)).await {
            Some(Ok(Output::Records(None))) => at = last + 1,
            Some(Ok(Output::Records(Some(number)))) => {
                at = batch
                    .iter()
                    .find(|(_, record)| record["dynamodb"]["SequenceNumber"] == number)
                    .unwrap()
                    .0;
            }
            // Delivered again. The first invocation may still be running.
            _ => {}
        }
    }
}
