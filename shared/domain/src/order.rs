//! Orders: drafts, prices, and transitions of the status.

use crate::{
    Error, Fault, Input, Money, Timestamp, Version,
    id::{OrderId, ProductId, UserId},
    input::{Checked, Members, elements, integer},
    money::HIGHEST_PRICE,
    payment::{PaymentId, PaymentMethod},
    product::{Product, ProductName},
    rejection::Reason,
    text,
    user::Caller,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::HashMap, fmt, str::FromStr};

/// The maximum number of lines of an order. All lines and the item that records the reservation fit into one
/// transaction.
pub const MOST_LINES: usize = 50;

/// The highest quantity of an order line.
pub const HIGHEST_QUANTITY: i64 = 10_000;

/// The highest total of an order, in minor units.
pub const HIGHEST_TOTAL: i64 = HIGHEST_PRICE;

/// A product and its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedLine {
    /// The product.
    pub product_id: ProductId,
    /// The quantity: 1 to [`HIGHEST_QUANTITY`].
    pub quantity: i64,
}

/// The body of a request to place an order. It has no prices: they come from the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderDraft {
    /// 1 to [`MOST_LINES`] lines, no product twice.
    pub lines: Vec<RequestedLine>,
    /// The customer's payment method.
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
        let lines =
            members.required("lines", |value| refuse_duplicates(elements(value, 1, MOST_LINES, line)?));
        let payment_method = members.required("paymentMethod", PaymentMethod::from_value);
        members.finish(|| Some(Self { lines: lines?, payment_method: payment_method? }))
    }

    /// The ids of the ordered products.
    pub fn products(&self) -> Vec<ProductId> {
        self.lines.iter().map(|line| line.product_id).collect()
    }

    /// A pending order at the current prices. A line is a fault if its product does not exist or has another currency
    /// than the first line.
    pub fn place(
        self,
        order_id: OrderId,
        caller: &Caller,
        now: Timestamp,
        known: &HashMap<ProductId, Product>,
    ) -> Result<PlacedOrder, Error> {
        let mut faults = Vec::new();
        let mut lines: Vec<OrderLine> = Vec::new();
        for (index, RequestedLine { product_id, quantity }) in self.lines.into_iter().enumerate() {
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
                fault(format!("is sold in {ours}, but the lines before it are in {others}"));
                continue;
            }
            // Cannot overflow: the product is at most HIGHEST_PRICE * HIGHEST_QUANTITY, below 2^50.
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
                let (status, version) = (OrderStatus::Pending, 1);
                let order = Order { order_id, status, reason: None, lines, total, version, created_at: now };
                let payment_method = self.payment_method;
                Ok(PlacedOrder { order, customer_id: caller.user_id, payment_method, payment: None })
            }
            _ => Err(Error::Invalid(faults)),
        }
    }
}

fn line(value: Value) -> Checked<RequestedLine> {
    let mut members = Members::of(value)?;
    let product_id = members.required("productId", |value| {
        let id = text::string(value)?.parse();
        id.map_err(|_| vec![Fault::here("must be the id of a product")])
    });
    let quantity = members.required("quantity", |value| integer(&value, 1, HIGHEST_QUANTITY));
    members.finish(|| Some(RequestedLine { product_id: product_id?, quantity: quantity? }))
}

fn refuse_duplicates(lines: Vec<RequestedLine>) -> Checked<Vec<RequestedLine>> {
    let again = |index: usize| lines[..index].iter().any(|line| line.product_id == lines[index].product_id);
    let fault =
        |index: usize| Fault::here("is in the order already").under("productId").under(&index.to_string());
    let faults: Vec<Fault> = (0..lines.len()).filter(|index| again(*index)).map(fault).collect();
    if faults.is_empty() { Ok(lines) } else { Err(faults) }
}

/// A line of an order, with the name and the price at the time of placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// The product's name.
    pub name: ProductName,
    /// The quantity.
    pub quantity: i64,
    /// The price of one unit.
    pub unit_price: Money,
    /// `unit_price` times `quantity`.
    pub line_total: Money,
}

/// An order, as its customer reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id.
    pub order_id: OrderId,
    /// The status.
    pub status: OrderStatus,
    /// The reason for the rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The ordered products.
    pub lines: Vec<OrderLine>,
    /// The sum of all lines.
    pub total: Money,
    /// Incremented by each change of the status.
    pub version: Version,
    /// When it was placed.
    pub created_at: Timestamp,
}

/// An order with its internal fields, which the customer does not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// The customer.
    pub customer_id: UserId,
    /// The customer's payment method.
    pub payment_method: PaymentMethod,
    /// The payment, once the order is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
}

impl PlacedOrder {
    /// The input of the state machines.
    pub fn request(&self) -> OrderRequest {
        let wanted =
            |line: &OrderLine| RequestedLine { product_id: line.product_id, quantity: line.quantity };
        OrderRequest {
            order_id: self.order.order_id,
            customer_id: self.customer_id,
            lines: self.order.lines.iter().map(wanted).collect(),
            total: self.order.total,
            payment_method: self.payment_method.clone(),
        }
    }
}

