//! The writes: reviews by their authors, and the steps of the state machine that withdraws a product. Each change of a
//! review is added to the stream.

use super::{Ask, Held, Life, Luck, SELLER, Stage, Write, id_of, to_review, user_number};
use domain::{
    Error, Input,
    input::MergePatch,
    review::{Review, Stars},
    version::Seen,
};
use serde_json::{Value, json};
use table::{Hidden, keys};
use tests::samples::{caller, later, review, stream_arn, user_id, withdrawal};

impl Life<'_> {
    /// The write of a request, from what it has read; `None` if the request is rejected.
    pub(super) fn read(&self, user: usize, product: usize, ask: Ask) -> Option<Write> {
        let author = caller(user_number(user));
        let change = |review: &Review, patch: Value| {
            let patch = MergePatch::from_json(patch).unwrap();
            review.change(&author, patch, &Seen::Any, false, later(1)).unwrap()
        };
        let stars = |stars| Stars::new(stars).unwrap();
        let item = self.world.item(&keys::product(id_of(product)));
        let can_be_seen = !item.is_null() && item["hidden"].is_null();
        match (ask, self.recorded.get(&(product, user)).map(to_review)) {
            (Ask::Rate(_), None) if !can_be_seen => None,
            (Ask::Rate(given), None) => {
                let mut first = review(id_of(product), user_number(user));
                first.author_id = author.user_id;
                first.draft.rating = stars(given);
                Some(Write::Create(first))
            }
            (Ask::Rate(given), Some(review)) => {
                Some(Write::Replace(change(&review, json!({"rating": given}))))
            }
            // The text is long enough to be stored compressed.
            (Ask::Reword, Some(review)) => {
                Some(Write::Replace(change(&review, json!({"body": "Sweet. ".repeat(180).trim_end()}))))
            }
            (Ask::Delete, Some(review)) => Some(Write::Delete(review)),
            (Ask::Reword | Ask::Delete, None) => None,
        }
    }

    pub(super) async fn write(&mut self, Held { user, product, write, luck }: Held) {
        self.requests += 1;
        let writer = [self.requests; 16];
        let operation = match write {
            Write::Create(_) => "PutItem",
            Write::Replace(_) => "UpdateItem",
            Write::Delete(_) => "DeleteItem",
        };
        self.world.wire.next(operation, luck.into_iter().map(Luck::fault));
        let written = match write {
            Write::Create(review) => {
                self.table.create_review(&review, None, table::Writer(writer)).await.map(drop)
            }
            Write::Replace(review) => self.table.replace_review(&review, table::Writer(writer)).await,
            Write::Delete(review) => self.table.delete_review(&review).await,
        };
        self.world.wire.heal();
        assert!(!matches!(written, Err(Error::Internal { .. })), "{written:?}");
        self.record(product, user);
    }

    /// Adds a record to the stream if the review has changed since its last record.
    fn record(&mut self, product: usize, user: usize) {
        let key = keys::review(id_of(product), user_id(user_number(user)));
        let new = self.world.item(&key);
        let old = self.recorded.get(&(product, user)).cloned().unwrap_or_default();
        if new == old {
            return;
        }
        let mut images = json!({
            "Keys": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            "SequenceNumber": self.number.to_string(),
        });
        self.number += self.history.numbers.step;
        for (name, image) in [("OldImage", old), ("NewImage", new.clone())] {
            if !image.is_null() {
                images[name] = image;
            }
        }
        self.shards[product % self.history.shards].records.push(json!({
            "eventSourceARN": stream_arn(&format!("2025-11-20T00:00:00.{:03}", self.streams)),
            "dynamodb": images,
        }));
        if new.is_null() {
            self.recorded.remove(&(product, user));
        } else {
            self.recorded.insert((product, user), new);
        }
    }

    /// Runs the next step of the state machine. If it is unavailable, a later call retries it.
    pub(super) async fn withdraw(&mut self, product: usize, luck: &[Luck]) {
        let id = id_of(product);
        for operation in ["UpdateItem", "BatchWriteItem", "TransactWriteItems"] {
            self.world.wire.next(operation, luck.iter().map(|luck| luck.fault()));
        }
        let (done, next) = match self.stages[product] {
            Stage::Shown => {
                let hidden = self.table.hide_product(withdrawal(id, 1)).await;
                (hidden.map(|hidden| assert_eq!(hidden, Hidden::Done)), Stage::Hidden)
            }
            Stage::Hidden => (self.purge(product).await, Stage::Purged),
            Stage::Purged => {
                self.world.wire.heal();
                self.end_creates(product).await;
                (Ok(()), Stage::Waited)
            }
            Stage::Waited => (self.purge(product).await, Stage::PurgedAgain),
            Stage::PurgedAgain => (self.table.purge_product(id, user_id(SELLER)).await, Stage::Gone),
            Stage::Gone => (Ok(()), Stage::Gone),
        };
        self.world.wire.heal();
        match done {
            Ok(()) => self.stages[product] = next,
            Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error:?}"),
        }
    }

    async fn purge(&mut self, product: usize) -> Result<(), Error> {
        let purged = self.table.purge_reviews(id_of(product)).await;
        for user in 0..self.history.users {
            self.record(product, user);
        }
        purged.map(|purged| assert!(!purged.more))
    }

    /// Sends the held creations of a product's reviews: the state machine waits until such requests have ended.
    async fn end_creates(&mut self, product: usize) {
        let is_create = |held: &mut Held| held.product == product && matches!(held.write, Write::Create(_));
        let creates: Vec<_> = self.held.extract_if(.., is_create).collect();
        for create in creates {
            self.write(create).await;
        }
    }
}
