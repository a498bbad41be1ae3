//! `GET /experiments/{experimentId}/results`: thousands of visitors are shown variants, some of them buy, and the results are
//! what is counted here, whatever else clients send.

use crate::{
    backend::inserting,
    experiment_prices::{Test, Visitor, change, expected, shown, start},
    experiments,
    orders::place,
    souk::{Call, SOUK, User, at_once, eventually, unique},
};
use domain::{
    Input, Timestamp, event::EXPOSURE, event_record::EventRecord, experiment_draft::ExperimentDraft,
    id::ExperimentId,
};
use serde_json::{Value, json};
use statistics::{
    AnalysisSettings, ExactSum, ExcludedVisitors, ExperimentTotals, MeasuredMetric, MetricRole, Results,
    ResultsPlan, VariantTotals, WINSORISE_QUANTILE, winsorise,
};
use std::{ops::Range, time::SystemTime};
use table::keys;
use uuid::Uuid;

const VARIANTS: [(&str, u64); 3] = [("control", 3_334), ("low", 3_333), ("high", 3_333)];
/// The visitors who count.
const VISITORS: usize = 5_000;
/// Those of them who come at the end.
const LATE: usize = 500;
/// The customers, with the visitors of their accounts; the last two are never exposed.
const BUYERS: usize = 12;
const EXPOSED_BUYERS: usize = 10;
const ORDERS_EACH: usize = 5;
/// How many events of each kind count for nothing.
const NOISE: usize = 100;
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_milliseconds(since_1970.as_millis().try_into().unwrap())
}

/// The experiment, its seller, and the ids of its visitors: the exposed buyers first.
struct Story {
    seller: User,
    test: Test,
    buyers: Vec<(Visitor, User)>,
    visitors: Vec<String>,
}

impl Story {
    fn new() -> Self {
        let seller = SOUK.user();
        let test = start(&seller);
        let buyers = at_once(BUYERS, |_| {
            let visitor = Visitor::new();
            let user = visitor.log_in();
            (visitor, user)
        });
        let known = buyers[..EXPOSED_BUYERS].iter().map(|(visitor, _)| visitor.id.to_string());
        let others = (EXPOSED_BUYERS..VISITORS).map(|number| Self::stranger(&test, &number.to_string()));
        let visitors = known.chain(others).collect();
        Self { seller, test, buyers, visitors }
    }

