//! Tests of `Stripe` against a server with scripted responses.

#[cfg(test)]
pub(crate) mod tests {
    use crate::{Captured, Payments, Refunded, Stripe, Voided};
    use domain::{
        Error, Money,
        id::OrderId,
        payment::{PaymentId, PaymentMethod},
        rejection::RejectionReason,
    };
    use serde_json::json;
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    const SECRET: &str = "sk_test_never_to_be_told";
    pub(crate) const ORDER: &str = "0199c0de-0000-7000-8000-000000000001";
    pub(crate) const CUSTOMER: &str = "0199c0de-0000-7000-8000-000000000002";
    const REPLAYED: &str = "idempotent-replayed: true\r\n";

    /// The server's reaction to a request.
    #[derive(Clone)]
    pub(crate) enum Reaction {
        Answer(u16, &'static str, String),
        Drop,
        Hang,
    }

    /// A request that the server received.
    #[derive(Debug, Clone)]
    pub(crate) struct RecordedRequest {
        line: String,
        head: String,
        pub(crate) body: String,
    }

    impl RecordedRequest {
        fn header(&self, name: &str) -> Option<&str> {
            let found = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            found.map(str::trim)
        }

        fn key(&self) -> &str {
            let prefix = format!("souk-{ORDER}-");
            self.header("idempotency-key").map_or("", |key| key.strip_prefix(&prefix).unwrap())
        }
    }

    pub(crate) struct Script {
        pub(crate) stripe: Stripe,
        recorded: Arc<Mutex<Vec<RecordedRequest>>>,
    }

