//! The rules of Souk: ids, money, text, decisions and errors.
//!
//! No AWS, no async, no clock, no random numbers: time and ids are arguments.

pub mod alert;
pub mod assignment;
pub mod assignment_buckets;
pub mod attempt;
pub mod back_off;
pub mod band;
pub mod bot;
pub mod client_key;
pub mod common_password;
pub mod concert;
pub mod currency;
pub mod deletion;
pub mod error;
pub mod event;
pub mod event_batch;
mod event_columns;
pub mod event_record;
pub mod event_summary;
pub mod experiment;
pub mod experiment_count;
pub mod experiment_draft;
pub mod experiment_products;
pub mod export;
pub mod flash_sale;
pub mod geo;
pub mod id;
pub mod idempotency;
pub mod input;
pub mod limit;
pub mod mail;
pub mod mail_token;
pub mod money;
pub mod notification;
pub mod notification_settings;
pub mod observation;
pub mod order;
pub mod order_draft;
pub mod overlay;
pub mod page;
pub mod password;
pub mod payment;
pub mod payment_events;
pub mod price_record;
pub mod price_summary;
pub mod price_text;
pub mod pricing;
pub mod probe;
pub mod product;
pub mod rating;
pub mod rejection;
pub mod replay;
pub mod review;
pub mod saga;
pub mod sale_progress;
pub mod security;
pub mod session;
pub mod share;
pub mod stock;
pub mod text;
pub mod timestamp;
pub mod user;
pub mod venue;
pub mod version;
pub mod watch_draft;
pub mod watched_item;
pub mod webhook;

pub use error::{Error, Fault, FaultLocation};
pub use input::Input;
pub use money::Money;
pub use timestamp::Timestamp;

/// The version of a resource: 1 at creation, incremented by each change.
pub type Version = u64;
