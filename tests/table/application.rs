//! The context of functions in these tests: a world's table and the tests' current time.

use app::{Context, context::Host, settings::Settings};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use domain::{Error, Timestamp};
use std::sync::Arc;
use tests::{TABLE_NAME, World, config, samples::now};

struct TestHost;

impl Host for TestHost {
    fn now(&self) -> Timestamp {
        now()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        bytes.fill(7);
        Ok(())
    }
}

/// A context whose AWS clients call a world, with additional settings.
pub fn context(world: &World, settings: &[(&str, &str)]) -> Context {
    let sdk = config(SharedHttpClient::new(world.wire.clone()), "https://aws.test.example");
    let settings = [("TABLE_NAME", TABLE_NAME)].iter().chain(settings);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Context::new(Settings::These(settings), sdk, Arc::new(TestHost))
}
