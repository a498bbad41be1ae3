//! Requests to place an order: parsing and pricing.

use crate::{
    Error, Fault, Input, Money, Timestamp,
    id::{OrderId, ProductId, VisitorUuid},
    input::{Checked, Members, elements, integer},
    money::HIGHEST_PRICE,
    order::{Order, OrderLine, OrderStatus, PlacedOrder, RequestedLine},
    overlay::Offer,
    payment::PaymentMethod,
    product::Product,
    text,
    user::Caller,
};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    iter,
};

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

/// A draft with prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Priced {
    /// A pending order, whose total is the expected one.
    AsExpected(PlacedOrder),
    /// The total is another than the expected one: the order at the current prices, which must not be recorded.
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

    /// The order at the prices that the visitor is offered now, or was offered before one of the promises of its products
    /// that are still good: at the newest of these moments at which the total was the expected one. Every line has the
    /// price of the same moment. A line is a fault if its product does not exist or has another currency than the first
    /// line.
    pub fn price(
        self,
        order_id: OrderId,
        caller: &Caller,
        visitor: Option<VisitorUuid>,
        now: Timestamp,
        known: &HashMap<ProductId, Product>,
    ) -> Result<Priced, Error> {
        let (wanted, mut faults) = self.find(known);
        let current = Lines::of(&wanted, |product| product.offer(visitor));
        if current.amount() > HIGHEST_TOTAL {
            faults.push(Fault::here(format!("come to more than {HIGHEST_TOTAL} minor units")).under("lines"));
        }
        let Some(total) = current.total().filter(|_| faults.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let expected = self.expected_total;
        let before = replacements(&wanted, now)
            .map(|until| Lines::of(&wanted, |product| product.offer_promised_until(until, visitor)));
        let mut moments = iter::once(current.clone()).chain(before);
        let agreed = moments.find(|lines| lines.total() == Some(expected));
        let is_agreed = agreed.is_some();
        let order = Order {
            order_id,
            status: OrderStatus::Pending,
            reason: None,
            refund: None,
            dispute: None,
            lines: agreed.unwrap_or(current).0,
            total: if is_agreed { expected } else { total },
            visitor_id: visitor,
            version: 1,
            created_at: now,
        };
        if !is_agreed {
            return Ok(Priced::Changed(order));
        }
        let (customer_id, payment_method) = (caller.user_id, self.payment_method);
        Ok(Priced::AsExpected(PlacedOrder { order, customer_id, payment_method, payment: None }))
    }

    /// The products of the lines and their quantities, and the faults of lines without a product that can be ordered.
    fn find<'a>(&self, known: &'a HashMap<ProductId, Product>) -> (Vec<Wanted<'a>>, Vec<Fault>) {
        let (mut found, mut faults): (Vec<Wanted<'a>>, _) = (Vec::new(), Vec::new());
        for (index, RequestedLine { product_id, quantity }) in self.lines.iter().enumerate() {
            let mut fault = |detail: String| {
                faults.push(Fault::here(detail).under("productId").under(&index.to_string()).under("lines"));
            };
            let Some(product) = known.get(product_id) else {
                fault("There is no such product.".to_owned());
                continue;
            };
            let currency = product.draft.price.currency;
            match found.first().map(|(first, _)| first.draft.price.currency) {
                Some(first) if first != currency => {
                    let (ours, others) = (currency.code(), first.code());
                    fault(format!("is sold in {ours}, but the lines before it are in {others}"));
                }
                _ => found.push((product, *quantity)),
            }
        }
        (found, faults)
    }
}

/// A product and its quantity.
type Wanted<'a> = (&'a Product, i64);

/// The lines of an order at the prices of one moment.
#[derive(Clone)]
struct Lines(Vec<OrderLine>);

