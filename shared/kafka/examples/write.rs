//! Writes the lines of standard input, each a key, a tab and a value, to a topic: `write BROKERS TOPIC`. Prints the
//! indices of lines that were refused as too large, and then how long the writing took.

use kafka::{Message, Producer, Security};
use std::{
    error::Error,
    io::stdin,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, topic] = &arguments[..] else { return Err("usage: write BROKERS TOPIC".into()) };
    let brokers: Vec<String> = brokers.split(',').map(str::to_owned).collect();
    let at = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut messages = Vec::new();
    for line in stdin().lines() {
        let line = line?;
        let (key, value) = line.split_once('\t').ok_or("a line has no tab")?;
        messages.push(Message { key: key.into(), value: value.into(), at });
    }
    let begun = Instant::now();
    let producer = Producer::connect(&brokers, &Security::Plain, topic).await?;
    let connected = begun.elapsed();
    let refused = producer.write(&messages).await?;
    for index in refused {
        println!("{index}");
    }
    let written = begun.elapsed().saturating_sub(connected);
    println!("{} s", written.as_secs_f64());
    Ok(())
}
