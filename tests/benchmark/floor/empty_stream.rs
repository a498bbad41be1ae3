//! A function with a stream trigger that does not parse its batch: the lower bound for such functions.

use lambda_http::{
    Error,
    lambda_runtime::{LambdaEvent, run, service_fn},
};
use serde::de::IgnoredAny;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: LambdaEvent<IgnoredAny>| Ok::<_, Error>(()))).await
}
