//! Reads a part of the table's stream again, and hands its records on in the form in which Lambda delivers them.

mod image;
mod reader;
mod shard;
mod stream;

pub use reader::{ReplayPage, ShardReader};
pub use shard::Shard;
pub use stream::StreamReader;
