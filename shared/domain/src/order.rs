//! Orders: what a customer asks for, and how it stands.

use crate::{
    Error, Fault, Input, Money, Timestamp, Version,
    id::{OrderId, ProductId, UserId},
    input::{Checked, Members, elements, integer},
    money::HIGHEST_PRICE,
    payment::{PaymentId, PaymentMethod},
    product::Product,
    saga::FailedStep,
    text,
    user::Caller,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::HashMap, fmt, str::FromStr};

/// How many lines an order has at most: with the entry that marks its stock as taken, all of them fit into one transaction.
pub const MOST_LINES: usize = 50;

/// How many of one product a line asks for at most.
pub const HIGHEST_QUANTITY: i64 = 10_000;

/// How much an order comes to at most, in minor units.
pub const HIGHEST_TOTAL: i64 = HIGHEST_PRICE;

/// So many of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The product.
    pub product_id: ProductId,
    /// How many: 1 to [`HIGHEST_QUANTITY`].
    pub quantity: i64,
}

/// What is sent to place an order. Prices are not: they are the seller's.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderDraft {
    /// 1 to [`MOST_LINES`], no product twice.
    pub lines: Vec<Wanted>,
    /// How the customer pays.
    pub payment_method: PaymentMethod,
}

impl Input for OrderDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

impl OrderDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let lines = members.required("lines", |value| different(elements(value, 1, MOST_LINES, line)?));
        let payment_method = members.required("paymentMethod", PaymentMethod::from_value);
        members.finish(|| Some(Self { lines: lines?, payment_method: payment_method? }))
    }

    /// The products that it asks for.
    pub fn products(&self) -> Vec<ProductId> {
        self.lines.iter().map(|line| line.product_id).collect()
    }

    /// The order that it makes at the prices of now. A product that is not there, or that is sold in another currency than the
    /// first, is a fault at its line.
    pub fn place(
        self,
        order_id: OrderId,
        caller: &Caller,
        now: Timestamp,
        known: &HashMap<ProductId, Product>,
    ) -> Result<Placed, Error> {
        let mut faults = Vec::new();
        let mut lines: Vec<OrderLine> = Vec::new();
        for (index, Wanted { product_id, quantity }) in self.lines.into_iter().enumerate() {
            let mut fault = |detail: String| {
                faults.push(Fault::here(detail).under("productId").under(&index.to_string()).under("lines"));
            };
            let Some(product) = known.get(&product_id) else {
                fault("There is no such product.".to_owned());
                continue;
            };
            let unit_price = product.draft.price;
            if let Some(first) = lines.first()
                && first.unit_price.currency != unit_price.currency
            {
                let (ours, others) = (unit_price.currency.code(), first.unit_price.currency.code());
                fault(format!("is sold in {ours}, and what stands before it in {others}"));
                continue;
            }
            // Neither factor is near the root of the largest number.
            let line_total = Money { amount: unit_price.amount * quantity, ..unit_price };
            let name = product.draft.name.clone();
            lines.push(OrderLine { product_id, name, quantity, unit_price, line_total });
        }
        let amount = lines.iter().map(|line| line.line_total.amount).sum();
        if amount > HIGHEST_TOTAL {
            faults.push(Fault::here(format!("come to more than {HIGHEST_TOTAL} minor units")).under("lines"));
        }
        match lines.first() {
            Some(first) if faults.is_empty() => {
                let total = Money { amount, ..first.unit_price };
                let (status, version) = (Status::Pending, 1);
                let order = Order { order_id, status, reason: None, lines, total, version, created_at: now };
                let payment_method = self.payment_method;
                Ok(Placed { order, customer_id: caller.user_id, payment_method, payment: None })
            }
            _ => Err(Error::Invalid(faults)),
        }
    }
}

fn line(value: Value) -> Checked<Wanted> {
    let mut members = Members::of(value)?;
    let product_id = members.required("productId", |value| {
        let id = text::string(value)?.parse();
        id.map_err(|_| vec![Fault::here("must be the id of a product")])
    });
    let quantity = members.required("quantity", |value| integer(&value, 1, HIGHEST_QUANTITY));
    members.finish(|| Some(Wanted { product_id: product_id?, quantity: quantity? }))
}