impl Lines {
    fn of(wanted: &[Wanted<'_>], offer: impl Fn(&Product) -> Offer) -> Self {
        let line = |(product, quantity): &Wanted<'_>| {
            let Offer { price, experiment } = offer(product);
            OrderLine {
                product_id: product.product_id,
                name: product.draft.name.clone(),
                quantity: *quantity,
                unit_price: price,
                // Cannot overflow: the product is at most HIGHEST_PRICE * HIGHEST_QUANTITY, below 2^50.
                line_total: Money { amount: price.amount * quantity, ..price },
                experiment,
            }
        };
        Self(wanted.iter().map(line).collect())
    }

    fn amount(&self) -> i64 {
        self.0.iter().map(|line| line.line_total.amount).sum()
    }

    /// `None` if the lines are in several currencies. A price that was replaced may be in another one than those of now.
    fn total(&self) -> Option<Money> {
        let first = self.0.first()?.unit_price;
        let is_one = self.0.iter().all(|line| line.unit_price.currency == first.currency);
        is_one.then(|| Money { amount: self.amount(), ..first })
    }
}

/// The ends of the promises of these products that are still good, latest first. Each tells of a moment, half an hour before
/// it, at which prices were replaced.
fn replacements(wanted: &[Wanted<'_>], now: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
    let of_product = |(product, _): &Wanted<'_>| product.pricing.promised_until(now).collect::<Vec<_>>();
    let ends: BTreeSet<Timestamp> = wanted.iter().flat_map(of_product).collect();
    ends.into_iter().rev()
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
    use crate::{
        FaultLocation,
        assignment::HashVersion,
        id::Id,
        overlay::{InExperiment, Overlay, OverlayVariant},
        pricing::PROMISE_SECONDS,
        product::NewProduct,
        share::Share,
    };
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
        draft(lines)?.price(Id::new(now(), [3; 10]), &caller(), None, now(), &known(products))
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

    fn visitor() -> VisitorUuid {
        Id::new(now(), [9; 10])
    }

    /// An overlay with which every visitor pays this amount.
    fn everybody_pays(amount: i64) -> Overlay {
        let variant = |key: &str, weight, price| OverlayVariant {
            key: key.to_owned(),
            weight: Share::new(weight).unwrap(),
            price,
        };
        Overlay {
            experiment_id: Id::new(now(), [8; 10]),
            hash_version: HashVersion::V2,
            coverage: Share::ALL,
            variants: vec![variant("control", 0, None), variant("b", 10_000, Some(amount))],
            seed: String::new(),
            namespace: None,
        }
    }

    /// The product after its overlay was replaced at this second.
    fn replaced(product: &Product, overlay: Option<Overlay>, second: u64) -> Product {
        let pricing = product.pricing.replaced(overlay, product.draft.price, now().plus_seconds(second));
        Product { pricing, ..product.clone() }
    }

    /// The unit prices and the experiments of an order of one unit each with this total at this second; `None` if it is not
    /// the total at any moment that counts.
    fn paid(
        products: &[Product],
        total: i64,
        visitor: Option<VisitorUuid>,
        second: u64,
    ) -> Option<Vec<(i64, Option<String>)>> {
        let lines: Vec<(&Product, i64)> = products.iter().map(|product| (product, 1)).collect();
        let mut draft = draft(&lines).unwrap();
        draft.expected_total.amount = total;
        let (id, at) = (Id::new(now(), [3; 10]), now().plus_seconds(second));
        let priced = draft.price(id, &caller(), visitor, at, &known(products)).unwrap();
        let variant = |experiment: InExperiment| experiment.variant;
        match priced {
            Priced::AsExpected(PlacedOrder { order, .. }) => {
                assert_eq!((order.total.amount, order.visitor_id), (total, visitor));
                let lines = order.lines.into_iter();
                Some(lines.map(|line| (line.unit_price.amount, line.experiment.map(variant))).collect())
            }
            Priced::Changed(_) => None,
        }
    }

    #[test]
    fn a_visitor_pays_the_price_of_their_variant_and_the_line_says_so() {
        let tea = replaced(&product(4, 2000, "SGD"), Some(everybody_pays(1700)), 0);
        let long_ago = PROMISE_SECONDS;
        let products = [tea, product(5, 650, "SGD")];
        let expected = vec![(1700, Some("b".to_owned())), (650, None)];
        assert_eq!(paid(&products, 2350, Some(visitor()), long_ago), Some(expected));
        assert_eq!(paid(&products, 2650, Some(visitor()), long_ago), None);
        assert_eq!(paid(&products, 2650, None, long_ago), Some(vec![(2000, None), (650, None)]));
        assert_eq!(paid(&products, 2350, None, long_ago), None);
    }

    #[test]
    fn a_price_that_an_experiment_replaced_is_good_for_half_an_hour() {
        let started = replaced(&product(4, 2000, "SGD"), Some(everybody_pays(1700)), 0);
        let stopped = replaced(&started, None, 7200);
        let (tested, own) = (vec![(1700, Some("b".to_owned()))], vec![(2000, None)]);
        let buyer = Some(visitor());
        let pay = |product: &Product, total, buyer, second| {
            paid(std::slice::from_ref(product), total, buyer, second)
        };
        // A page that was read before the start has the product's own price.
        assert_eq!(pay(&started, 2000, buyer, PROMISE_SECONDS - 1), Some(own.clone()));
        assert_eq!(pay(&started, 2000, buyer, PROMISE_SECONDS), None);
        assert_eq!(pay(&stopped, 1700, buyer, 7200 + PROMISE_SECONDS - 1), Some(tested));
        assert_eq!(pay(&stopped, 1700, buyer, 7200 + PROMISE_SECONDS), None);
        assert_eq!(pay(&stopped, 1700, None, 7201), None, "nobody was offered it without an id");
        assert_eq!(pay(&stopped, 2000, buyer, 7201), Some(own));
    }

    #[test]
    fn the_price_of_a_winner_does_not_take_the_price_before_from_anybody() {
        let started = replaced(&product(4, 2000, "SGD"), Some(everybody_pays(1700)), 0);
        let mut rolled_out = replaced(&started, None, 7200);
        rolled_out.draft.price.amount = 1800;
        for (total, buyer, is_good) in [
            (1800, None, true),
            (2000, None, true),
            (1700, Some(visitor()), true),
            (2000, Some(visitor()), false),
        ] {
            let paid = paid(std::slice::from_ref(&rolled_out), total, buyer, 7201);
            assert_eq!(paid.is_some(), is_good, "{total} {buyer:?}");
        }
    }

    #[test]
    fn a_price_that_was_in_another_currency_is_not_the_expected_one() {
        let started = replaced(&product(4, 2000, "JPY"), Some(everybody_pays(1700)), 0);
        let mut stopped = replaced(&started, None, 7200);
        stopped.draft.price = Money { amount: 2500, currency: "SGD".parse().unwrap() };
        let jam = product(5, 650, "SGD");
        assert_eq!(paid(std::slice::from_ref(&stopped), 1700, Some(visitor()), 7201), None);
        assert_eq!(paid(&[stopped.clone(), jam.clone()], 1700 + 650, Some(visitor()), 7201), None);
        assert!(paid(&[stopped, jam], 2500 + 650, Some(visitor()), 7201).is_some());
    }

    #[test]
    fn all_lines_have_the_prices_of_one_moment() {
        let (tea, jam) = (product(4, 2000, "SGD"), product(5, 650, "SGD"));
        let products =
            [replaced(&tea, Some(everybody_pays(1700)), 0), replaced(&jam, Some(everybody_pays(600)), 60)];
        let total = |tea: i64, jam: i64| paid(&products, tea + jam, Some(visitor()), 61).is_some();
        // The moments are now, before the second start, and before the first.
        assert!(total(1700, 600) && total(1700, 650) && total(2000, 650));
        assert!(!total(2000, 600));
        let paid_later = |second| paid(&products, 2000 + 650, Some(visitor()), second).is_some();
        assert!(paid_later(PROMISE_SECONDS - 1) && !paid_later(PROMISE_SECONDS));
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
