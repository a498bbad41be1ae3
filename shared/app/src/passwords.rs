//! Hashes and verifies passwords, with the peppers in Secrets Manager.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets::{Derived, RELOAD_SECONDS},
};
use domain::{Error, Timestamp, password::Password};
use std::sync::Arc;
use web::password::{self, Peppers, Verdict};

const SECRET: &str = "PEPPER_SECRET_ARN";

/// Hashes and verifies passwords on a thread of their own.
pub struct Passwords {
    context: Context,
    peppers: Derived<Peppers>,
}

impl Passwords {
    /// Reads the peppers if they are not known, so that the other methods need not wait for them.
    pub async fn prepare(&self, now: Timestamp) -> Result<(), Error> {
        self.peppers(now).await?;
        Ok(())
    }

    /// The hash of a password.
    pub async fn hash(&self, password: Password, now: Timestamp) -> Result<String, Error> {
        let peppers = self.peppers(now).await?;
        self.context.busy(move || password::hash(&password, &peppers)).await
    }

    /// Whether a password matches a hash; see [`password::verify`].
    pub async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        now: Timestamp,
    ) -> Result<Verdict, Error> {
        let mut peppers = self.peppers(now).await?;
        if let Some(hash) = &hash
            && !peppers.know(hash)?
        {
            // Another instance hashed with a pepper that is newer than the last read.
            peppers = self.peppers.read(now, parse).await?;
        }
        self.context.busy(move || password::verify(&password, hash.as_deref(), &peppers)).await
    }

    async fn peppers(&self, now: Timestamp) -> Result<Arc<Peppers>, Error> {
        self.peppers.get(now, parse).await
    }
}

async fn parse(text: String) -> Result<Peppers, Error> {
    Peppers::parse(&text)
}

impl Client for Passwords {
    const NEEDS: Needs = Needs { settings: &[SECRET], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { peppers: Derived::of(context, SECRET, RELOAD_SECONDS)?, context: context.clone() })
    }
}