fn different(lines: Vec<Wanted>) -> Checked<Vec<Wanted>> {
    let again = |index: usize| lines[..index].iter().any(|line| line.product_id == lines[index].product_id);
    let fault =
        |index: usize| Fault::here("is in the order already").under("productId").under(&index.to_string());
    let faults: Vec<Fault> = (0..lines.len()).filter(|index| again(*index)).map(fault).collect();
    if faults.is_empty() { Ok(lines) } else { Err(faults) }
}

/// A line of an order, at the price of the moment when it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// What it was called.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// The price of one.
    pub unit_price: Money,
    /// The price of all.
    pub line_total: Money,
}

/// An order, as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id.
    pub order_id: OrderId,
    /// How it stands.
    pub status: Status,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
    /// The price of all lines.
    pub total: Money,
    /// One more with each change of the status.
    pub version: Version,
    /// When it was placed.
    pub created_at: Timestamp,
}

/// An order with what only we see of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Whose order it is.
    pub customer_id: UserId,
    /// How the customer pays.
    pub payment_method: PaymentMethod,
    /// The payment, once the order is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
}

impl Placed {
    /// What it takes to carry it out.
    pub fn request(&self) -> OrderRequest {
        let wanted = |line: &OrderLine| Wanted { product_id: line.product_id, quantity: line.quantity };
        OrderRequest {
            order_id: self.order.order_id,
            customer_id: self.customer_id,
            lines: self.order.lines.iter().map(wanted).collect(),
            total: self.order.total,
            payment_method: self.payment_method.clone(),
        }
    }
}

/// An order with all that it takes to carry it out: the input of the state machines, fixed once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRequest {
    /// The order's id, and the name of its executions.
    pub order_id: OrderId,
    /// Whose order it is.
    pub customer_id: UserId,
    /// Which stock it takes.
    pub lines: Vec<Wanted>,
    /// What is to be paid.
    pub total: Money,
    /// How.
    pub payment_method: PaymentMethod,
}

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It is being carried out.
    Pending,
    /// It holds: the stock is the customer's, the money the seller's.
    Confirmed,
    /// It could not be carried out; stock and money are where they were.
    Rejected,
    /// The customer took it back; stock and money go back.
    Cancelled,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Stock and money are there.
    Confirm,
    /// Something is not.
    Reject,
    /// The customer takes it back.
    Cancel,
}

/// What a change does to an order that allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The order is in another status from then on.
    Changes,
    /// It has happened before, and nothing changes.
    Repeats,
}

impl Change {
    /// The one status that allows it.
    pub fn from(self) -> Status {
        match self {
            Self::Confirm | Self::Reject => Status::Pending,
            Self::Cancel => Status::Confirmed,
        }
    }

    /// The status that it leads to.
    pub fn to(self) -> Status {
        match self {
            Self::Confirm => Status::Confirmed,
            Self::Reject => Status::Rejected,
            Self::Cancel => Status::Cancelled,
        }
    }
}

impl Status {
    /// What a change does to an order in this status.
    pub fn allows(self, change: Change) -> Result<Effect, Error> {
        if self == change.from() {
            Ok(Effect::Changes)
        } else if self == change.to() {
            Ok(Effect::Repeats)
        } else {
            let detail = match self {
                Self::Pending => "The order is pending.",
                Self::Confirmed => "The order is confirmed.",
                Self::Rejected => "The order is rejected.",
                Self::Cancelled => "The order is cancelled.",
            };
            Err(Error::Conflict { detail })
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        })
    }
}

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAStatus;

impl FromStr for Status {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let all = [Self::Pending, Self::Confirmed, Self::Rejected, Self::Cancelled];
        all.into_iter().find(|status| status.to_string() == text).ok_or(NotAStatus)
    }
}

