//! A payment provider on a loopback port that captures and voids payments, with injectable faults.

use domain::{
    Timestamp,
    id::{OrderId, UserId},
    payment::PaymentId,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex},
};
use tests::{Wire, webhook};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The name under which a call is recorded among the table's requests.
pub const VOID: &str = "void";

/// The name under which a request for events is recorded.
pub const EVENTS: &str = "events";

/// A fault of a call.
#[derive(Debug, Clone, Copy)]
pub enum ProviderFault {
    /// The call is rejected before execution.
    Failing,
    /// The connection breaks before the call is executed.
    Unreachable,
    /// The call is executed, and the connection breaks before the response arrives.
    AnswerLost,
}

/// The provider. It stops when the test's runtime is dropped.
pub struct Provider {
    /// The base URL.
    pub url: String,
    state: Arc<State>,
}

struct State {
    /// Records the calls, in order with the table's requests.
    wire: Wire,
    next: Mutex<VecDeque<ProviderFault>>,
    voided: Mutex<BTreeSet<String>>,
    captured: Mutex<BTreeSet<String>>,
    /// The statuses of the refunds, oldest first.
    refunds: Mutex<Vec<&'static str>>,
    /// The statuses of the next refunds; `disputed` refuses the refund.
    next_refunds: Mutex<VecDeque<&'static str>>,
    /// The status of the dispute.
    dispute: Mutex<Option<&'static str>>,
    /// What intents say of their order.
    metadata: Mutex<Value>,
    /// Events, oldest first.
    events: Mutex<Vec<Value>>,
}

/// The number of events in a page; the real provider's pages have as many as were asked for.
pub const PAGE: usize = 2;

impl Provider {
    pub async fn start(wire: Wire) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            wire,
            next: Mutex::default(),
            voided: Mutex::default(),
            captured: Mutex::default(),
            refunds: Mutex::default(),
            next_refunds: Mutex::default(),
            dispute: Mutex::default(),
            metadata: Mutex::default(),
            events: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { url, state }
    }

    /// Injects this fault into the next call.
    pub fn next(&self, fault: ProviderFault) {
        self.state.next.lock().unwrap().push_back(fault);
    }

    /// Voids a payment, as somebody at the provider does, or as the end of its hold does.
    pub fn void(&self, payment: &PaymentId) {
        self.state.voided.lock().unwrap().insert(payment.as_str().to_owned());
    }

    /// Captures a payment.
    pub fn capture(&self, payment: &PaymentId) {
        self.state.captured.lock().unwrap().insert(payment.as_str().to_owned());
    }

    /// Gives the next refunds these statuses; `disputed` refuses a refund. Without, a refund succeeds.
    pub fn next_refunds(&self, statuses: &[&'static str]) {
        self.state.next_refunds.lock().unwrap().extend(statuses);
    }

    /// Changes the status of the last refund.
    pub fn last_refund_becomes(&self, status: &'static str) {
        *self.state.refunds.lock().unwrap().last_mut().unwrap() = status;
    }

    /// Disputes all payments, or lets the bank decide.
    pub fn dispute(&self, status: &'static str) {
        *self.state.dispute.lock().unwrap() = Some(status);
    }

    /// Lets all intents name this order.
    pub fn name_order(&self, customer: UserId, order: OrderId) {
        *self.state.metadata.lock().unwrap() = json!({"customer_id": customer, "order_id": order});
    }

    /// Lists an event about a payment, which was created at this time.
    pub fn list_event(&self, id: &str, kind: &str, payment: &PaymentId, created: Timestamp) {
        let mut event = webhook::event(id, kind, payment.as_str());
        event["created"] = created.unix_seconds().into();
        self.state.events.lock().unwrap().push(event);
    }

    /// The statuses of all refunds, oldest first.
    pub fn refunds(&self) -> Vec<&'static str> {
        self.state.refunds.lock().unwrap().clone()
    }

    /// The ids of the voided payments, sorted.
    pub fn voided(&self) -> Vec<String> {
        self.state.voided.lock().unwrap().iter().cloned().collect()
    }
}

