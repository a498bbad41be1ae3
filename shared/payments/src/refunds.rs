//! Refunds by Stripe (<https://docs.stripe.com/api/refunds>), and what else can happen to a captured payment: disputes
//! (<https://docs.stripe.com/api/disputes>).

use crate::{
    Aftermath, Refunded, Stripe,
    stripe::{KEYS, exhausted, intent_path, key},
};
use domain::{
    Error,
    id::{OrderId, UserId},
    payment::{DisputeStatus, PaymentId},
};
use serde::{Deserialize, de::DeserializeOwned};

/// The number of refunds of an intent that fail before the refund counts as refused.
const MOST_REFUNDS: usize = 5;

const REFUNDS: &str = "/v1/refunds";
const DISPUTES: &str = "/v1/disputes";

#[derive(Deserialize)]
struct Refund {
    id: String,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Dispute {
    status: String,
}

/// A list of Stripe's.
#[derive(Deserialize)]
struct Listed<T> {
    data: Vec<T>,
}

/// The fields of a PaymentIntent that name its order.
#[derive(Deserialize)]
struct Origin {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    customer_id: Option<String>,
    order_id: Option<String>,
}

impl Refund {
    fn has_failed(&self) -> bool {
        matches!(self.status.as_deref(), Some("failed" | "canceled"))
    }

    fn state(&self) -> Result<Refunded, Error> {
        match self.status.as_deref() {
            Some("succeeded") => Ok(Refunded::Done),
            Some("failed" | "canceled") => {
                Err(Error::unavailable(format!("Stripe: the refund {} failed", self.id)))
            }
            _ => Ok(Refunded::Pending),
        }
    }
}

impl Stripe {
    /// Refunds the amount that is not refunded yet, under the key of this attempt.
    pub(crate) async fn refund_rest(&self, order: OrderId, payment: &PaymentId) -> Result<Refunded, Error> {
        let known: Vec<Refund> = self.listed(REFUNDS, payment).await?;
        let failed = known.iter().filter(|refund| refund.has_failed()).count();
        let current = known.iter().find(|refund| !refund.has_failed());
        if failed >= MOST_REFUNDS {
            let refused = || Ok(Refunded::Refused(format!("{failed} refunds of {payment} failed")));
            return current.map_or_else(refused, Refund::state);
        }
        let step =
            if failed == 0 { "refund".to_owned() } else { format!("refund-of-attempt-{}", failed + 1) };
        let form = [("payment_intent", payment.as_str())];
        for number in 1..=KEYS {
            let answer = self.client.post(REFUNDS, &key(order, &step, number), &form).await?;
            let refusal = match answer.read::<Refund>()? {
                // The response that is replayed is as old as the refund; the list is current.
                Ok(refund) => {
                    return known.iter().find(|known| known.id == refund.id).unwrap_or(&refund).state();
                }
                Err(refusal) => refusal,
            };
            if refusal.is("charge_already_refunded") {
                let pending = known.iter().any(|refund| refund.state() == Ok(Refunded::Pending));
                return Ok(if pending { Refunded::Pending } else { Refunded::Done });
            }
            if refusal.is("charge_disputed") {
                match self.dispute(payment).await? {
                    Some(DisputeStatus::Accepted) => return Ok(Refunded::Done),
                    // The response is older than the end of the dispute.
                    Some(DisputeStatus::Declined) | None if answer.replayed => continue,
                    _ => return Ok(Refunded::Refused(format!("the charge of {payment} is disputed"))),
                }
            }
            if !answer.replayed {
                return Err(answer.error(&refusal));
            }
        }
        Err(exhausted("refund"))
    }

    pub(crate) async fn read_aftermath(&self, payment: &PaymentId) -> Result<Aftermath, Error> {
        let refunds: Vec<Refund> = self.listed(REFUNDS, payment).await?;
        let failed_refunds = refunds.iter().filter(|refund| refund.has_failed()).count();
        Ok(Aftermath { failed_refunds, dispute: self.dispute(payment).await? })
    }