/// Why an order was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "camelCase")]
pub enum Reason {
    /// There is less of some products than it asks for.
    OutOfStock {
        /// Of which.
        lines: Vec<Shortage>,
    },
    /// The customer's payment method was declined.
    PaymentDeclined {
        /// Why, for the customer.
        detail: String,
    },
    /// Something failed on our side.
    Failed(FailedStep),
}

impl Reason {
    /// Why an order is rejected at a step, by the name of the step's error and its cause: that of `Rejected` is a reason, as JSON.
    pub fn of(step: String, error: &str, cause: &str) -> Self {
        let reason = (error == "Rejected").then(|| serde_json::from_str(cause).ok()).flatten();
        reason.unwrap_or_else(|| Self::Failed(FailedStep::new(step, error)))
    }
}

/// A product of which there is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// The product.
    pub product_id: ProductId,
    /// How many there are; none of a product that was withdrawn.
    pub available: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Place, id::Id, product::ProductDraft};
    use serde_json::json;

    fn now() -> Timestamp {
        Timestamp::from_unix_milliseconds(1)
    }

    fn caller() -> Caller {
        Caller { user_id: Id::new(now(), [1; 10]), session_id: Id::new(now(), [2; 10]) }
    }

    fn product(byte: u8, amount: i64, currency: &str) -> Product {
        let draft = json!({"name": format!("No. {byte}"), "description": "", "category": "c", "price": {"amount": amount, "currency": currency}, "stock": 9});
        Product::publish(
            Id::new(now(), [byte; 10]),
            &caller(),
            ProductDraft::from_json(draft).unwrap(),
            now(),
        )
    }

    fn known(products: &[Product]) -> HashMap<ProductId, Product> {
        products.iter().map(|product| (product.product_id, product.clone())).collect()
    }

    fn draft(lines: &[(&Product, i64)]) -> Result<OrderDraft, Error> {
        let line = |(product, quantity): &(&Product, i64)| json!({"productId": product.product_id, "quantity": quantity});
        let lines: Vec<Value> = lines.iter().map(line).collect();
        OrderDraft::from_json(json!({"lines": lines, "paymentMethod": "pm_card_visa"}))
    }

    fn place(lines: &[(&Product, i64)], products: &[Product]) -> Result<Placed, Error> {
        draft(lines)?.place(Id::new(now(), [3; 10]), &caller(), now(), &known(products))
    }

    fn pointers<T>(result: Result<T, Error>) -> Vec<String> {
        let Err(Error::Invalid(faults)) = result else { panic!() };
        let pointer = |fault: Fault| if let Place::Body(pointer) = fault.place { pointer } else { panic!() };
        faults.into_iter().map(pointer).collect()
    }

    #[test]
    fn prices_and_names_are_those_of_now() {
        let (tea, jam) = (product(4, 1250, "SGD"), product(5, 650, "SGD"));
        let placed = place(&[(&tea, 2), (&jam, 3)], &[tea.clone(), jam.clone()]).unwrap();
        assert_eq!(placed.order.total, Money { amount: 4450, ..tea.draft.price });
        let first = &placed.order.lines[0];
        assert_eq!(
            (first.name.as_str(), first.unit_price.amount, first.line_total.amount),
            ("No. 4", 1250, 2500)
        );
        assert_eq!((placed.order.status, placed.order.version), (Status::Pending, 1));
        let request = placed.request();
        assert_eq!((request.lines[1].quantity, request.total), (3, placed.order.total));
    }

    #[test]
    fn what_is_not_there_or_of_another_currency_is_a_fault_at_its_line() {
        let (tea, jam, book) = (product(4, 1, "SGD"), product(5, 1, "EUR"), product(6, 1, "SGD"));
        let refused = place(&[(&tea, 1), (&jam, 1), (&book, 1)], &[tea.clone(), jam.clone()]);
        assert_eq!(pointers(refused), ["/lines/1/productId", "/lines/2/productId"]);
    }

    #[test]
    fn a_total_has_a_limit() {
        let dear = product(4, HIGHEST_PRICE, "SGD");
        assert!(place(&[(&dear, 1)], std::slice::from_ref(&dear)).is_ok());
        assert_eq!(pointers(place(&[(&dear, 2)], std::slice::from_ref(&dear))), ["/lines"]);
        // The highest that can be sent at all does not overflow.
        let many: Vec<Product> = (0..50).map(|byte| product(byte, HIGHEST_PRICE, "SGD")).collect();
        let lines: Vec<(&Product, i64)> = many.iter().map(|product| (product, HIGHEST_QUANTITY)).collect();
        assert_eq!(pointers(place(&lines, &many)), ["/lines"]);
    }

    #[test]
    fn every_fault_of_a_draft_is_told_at_once() {
        let tea = product(4, 1, "SGD");
        let value = json!({"lines": [{"productId": "x", "quantity": 0}, {"quantity": 10_001, "price": 1}], "paymentMethod": "4242424242424242", "total": 1});
        assert_eq!(
            pointers(OrderDraft::from_json(value)),
            [
                "/lines/0/productId",
                "/lines/0/quantity",
                "/lines/1/productId",
                "/lines/1/quantity",
                "/lines/1/price",
                "/paymentMethod",
                "/total"
            ]
        );
        assert_eq!(pointers(draft(&[(&tea, 1), (&tea, 2)])), ["/lines/1/productId"]);
        let wrong =
            |lines: Value| pointers(OrderDraft::from_json(json!({"lines": lines, "paymentMethod": "pm_a"})));
        assert_eq!(wrong(json!([])), ["/lines"]);
        let many: Vec<Value> = (0..51)
            .map(|byte| json!({"productId": product(byte, 1, "SGD").product_id, "quantity": 1}))
            .collect();
        assert_eq!(wrong(json!(many)), ["/lines"]);
    }

    #[test]
    fn every_transition_legal_and_illegal() {
        use Change::{Cancel, Confirm, Reject};
        use Status::{Cancelled, Confirmed, Pending, Rejected};
        for (status, change, effect) in [
            (Pending, Confirm, Some(Effect::Changes)),
            (Pending, Reject, Some(Effect::Changes)),
            (Pending, Cancel, None),
            (Confirmed, Confirm, Some(Effect::Repeats)),
            (Confirmed, Reject, None),
            (Confirmed, Cancel, Some(Effect::Changes)),
            (Rejected, Confirm, None),
            (Rejected, Reject, Some(Effect::Repeats)),
            (Rejected, Cancel, None),
            (Cancelled, Confirm, None),
            (Cancelled, Reject, None),
            (Cancelled, Cancel, Some(Effect::Repeats)),
        ] {
            match (status.allows(change), effect) {
                (Ok(found), Some(expected)) => assert_eq!(found, expected, "{status} {change:?}"),
                (Err(Error::Conflict { detail }), None) => assert!(detail.contains(&status.to_string())),
                (found, expected) => panic!("{status} {change:?}: {found:?}, not {expected:?}"),
            }
        }
        for status in [Pending, Confirmed, Rejected, Cancelled] {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), json!(status.to_string()));
        }
    }

    #[test]
    fn reasons_read_as_they_were_written() {
        let shortage = Shortage { product_id: product(4, 1, "SGD").product_id, available: 2 };
        let failed = FailedStep::new("stock-reserve".to_owned(), "Internal");
        assert_eq!(Reason::of("stock-reserve".to_owned(), "Internal", "x"), Reason::Failed(failed.clone()));
        assert!(matches!(Reason::of("s".to_owned(), "Rejected", "no reason"), Reason::Failed(_)));
        for (reason, code) in [
            (Reason::OutOfStock { lines: vec![shortage] }, "outOfStock"),
            (Reason::PaymentDeclined { detail: "x".to_owned() }, "paymentDeclined"),
            (Reason::Failed(failed), "failed"),
        ] {
            let written = serde_json::to_value(&reason).unwrap();
            assert_eq!(written["code"], code);
            assert_eq!(Reason::of("s".to_owned(), "Rejected", &written.to_string()), reason);
        }
    }
}