impl State {
    fn status(&self, payment: &str) -> &'static str {
        if self.voided.lock().unwrap().contains(payment) {
            "canceled"
        } else if self.captured.lock().unwrap().contains(payment) {
            "succeeded"
        } else {
            "requires_capture"
        }
    }

    /// A page of the events, newest first.
    fn page_of_events(&self, query: &str) -> Value {
        let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let created = query["created[gte]"].parse().unwrap()..query["created[lt]"].parse().unwrap();
        let is_asked_for = |event: &&Value| created.contains(&event["created"].as_u64().unwrap());
        let mut events: Vec<Value> =
            self.events.lock().unwrap().iter().rev().filter(is_asked_for).cloned().collect();
        if let Some(after) = query.get("starting_after") {
            let place = events.iter().position(|event| event["id"] == **after).unwrap();
            events.drain(..=place);
        }
        json!({"has_more": events.len() > PAGE, "data": events.iter().take(PAGE).collect::<Vec<_>>()})
    }

    /// Lists the refunds, or makes one.
    fn carry_out_refund(&self, is_list: bool) -> (u16, Value) {
        let mut refunds = self.refunds.lock().unwrap();
        let shown =
            |(number, status): (usize, &&str)| json!({"id": format!("re_{number}"), "status": status});
        if is_list {
            return (200, json!({"data": refunds.iter().enumerate().map(shown).collect::<Vec<_>>()}));
        }
        if refunds.iter().any(|status| *status != "failed") {
            return (400, json!({"error": {"code": "charge_already_refunded"}}));
        }
        match self.next_refunds.lock().unwrap().pop_front().unwrap_or("succeeded") {
            "disputed" => (400, json!({"error": {"code": "charge_disputed"}})),
            status => {
                refunds.push(status);
                (200, json!({"id": format!("re_{}", refunds.len() - 1), "status": status}))
            }
        }
    }

    /// Carries out a call on a payment; returns the response.
    fn carry_out(&self, payment: &str, step: &str) -> (u16, Value) {
        match (step, self.status(payment)) {
            ("cancel", "requires_capture" | "canceled") => {
                self.voided.lock().unwrap().insert(payment.to_owned())
            }
            ("capture", "requires_capture") => self.captured.lock().unwrap().insert(payment.to_owned()),
            ("", _) => true,
            _ => return (400, json!({"error": {"code": "payment_intent_unexpected_state"}})),
        };
        let metadata = self.metadata.lock().unwrap().clone();
        let status = self.status(payment);
        (200, json!({"id": payment, "status": status, "last_payment_error": null, "metadata": metadata}))
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    while let Some(path) = read(&mut stream).await {
        if let Some(query) = path.strip_prefix("/v1/refunds") {
            let (status, body) = state.carry_out_refund(query.starts_with('?'));
            respond(&mut stream, status, &body).await;
            continue;
        }
        if let Some(query) = path.strip_prefix("/v1/events?") {
            state.wire.note(EVENTS);
            respond(&mut stream, 200, &state.page_of_events(query)).await;
            continue;
        }
        if path.starts_with("/v1/disputes?") {
            let dispute = *state.dispute.lock().unwrap();
            let data: Vec<Value> = dispute.iter().map(|status| json!({"status": status})).collect();
            respond(&mut stream, 200, &json!({"data": data})).await;
            continue;
        }
        let call = path.strip_prefix("/v1/payment_intents/").unwrap();
        let (payment, step) = call.split_once('/').unwrap_or((call, ""));
        if step == "cancel" {
            state.wire.note(VOID);
        }
        let fault = state.next.lock().unwrap().pop_front();
        let (status, body) = match fault {
            None => state.carry_out(payment, step),
            Some(ProviderFault::Failing) => (503, json!({"error": {"type": "api_error"}})),
            Some(ProviderFault::Unreachable) => return,
            Some(ProviderFault::AnswerLost) => {
                state.carry_out(payment, step);
                return;
            }
        };
        respond(&mut stream, status, &body).await;
    }
}

async fn respond(stream: &mut TcpStream, status: u16, body: &Value) {
    let body = body.to_string();
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Reads a complete request and returns its path; `None` if the connection is closed.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
                return head.split(' ').nth(1).map(str::to_owned);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
