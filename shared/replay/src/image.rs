//! Records in the form in which Lambda delivers them: DynamoDB's JSON.

use aws_sdk_dynamodbstreams::{
    primitives::DateTime,
    types::{AttributeValue, OperationType, Record},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The record as an element of a batch's `Records`.
pub(crate) fn delivered(record: &Record, stream_arn: &str) -> Value {
    let stream = record.dynamodb.as_ref();
    let mut change = Map::new();
    if let Some(stream) = stream {
        change.insert("SequenceNumber".to_owned(), json!(stream.sequence_number));
        change.insert("StreamViewType".to_owned(), json!("NEW_AND_OLD_IMAGES"));
        let created = stream.approximate_creation_date_time.as_ref();
        change.insert("ApproximateCreationDateTime".to_owned(), json!(created.map(DateTime::secs)));
        for (name, image) in
            [("Keys", &stream.keys), ("NewImage", &stream.new_image), ("OldImage", &stream.old_image)]
        {
            change.extend(image.iter().map(|image| (name.to_owned(), map(image))));
        }
    }
    let identity = record.user_identity.as_ref();
    json!({
        "eventID": record.event_id, "eventName": record.event_name.as_ref().map(OperationType::as_str),
        "eventVersion": record.event_version, "eventSource": "aws:dynamodb", "awsRegion": record.aws_region,
        "eventSourceARN": stream_arn, "dynamodb": change,
        "userIdentity": identity.map(|identity| json!({"type": identity.r#type, "principalId": identity.principal_id})),
    })
}

fn map(attributes: &HashMap<String, AttributeValue>) -> Value {
    attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>().into()
}

fn attribute(value: &AttributeValue) -> Value {
    let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(number) => json!({"N": number}),
        AttributeValue::B(bytes) => json!({"B": base64(bytes.as_ref())}),
        AttributeValue::Bool(value) => json!({"BOOL": value}),
        AttributeValue::L(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        AttributeValue::M(values) => json!({"M": map(values)}),
        AttributeValue::Ss(texts) => json!({"SS": texts}),
        AttributeValue::Ns(numbers) => json!({"NS": numbers}),
        AttributeValue::Bs(values) => {
            json!({"BS": values.iter().map(|bytes| base64(bytes.as_ref())).collect::<Vec<_>>()})
        }
        _ => json!({"NULL": true}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodbstreams::{primitives::Blob, types::StreamRecord};

    #[test]
    fn a_record_is_as_lambda_delivers_it() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let nested = AttributeValue::L(vec![
            AttributeValue::N("1".to_owned()),
            AttributeValue::Bool(true),
            AttributeValue::Null(true),
            AttributeValue::M(HashMap::from([("a".to_owned(), AttributeValue::Ss(vec!["b".to_owned()]))])),
        ]);
        let change = StreamRecord::builder()
            .keys("pk", text("EVENTS#1"))
            .keys("sk", text("EVENTS"))
            .new_image("events", AttributeValue::B(Blob::new(b"zstd".to_vec())))
            .new_image("more", nested)
            .sequence_number("100")
            .approximate_creation_date_time(DateTime::from_secs(1_795_248_000))
            .build();
        let record = Record::builder().event_name(OperationType::Insert).dynamodb(change).build();
        let delivered = delivered(&record, "arn:a/stream/b");
        assert_eq!(
            (&delivered["eventName"], &delivered["eventSourceARN"]),
            (&json!("INSERT"), &json!("arn:a/stream/b"))
        );
        assert_eq!(
            delivered["dynamodb"],
            json!({
                "SequenceNumber": "100", "StreamViewType": "NEW_AND_OLD_IMAGES",
                "ApproximateCreationDateTime": 1_795_248_000,
                "Keys": {"pk": {"S": "EVENTS#1"}, "sk": {"S": "EVENTS"}},
                "NewImage": {"events": {"B": "enN0ZA=="}, "more": {"L": [
                    {"N": "1"}, {"BOOL": true}, {"NULL": true}, {"M": {"a": {"SS": ["b"]}}},
                ]}},
            })
        );
    }
}
