//! The table's stream.

use crate::{
    client::{Client, Needs},
    context::Context,
};
use domain::Error;

const ARN: &str = "TABLE_STREAM_ARN";

/// The stream that the table has now. A restored table, and one whose stream was turned off and on, has a new one.
pub struct TableStream {
    label: String,
}

impl TableStream {
    /// The label of the stream: the time at which it was created.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl Client for TableStream {
    const NEEDS: Needs = Needs { settings: &[ARN], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let arn = context.settings().required(ARN)?;
        let label = table::stream_label(&arn);
        let label = label.ok_or_else(|| Error::internal(format!("{ARN} is no ARN of a stream: {arn}")))?;
        Ok(Self { label: label.to_owned() })
    }
}
