//! Requests to place an order: parsing and pricing.

use crate::{
    Error, Fault, Input, Money, Timestamp,
    id::{OrderId, ProductId},
    input::{Checked, Members, elements, integer},
    money::HIGHEST_PRICE,
    order::{Order, OrderLine, OrderStatus, PlacedOrder, RequestedLine},
    payment::PaymentMethod,
    product::Product,
    text,
    user::Caller,
};
use serde_json::Value;
use std::collections::HashMap;

/// The maximum number of lines of an order. All lines and the item that records the reservation fit into one
/// transaction.
pub const MOST_LINES: usize = 50;

/// The highest quantity of an order line.
pub const HIGHEST_QUANTITY: i64 = 10_000;

/// The highest total of an order, in minor units.
pub const HIGHEST_TOTAL: i64 = HIGHEST_PRICE;

/// The body of a request to place an order. Prices come from the catalog; the customer names the total that they saw.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderDraft {
    /// 1 to [`MOST_LINES`] lines, no product twice.
    pub lines: Vec<RequestedLine>,
    /// The total that the customer has seen and agreed to.
    pub expected_total: Money,
    /// The customer's payment method.
    pub payment_method: PaymentMethod,
}

/// A draft at the current prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Priced {
    /// A pending order, whose total is the expected one.
    AsExpected(PlacedOrder),
    /// The total is another than the expected one: the order as it would be, which must not be recorded.
    Changed(Order),
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
        let expected_total = members.required("expectedTotal", Money::price);
        let payment_method = members.required("paymentMethod", PaymentMethod::from_value);
        members.finish(|| {
            Some(Self { lines: lines?, expected_total: expected_total?, payment_method: payment_method? })
        })
    }

    /// The ids of the ordered products.
    pub fn products(&self) -> Vec<ProductId> {
        self.lines.iter().map(|line| line.product_id).collect()
    }

    /// The order at the current prices. A line is a fault if its product does not exist or has another currency than the
    /// first line.
    pub fn price(
        self,
        order_id: OrderId,
        caller: &Caller,
        now: Timestamp,
        known: &HashMap<ProductId, Product>,
    ) -> Result<Priced, Error> {
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
                let (refund, dispute) = (None, None);
                let order = Order {
                    order_id,
                    status,
                    reason: None,
                    refund,
                    dispute,
                    lines,
                    total,
                    version,
                    created_at: now,
                };
                if order.total != self.expected_total {
                    return Ok(Priced::Changed(order));
                }
                let (customer_id, payment_method) = (caller.user_id, self.payment_method);
                Ok(Priced::AsExpected(PlacedOrder { order, customer_id, payment_method, payment: None }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultLocation, id::Id, product::NewProduct};
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
            NewProduct::from_json(draft).unwrap().draft,
            now(),
        )
    }

    fn known(products: &[Product]) -> HashMap<ProductId, Product> {
        products.iter().map(|product| (product.product_id, product.clone())).collect()
    }

    fn draft(lines: &[(&Product, i64)]) -> Result<OrderDraft, Error> {
        let line = |(product, quantity): &(&Product, i64)| json!({"productId": product.product_id, "quantity": quantity});
        let seen = |(product, quantity): &(&Product, i64)| product.draft.price.amount * quantity;
        let total = lines.iter().map(seen).sum::<i64>().min(HIGHEST_TOTAL);
        let currency = lines.first().map_or("SGD", |(product, _)| product.draft.price.currency.code());
        let total = json!({"amount": total, "currency": currency});
        let lines: Vec<Value> = lines.iter().map(line).collect();
        OrderDraft::from_json(
            json!({"lines": lines, "expectedTotal": total, "paymentMethod": "pm_card_visa"}),
        )
    }

    fn price(lines: &[(&Product, i64)], products: &[Product]) -> Result<Priced, Error> {
        draft(lines)?.price(Id::new(now(), [3; 10]), &caller(), now(), &known(products))
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
        let priced = price(&[(&tea, 2), (&jam, 3)], &[tea.clone(), jam.clone()]).unwrap();
        let Priced::AsExpected(placed) = priced else { panic!("{priced:?}") };
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
    fn another_total_than_the_expected_one_is_no_order() {
        let (seen, jam) = (product(4, 1250, "SGD"), product(5, 650, "SGD"));
        for (amount, currency) in [(1251, "SGD"), (1249, "SGD"), (1250, "EUR")] {
            let now = product(4, amount, currency);
            let priced = price(&[(&seen, 2)], &[now.clone(), jam.clone()]).unwrap();
            let Priced::Changed(order) = priced else { panic!("{priced:?}") };
            let line = &order.lines[0];
            assert_eq!((line.unit_price, order.total.amount), (now.draft.price, 2 * amount));
        }
        // Prices that changed and still come to the expected total are what the customer agreed to pay.
        let (dearer, cheaper) = (product(4, 1300, "SGD"), product(5, 600, "SGD"));
        let priced = price(&[(&seen, 1), (&jam, 1)], &[dearer, cheaper]).unwrap();
        assert!(matches!(priced, Priced::AsExpected(_)), "{priced:?}");
    }

    #[test]
    fn missing_products_and_other_currencies_are_faults_of_their_lines() {
        let (tea, jam, book) = (product(4, 1, "SGD"), product(5, 1, "EUR"), product(6, 1, "SGD"));
        let refused = price(&[(&tea, 1), (&jam, 1), (&book, 1)], &[tea.clone(), jam.clone()]);
        assert_eq!(pointers(refused), ["/lines/1/productId", "/lines/2/productId"]);
    }

    #[test]
    fn a_total_has_a_limit() {
        let dear = product(4, HIGHEST_PRICE, "SGD");
        assert!(price(&[(&dear, 1)], std::slice::from_ref(&dear)).is_ok());
        assert_eq!(pointers(price(&[(&dear, 2)], std::slice::from_ref(&dear))), ["/lines"]);
        // The highest possible total does not overflow.
        let many: Vec<Product> = (0..50).map(|byte| product(byte, HIGHEST_PRICE, "SGD")).collect();
        let lines: Vec<(&Product, i64)> = many.iter().map(|product| (product, HIGHEST_QUANTITY)).collect();
        assert_eq!(pointers(price(&lines, &many)), ["/lines"]);
    }

    #[test]
    fn all_faults_of_a_draft_are_reported_at_once() {
        let tea = product(4, 1, "SGD");
        let value = json!({"lines": [{"productId": "x", "quantity": 0}, {"quantity": 10_001, "price": 1}], "expectedTotal": {"amount": 0}, "paymentMethod": "4242424242424242", "total": 1});
        assert_eq!(
            pointers(OrderDraft::from_json(value)),
            [
                "/lines/0/productId",
                "/lines/0/quantity",
                "/lines/1/productId",
                "/lines/1/quantity",
                "/lines/1/price",
                "/expectedTotal/amount",
                "/expectedTotal/currency",
                "/paymentMethod",
                "/total"
            ]
        );
        assert_eq!(pointers(draft(&[(&tea, 1), (&tea, 2)])), ["/lines/1/productId"]);
        let wrong = |lines: Value| {
            let total = json!({"amount": 1, "currency": "SGD"});
            let value = json!({"lines": lines, "expectedTotal": total, "paymentMethod": "pm_a"});
            pointers(OrderDraft::from_json(value))
        };
        assert_eq!(wrong(json!([])), ["/lines"]);
        let many: Vec<Value> = (0..51)
            .map(|byte| json!({"productId": product(byte, 1, "SGD").product_id, "quantity": 1}))
            .collect();
        assert_eq!(wrong(json!(many)), ["/lines"]);
    }
}
