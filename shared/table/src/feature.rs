//! What a seller publishes for clients of experiments: a client key, and the list of the running experiments.

use crate::{
    engine::{
        item::{from_item, key_of, s, text, to_item},
        request::Written,
        table::Table,
    },
    experiment_item::from_experiment_item,
    keys::{self, Key, PK, SK},
};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::{Error, client_key::ClientKey, experiment::Experiment, id::UserId};

const NO_KEY: Error = Error::NotFound { what: "client key" };

impl Table {
    /// Stores a client key for a seller who has none. Returns the one that the seller has then.
    pub async fn create_client_key(&self, key: &ClientKey) -> Result<ClientKey, Error> {
        let mut item = to_item(key)?;
        item.extend(keys::experiments::client_key(key.owner_id).primary());
        match self.create_item(item).await? {
            Written::Done(_) => Ok(key.clone()),
            Written::Refused(Some(stored)) => from_item(stored),
            Written::Refused(None) => Err(Error::internal("the failed condition returned no client key")),
        }
    }

    /// The client key of a seller.
    pub async fn client_key(&self, owner: UserId) -> Result<ClientKey, Error> {
        let item = self.get_item(keys::experiments::client_key(owner), true).await?;
        item.map(from_item).transpose()?.ok_or(NO_KEY)
    }

    /// Deletes the client key of a seller. Idempotent.
    pub async fn delete_client_key(&self, owner: UserId) -> Result<(), Error> {
        let key = keys::experiments::client_key(owner);
        self.batch_delete(vec![key]).await
    }

    /// How many experiments of a seller are running.
    pub async fn running_experiments(&self, owner: UserId) -> Result<usize, Error> {
        Ok(self
            .features_of(owner)
            .await?
            .iter()
            .filter_map(|key| keys::experiments::parse_running(&key.sk))
            .count())
    }

    /// A client key, if it is still good, and the running experiments of its seller, oldest first. One that started or
    /// stopped a moment ago may be missing or there.
    pub async fn published_experiments(
        &self,
        owner: UserId,
        secret: &str,
    ) -> Result<(ClientKey, Vec<Experiment>), Error> {
        let items = self.query(self.features(owner)).await?.items.unwrap_or_default();
        let (mut key, mut running) = (None, Vec::new());
        for item in items {
            match text(&item, SK) {
                Some(keys::experiments::CLIENT_KEY) => key = Some(from_item::<ClientKey>(item)?),
                Some(sk) => running.extend(keys::experiments::parse_running(sk)),
                None => {}
            }
        }
        let key = key.filter(|key| key.secret == secret).ok_or(NO_KEY)?;
        let found =
            self.batch_get(running.into_iter().map(keys::experiments::experiment).collect(), false).await?;
        let mut experiments: Vec<Experiment> =
            found.iter().map(from_experiment_item).collect::<Result<_, _>>()?;
        experiments.sort_by_key(|experiment| experiment.experiment_id);
        Ok((key, experiments))
    }

    /// The query for all that a seller publishes.
    fn features(&self, owner: UserId) -> QueryFluentBuilder {
        self.client()
            .query()
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", s(keys::experiments::feature_partition(owner)))
    }

    /// The keys of all that a seller publishes.
    pub(crate) async fn features_of(&self, owner: UserId) -> Result<Vec<Key>, Error> {
        let items = self.query(self.features(owner).consistent_read(true)).await?.items.unwrap_or_default();
        Ok(items.iter().filter_map(key_of).collect())
    }
}
