//! Data access: everything that Souk stores is in one DynamoDB table.
//!
//! [`Table`] has one method for each access pattern, in a file for each area; [`keys`] is the map of the table;
//! `engine` has requests, transactions and batches. Each method is safe under retry: when the response to a successful
//! write is lost and the SDK repeats the write, the method recognises its own item and reports success.

mod account_delete;
mod authors_review;
mod band;
mod concert;
mod concert_search;
mod crawl;
mod delivery;
mod engine;
mod flash_sale;
mod idempotency;
pub mod keys;
mod limit;
mod mail_token;
mod notification;
mod order;
mod pending;
mod product;
mod product_delete;
mod product_item;
mod product_list;
mod product_page;
mod product_parts;
mod purchase;
mod rating;
mod refund;
mod review;
mod review_item;
mod review_list;
mod session;
mod settlement;
mod signing;
mod stock;
mod stream;
mod sweep;
mod unsettled;
mod user;
mod venue;
mod watch;
mod watched_item;
mod webhook;
mod withdrawn;
mod writer;

pub use concert_search::{ConcertQuery, FoundConcert, Sort};
pub use crawl::{DueItems, DuePosition};
pub use delivery::BegunCall;
pub use engine::{table::Table, units::Units};
pub use idempotency::Recorded;
pub use mail_token::TokenState;
pub use notification::Channels;
pub use pending::Discarded;
pub use product_delete::{Hidden, Purged};
pub use rating::{Applied, Recount};
pub use review::Reviewed;
pub use settlement::{Afterwards, Closed, Epoch};
pub use signing::PublishedKey;
pub use stream::{Changed, Position, StreamChange, StreamRecord, stream_label};
pub use sweep::SweepPosition;
pub use unsettled::UnsettledOrder;
pub use user::Credential;
pub use watch::{AlertPosition, WaitingAlert, Watch};
pub use watched_item::PriceHistory;
pub use writer::Writer;
