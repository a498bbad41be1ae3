//! The table as a client.

use crate::{
    client::{Client, Needs},
    context::Context,
};
use domain::Error;
use std::sync::Arc;

/// The table, shared by all clients of a function that use it.
pub type Table = Arc<table::Table>;

impl Client for Table {
    const NEEDS: Needs = Needs { settings: &["TABLE_NAME"], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        context.table()
    }
}