/// The input of the state machines that process an order. It does not change between executions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRequest {
    /// The order's id, from which the names of its executions derive.
    pub order_id: OrderId,
    /// The customer.
    pub customer_id: UserId,
    /// The stock to reserve.
    pub lines: Vec<RequestedLine>,
    /// The amount to pay.
    pub total: Money,
    /// The customer's payment method.
    pub payment_method: PaymentMethod,
}

/// The status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderStatus {
    /// The order is being processed.
    Pending,
    /// Stock is reserved and the payment is authorised; the payment is captured next.
    Confirmed,
    /// The order failed. It takes no stock and no money.
    Rejected,
    /// The customer cancelled the order. Stock and money are returned.
    Cancelled,
}

/// A transition of an order's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// `Pending` to `Confirmed`.
    Confirm,
    /// `Pending` to `Rejected`.
    Reject,
    /// `Confirmed` to `Cancelled`.
    Cancel,
}

/// The effect of an allowed transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The status changes.
    Changes,
    /// The order is already in the target status; nothing changes.
    Repeats,
}

impl Transition {
    /// The source status.
    pub fn from(self) -> OrderStatus {
        match self {
            Self::Confirm | Self::Reject => OrderStatus::Pending,
            Self::Cancel => OrderStatus::Confirmed,
        }
    }

    /// The target status.
    pub fn to(self) -> OrderStatus {
        match self {
            Self::Confirm => OrderStatus::Confirmed,
            Self::Reject => OrderStatus::Rejected,
            Self::Cancel => OrderStatus::Cancelled,
        }
    }
}

impl OrderStatus {
    /// The effect of a transition in this status; `Conflict` if the transition is not allowed.
    pub fn allows(self, change: Transition) -> Result<Effect, Error> {
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

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        })
    }
}

/// The text is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAStatus;

impl FromStr for OrderStatus {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let all = [Self::Pending, Self::Confirmed, Self::Rejected, Self::Cancelled];
        all.into_iter().find(|status| status.to_string() == text).ok_or(NotAStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultLocation, id::Id, product::ProductDraft, rejection::Shortage, saga::FailedStep};
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

    fn place(lines: &[(&Product, i64)], products: &[Product]) -> Result<PlacedOrder, Error> {
        draft(lines)?.place(Id::new(now(), [3; 10]), &caller(), now(), &known(products))
    }

    fn pointers<T>(result: Result<T, Error>) -> Vec<String> {
        let Err(Error::Invalid(faults)) = result else { panic!() };
        let pointer =
            |fault: Fault| if let FaultLocation::Body(pointer) = fault.location { pointer } else { panic!() };
        faults.into_iter().map(pointer).collect()
    }

    #[test]
    fn an_order_takes_prices_and_names_from_the_catalog() {
        let (tea, jam) = (product(4, 1250, "SGD"), product(5, 650, "SGD"));
        let placed = place(&[(&tea, 2), (&jam, 3)], &[tea.clone(), jam.clone()]).unwrap();
        assert_eq!(placed.order.total, Money { amount: 4450, ..tea.draft.price });
        let first = &placed.order.lines[0];
        assert_eq!(
            (first.name.as_str(), first.unit_price.amount, first.line_total.amount),
            ("No. 4", 1250, 2500)
        );
        assert_eq!((placed.order.status, placed.order.version), (OrderStatus::Pending, 1));
        let request = placed.request();
        assert_eq!((request.lines[1].quantity, request.total), (3, placed.order.total));
    }

    #[test]
    fn missing_products_and_other_currencies_are_faults_of_their_lines() {
        let (tea, jam, book) = (product(4, 1, "SGD"), product(5, 1, "EUR"), product(6, 1, "SGD"));
        let refused = place(&[(&tea, 1), (&jam, 1), (&book, 1)], &[tea.clone(), jam.clone()]);
        assert_eq!(pointers(refused), ["/lines/1/productId", "/lines/2/productId"]);
    }

    #[test]
    fn a_total_has_a_limit() {
        let dear = product(4, HIGHEST_PRICE, "SGD");
        assert!(place(&[(&dear, 1)], std::slice::from_ref(&dear)).is_ok());
        assert_eq!(pointers(place(&[(&dear, 2)], std::slice::from_ref(&dear))), ["/lines"]);
        // The highest possible total does not overflow.
        let many: Vec<Product> = (0..50).map(|byte| product(byte, HIGHEST_PRICE, "SGD")).collect();
        let lines: Vec<(&Product, i64)> = many.iter().map(|product| (product, HIGHEST_QUANTITY)).collect();
        assert_eq!(pointers(place(&lines, &many)), ["/lines"]);
    }

    #[test]
    fn all_faults_of_a_draft_are_reported_at_once() {
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
    fn every_status_allows_only_its_own_transitions() {
        use OrderStatus::{Cancelled, Confirmed, Pending, Rejected};
        use Transition::{Cancel, Confirm, Reject};
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
    fn reasons_round_trip_through_json() {
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