    impl Script {
        pub(crate) async fn play(reactions: impl IntoIterator<Item = Reaction>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let recorded = Arc::new(Mutex::new(Vec::new()));
            let left = Arc::new(Mutex::new(reactions.into_iter().collect::<VecDeque<_>>()));
            let log = Arc::clone(&recorded);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&left), Arc::clone(&log)));
                }
            });
            let stripe = Stripe::new(&url, &format!("{SECRET}\n"));
            Self { stripe, recorded }
        }

        pub(crate) fn recorded(&self) -> Vec<RecordedRequest> {
            self.recorded.lock().unwrap().clone()
        }

        /// Method, path and key of each request.
        pub(crate) fn steps(&self) -> Vec<String> {
            let step = |recorded: &RecordedRequest| {
                let mut words = recorded.line.split(' ');
                let method = words.next().unwrap().to_owned();
                let path = words.next().unwrap().trim_start_matches("/v1/").replace("payment_intents", "i");
                format!("{method} {path} {}", recorded.key()).trim_end().to_owned()
            };
            self.recorded().iter().map(step).collect()
        }

        async fn begin(&self, amount: i64, currency: &str) -> Result<PaymentId, Error> {
            self.stripe
                .begin(
                    CUSTOMER.parse().unwrap(),
                    order(),
                    Money { amount, currency: currency.parse().unwrap() },
                )
                .await
        }

        async fn authorize(&self) -> Result<(), Error> {
            let method = PaymentMethod::from_value(json!("pm_hidden")).unwrap();
            self.stripe.authorize(order(), &payment(), &method).await
        }

        async fn capture(&self) -> Result<Captured, Error> {
            self.stripe.capture(order(), &payment()).await
        }

        async fn void(&self) -> Result<Voided, Error> {
            self.stripe.void(order(), &payment()).await
        }

        pub(crate) async fn refund(&self) -> Result<Refunded, Error> {
            self.stripe.refund(order(), &payment()).await
        }
    }

    async fn serve(
        mut stream: TcpStream,
        left: Arc<Mutex<VecDeque<Reaction>>>,
        recorded: Arc<Mutex<Vec<RecordedRequest>>>,
    ) {
        while let Some(request) = read(&mut stream).await {
            recorded.lock().unwrap().push(request);
            let play = left.lock().unwrap().pop_front().expect("more requests than the script has");
            match play {
                Reaction::Answer(status, headers, body) => {
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\nrequest-id: req_1\r\n{headers}content-length: {length}\r\n\r\n{body}"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                Reaction::Drop => return,
                Reaction::Hang => std::future::pending().await,
            }
        }
    }

    async fn read(stream: &mut TcpStream) -> Option<RecordedRequest> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let (line, head) = head.split_once("\r\n").unwrap();
                let recorded =
                    RecordedRequest { line: line.to_owned(), head: head.to_owned(), body: body.to_owned() };
                let length = recorded.header("content-length").map_or(0, |length| length.parse().unwrap());
                if body.len() == length {
                    return Some(recorded);
                }
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    fn order() -> OrderId {
        ORDER.parse().unwrap()
    }

    pub(crate) fn payment() -> PaymentId {
        PaymentId::new("pi_1")
    }

    pub(crate) fn intent(status: &str) -> Reaction {
        Reaction::Answer(
            200,
            "",
            json!({"id": "pi_1", "status": status, "last_payment_error": null}).to_string(),
        )
    }

    pub(crate) fn refused(status: u16, code: &str) -> Reaction {
        refused_with(status, "", code)
    }

    fn refused_with(status: u16, headers: &'static str, code: &str) -> Reaction {
        let message = format!("{SECRET} pm_hidden {code}");
        let error =
            json!({"type": "some_error", "code": code, "message": message, "payment_method": "pm_hidden"});
        Reaction::Answer(status, headers, json!({"error": error}).to_string())
    }

    pub(crate) fn replayed(play: Reaction) -> Reaction {
        match play {
            Reaction::Answer(status, _, body) => Reaction::Answer(status, REPLAYED, body),
            play => play,
        }
    }

    const UNEXPECTED: &str = "payment_intent_unexpected_state";

    fn detail<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result.unwrap_err() {
            Error::Rejected(RejectionReason::PaymentDeclined { detail }) => detail,
            error => panic!("{error:?}"),
        }
    }

    /// The cause of an `Internal` error; `None` for `Unavailable`. Asserts that no secret is in either.
    pub(crate) fn internal_cause<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<String> {
        let printed = format!("{result:?}");
        assert!(!printed.contains(SECRET) && !printed.contains("pm_hidden"), "{printed}");
        match result.unwrap_err() {
            Error::Internal { cause } => Some(cause),
            Error::Unavailable { .. } => None,
            error => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn begin_creates_an_intent_without_confirming_it() {
        let script = Script::play([intent("requires_payment_method")]).await;
        assert_eq!(script.begin(650, "SGD").await.unwrap().as_str(), "pi_1");
        let [recorded] = &script.recorded()[..] else { panic!() };
        assert_eq!(recorded.line, "POST /v1/payment_intents HTTP/1.1");
        assert_eq!(recorded.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
        assert_eq!(recorded.header("stripe-version"), Some("2026-08-26.dahlia"));
        assert_eq!(recorded.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(recorded.key(), "begin");
        let form = "amount=650&currency=sgd&capture_method=manual&payment_method_types%5B%5D=card";
        let metadata = format!("metadata%5Bcustomer_id%5D={CUSTOMER}&metadata%5Border_id%5D={ORDER}");
        assert_eq!(recorded.body, format!("{form}&{metadata}"));
    }

    #[tokio::test]
    async fn an_amount_that_cannot_be_paid_is_declined() {
        for (code, expected) in [("amount_too_small", "less than"), ("amount_too_large", "more than")] {
            let script = Script::play([refused(400, code)]).await;
            assert!(detail(script.begin(650, "SGD").await).contains(expected));
        }
        let currency = json!({"error": {"type": "invalid_request_error", "param": "currency"}}).to_string();
        let script = Script::play([Reaction::Answer(400, "", currency)]).await;
        assert!(detail(script.begin(650, "KPW").await).contains("KPW"));
        assert!(detail(script.begin(5124, "KWD").await).contains("KWD"));
        assert_eq!(script.recorded().len(), 1);
    }

    #[tokio::test]
    async fn a_repeated_begin_sends_the_same_key_and_body() {
        for lost in [Reaction::Drop, Reaction::Hang] {
            let mut script = Script::play([lost, replayed(intent("requires_payment_method"))]).await;
            script.stripe = script.stripe.with_patience(Duration::from_millis(100));
            assert_eq!(internal_cause(script.begin(650, "SGD").await), None);
            script.stripe = script.stripe.with_patience(Duration::from_secs(10));
            assert_eq!(script.begin(650, "SGD").await.unwrap(), payment());
            let recorded = script.recorded();
            assert_eq!((recorded[0].key(), &recorded[0].body), (recorded[1].key(), &recorded[1].body));
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_unavailable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let stripe = Stripe::new(&url, SECRET);
        assert_eq!(internal_cause(stripe.capture(order(), &payment()).await), None);
    }

    #[tokio::test]
    async fn error_statuses_are_unavailable_or_internal() {
        const YES: &str = "stripe-should-retry: true\r\n";
        const NO: &str = "stripe-should-retry: false\r\n";
        for (status, headers) in
            [(409, ""), (429, ""), (500, ""), (500, NO), (502, ""), (503, ""), (504, ""), (400, YES)]
        {
            let script = Script::play([refused_with(status, headers, "x")]).await;
            assert_eq!(internal_cause(script.begin(650, "SGD").await), None, "{status} {headers}");
            let script = Script::play([refused_with(status, headers, "x")]).await;
            assert_eq!(internal_cause(script.authorize().await), None, "{status} {headers}");
        }
        for (status, headers) in [(400, ""), (401, ""), (403, ""), (404, ""), (302, ""), (409, NO), (429, NO)]
        {
            let script = Script::play([refused_with(status, headers, "x")]).await;
            let cause = internal_cause(script.begin(650, "SGD").await).unwrap();
            assert_eq!(cause, format!("Stripe, POST /v1/payment_intents: {status} req_1 some_error x"));
        }
        let script = Script::play([Reaction::Answer(502, "", "<html>".to_owned())]).await;
        assert_eq!(internal_cause(script.capture().await), None);
        let script =
            Script::play([Reaction::Answer(200, "", r#"{"id": {"a": "pm_hidden"}}"#.to_owned())]).await;
        assert!(internal_cause(script.capture().await).is_some());
    }

    #[tokio::test]
    async fn authorize_confirms_the_intent_once() {
        let script = Script::play([intent("requires_capture")]).await;
        script.authorize().await.unwrap();
        assert_eq!(script.steps(), ["POST i/pi_1/confirm confirm"]);
        assert_eq!(script.recorded()[0].body, "payment_method=pm_hidden&error_on_requires_action=true");
        for status in ["requires_capture", "succeeded"] {
            let script = Script::play([refused(400, UNEXPECTED), intent(status)]).await;
            script.authorize().await.unwrap();
            assert_eq!(script.steps(), ["POST i/pi_1/confirm confirm", "GET i/pi_1"]);
        }
    }

    #[tokio::test]
    async fn a_decline_is_reported_again_by_a_repeated_call() {
        let script =
            Script::play([refused(402, "expired_card"), replayed(refused(402, "expired_card"))]).await;
        for _ in 0..2 {
            assert_eq!(detail(script.authorize().await), "The card has expired.");
        }
        assert_eq!(script.steps().len(), 2);
        let missing = json!({"error": {"code": "resource_missing", "param": "payment_method"}}).to_string();
        let script = Script::play([Reaction::Answer(400, "", missing)]).await;
        assert!(detail(script.authorize().await).contains("not known"));
        let last = json!({"code": "card_declined", "decline_code": "insufficient_funds"});
        let declined = json!({"id": "pi_1", "status": "requires_payment_method", "last_payment_error": last});
        let script =
            Script::play([replayed(refused(500, "x")), Reaction::Answer(200, "", declined.to_string())])
                .await;
        assert!(detail(script.authorize().await).contains("funds"));
    }

    #[tokio::test]
    async fn authorizing_a_voided_payment_is_a_conflict() {
        for first in [refused(400, UNEXPECTED), replayed(intent("requires_capture"))] {
            let script = Script::play([first, intent("canceled")]).await;
            assert!(matches!(script.authorize().await, Err(Error::Conflict { .. })));
        }
    }

    #[tokio::test]
    async fn a_replayed_500_leads_to_the_next_key() {
        let fault = || replayed(refused(500, "x"));
        let script =
            Script::play([fault(), intent("requires_confirmation"), intent("requires_capture")]).await;
        script.authorize().await.unwrap();
        assert_eq!(script.steps()[1..], ["GET i/pi_1", "POST i/pi_1/confirm confirm-2"]);

        // The failed request may have taken effect.
        let script = Script::play([fault(), intent("requires_capture")]).await;
        script.authorize().await.unwrap();

        let script = Script::play([fault(), intent("requires_payment_method")]).await;
        script.begin(650, "SGD").await.unwrap();
        assert_eq!(script.steps(), ["POST i begin", "POST i begin-2"]);

        let script = Script::play([fault(), fault(), fault(), fault(), fault()]).await;
        assert_eq!(internal_cause(script.begin(650, "SGD").await), None);
        assert_eq!(script.steps()[4], "POST i begin-5");
    }

    #[tokio::test]
    async fn capture_takes_the_money_once() {
        let script = Script::play([intent("succeeded")]).await;
        assert_eq!(script.capture().await.unwrap(), Captured::Done);
        assert_eq!(script.steps(), ["POST i/pi_1/capture capture"]);
        assert_eq!(script.recorded()[0].body, "");
        for (status, captured) in [("succeeded", Captured::Done), ("canceled", Captured::Voided)] {
            for refusal in [refused(400, UNEXPECTED), replayed(refused(400, UNEXPECTED))] {
                let script = Script::play([refusal, intent(status)]).await;
                assert_eq!(script.capture().await.unwrap(), captured);
            }
        }
        let script = Script::play([refused(400, UNEXPECTED), intent("requires_confirmation")]).await;
        assert!(internal_cause(script.capture().await).unwrap().contains(UNEXPECTED));
        let script = Script::play([refused(400, UNEXPECTED), intent("processing")]).await;
        assert_eq!(internal_cause(script.capture().await), None);
        let script = Script::play([refused(402, "card_declined"), intent("requires_capture")]).await;
        assert!(internal_cause(script.capture().await).unwrap().contains("402"));
    }

    #[tokio::test]
    async fn voiding_an_uncaptured_payment_cancels_it() {
        let script = Script::play([intent("canceled")]).await;
        assert_eq!(script.void().await.unwrap(), Voided::Released);
        assert_eq!(script.steps(), ["POST i/pi_1/cancel cancel"]);
        let script = Script::play([refused(400, UNEXPECTED), intent("canceled")]).await;
        assert_eq!(script.void().await.unwrap(), Voided::Released);
    }

    #[tokio::test]
    async fn voiding_a_captured_payment_leaves_it_to_be_refunded() {
        let script = Script::play([refused(400, UNEXPECTED), intent("succeeded")]).await;
        assert_eq!(script.void().await.unwrap(), Voided::Captured);
        assert_eq!(script.steps(), ["POST i/pi_1/cancel cancel", "GET i/pi_1"]);
    }

    #[tokio::test]
    async fn missing_and_malformed_payment_ids_are_internal_errors() {
        let missing = || refused(404, "resource_missing");
        for _ in 0..2 {
            assert!(internal_cause(Script::play([missing(), missing()]).await.void().await).is_some());
            assert!(internal_cause(Script::play([missing(), missing()]).await.capture().await).is_some());
        }
        let script = Script::play([]).await;
        for odd in ["", "pi_1/../../refunds", "pi 1", "pi_1?x"] {
            assert!(internal_cause(script.stripe.void(order(), &PaymentId::new(odd)).await).is_some());
        }
        assert!(script.recorded().is_empty());
    }

    #[tokio::test]
    async fn an_invalid_secret_key_is_not_in_the_error() {
        let stripe = Stripe::new("http://127.0.0.1:1", &format!("{SECRET}\n{SECRET}"));
        assert!(
            internal_cause(stripe.capture(order(), &payment()).await)
                .unwrap()
                .contains("not a possible request")
        );
    }

    #[tokio::test]
    async fn https_urls_use_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stripe = Stripe::new(&format!("https://{}", listener.local_addr().unwrap()), SECRET);
        let hello = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap()
        };
        let payment = payment();
        tokio::select! {
            first = hello => assert_eq!(first, 22, "the record type of a TLS handshake"),
            captured = stripe.capture(order(), &payment) => panic!("{captured:?}"),
        }
    }
}
