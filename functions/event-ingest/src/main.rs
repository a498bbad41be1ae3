//! Table stream: publishes the events of visitors, and the purchases and cancellations of orders, to Kafka.

use app::{
    dead_letters::{DeadLetters, EventIngest},
    event_topic::EventTopic,
};
use domain::{Error, event_record::EventRecord};
use runtime::DeadLetter;
use table::StreamRecord;

app::clients! { topic: EventTopic, dead_letters: DeadLetters<EventIngest> }

fn main() -> runtime::Exit {
    runtime::consume_together(StreamRecord::publication, publish, give_up)
}

/// Publishes all records of a batch together. An event that the brokers do not take is given up.
async fn publish(app: &App, records: Vec<EventRecord>) -> Result<Vec<(usize, String)>, Error> {
    let refused = app.topic.publish(&records).await?;
    let reason = |index: usize| format!("the event {} is too large for the topic", records[index].id);
    Ok(refused.into_iter().map(|index| (index, reason(index))).collect())
}

async fn give_up(app: &App, letter: DeadLetter) -> Result<(), Error> {
    app.dead_letters.send(&letter).await
}