    /// The id of a visitor who is no customer.
    fn stranger(test: &Test, name: &str) -> String {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}{name}", test.id).as_bytes()).to_string()
    }

    fn event(&self, name: &str, visitor: &str, message: &str, variant: &str, at: Timestamp) -> Value {
        json!({"type": "track", "event": name, "anonymousId": visitor, "messageId": message, "timestamp": at,
            "properties": {"experimentId": self.test.id, "variationId": variant, "revenue": 99_999}})
    }

    /// The exposures that a shop's page reports.
    fn exposures(&self, visitors: Range<usize>) -> Vec<Value> {
        let exposure = |visitor: &String| {
            let variant = VARIANTS[self.test.assignment.variant(visitor).unwrap()].0;
            self.event(EXPOSURE, visitor, "1", variant, now())
        };
        self.visitors[visitors].iter().map(exposure).collect()
    }

    /// Events that change nothing: exposures that were reported before, that name a variant which the visitor does not have,
    /// from the future, from before the start, and from a crawler, and orders that a client made up.
    fn send_noise(&self) {
        for batch in self.exposures(0..1_200).chunks(400) {
            send(batch, "Mozilla");
        }
        let known = |name: &str, message: &str| {
            let forged = |(index, visitor): (usize, &String)| {
                let variant = ["high", "control", "none"][index % 3];
                self.event(name, visitor, message, variant, now())
            };
            self.visitors[..NOISE].iter().enumerate().map(forged).collect::<Vec<_>>()
        };
        let strangers = |name: &str, at: Timestamp| {
            let stranger = |number| Self::stranger(&self.test, &format!("{name}{number}"));
            (0..NOISE)
                .map(|number| self.event(EXPOSURE, &stranger(number), "1", "low", at))
                .collect::<Vec<_>>()
        };
        send(&known(EXPOSURE, "2"), "Mozilla");
        send(&known("Order Completed", "3"), "Mozilla");
        send(&strangers("future", now().plus_seconds(600)), "Mozilla");
        send(&strangers("early", now().minus_seconds(3_600)), "Mozilla");
        send(&strangers("crawler", now()), GOOGLEBOT);
    }

    /// The number of events of this name that have come to ClickHouse.
    fn arrived(&self, name: &str) -> u64 {
        let path = format!("/events/summary?experimentId={}", self.test.id);
        let summary = SOUK.send(self.seller.call("GET", &path));
        assert_eq!(summary.status, 200, "{summary:?}");
        let items = summary.body["items"].as_array().unwrap().iter();
        items.filter(|item| item["event"] == name).map(|item| item["events"].as_u64().unwrap()).sum()
    }

    /// The number of orders that clients made up and that have come to ClickHouse. No summary counts them.
    fn made_up_orders(&self) -> u64 {
        let test = &self.test.id;
        SOUK.count_events(&format!("experiment = '{test}' AND event = 'Order Completed' AND kind = 'event'"))
    }

    /// Places an order at this buyer's prices, and returns where it is and its total.
    fn order(&self, buyer: &(Visitor, User)) -> (String, i128) {
        let offers = self.test.offers(Some(&buyer.0));
        let placed = place(&SOUK, &buyer.1, &unique(), &self.test.order(&offers));
        assert_eq!(placed.status, 201, "{placed:?}");
        assert_eq!(shown(placed.body["lines"].as_array().unwrap(), "unitPrice"), expected(&offers));
        let total = offers.iter().map(|offer| i128::from(offer.price.amount)).sum();
        (placed.header("location").to_owned(), total)
    }

    /// Each buyer places orders, and cancels one of them. Returns what each paid.
    fn orders(&self) -> Vec<i128> {
        at_once(BUYERS, |number| {
            let buyer = &self.buyers[number];
            let orders: Vec<_> = (0..ORDERS_EACH).map(|_| self.order(buyer)).collect();
            let cancelled = SOUK.send(buyer.1.call("POST", &format!("{}/cancellation", orders[1].0)));
            assert_eq!(cancelled.status, 200, "{cancelled:?}");
            orders.iter().map(|(_, total)| total).sum::<i128>() - orders[1].1
        })
    }

    /// The results of visitors of whom the buyers have paid this.
    fn counted(&self, paid: &[i128]) -> Value {
        let orders = i128::try_from(ORDERS_EACH).unwrap() - 1;
        let mut revenues = vec![Vec::new(); VARIANTS.len()];
        for (index, visitor) in self.visitors.iter().enumerate() {
            let revenue = if index < EXPOSED_BUYERS { paid[index] } else { 0 };
            revenues[self.test.assignment.variant(visitor).unwrap()].push(revenue);
        }
        let capped = winsorise(&revenues, WINSORISE_QUANTILE).unwrap();
        let variants = revenues.iter().enumerate().map(|(index, revenues)| {
            let buyers: Vec<i128> = revenues.iter().copied().filter(|revenue| *revenue > 0).collect();
            let count = i128::try_from(buyers.len()).unwrap();
            let revenue: i128 = buyers.iter().sum();
            VariantTotals {
                variant: VARIANTS[index].0.to_owned(),
                users: revenues.len().try_into().unwrap(),
                conversions: buyers.len().try_into().unwrap(),
                orders: ExactSum(count * orders),
                orders_squares: ExactSum(count * orders * orders),
                revenue: ExactSum(revenue),
                revenue_squares: ExactSum(buyers.iter().map(|revenue| revenue * revenue).sum()),
                revenue_orders: ExactSum(revenue * orders),
                capped_revenue: ExactSum(capped.sums[index].sum),
                capped_revenue_squares: ExactSum(capped.sums[index].sum_squares),
                capped: capped.capped[index],
                ..VariantTotals::default()
            }
        });
        let excluded = ExcludedVisitors { multiple_exposures: 0, bots: NOISE.try_into().unwrap() };
        let totals = ExperimentTotals { variants: variants.collect(), excluded, cap: ExactSum(capped.cap) };
        let plan = ResultsPlan {
            settings: AnalysisSettings::default(),
            variants: VARIANTS.map(|(key, weight)| (key.to_owned(), weight)).to_vec(),
            metrics: vec![
                (MeasuredMetric::Conversion, MetricRole::Primary),
                (MeasuredMetric::RevenuePerVisitor, MetricRole::Secondary),
                (MeasuredMetric::AverageOrder, MetricRole::Secondary),
            ],
            currency: "SGD".to_owned(),
        };
        // Through text, as the answer comes.
        serde_json::from_str(&serde_json::to_string(&Results::of(&plan, &totals)).unwrap()).unwrap()
    }

    /// Makes the count again if it is old, and reads the results without what the experiment says of itself, and without days.
    fn results(&self) -> Value {
        // On a busy machine a count may take so long that looks leave it to the schedule.
        SOUK.invoke("experiment-schedule", &json!({}));
        let answer = SOUK.send(self.seller.call("GET", &format!("{}/results", self.test.path)));
        assert_eq!(answer.status, 200, "{answer:?}");
        without_days(answer.body)
    }

    /// When the last count was made.
    fn counted_at(&self) -> u64 {
        let id: ExperimentId = self.test.id.parse().unwrap();
        let item = SOUK.item(&keys::experiments::experiment_count(id));
        item["countedAt"]["N"].as_str().map_or(0, |time| time.parse().unwrap())
    }
}

fn without_days(mut results: Value) -> Value {
    let members = results.as_object_mut().unwrap();
    members.retain(|name, _| !["experimentId", "status", "asOf", "series"].contains(&name.as_str()));
    results
}

