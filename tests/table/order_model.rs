//! Orders under random interleavings and failures: steps are repeated, late, reordered and concurrent, and their
//! responses are lost. Stock is neither created nor lost, and a confirmed order is never rejected.
//!
//! A history is generated at random and run with the real code. A failing history is shrunk and printed.

use crate::order_support::{
    CUSTOMER, SELLER, begin, declined, entry, in_status, order_id, payment, placed, record, status, stocked,
    undo,
};
use domain::{
    Error,
    order::{OrderRequest, OrderStatus, PlacedOrder},
    rejection::RejectionReason,
};
use futures::future::join_all;
use proptest::{
    prelude::*,
    test_runner::{TestCaseResult, TestRunner},
};
use serde_json::{Value, json};
use std::{collections::HashMap, iter::repeat};
use table::{Afterwards, Closed, Epoch, keys};
use tests::{
    Fault, World,
    samples::{now, product_id, user_id, withdrawal},
};

/// The number of histories that are run.
const CASES: u32 = 60;

/// The initial stock of each product, not enough for all orders.
const STOCK: [i64; 3] = [4, 4, 4];

/// The lines of each order: product and quantity.
const LINES: [&[(u32, i64)]; 4] =
    [&[(0, 2), (1, 1)], &[(2, 2), (1, 3)], &[(0, 3)], &[(1, 1), (0, 1), (2, 1)]];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Reserve,
    Begin,
    Confirm,
    Settle,
    Close(Epoch),
    Release(Epoch),
    ReleaseAndSettle(Epoch),
    Reject,
    Cancel,
    FailPayment,
    /// A product is withdrawn: hidden the first time, deleted the second time.
    Withdraw,
}

/// The fault of all write requests of a turn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Good,
    /// The response to the first attempt of each request is lost, and the client retries.
    LostOnce,
    /// Each request is executed, and all its responses are lost.
    Lost,
    /// Each request is rejected before execution.
    Refused,
}

/// Steps of orders that run concurrently.
#[derive(Debug, Clone)]
struct Turn {
    steps: Vec<(usize, Step)>,
    outcome: Outcome,
}

/// An undo may go on after its entry was settled and another took its place, so it does not follow from the status.
fn epochs() -> impl Strategy<Value = Epoch> {
    prop_oneof![Just(Epoch::PLACEMENT), Just(Epoch::CANCELLATION)]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Reserve),
        4 => Just(Step::Begin),
        4 => Just(Step::Confirm),
        2 => Just(Step::Settle),
        2 => epochs().prop_map(Step::Close),
        3 => epochs().prop_map(Step::Release),
        2 => epochs().prop_map(Step::ReleaseAndSettle),
        1 => Just(Step::Reject),
        2 => Just(Step::Cancel),
        1 => Just(Step::FailPayment),
        1 => Just(Step::Withdraw),
    ]
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Good), 2 => Just(Outcome::LostOnce), 1 => Just(Outcome::Lost), 1 => Just(Outcome::Refused)
    ];
    let steps = prop::collection::vec((0..LINES.len(), steps()), 1..4);
    let turn = (steps, outcome).prop_map(|(steps, outcome)| Turn { steps, outcome });
    prop::collection::vec(turn, 1..40)
}

fn number(order: usize) -> u32 {
    u32::try_from(order).unwrap()
}

fn sample(order: usize) -> PlacedOrder {
    placed(number(order), LINES[order])
}

fn request(order: usize) -> OrderRequest {
    sample(order).request()
}

/// Facts about an order that a history has observed.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// A `begin_payment` call has succeeded.
    begun: bool,
    /// `close_payment` has allowed an undo to void the payment while the order was pending.
    given_up: bool,
}

struct Life<'a> {
    world: &'a World,
    known: [Known; LINES.len()],
    status: [OrderStatus; LINES.len()],
}

