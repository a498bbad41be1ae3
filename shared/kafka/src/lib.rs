//! Writes records to a topic of Apache Kafka.
//!
//! Every in-sync replica of a partition has a record before it counts as written. If an answer is lost, a record is written
//! again: readers recognise a repeat by what it contains.

mod partitioner;
mod producer;
mod security;

pub use partitioner::partition_of;
pub use producer::{Message, Producer, ProducerError};
pub use security::{Authorities, Security, TokenSource};