fn send(events: &[Value], user_agent: &str) {
    let body = json!({"batch": events, "sentAt": now()});
    let sent = SOUK.send(Call::new("POST", "/events").header("user-agent", user_agent).json(&body));
    assert_eq!((sent.status, &sent.body["events"]), (202, &json!(events.len())), "{sent:?}");
}

#[test]
fn results_are_what_visitors_did_whatever_clients_send() {
    let story = Story::new();
    for batch in story.exposures(0..VISITORS - LATE).chunks(500) {
        send(batch, "Mozilla");
    }
    eventually("the schedule counts what nobody has looked at", || {
        SOUK.invoke("experiment-schedule", &json!({}));
        story.counted_at() > 0
    });
    story.send_noise();
    // Neither repeats of events nor their other copies are new events.
    let exposures = u64::try_from(VISITORS - LATE + 4 * NOISE).unwrap();
    let made_up = u64::try_from(NOISE).unwrap();
    eventually("the events have come to ClickHouse", || {
        (story.arrived(EXPOSURE), story.made_up_orders()) == (exposures, made_up)
    });

    let paid = story.orders();
    send(&story.exposures(VISITORS - LATE..VISITORS), "Mozilla");
    let expected = without_days(story.counted(&paid));
    let mut results = Value::Null;
    let begun = std::time::Instant::now();
    while results != expected {
        assert!(begun.elapsed().as_secs() < 60, "{results:#}\nbut counted here: {expected:#}");
        results = story.results();
    }

    let path = format!("{}/results", story.test.path);
    SOUK.send(story.buyers[0].1.call("GET", &path)).problem(404, "not-found");

    // After the stop, prices are honoured for half an hour; these orders do not count.
    change(&story.seller, &story.test.path, "stopped");
    let tested = |buyer: &&(Visitor, User)| story.test.assignment.variant(&buyer.0.id.to_string()) != Some(0);
    let lines = story.arrived("Order Completed");
    let purchases = format!("experiment = '{}' AND kind = 'purchase'", story.test.id);
    assert_eq!(lines, SOUK.count_events(&purchases), "a summary counts orders and not what clients make up");
    story.order(story.buyers[..EXPOSED_BUYERS].iter().find(tested).expect("one of ten is in a treatment"));
    eventually("the order has come to ClickHouse", || story.arrived("Order Completed") > lines);
    let arrived = now().unix_milliseconds();
    eventually("it would be counted", || {
        results = story.results();
        story.counted_at() > arrived
    });
    assert_eq!(results, expected);
}

/// Half of the visitors see the lower price, and far fewer of them buy.
#[tokio::test]
async fn a_guardrail_that_becomes_worse_stops_the_experiment_by_the_schedule() {
    let _inserting = inserting();
    let seller = SOUK.user();
    let product = SOUK.product(&seller).body["productId"].as_str().unwrap().to_owned();
    let mut body = experiments::draft(&product);
    body["coverage"] = 10_000.into();
    body["metrics"] = json!({"primary": "revenuePerVisitor", "guardrails": ["conversion"]});
    let made = SOUK.send(seller.call("POST", "/experiments").json(&body));
    let path = made.header("location").to_owned();
    change(&seller, &path, "running");
    let read = || SOUK.send(seller.call("GET", &path)).body;
    let started: Timestamp = serde_json::from_value(read()["startedAt"].clone()).unwrap();
    let id: ExperimentId = made.body["experimentId"].as_str().unwrap().parse().unwrap();
    let assignment = ExperimentDraft::from_json(body).unwrap().assignment(id);

    let record = |kind: &str, visitor: Uuid, members: Value| -> EventRecord {
        let at = started.unix_milliseconds() + 1;
        let mut record = json!({"kind": kind, "event": kind, "visitor": visitor, "experiment": id,
            "id": Uuid::new_v5(&visitor, kind.as_bytes()), "at": at, "receivedAt": at});
        record.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(record).unwrap()
    };
    let mut records = Vec::new();
    for number in 0..2_000 {
        let visitor = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{id}{number}").as_bytes());
        records.push(record("exposure", visitor, json!({})));
        let (variant, buyers) =
            [("control", 90), ("low", 40)][assignment.variant(&visitor.to_string()).unwrap()];
        if number % 100 < buyers {
            let order = json!({"variant": variant, "product": product, "order": visitor, "quantity": 1,
                "amount": 650, "currency": "SGD"});
            records.push(record("purchase", visitor, order));
        }
    }
    SOUK.clickhouse().store(&records).await.unwrap();
    eventually("the schedule has stopped it", || {
        SOUK.invoke("experiment-schedule", &json!({}));
        read()["status"] == "stopped"
    });
    let stopped = read();
    assert_eq!((&stopped["stoppedBy"], &stopped["winner"]), (&json!("guardrail"), &Value::Null), "{stopped}");
    let product = SOUK.get(&format!("/products/{product}")).body;
    assert_eq!((&product["price"]["amount"], &product["experiment"]), (&json!(650), &Value::Null));
    let results = SOUK.send(seller.call("GET", &format!("{path}/results"))).body;
    let counted: u64 = results["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["users"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, 2_000, "{results}");
}