impl Life<'_> {
    async fn take(&mut self, turn: &Turn) -> TestCaseResult {
        let fault = match turn.outcome {
            Outcome::Good => None,
            Outcome::LostOnce => Some(Fault::AtFirst(Box::new(Fault::AnswerLost))),
            Outcome::Lost => Some(Fault::AnswerLost),
            Outcome::Refused => Some(Fault::Throttled),
        };
        for (operation, fault) in
            ["TransactWriteItems", "UpdateItem", "DeleteItem"].into_iter().zip(repeat(fault))
        {
            if let Some(fault) = fault {
                self.world.wire.always(operation, fault);
            }
        }
        let (world, now_known) = (self.world, self.status);
        let taken = turn.steps.iter().map(|(order, step)| async move {
            // A payment is captured only after the order was confirmed.
            let paid = matches!(now_known[*order], OrderStatus::Confirmed | OrderStatus::Cancelled);
            (*order, *step, take(world, *order, *step, paid).await)
        });
        let taken = join_all(taken).await;
        world.wire.heal();
        for (order, step, result) in taken {
            let known = &mut self.known[order];
            match result {
                Ok(Told::Nothing) => known.begun |= step == Step::Begin,
                Ok(Told::Closed(closed)) if turn.steps.len() == 1 => match closed {
                    Closed::Settled => {}
                    Closed::Refund(..) => prop_assert!(false, "order {} owes no refund", order),
                    Closed::Confirmed => prop_assert_eq!(self.status[order], OrderStatus::Confirmed),
                    Closed::Payment(payment) => {
                        let pending = self.status[order] == OrderStatus::Pending;
                        let confirmed = self.status[order] == OrderStatus::Confirmed;
                        let there = !entry(world, number(order)).is_null();
                        prop_assert!(!(confirmed && there), "order {} is confirmed and undone", order);
                        let forgotten = known.begun && payment.is_none() && there;
                        prop_assert!(!forgotten, "the undo of order {} does not know its payment", order);
                        known.given_up |= pending;
                    }
                },
                Ok(Told::Closed(_)) | Err(Error::Conflict { .. } | Error::Rejected(_)) => {}
                Err(Error::Unavailable { .. })
                    if matches!(turn.outcome, Outcome::Lost | Outcome::Refused) => {}
                Err(other) => prop_assert!(false, "{:?} of order {}: {:?}", step, order, other),
            }
        }
        self.check()
    }

    /// Checks the invariants that hold after every turn.
    fn check(&mut self) -> TestCaseResult {
        let items = self.items();
        let mut held = [0; STOCK.len()];
        for (order, lines) in LINES.iter().enumerate() {
            let stored = &items[&keys::order(user_id(CUSTOMER), order_id(number(order)))];
            let (before, after) =
                (self.status[order], stored["status"]["S"].as_str().unwrap().parse().unwrap());
            prop_assert!(may_become(before, after), "order {} was {} and is {}", order, before, after);
            let version = in_status(sample(order), after).order.version.to_string();
            prop_assert_eq!(&stored["version"]["N"], &version, "of order {}, {}", order, after);
            prop_assert!(!(self.known[order].given_up && after == OrderStatus::Confirmed), "order {}", order);
            self.status[order] = after;
            let entry = items.get(&keys::unsettled(order_id(number(order))));
            if entry.map_or(after == OrderStatus::Confirmed, |entry| !entry["reserved"].is_null()) {
                for (product, quantity) in *lines {
                    held[*product as usize] += quantity;
                }
            } else {
                prop_assert_ne!(after, OrderStatus::Confirmed, "order {} was released", order);
            }
        }
        for (product, held) in (0..).zip(held) {
            // The stock of a deleted product is not checked.
            if let Some(stock) = items.get(&keys::stock(product_id(product))) {
                let left: i64 = stock["stock"]["N"].as_str().unwrap().parse().unwrap();
                prop_assert!(left >= 0, "there are {} of product {}", left, product);
                prop_assert_eq!(left + held, STOCK[product as usize], "of product {}", product);
            }
        }
        Ok(())
    }

    /// Every item of the table, by its key.
    fn items(&self) -> HashMap<keys::Key, Value> {
        let key = |item: &Value| keys::Key {
            pk: item["pk"]["S"].as_str().unwrap().to_owned(),
            sk: item["sk"]["S"].as_str().unwrap().to_owned(),
        };
        self.world.items().into_iter().map(|item| (key(&item), item)).collect()
    }

    /// Completes all orders as the state machines and the sweep do. Then only confirmed orders hold stock, and no
    /// unsettled entry is left.
    async fn settle(&mut self) -> TestCaseResult {
        for order in 0..LINES.len() {
            let request = request(order);
            match self.status[order] {
                OrderStatus::Confirmed => self.world.table.settle_paid(request.order_id).await.unwrap(),
                OrderStatus::Pending | OrderStatus::Rejected => undo(self.world, &request).await,
                OrderStatus::PaymentFailed => {
                    let (table, epoch) = (&self.world.table, Epoch::PLACEMENT);
                    table.release_stock(&request, epoch, Afterwards::Settled, now()).await.unwrap();
                }
                OrderStatus::Cancelled => {
                    let (table, epoch) = (&self.world.table, Epoch::CANCELLATION);
                    table.close_payment(request.order_id, epoch).await.unwrap();
                    table.release_stock(&request, epoch, Afterwards::Settled, now()).await.unwrap();
                }
            }
            prop_assert!(entry(self.world, number(order)).is_null(), "order {} is not settled", order);
        }
        self.check()
    }
}

