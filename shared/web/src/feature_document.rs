//! The payload that GrowthBook's SDKs read: the running experiments of a seller, a feature for each product.
//!
//! The form is that of <https://docs.growthbook.io/lib/build-your-own>. The seed is always written out: SDKs that find none
//! take the key.

use domain::{
    Money, Timestamp, assignment::HashVersion, client_key::ClientKey, experiment::Experiment,
    experiment_draft::VariantPrice,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The payload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureDocument<'a> {
    status: u16,
    /// `price:<productId>`, and what it costs.
    features: BTreeMap<String, Feature<'a>>,
    /// Experiments without features, of which there are none.
    experiments: [(); 0],
    date_updated: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Feature<'a> {
    default_value: Money,
    rules: [Rule<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    key: String,
    seed: String,
    hash_attribute: &'static str,
    hash_version: HashVersion,
    coverage: f64,
    weights: Vec<f64>,
    variations: Vec<Money>,
    meta: Vec<Meta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<(String, f64, f64)>,
}

#[derive(Debug, Serialize)]
struct Meta<'a> {
    key: &'a str,
}

impl<'a> FeatureDocument<'a> {
    /// The payload of a seller with these running experiments.
    pub fn new(key: &ClientKey, experiments: &'a [Experiment]) -> Self {
        let features = experiments.iter().flat_map(features);
        let changes = experiments.iter().map(|experiment| experiment.updated_at);
        Self {
            status: 200,
            features: features.collect(),
            experiments: [],
            date_updated: changes.chain([key.created_at]).max().unwrap_or(key.created_at),
        }
    }
}

/// A feature for each product of an experiment. A product is in one running experiment at a time.
fn features(experiment: &Experiment) -> impl Iterator<Item = (String, Feature<'_>)> {
    let feature = |own: &VariantPrice| {
        let value = Feature { default_value: own.price, rules: [rule(experiment, own)] };
        (format!("price:{}", own.product_id), value)
    };
    experiment.control_prices.iter().map(feature)
}

fn rule<'a>(experiment: &'a Experiment, own: &VariantPrice) -> Rule<'a> {
    let assignment = experiment.draft.overlay(experiment.experiment_id, own.product_id).assignment();
    let variants = &experiment.draft.variants;
    Rule {
        key: experiment.experiment_id.to_string(),
        seed: assignment.seed,
        hash_attribute: "id",
        hash_version: assignment.hash_version,
        coverage: assignment.coverage,
        weights: assignment.weights,
        variations: variants.iter().map(|it| it.price_of(own.product_id).unwrap_or(own.price)).collect(),
        meta: variants.iter().map(|variant| Meta { key: &variant.key }).collect(),
        namespace: assignment.namespace.map(|it| (it.name, it.range.start, it.range.end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Input,
        experiment_draft::ExperimentDraft,
        id::{ExperimentId, Id, ProductId, SessionId, UserId},
        user::Caller,
    };
    use serde_json::{Value, json};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    fn sgd(amount: i64) -> Value {
        json!({"amount": amount, "currency": "SGD"})
    }

    #[test]
    fn a_running_experiment_is_a_feature_for_each_product() {
        let (tea, pot) = (ProductId::new(at(1), [1; 10]), ProductId::new(at(1), [2; 10]));
        let draft = json!({"name": "x", "metrics": {"primary": "conversion"}, "coverage": 2500,
            "namespace": {"name": "n", "from": 0, "to": 3333},
            "variants": [{"key": "control", "weight": 3334}, {"key": "low", "weight": 6666, "prices": [
                {"productId": tea, "price": sgd(1799)}]}]});
        let owner =
            Caller { user_id: UserId::new(at(1), [3; 10]), session_id: SessionId::new(at(1), [4; 10]) };
        let id = ExperimentId::new(at(1), [5; 10]);
        let mut experiment = Experiment::new(id, &owner, ExperimentDraft::from_json(draft).unwrap(), at(5));
        let own = |product_id| VariantPrice { product_id, price: serde_json::from_value(sgd(1999)).unwrap() };
        experiment.control_prices = vec![own(tea), own(pot)];
        let key = ClientKey::new(owner.user_id, [6; 16], at(2));
        let rule = |variations: Value| {
            json!([{"key": id, "seed": id, "hashAttribute": "id", "hashVersion": 2, "coverage": 0.25,
                "weights": [0.3334, 0.6666], "variations": variations,
                "meta": [{"key": "control"}, {"key": "low"}], "namespace": ["n", 0.0, 0.3333]}])
        };
        let feature = |variations: Value| json!({"defaultValue": sgd(1999), "rules": rule(variations)});
        let expected = json!({"status": 200, "experiments": [], "dateUpdated": at(5), "features": {
            format!("price:{tea}"): feature(json!([sgd(1999), sgd(1799)])),
            format!("price:{pot}"): feature(json!([sgd(1999), sgd(1999)])),
        }});
        let experiments = [experiment];
        assert_eq!(serde_json::to_value(FeatureDocument::new(&key, &experiments)).unwrap(), expected);
        let none = serde_json::to_value(FeatureDocument::new(&key, &[])).unwrap();
        assert_eq!((&none["features"], &none["dateUpdated"]), (&json!({}), &json!(at(2))));
    }
}