    /// The order that the metadata of an intent names. The account may have intents of other software, and of other
    /// instances of this one.
    pub(crate) async fn read_origin(&self, payment: &PaymentId) -> Result<Option<(UserId, OrderId)>, Error> {
        let answer = self.client.get(&intent_path(payment)?).await?;
        match answer.read::<Origin>()? {
            Ok(Origin { metadata }) => Ok(metadata.and_then(|Metadata { customer_id, order_id }| {
                Some((customer_id?.parse().ok()?, order_id?.parse().ok()?))
            })),
            Err(refusal) if refusal.is("resource_missing") => Ok(None),
            Err(refusal) => Err(answer.error(&refusal)),
        }
    }

    /// The state of the disputes of a payment: a bank may ask first and dispute later.
    async fn dispute(&self, payment: &PaymentId) -> Result<Option<DisputeStatus>, Error> {
        let disputes: Vec<Dispute> = self.listed(DISPUTES, payment).await?;
        let statuses = disputes.iter().map(|dispute| match dispute.status.as_str() {
            "lost" => DisputeStatus::Accepted,
            "won" | "warning_closed" | "prevented" => DisputeStatus::Declined,
            _ => DisputeStatus::Open,
        });
        Ok(statuses.min_by_key(|status| match status {
            DisputeStatus::Open => 0,
            DisputeStatus::Accepted => 1,
            DisputeStatus::Declined => 2,
        }))
    }

