//! Visitors: the tokens that carry their ids, and the ids that are bound to accounts.
//!
//! The key of the tokens is the text of a secret of its own, so that functions which show prices need not read the secret
//! that signs access tokens. After a rotation the text before still verifies: Secrets Manager keeps it under the label
//! `AWSPREVIOUS`.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets::{self, Derived, RELOAD_SECONDS},
    table::Table,
};
use domain::{
    Error, Timestamp,
    id::{UserId, VisitorUuid},
};
use std::{iter, sync::Arc};
use web::{
    Request,
    visitor_token::{self, SignedVisitor, VisitorKeys},
};

const SECRET: &str = "VISITOR_SECRET_ARN";

/// Signs and verifies visitors' ids.
pub struct Visitors {
    context: Context,
    arn: String,
    keys: Derived<VisitorKeys>,
}

impl Visitors {
    /// The visitor whose token a request shows. `None` for a request without a token, and for one whose token does not verify.
    /// The routes that ask for it need no access token, and their requests have no other visitor.
    pub async fn shown(&self, request: &Request) -> Result<Option<VisitorUuid>, Error> {
        let Some(token) = visitor_token::shown(request) else { return Ok(None) };
        Ok(self.keys(request.received_at).await?.verify(token))
    }

    /// A new visitor.
    pub async fn create(&self, now: Timestamp) -> Result<SignedVisitor, Error> {
        self.sign(self.context.new_id()?, now).await
    }

    async fn sign(&self, visitor: VisitorUuid, now: Timestamp) -> Result<SignedVisitor, Error> {
        let signed = self.keys(now).await?.sign(visitor);
        signed.ok_or_else(|| Error::internal("there is no key for visitors' tokens"))
    }

    async fn keys(&self, now: Timestamp) -> Result<Arc<VisitorKeys>, Error> {
        let derive = async |current: String| {
            let previous = secrets::previous(self.context.sdk(), &self.arn).await?;
            let texts = iter::once(current.as_str()).chain(previous.as_deref());
            Ok(VisitorKeys::from_secrets(texts))
        };
        self.keys.get(now, derive).await
    }
}

impl Client for Visitors {
    const NEEDS: Needs = Needs { settings: &[SECRET], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let keys = Derived::of(context, SECRET, RELOAD_SECONDS)?;
        Ok(Self { context: context.clone(), arn: context.settings().required(SECRET)?, keys })
    }
}

/// The visitors of accounts.
pub struct AccountVisitors {
    table: Table,
    visitors: Visitors,
}

impl AccountVisitors {
    /// The visitor of an account.
    pub async fn of(&self, user: UserId, now: Timestamp) -> Result<Option<SignedVisitor>, Error> {
        self.signed(self.bound(user).await?, now).await
    }

    async fn bound(&self, user: UserId) -> Result<Option<VisitorUuid>, Error> {
        match self.table.user(user).await {
            Ok(user) => Ok(user.visitor_id),
            // The account was deleted, and its sessions end.
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn signed(
        &self,
        bound: Option<VisitorUuid>,
        now: Timestamp,
    ) -> Result<Option<SignedVisitor>, Error> {
        match bound {
            Some(visitor) => self.visitors.sign(visitor, now).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Client for AccountVisitors {
    const NEEDS: Needs = Needs { settings: &["TABLE_NAME", SECRET], operations: &["user"] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { table: context.table()?, visitors: Visitors::new(context)? })
    }
}

/// The visitors of accounts at log-ins, which bind them.
pub struct LogInVisitors(AccountVisitors);

impl LogInVisitors {
    /// The visitor of an account. An account without one is bound to the visitor whose token the request shows.
    pub async fn of(&self, request: &Request, user: UserId) -> Result<Option<SignedVisitor>, Error> {
        let AccountVisitors { table, visitors } = &self.0;
        let bound = match self.0.bound(user).await? {
            Some(bound) => Some(bound),
            None => match visitors.shown(request).await? {
                Some(shown) => table.bind_visitor(user, shown).await?,
                None => None,
            },
        };
        self.0.signed(bound, request.received_at).await
    }
}

impl Client for LogInVisitors {
    const NEEDS: Needs =
        Needs { settings: AccountVisitors::NEEDS.settings, operations: &["bind_visitor", "user"] };

    fn new(context: &Context) -> Result<Self, Error> {
        AccountVisitors::new(context).map(Self)
    }
}