fn may_become(before: OrderStatus, after: OrderStatus) -> bool {
    before == after
        || match before {
            OrderStatus::Pending => true,
            OrderStatus::Confirmed => matches!(after, OrderStatus::Cancelled | OrderStatus::PaymentFailed),
            OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::PaymentFailed => false,
        }
}

enum Told {
    Nothing,
    Closed(Closed),
}

async fn take(world: &World, order: usize, step: Step, paid: bool) -> Result<Told, Error> {
    // Each step has its own client, as on Lambda: many lost responses would use up a shared retry quota.
    let table = world.another_client();
    let (request, payment) = (request(order), payment(number(order)));
    match step {
        Step::Reserve => table.reserve_stock(&request, now()).await?,
        Step::Begin => table.begin_payment(request.order_id, &payment).await?,
        Step::Confirm => table.confirm_order(&request, &payment).await?,
        Step::Settle if paid => table.settle_paid(request.order_id).await?,
        Step::Settle => {}
        Step::Close(epoch) => return table.close_payment(request.order_id, epoch).await.map(Told::Closed),
        Step::Release(epoch) => table.release_stock(&request, epoch, Afterwards::Unsettled, now()).await?,
        Step::ReleaseAndSettle(epoch) => {
            table.release_stock(&request, epoch, Afterwards::Settled, now()).await?;
        }
        Step::Reject => table.reject_order(&request, &declined()).await?,
        Step::Cancel => {
            let mut seen = in_status(sample(order), OrderStatus::Confirmed);
            seen.payment = Some(payment);
            table.cancel_order(seen).await?;
        }
        Step::FailPayment => {
            match table.fail_payment(&request, &RejectionReason::payment_cancelled()).await {
                // The payment of a settled order was captured, and cannot be cancelled.
                Err(Error::Internal { .. }) => {}
                failed => failed.map(drop)?,
            }
        }
        Step::Withdraw => {
            // The withdrawn product has the number of the order.
            let product = product_id(number(order));
            match table.product(product).await {
                Ok(seen) => table.hide_product(withdrawal(product, seen.version)).await.map(drop)?,
                Err(_) => table.purge_product(product, user_id(SELLER)).await?,
            }
        }
    }
    Ok(Told::Nothing)
}

async fn live(turns: &[Turn]) -> TestCaseResult {
    let world = World::new();
    for (product, stock) in (0..).zip(STOCK) {
        stocked(&world, product, stock).await;
    }
    for order in 0..LINES.len() {
        record(&world, &sample(order)).await;
    }
    let mut life =
        Life { world: &world, known: Default::default(), status: [OrderStatus::Pending; LINES.len()] };
    for turn in turns {
        life.take(turn).await?;
    }
    life.settle().await
}

#[test]
fn stock_and_status_agree_in_random_histories() {
    let cases = tests::histories(CASES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let lived = TestRunner::new(config).run(&turns(), |turns| runtime.block_on(live(&turns)));
    if let Err(wrong) = lived {
        panic!("{wrong}");
    }
}

/// Tests the check itself: it must detect lost stock.
#[tokio::test]
async fn stock_that_was_lost_is_found() {
    let world = World::new();
    for (product, stock) in (0..).zip(STOCK) {
        stocked(&world, product, stock).await;
    }
    for order in 1..LINES.len() {
        record(&world, &sample(order)).await;
    }
    begin(&world, &sample(0), &payment(0)).await;
    let mut life =
        Life { world: &world, known: Default::default(), status: [OrderStatus::Pending; LINES.len()] };
    life.check().unwrap();
    assert_eq!(status(&world, &sample(0)).await, OrderStatus::Pending);
    world.put(&keys::unsettled(order_id(0)), &json!({}));
    assert!(life.check().is_err());
}