    /// Refunds or disputes of an intent, newest first.
    async fn listed<T: DeserializeOwned>(&self, path: &str, payment: &PaymentId) -> Result<Vec<T>, Error> {
        intent_path(payment)?;
        let answer = self.client.get(&format!("{path}?payment_intent={payment}&limit=100")).await?;
        let listed = answer.read::<Listed<T>>()?.map_err(|refusal| answer.error(&refusal))?;
        Ok(listed.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Payments,
        scripted::tests::{
            CUSTOMER, ORDER, Reaction, Script, intent, internal_cause, payment, refused, replayed,
        },
    };
    use serde_json::json;

    fn refunds(statuses: &[&str]) -> Reaction {
        let refund =
            |(number, status): (usize, &&str)| json!({"id": format!("re_{number}"), "status": status});
        let data: Vec<_> = statuses.iter().enumerate().map(refund).collect();
        Reaction::Answer(200, "", json!({"object": "list", "data": data}).to_string())
    }

    fn refund(id: &str, status: &str) -> Reaction {
        Reaction::Answer(200, "", json!({"id": id, "status": status}).to_string())
    }

    fn disputes(statuses: &[&str]) -> Reaction {
        let data: Vec<_> = statuses.iter().map(|status| json!({"id": "du_1", "status": status})).collect();
        Reaction::Answer(200, "", json!({"object": "list", "data": data}).to_string())
    }

    #[tokio::test]
    async fn a_refund_is_done_pending_or_refused() {
        for (known, answer, state) in [
            (&[][..], refund("re_0", "succeeded"), Refunded::Done),
            (&[], refund("re_0", "pending"), Refunded::Pending),
            (&["pending"], replayed(refund("re_0", "succeeded")), Refunded::Pending),
            (&["succeeded"], replayed(refund("re_0", "pending")), Refunded::Done),
            (&["succeeded"], refused(400, "charge_already_refunded"), Refunded::Done),
            (&["failed", "pending"], refused(400, "charge_already_refunded"), Refunded::Pending),
        ] {
            let script = Script::play([refunds(known), answer]).await;
            assert_eq!(script.refund().await.unwrap(), state, "{known:?}");
            assert_eq!(script.steps()[0], "GET refunds?payment_intent=pi_1&limit=100");
            assert_eq!(script.recorded()[1].body, "payment_intent=pi_1");
        }
        for (answer, passing) in [(refused(503, "x"), true), (refused(400, "x"), false)] {
            let script = Script::play([refunds(&[]), answer]).await;
            assert_eq!(internal_cause(script.refund().await).is_none(), passing);
        }
        let script =
            Script::play([refunds(&[]), replayed(refused(500, "x")), refund("re_0", "succeeded")]).await;
        assert_eq!(script.refund().await.unwrap(), Refunded::Done);
        assert_eq!(script.steps()[1..], ["POST refunds refund", "POST refunds refund-2"]);
    }

    #[tokio::test]
    async fn a_refund_that_failed_is_tried_under_another_key_a_few_times() {
        let script = Script::play([refunds(&[]), refund("re_0", "failed")]).await;
        assert_eq!(internal_cause(script.refund().await), None);
        let script = Script::play([refunds(&["failed"]), refund("re_1", "succeeded")]).await;
        assert_eq!(script.refund().await.unwrap(), Refunded::Done);
        assert_eq!(script.steps()[1], "POST refunds refund-of-attempt-2");
        let script = Script::play([refunds(&["failed"; 5])]).await;
        assert!(matches!(script.refund().await.unwrap(), Refunded::Refused(_)));
        let by_hand = ["succeeded", "failed", "failed", "failed", "failed", "failed"];
        let script = Script::play([refunds(&by_hand)]).await;
        assert_eq!(script.refund().await.unwrap(), Refunded::Done);
    }

    #[tokio::test]
    async fn a_disputed_payment_is_refunded_by_the_dispute_or_after_it() {
        let disputed = || refused(400, "charge_disputed");
        let refused_for_good = || Refunded::Refused("the charge of pi_1 is disputed".to_owned());
        for (answer, status, state) in [
            (disputed(), "needs_response", refused_for_good()),
            (replayed(disputed()), "under_review", refused_for_good()),
            (disputed(), "lost", Refunded::Done),
            (replayed(disputed()), "lost", Refunded::Done),
        ] {
            let script = Script::play([refunds(&[]), answer, disputes(&[status])]).await;
            assert_eq!(script.refund().await.unwrap(), state, "{status}");
            assert_eq!(script.steps()[2], "GET disputes?payment_intent=pi_1&limit=100");
        }
        let replies = [refunds(&[]), replayed(disputed()), disputes(&["won"]), refund("re_0", "succeeded")];
        let script = Script::play(replies).await;
        assert_eq!(script.refund().await.unwrap(), Refunded::Done);
        assert_eq!(script.steps()[3], "POST refunds refund-2");
    }

    #[tokio::test]
    async fn the_aftermath_counts_failed_refunds_and_has_the_dispute() {
        use DisputeStatus::{Accepted, Declined, Open};
        for (statuses, dispute) in [
            (&[][..], None),
            (&["needs_response"], Some(Open)),
            (&["warning_needs_response"], Some(Open)),
            (&["lost"], Some(Accepted)),
            (&["won"], Some(Declined)),
            (&["needs_response", "warning_closed"], Some(Open)),
            (&["won", "lost"], Some(Accepted)),
        ] {
            let known = refunds(&["failed", "canceled", "pending", "succeeded"]);
            let script = Script::play([known, disputes(statuses)]).await;
            let found = script.stripe.aftermath(&payment()).await;
            assert_eq!(found, Ok(Aftermath { failed_refunds: 2, dispute }), "{statuses:?}");
        }
        for replies in [vec![refused(503, "x")], vec![refunds(&[]), refused(503, "x")]] {
            let script = Script::play(replies).await;
            assert_eq!(internal_cause(script.stripe.aftermath(&payment()).await), None);
        }
    }

    #[tokio::test]
    async fn a_payment_names_its_order_unless_it_is_not_ours() {
        let with = |metadata: serde_json::Value| {
            Reaction::Answer(200, "", json!({"id": "pi_1", "metadata": metadata}).to_string())
        };
        let ours = with(json!({"customer_id": CUSTOMER, "order_id": ORDER}));
        let script = Script::play([ours]).await;
        let known = Some((CUSTOMER.parse().unwrap(), ORDER.parse().unwrap()));
        assert_eq!(script.stripe.order_of(&payment()).await, Ok(known));
        assert_eq!(script.steps(), ["GET i/pi_1"]);
        for other in [
            intent("succeeded"),
            with(json!({"customer_id": CUSTOMER})),
            with(json!({"customer_id": "x", "order_id": ORDER})),
            refused(404, "resource_missing"),
        ] {
            assert_eq!(Script::play([other]).await.stripe.order_of(&payment()).await, Ok(None));
        }
        let script = Script::play([refused(503, "x")]).await;
        assert_eq!(internal_cause(script.stripe.order_of(&payment()).await), None);
    }
}
