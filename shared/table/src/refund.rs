//! Refunds that are not done and disputes: what an order says of them, and the entry of an order that owes a refund.

use crate::{
    engine::{
        item::{n, s, text},
        request::Written,
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    keys,
    order::VERSION,
    settlement::{CLOSED, CONFIRMED, CUSTOMER, EPOCH, Epoch, PAYMENT, REFUND},
    unsettled::{ATTEMPTS, RETRY_AT, STUCK},
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error,
    order::{OrderRequest, PlacedOrder},
    payment::{DisputeStatus, PaymentId, RefundStatus},
};

const DISPUTE: &str = "dispute";

impl Table {
    /// Lets an order say that its refund is not done, or no more. The entry says the same, so that it is not deleted
    /// before the order is right. Without effect if both say it already, or if the entry of this epoch is gone.
    pub async fn note_refund(
        &self,
        request: &OrderRequest,
        epoch: Epoch,
        status: Option<RefundStatus>,
    ) -> Result<(), Error> {
        let said = status.map(|status| s(status.to_string()));
        let (order, entry, condition) = match status {
            Some(_) => (
                "SET #refund = :status, #version = #version + :one",
                "SET #refund = :status",
                "#epoch = :epoch AND (attribute_not_exists(#refund) OR #refund <> :status)",
            ),
            None => (
                "SET #version = #version + :one REMOVE #refund",
                "REMOVE #refund",
                "#epoch = :epoch AND attribute_exists(#refund)",
            ),
        };
        let with_status = |mut values: Vec<(&'static str, AttributeValue)>| {
            values.extend(said.clone().map(|status| ("status", status)));
            values
        };
        let order = self.update_if(ItemUpdate {
            key: keys::order(request.customer_id, request.order_id),
            update: order,
            condition: "attribute_exists(#version)",
            names: &[REFUND, VERSION],
            values: with_status(vec![("one", n(1))]),
        })?;
        let entry = self.update_if(ItemUpdate {
            key: keys::unsettled(request.order_id),
            update: entry,
            condition,
            names: &[REFUND, EPOCH],
            values: with_status(vec![("epoch", epoch.value())]),
        })?;
        match self.transact(vec![entry, order]).await? {
            Transacted::Done | Transacted::Refused(0, _) => Ok(()),
            Transacted::Refused(..) => Err(Error::internal("an order with an entry does not exist")),
        }
    }

    /// Makes an order unsettled whose refund failed after it was done, so that the sweep refunds it again. An entry that
    /// the order still has becomes this one: what an undo knew before the failure no longer counts. Idempotent.
    pub async fn owe_refund(
        &self,
        placed: &PlacedOrder,
        payment: &PaymentId,
        failed_refunds: usize,
    ) -> Result<(), Error> {
        let write = self.send_update(ItemUpdate {
            key: keys::unsettled(placed.order.order_id),
            update: "SET #closed = :true, #epoch = :epoch, #payment = :payment, #customerId = :customer
                REMOVE #stuck, #attempts, #retryAt",
            // A late event must not replace the entry of a later failure.
            condition: "attribute_not_exists(#confirmed) AND (attribute_not_exists(#epoch) OR #epoch <= :epoch)",
            names: &[CLOSED, CONFIRMED, EPOCH, PAYMENT, CUSTOMER, STUCK, ATTEMPTS, RETRY_AT],
            values: vec![
                ("true", AttributeValue::Bool(true)),
                ("epoch", Epoch::after_failed_refunds(failed_refunds).value()),
                ("payment", s(payment.as_str())),
                ("customer", s(placed.customer_id.to_string())),
            ],
        });
        write.await.map(drop)
    }

    /// Lets an order say how the dispute of its payment stands. `Unavailable` if the order has changed since it was read:
    /// the dispute has to be read again, too.
    pub async fn note_dispute(&self, placed: &PlacedOrder, dispute: DisputeStatus) -> Result<(), Error> {
        let dispute = dispute.to_string();
        let write = self.send_update(ItemUpdate {
            key: keys::order(placed.customer_id, placed.order.order_id),
            update: "SET #dispute = :dispute, #version = #version + :one",
            condition: "#version = :seen",
            names: &[DISPUTE, VERSION],
            values: vec![("dispute", s(&dispute)), ("one", n(1)), ("seen", n(placed.order.version))],
        });
        match write.await? {
            Written::Done(_) => Ok(()),
            Written::Refused(Some(stored)) if text(&stored, DISPUTE) == Some(&dispute) => Ok(()),
            Written::Refused(_) => Err(Error::unavailable("the order has changed in the meantime")),
        }
    }
}
