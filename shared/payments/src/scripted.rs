//! The tests of `Stripe`, against a server that answers by a script.

#[cfg(test)]
mod tests {
    use crate::{Captured, Payments, Stripe, Voided};
    use domain::{
        Error, Money,
        id::OrderId,
        order::Reason,
        payment::{PaymentId, PaymentMethod},
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
    const ORDER: &str = "0199c0de-0000-7000-8000-000000000001";
    const REPLAYED: &str = "idempotent-replayed: true\r\n";

    /// What the server does with a request.
    #[derive(Clone)]
    enum Play {
        Answer(u16, &'static str, String),
        Drop,
        Hang,
    }

    /// A request as it came, without the headers that do not matter.
    #[derive(Debug, Clone)]
    struct Seen {
        line: String,
        head: String,
        body: String,
    }

    impl Seen {
        fn header(&self, name: &str) -> Option<&str> {
            let found = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            found.map(str::trim)
        }

        fn key(&self) -> &str {
            let prefix = format!("souk-{ORDER}-");
            self.header("idempotency-key").map_or("", |key| key.strip_prefix(&prefix).unwrap())
        }
    }

    struct Script {
        stripe: Stripe,
        seen: Arc<Mutex<Vec<Seen>>>,
    }

    impl Script {
        async fn play(plays: impl IntoIterator<Item = Play>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let seen = Arc::new(Mutex::new(Vec::new()));
            let left = Arc::new(Mutex::new(plays.into_iter().collect::<VecDeque<_>>()));
            let noted = Arc::clone(&seen);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&left), Arc::clone(&noted)));
                }
            });
            let stripe = Stripe::new(&url, &format!("{SECRET}\n"));
            Self { stripe, seen }
        }

        fn seen(&self) -> Vec<Seen> {
            self.seen.lock().unwrap().clone()
        }

        /// Method, step and key of each request.
        fn steps(&self) -> Vec<String> {
            let step = |seen: &Seen| {
                let mut words = seen.line.split(' ');
                let method = words.next().unwrap().to_owned();
                let path = words.next().unwrap().trim_start_matches("/v1/").replace("payment_intents", "i");
                format!("{method} {path} {}", seen.key()).trim_end().to_owned()
            };
            self.seen().iter().map(step).collect()
        }

        async fn begin(&self, amount: i64, currency: &str) -> Result<PaymentId, Error> {
            self.stripe.begin(order(), Money { amount, currency: currency.parse().unwrap() }).await
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
    }

    async fn serve(mut stream: TcpStream, left: Arc<Mutex<VecDeque<Play>>>, seen: Arc<Mutex<Vec<Seen>>>) {
        while let Some(request) = read(&mut stream).await {
            seen.lock().unwrap().push(request);
            let play = left.lock().unwrap().pop_front().expect("more requests than the script has");
            match play {
                Play::Answer(status, headers, body) => {
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\nrequest-id: req_1\r\n{headers}content-length: {length}\r\n\r\n{body}"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                Play::Drop => return,
                Play::Hang => std::future::pending().await,
            }
        }
    }

    async fn read(stream: &mut TcpStream) -> Option<Seen> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let (line, head) = head.split_once("\r\n").unwrap();
                let seen = Seen { line: line.to_owned(), head: head.to_owned(), body: body.to_owned() };
                let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
                if body.len() == length {
                    return Some(seen);
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

    fn payment() -> PaymentId {
        PaymentId::new("pi_1")
    }

    fn intent(status: &str) -> Play {
        Play::Answer(200, "", json!({"id": "pi_1", "status": status, "last_payment_error": null}).to_string())
    }

    fn refused(status: u16, code: &str) -> Play {
        refused_with(status, "", code)
    }

    fn refused_with(status: u16, headers: &'static str, code: &str) -> Play {
        let message = format!("{SECRET} pm_hidden {code}");
        let error =
            json!({"type": "some_error", "code": code, "message": message, "payment_method": "pm_hidden"});
        Play::Answer(status, headers, json!({"error": error}).to_string())
    }

    fn replayed(play: Play) -> Play {
        match play {
            Play::Answer(status, _, body) => Play::Answer(status, REPLAYED, body),
            play => play,
        }
    }

    const UNEXPECTED: &str = "payment_intent_unexpected_state";

    fn detail<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result.unwrap_err() {
            Error::Rejected(Reason::PaymentDeclined { detail }) => detail,
            error => panic!("{error:?}"),
        }
    }

    /// The log's text of an error: `None` when it says that the call may be made again.
    fn ours<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<String> {
        let told = format!("{result:?}");
        assert!(!told.contains(SECRET) && !told.contains("pm_hidden"), "{told}");
        match result.unwrap_err() {
            Error::Internal { cause } => Some(cause),
            Error::Unavailable { .. } => None,
            error => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn an_intent_is_created_and_touches_nobodys_money() {
        let script = Script::play([intent("requires_payment_method")]).await;
        assert_eq!(script.begin(650, "SGD").await.unwrap().as_str(), "pi_1");
        let [seen] = &script.seen()[..] else { panic!() };
        assert_eq!(seen.line, "POST /v1/payment_intents HTTP/1.1");
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
        assert_eq!(seen.header("stripe-version"), Some("2026-08-26.dahlia"));
        assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(seen.key(), "begin");
        let form = "amount=650&currency=sgd&capture_method=manual&payment_method_types%5B%5D=card&metadata%5Border_id%5D=";
        assert_eq!(seen.body, format!("{form}{ORDER}"));
    }

    #[tokio::test]
    async fn an_amount_that_cannot_be_paid_is_declined() {
        for (code, told) in [("amount_too_small", "less than"), ("amount_too_large", "more than")] {
            let script = Script::play([refused(400, code)]).await;
            assert!(detail(script.begin(650, "SGD").await).contains(told));
        }
        let currency = json!({"error": {"type": "invalid_request_error", "param": "currency"}}).to_string();
        let script = Script::play([Play::Answer(400, "", currency)]).await;
        assert!(detail(script.begin(650, "KPW").await).contains("KPW"));
        assert!(detail(script.begin(5124, "KWD").await).contains("KWD"));
        assert_eq!(script.seen().len(), 1);
    }

    #[tokio::test]
    async fn a_lost_answer_is_asked_for_again_with_the_same_words() {
        for lost in [Play::Drop, Play::Hang] {
            let mut script = Script::play([lost, replayed(intent("requires_payment_method"))]).await;
            script.stripe = script.stripe.with_patience(Duration::from_millis(100));
            assert_eq!(ours(script.begin(650, "SGD").await), None);
            script.stripe = script.stripe.with_patience(Duration::from_secs(10));
            assert_eq!(script.begin(650, "SGD").await.unwrap(), payment());
            let seen = script.seen();
            assert_eq!((seen[0].key(), &seen[0].body), (seen[1].key(), &seen[1].body));
        }
    }

    #[tokio::test]
    async fn nobody_there_is_unavailable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let stripe = Stripe::new(&url, SECRET);
        assert_eq!(ours(stripe.capture(order(), &payment()).await), None);
    }

    #[tokio::test]
    async fn refusals_are_passing_or_ours() {
        const YES: &str = "stripe-should-retry: true\r\n";
        const NO: &str = "stripe-should-retry: false\r\n";
        for (status, headers) in
            [(409, ""), (429, ""), (500, ""), (500, NO), (502, ""), (503, ""), (504, ""), (400, YES)]
        {
            let script = Script::play([refused_with(status, headers, "x")]).await;
            assert_eq!(ours(script.begin(650, "SGD").await), None, "{status} {headers}");
            let script = Script::play([refused_with(status, headers, "x")]).await;
            assert_eq!(ours(script.authorize().await), None, "{status} {headers}");
        }
        for (status, headers) in [(400, ""), (401, ""), (403, ""), (404, ""), (302, ""), (409, NO), (429, NO)]
        {
            let script = Script::play([refused_with(status, headers, "x")]).await;
            let cause = ours(script.begin(650, "SGD").await).unwrap();
            assert_eq!(cause, format!("Stripe, POST /v1/payment_intents: {status} req_1 some_error x"));
        }
        let script = Script::play([Play::Answer(502, "", "<html>".to_owned())]).await;
        assert_eq!(ours(script.capture().await), None);
        let script = Script::play([Play::Answer(200, "", r#"{"id": {"a": "pm_hidden"}}"#.to_owned())]).await;
        assert!(ours(script.capture().await).is_some());
    }

    #[tokio::test]
    async fn an_authorisation_confirms_once() {
        let script = Script::play([intent("requires_capture")]).await;
        script.authorize().await.unwrap();
        assert_eq!(script.steps(), ["POST i/pi_1/confirm confirm"]);
        assert_eq!(script.seen()[0].body, "payment_method=pm_hidden&error_on_requires_action=true");
        for status in ["requires_capture", "succeeded"] {
            let script = Script::play([refused(400, UNEXPECTED), intent(status)]).await;
            script.authorize().await.unwrap();
            assert_eq!(script.steps(), ["POST i/pi_1/confirm confirm", "GET i/pi_1"]);
        }
    }

    #[tokio::test]
    async fn a_decline_is_told_and_told_again() {
        let script =
            Script::play([refused(402, "expired_card"), replayed(refused(402, "expired_card"))]).await;
        for _ in 0..2 {
            assert_eq!(detail(script.authorize().await), "The card has expired.");
        }
        assert_eq!(script.steps().len(), 2);
        let missing = json!({"error": {"code": "resource_missing", "param": "payment_method"}}).to_string();
        let script = Script::play([Play::Answer(400, "", missing)]).await;
        assert!(detail(script.authorize().await).contains("not known"));
        let last = json!({"code": "card_declined", "decline_code": "insufficient_funds"});
        let declined = json!({"id": "pi_1", "status": "requires_payment_method", "last_payment_error": last});
        let script =
            Script::play([replayed(refused(500, "x")), Play::Answer(200, "", declined.to_string())]).await;
        assert!(detail(script.authorize().await).contains("funds"));
    }

    #[tokio::test]
    async fn what_was_voided_meanwhile_is_a_conflict() {
        for first in [refused(400, UNEXPECTED), replayed(intent("requires_capture"))] {
            let script = Script::play([first, intent("canceled")]).await;
            assert!(matches!(script.authorize().await, Err(Error::Conflict { .. })));
        }
    }

    #[tokio::test]
    async fn a_fault_that_stripe_keeps_is_left_behind_with_the_next_key() {
        let fault = || replayed(refused(500, "x"));
        let script =
            Script::play([fault(), intent("requires_confirmation"), intent("requires_capture")]).await;
        script.authorize().await.unwrap();
        assert_eq!(script.steps()[1..], ["GET i/pi_1", "POST i/pi_1/confirm confirm-2"]);

        // It may have done its work all the same.
        let script = Script::play([fault(), intent("requires_capture")]).await;
        script.authorize().await.unwrap();

        let script = Script::play([fault(), intent("requires_payment_method")]).await;
        script.begin(650, "SGD").await.unwrap();
        assert_eq!(script.steps(), ["POST i begin", "POST i begin-2"]);

        let script = Script::play([fault(), fault(), fault(), fault(), fault()]).await;
        assert_eq!(ours(script.begin(650, "SGD").await), None);
        assert_eq!(script.steps()[4], "POST i begin-5");
    }

    #[tokio::test]
    async fn a_capture_takes_the_money_once() {
        let script = Script::play([intent("succeeded")]).await;
        assert_eq!(script.capture().await.unwrap(), Captured::Done);
        assert_eq!(script.steps(), ["POST i/pi_1/capture capture"]);
        assert_eq!(script.seen()[0].body, "");
        for (status, captured) in [("succeeded", Captured::Done), ("canceled", Captured::Voided)] {
            for refusal in [refused(400, UNEXPECTED), replayed(refused(400, UNEXPECTED))] {
                let script = Script::play([refusal, intent(status)]).await;
                assert_eq!(script.capture().await.unwrap(), captured);
            }
        }
        let script = Script::play([refused(400, UNEXPECTED), intent("requires_confirmation")]).await;
        assert!(ours(script.capture().await).unwrap().contains(UNEXPECTED));
        let script = Script::play([refused(400, UNEXPECTED), intent("processing")]).await;
        assert_eq!(ours(script.capture().await), None);
        let script = Script::play([refused(402, "card_declined"), intent("requires_capture")]).await;
        assert!(ours(script.capture().await).unwrap().contains("402"));
    }

    #[tokio::test]
    async fn what_holds_nothing_is_cancelled() {
        let script = Script::play([intent("canceled")]).await;
        assert_eq!(script.void().await.unwrap(), Voided::Released);
        assert_eq!(script.steps(), ["POST i/pi_1/cancel cancel"]);
        let script = Script::play([refused(400, UNEXPECTED), intent("canceled")]).await;
        assert_eq!(script.void().await.unwrap(), Voided::Released);
    }

    #[tokio::test]
    async fn what_was_taken_is_refunded_once() {
        let captured = || [refused(400, UNEXPECTED), intent("succeeded")];
        let refund =
            |status: &str| Play::Answer(200, "", json!({"id": "re_1", "status": status}).to_string());
        for done in [
            refund("succeeded"),
            refund("pending"),
            replayed(refund("succeeded")),
            refused(400, "charge_already_refunded"),
        ] {
            let script = Script::play(captured().into_iter().chain([done])).await;
            assert_eq!(script.void().await.unwrap(), Voided::Refunded);
            assert_eq!(script.steps()[2], "POST refunds refund");
            assert_eq!(script.seen()[2].body, "payment_intent=pi_1");
        }
        let plays = captured().into_iter().chain([replayed(refused(500, "x")), refund("succeeded")]);
        let script = Script::play(plays).await;
        assert_eq!(script.void().await.unwrap(), Voided::Refunded);
        assert_eq!(script.steps()[3], "POST refunds refund-2");
        for (failed, passing) in
            [(refund("failed"), false), (refused(503, "x"), true), (refused(400, "x"), false)]
        {
            let script = Script::play(captured().into_iter().chain([failed])).await;
            assert_eq!(ours(script.void().await).is_none(), passing);
        }
    }

    #[tokio::test]
    async fn a_payment_that_is_not_there_is_our_mistake() {
        let missing = || refused(404, "resource_missing");
        for _ in 0..2 {
            assert!(ours(Script::play([missing(), missing()]).await.void().await).is_some());
            assert!(ours(Script::play([missing(), missing()]).await.capture().await).is_some());
        }
        let script = Script::play([]).await;
        for odd in ["", "pi_1/../../refunds", "pi 1", "pi_1?x"] {
            assert!(ours(script.stripe.void(order(), &PaymentId::new(odd)).await).is_some());
        }
        assert!(script.seen().is_empty());
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_sent_is_not_told_either() {
        let stripe = Stripe::new("http://127.0.0.1:1", &format!("{SECRET}\n{SECRET}"));
        assert!(ours(stripe.capture(order(), &payment()).await).unwrap().contains("not a possible request"));
    }

    #[tokio::test]
    async fn the_real_address_is_met_with_tls() {
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
