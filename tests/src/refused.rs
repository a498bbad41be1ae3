//! What DynamoDB bills for writes that it refuses. It does not report this: the answer is an error.
//!
//! A write whose condition fails [consumes as much as the item's size][single], and at least one unit. A transaction consumes
//! [two units for each][transaction], one to prepare and one to commit; for one that is cancelled AWS does not say how much, so
//! both are counted. No entry of an index is written.
//!
//! [single]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
//! [transaction]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html

use crate::database::Answer;
use serde_json::{Value, json};

/// The bytes that a write unit pays for.
const UNIT: usize = 1024;

/// The write units of a request that the database has refused because of a condition; 0 for any other. `stored` reads an
/// item by table and key; null if there is none.
pub fn write_units(
    operation: &str,
    body: &Value,
    Answer { status, body: error }: &Answer,
    stored: impl Fn(&Value, &Value) -> Value,
) -> usize {
    if *status == 200 {
        return 0;
    }
    let units = |write: &Value| {
        let item = &write["Item"];
        let key =
            if item.is_null() { write["Key"].clone() } else { json!({"pk": item["pk"], "sk": item["sk"]}) };
        size(&stored(&write["TableName"], &key)).max(size(item)).div_ceil(UNIT).max(1)
    };
    let kind = error["__type"].as_str().unwrap_or_default();
    if kind.ends_with("#ConditionalCheckFailedException") {
        return units(body);
    }
    let reasons = error["CancellationReasons"].as_array().into_iter().flatten();
    if operation == "TransactWriteItems"
        && reasons.into_iter().any(|reason| reason["Code"] == "ConditionalCheckFailed")
    {
        let writes = body["TransactItems"].as_array().into_iter().flatten();
        return writes
            .flat_map(|write| write.as_object().into_iter().flat_map(serde_json::Map::values))
            .map(|write| 2 * units(write))
            .sum();
    }
    0
}

/// The [size](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html) of an item in
/// DynamoDB's JSON, in bytes.
fn size(item: &Value) -> usize {
    item.as_object().into_iter().flatten().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &Value) -> usize {
    let Some((kind, content)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    let text = content.as_str().map_or(0, str::len);
    match kind.as_str() {
        "S" => text,
        "N" => text.div_ceil(2) + 1,
        // In base64.
        "B" => text / 4 * 3,
        "L" => {
            3 + content.as_array().into_iter().flatten().map(|value| 1 + size_of_value(value)).sum::<usize>()
        }
        "M" => 3 + content.as_object().map_or(0, serde_json::Map::len) + size(content),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, reasons: &Value) -> Answer {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
        Answer { status: 400, body: json!({"__type": kind, "CancellationReasons": reasons}) }
    }

    fn item(bytes: usize) -> Value {
        json!({"pk": {"S": "a"}, "sk": {"S": "b"}, "text": {"S": "x".repeat(bytes - 10)}})
    }

    #[test]
    fn a_refused_write_is_billed_by_the_larger_item_and_at_least_one_unit() {
        let answer = refused("ConditionalCheckFailedException", &Value::Null);
        let units = |write: &Value, stored: &Value| {
            write_units("PutItem", write, &answer, |_, key| {
                assert_eq!(key, &json!({"pk": {"S": "a"}, "sk": {"S": "b"}}));
                stored.clone()
            })
        };
        let update = json!({"TableName": "t", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}});
        for (bytes, expected) in [(1024, 1), (1025, 2), (2049, 3)] {
            assert_eq!(units(&update, &item(bytes)), expected);
            assert_eq!(units(&json!({"TableName": "t", "Item": item(bytes)}), &Value::Null), expected);
        }
        assert_eq!(units(&update, &Value::Null), 1);
    }

    #[test]
    fn a_cancelled_transaction_is_billed_for_all_its_writes_twice() {
        let body = json!({"TransactItems": [{"Put": {"Item": item(1500)}}, {"Update": {"Key": {"pk": {"S": "a"}}}}]});
        let units = |answer: &Answer| write_units("TransactWriteItems", &body, answer, |_, _| Value::Null);
        let reasons = |code: &str| json!([{"Code": "None"}, {"Code": code}]);
        assert_eq!(units(&refused("TransactionCanceledException", &reasons("ConditionalCheckFailed"))), 6);
        assert_eq!(units(&refused("TransactionCanceledException", &reasons("TransactionConflict"))), 0);
        assert_eq!(units(&Answer { status: 200, body: json!({}) }), 0);
    }

    #[test]
    fn sizes_of_values() {
        for (value, bytes) in [
            (json!({"S": "äb"}), 3),
            (json!({"N": "1234"}), 3),
            (json!({"B": "AAAA"}), 3),
            (json!({"BOOL": true}), 1),
            (json!({"L": [{"S": "ab"}, {"NULL": true}]}), 8),
            (json!({"M": {"a": {"S": "b"}}}), 6),
        ] {
            assert_eq!(size_of_value(&value), bytes, "{value}");
        }
    }
}
