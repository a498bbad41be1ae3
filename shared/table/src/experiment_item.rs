//! The stored form of an experiment: its JSON, compressed, beside what keys and conditions need. Fifty products with nine
//! prices each are 45 KB of JSON, which both indexes copy.

use crate::{
    engine::item::{Item, b, bytes, n, text},
    keys::{self, PK},
    product_item::VERSION,
};
use domain::{Error, experiment::Experiment};

/// The JSON, zstd-compressed.
const BODY: &str = "body";
/// The maximum size of the JSON, in bytes: far above 500 prices of 130 bytes. Bounds decompression.
const LARGEST_BODY: usize = 256 * 1024;
/// zstd's default level.
const ZSTD_LEVEL: i32 = 3;

pub(crate) fn to_experiment_item(experiment: &Experiment) -> Result<Item, Error> {
    let id = experiment.experiment_id;
    let json = serde_json::to_vec(experiment)
        .map_err(|error| Error::internal(format!("an experiment cannot be serialized: {error}")))?;
    let body = zstd::bulk::compress(&json, ZSTD_LEVEL)
        .map_err(|error| Error::internal(format!("an experiment cannot be compressed: {error}")))?;
    let mut item: Item = keys::experiments::experiment(id).primary();
    item.extend(keys::experiments::sellers_experiment(experiment.owner_id, id).gsi1());
    let listed = experiment.due_at().map(|due| (keys::experiments::SCHEDULED, due));
    if let Some((list, time)) = listed.or(experiment.stopped_at.map(|end| (keys::experiments::STOPPED, end)))
    {
        item.extend(keys::experiments::at_time(list, time, id).gsi2());
    }
    item.insert(VERSION.into(), n(experiment.version));
    item.insert(BODY.into(), b(&body));
    Ok(item)
}

pub(crate) fn from_experiment_item(item: &Item) -> Result<Experiment, Error> {
    let broken = |fault: String| {
        Error::internal(format!("item {} is no experiment: {fault}", text(item, PK).unwrap_or_default()))
    };
    let body = bytes(item, BODY).ok_or_else(|| broken("it has no body".to_owned()))?;
    let json = zstd::bulk::decompress(body, LARGEST_BODY).map_err(|error| broken(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| broken(error.to_string()))
}
