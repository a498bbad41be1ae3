//! The undo of an order: the sequence of its requests, and the result when one of them fails.

use crate::{
    application::context,
    is_unavailable,
    order_support::{
        begin, confirm, declined, entry, payment, placed, record, reserve, status, stock, stocked,
    },
    provider::{Provider, ProviderFault, VOID},
};
use domain::{
    Error,
    order::{OrderRequest, OrderStatus},
    rejection::{RejectionReason, Shortage},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::{Fault, World, samples::product_id, units::describe};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/order-undo/src/main.rs"]
mod function;

// The requests of an undo.
const CLOSE: &str = "UpdateItem UNSETTLED#";
const READ_SECRET: &str = "GetSecretValue";
const RELEASE: &str = "TransactWriteItems (Update PRODUCT#, Update UNSETTLED#)";
const RELEASE_AND_SETTLE: &str = "TransactWriteItems (Delete UNSETTLED#, Update PRODUCT#)";
const REJECT: &str = "UpdateItem USER#";
const REVOKE: [&str; 3] = ["UpdateItem BOUGHT#", "Query BOUGHT#", "UpdateItem PRODUCT#"];
const SETTLE: &str = "DeleteItem UNSETTLED#";

/// The progress of an order when it is undone.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Recorded,
    Reserved,
    PaymentBegun,
    Confirmed,
    Cancelled,
}

/// An undo of an order of two units of a product with a stock of three.
struct Case {
    stage: Stage,
    /// The failed step, its error's name and cause; `None` if the customer has cancelled.
    failure: Option<(&'static str, &'static str, String)>,
    outcome: &'static str,
    requests: &'static [&'static str],
    ends_as: OrderStatus,
}

fn reason_text(reason: &RejectionReason) -> String {
    serde_json::to_string(reason).unwrap()
}

fn cases() -> [Case; 7] {
    use OrderStatus::{Cancelled, Confirmed, Rejected};
    let short =
        RejectionReason::OutOfStock { lines: vec![Shortage { product_id: product_id(1), available: 1 }] };
    let case =
        |stage, failure, outcome, requests, ends_as| Case { stage, failure, outcome, requests, ends_as };
    let paid: &[&str] = &[CLOSE, READ_SECRET, VOID, RELEASE, REJECT, SETTLE];
    [
        case(
            Stage::Recorded,
            Some(("stock-reserve", "Rejected", reason_text(&short))),
            "undone",
            // Nothing was reserved, so only the order and its entry are written.
            &[REJECT, SETTLE],
            Rejected,
        ),
        case(
            Stage::Recorded,
            Some(("stock-reserve", "Unavailable", "no answer".to_owned())),
            "failed",
            // The release finds that nothing is reserved and closes the entry.
            &[CLOSE, RELEASE, CLOSE, REJECT, SETTLE],
            Rejected,
        ),
        case(
            Stage::Reserved,
            Some(("stock-reserve", "States.Timeout", String::new())),
            "failed",
            &[CLOSE, RELEASE, REJECT, SETTLE],
            Rejected,
        ),
        case(
            Stage::PaymentBegun,
            Some(("payment-authorize", "Rejected", reason_text(&declined()))),
            "undone",
            paid,
            Rejected,
        ),
        case(
            Stage::PaymentBegun,
            Some(("order-confirm", "Internal", "a fault".to_owned())),
            "failed",
            paid,
            Rejected,
        ),
        case(
            Stage::Confirmed,
            Some(("order-confirm", "States.Timeout", String::new())),
            "confirmed",
            &[CLOSE],
            Confirmed,
        ),
        case(
            Stage::Cancelled,
            None,
            "undone",
            &[CLOSE, REVOKE[0], REVOKE[1], REVOKE[2], READ_SECRET, VOID, RELEASE_AND_SETTLE],
            Cancelled,
        ),
    ]
}

/// A world with an order that is ready to be undone.
struct Shop {
    world: World,
    provider: Provider,
    app: function::App,
    request: OrderRequest,
}

impl Shop {
    async fn at(stage: Stage) -> Self {
        let world = World::new();
        stocked(&world, 1, 3).await;
        let (placed, payment) = (placed(1, &[(1, 2)]), payment(1));
        let request = match stage {
            Stage::Recorded => record(&world, &placed).await,
            Stage::Reserved => reserve(&world, &placed).await,
            Stage::PaymentBegun => begin(&world, &placed, &payment).await,
            Stage::Confirmed => confirm(&world, &placed, &payment).await.request(),
            Stage::Cancelled => {
                let confirmed = confirm(&world, &placed, &payment).await;
                world.table.cancel_order(confirmed).await.unwrap().request()
            }
        };
        world.measured();
        let provider = Provider::start(world.wire.clone()).await;
        let settings = [("PAYMENTS_SECRET_ARN", "arn"), ("PAYMENTS_URL", provider.url.as_str())];
        let app = function::App::new(context(&world, &settings)).unwrap();
        Self { world, provider, app, request }
    }

    /// Invokes the function; returns the outcome.
    async fn undo(&self, case: &Case) -> Result<Value, Error> {
        let failure = case.failure.as_ref();
        let failure =
            failure.map(|(step, error, cause)| json!({"step": step, "error": error, "cause": cause}));
        let input = json!({"order": self.request, "failure": failure});
        let output = function::undo(&self.app, serde_json::from_value(input).unwrap()).await?;
        Ok(serde_json::to_value(output).unwrap()["outcome"].clone())
    }

