//! The deletion of a product, and of an account: runs of a state machine, one after the other, until nothing is left.

use crate::{
    Version,
    id::{ProductId, UserId},
    product::Product,
};
use serde::{Deserialize, Serialize};

/// A run of a deletion, as the input of an execution. A deletion takes several runs if there is much to delete, and a run that fails
/// is followed by another one.
pub trait Run: Serialize {
    /// The run that follows this one.
    #[must_use]
    fn next(self) -> Self;

    /// The name of the execution, unique among those of the state machine.
    fn name(&self) -> String;
}

/// A run of the deletion of a product, as the input of its execution. A product with many reviews takes several runs, and
/// a run that fails is followed by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletionRun {
    /// The product.
    pub product_id: ProductId,
    /// Its seller.
    pub seller_id: UserId,
    /// The version that was withdrawn.
    pub version: Version,
    /// The number of the run.
    pub run: u32,
}

impl DeletionRun {
    /// The first run.
    pub fn first(product: &Product) -> Self {
        let Product { product_id, seller_id, version, .. } = *product;
        Self { product_id, seller_id, version, run: 0 }
    }
}

impl Run for DeletionRun {
    fn next(self) -> Self {
        Self { run: self.run + 1, ..self }
    }

    /// The state machine builds the same name for the run that it starts.
    fn name(&self) -> String {
        format!("{}-{}-{}", self.product_id, self.version, self.run)
    }
}

/// A run of the deletion of an account, as the input of its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountRun {
    /// The user.
    pub user_id: UserId,
    /// The number of the run.
    pub run: u32,
}

impl AccountRun {
    /// The first run.
    pub fn first(user_id: UserId) -> Self {
        Self { user_id, run: 0 }
    }
}

impl Run for AccountRun {
    fn next(self) -> Self {
        Self { run: self.run + 1, ..self }
    }

    fn name(&self) -> String {
        format!("{}-{}", self.user_id, self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, id::Id};

    #[test]
    fn runs_of_one_withdrawal_have_names_of_their_own() {
        let now = Timestamp::from_unix_milliseconds(0);
        let run = DeletionRun {
            product_id: Id::new(now, [1; 10]),
            seller_id: Id::new(now, [2; 10]),
            version: 7,
            run: 0,
        };
        assert_eq!(run.next().name(), format!("{}-7-1", run.product_id));
        assert_ne!(run.name(), run.next().name());
        let run = AccountRun::first(run.seller_id);
        assert_eq!(run.next().name(), format!("{}-1", run.user_id));
    }
}
