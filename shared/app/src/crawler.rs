//! The crawler that reads pages of shops.

use crate::{
    client::{Client, Needs},
    context::Context,
};
use crawl::{Allowed, Crawler};
use domain::Error;

const ALLOW: &str = "CRAWL_ALLOW";
const USER_AGENT: &str = "CRAWL_USER_AGENT";

impl Client for Crawler {
    const NEEDS: Needs = Needs { settings: &[ALLOW, USER_AGENT], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let allow = context.settings().optional(ALLOW).unwrap_or_default();
        let allowed = Allowed::parse(&allow).map_err(|fault| Error::internal(format!("{ALLOW}: {fault}")))?;
        Ok(Self::new(&context.settings().required(USER_AGENT)?, allowed))
    }
}