    /// The requests since the last call, without immediate repetitions.
    fn requests(&self) -> Vec<String> {
        let mut requests: Vec<String> = self.world.wire.take_sent().iter().map(describe).collect();
        requests.dedup();
        requests
    }

    /// Makes one of the requests of an undo fail, including the client's retries.
    fn fail(&self, requests: &[&str], position: usize, fault: ProviderFault) {
        let operations = ["UpdateItem", "DeleteItem", "TransactWriteItems", "Query", READ_SECRET, VOID];
        let operation =
            |request: &str| operations.into_iter().find(|name| request.starts_with(name)).unwrap();
        let failing = operation(requests[position]);
        if failing == VOID {
            return self.provider.next(fault);
        }
        let before = requests[..position].iter().filter(|request| operation(request) == failing).count();
        let as_it_is = Fault::Altered(Arc::new(|_| {}));
        let fault = match fault {
            ProviderFault::Failing => Fault::Failing,
            ProviderFault::Unreachable => Fault::Unreachable,
            ProviderFault::AnswerLost => Fault::AnswerLost,
        };
        self.world.wire.next(failing, vec![as_it_is; before]);
        self.world.wire.next(failing, vec![fault; 3]);
    }

    /// Checks that stock, money, status and entry agree.
    async fn check(&self, case: &Case) {
        let what = format!("{:?} {:?}", case.stage, case.failure);
        let stands = case.ends_as == OrderStatus::Confirmed;
        assert_eq!(stock(&self.world, 1), Some(if stands { 1 } else { 3 }), "{what}");
        assert_eq!(entry(&self.world, 1).is_null(), !stands, "{what}");
        assert_eq!(status(&self.world, &placed(1, &[(1, 2)])).await, case.ends_as, "{what}");
        let voided = case.requests.contains(&VOID);
        let expected = voided.then(|| payment(1).as_str().to_owned());
        assert_eq!(self.provider.voided(), expected.into_iter().collect::<Vec<_>>(), "{what}");
        self.requests();
    }
}

#[tokio::test]
async fn the_parts_of_an_undo_come_in_order() {
    for case in cases() {
        let shop = Shop::at(case.stage).await;
        assert_eq!(shop.undo(&case).await.unwrap(), case.outcome, "{:?}", case.failure);
        assert_eq!(shop.requests(), case.requests, "{:?} {:?}", case.stage, case.failure);
        shop.check(&case).await;
    }
}

#[tokio::test]
async fn a_confirmed_order_is_left_as_it_is() {
    let [.., case, _] = cases();
    let shop = Shop::at(Stage::Confirmed).await;
    let items = shop.world.items();
    assert_eq!(shop.undo(&case).await.unwrap(), "confirmed");
    assert_eq!(shop.world.items(), items);
}

#[tokio::test]
async fn a_repeated_undo_changes_nothing() {
    for case in cases() {
        let shop = Shop::at(case.stage).await;
        shop.undo(&case).await.unwrap();
        let items = shop.world.items();
        assert_eq!(shop.undo(&case).await.unwrap(), case.outcome);
        assert_eq!(shop.world.items(), items, "{:?} {:?}", case.stage, case.failure);
        shop.check(&case).await;
    }
}

/// After a failed request no further request is sent, and a repeated undo has the same result as one without failures.
#[tokio::test]
async fn an_undo_that_fails_is_completed_by_the_next_one() {
    for case in cases() {
        let well = Shop::at(case.stage).await;
        well.undo(&case).await.unwrap();
        for position in 0..case.requests.len() {
            for fault in [ProviderFault::Failing, ProviderFault::Unreachable, ProviderFault::AnswerLost] {
                let what = format!("{:?} {:?}: {position} {fault:?}", case.stage, case.failure);
                let shop = Shop::at(case.stage).await;
                shop.fail(case.requests, position, fault);
                assert!(is_unavailable(&shop.undo(&case).await), "{what}");
                assert_eq!(shop.requests(), case.requests[..=position], "{what}");
                assert_eq!(shop.undo(&case).await.unwrap(), case.outcome, "{what}");
                assert_eq!(shop.world.items(), well.world.items(), "{what}");
                shop.check(&case).await;
            }
        }
    }
}

/// This happens if order-sweep undoes an order whose execution was stopped while a step was running.
#[tokio::test]
async fn two_undos_at_once_undo_once() {
    for case in cases() {
        let well = Shop::at(case.stage).await;
        well.undo(&case).await.unwrap();
        let shop = Shop::at(case.stage).await;
        let (one, other) = futures::join!(shop.undo(&case), shop.undo(&case));
        assert_eq!((one.unwrap(), other.unwrap()), (json!(case.outcome), json!(case.outcome)));
        assert_eq!(shop.world.items(), well.world.items(), "{:?} {:?}", case.stage, case.failure);
        shop.check(&case).await;
    }
}

#[tokio::test]
async fn the_reason_is_written_for_the_customer() {
    for case in cases() {
        let Some((step, error, cause)) = &case.failure else { continue };
        let shop = Shop::at(case.stage).await;
        shop.undo(&case).await.unwrap();
        let order =
            shop.world.table.order(shop.request.customer_id, shop.request.order_id).await.unwrap().order;
        let told = RejectionReason::of((*step).to_owned(), error, cause);
        assert_eq!(order.reason, (case.ends_as == OrderStatus::Rejected).then_some(told));
    }
}
