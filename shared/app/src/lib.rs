//! The typed clients that a function can declare, one per file.
//!
//! A function declares its clients with [`clients!`], which makes the type `App` with a field for each of them. What a
//! client needs from the template (settings in the environment, requests to the table) is part of its type: see
//! [`Client`]. A client that a function does not declare is not linked into it.

pub mod alert_setting;
pub mod alerts;
pub mod audit;
mod aws;
pub mod cache;
pub mod catalog;
pub mod clickhouse;
pub mod client;
pub mod concert_undo;
pub mod context;
mod crawl_hosts;
pub mod crawl_log;
mod crawler;
pub mod dead_letters;
pub mod event_replay;
pub mod event_topic;
pub mod experiment_results;
pub mod experiments;
pub mod fan_out;
pub mod flash_sales;
pub mod incidents;
pub mod limits;
pub mod looks;
pub mod machines;
pub mod mail;
mod metric_log;
mod msk;
pub mod notifier;
pub mod overtaken;
pub mod passwords;
pub mod payment_events;
pub mod payments;
pub mod price_crawl;
mod queue;
mod secrets;
pub mod settings;
pub mod settlement;
mod signed;
pub mod sweep;
pub mod table;
pub mod table_stream;
pub mod tokens;
pub mod verification;
pub mod visitors;
pub mod webhooks;

pub use client::{Client, Needs};
pub use context::Context;

/// What [`clients!`] refers to.
#[doc(hidden)]
pub mod expansion {
    pub use ::table::Units;
    pub use domain::{
        Error, Timestamp,
        security::{SecurityEvent, Subject},
    };
}
