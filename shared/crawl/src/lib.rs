//! Price watch: reads product pages of any shop, with a client that cannot be turned against the network that it is in,
//! and that keeps to what hosts ask of crawlers.

mod address;
mod body;
mod charset;
mod client;
mod corpus;
mod crawler;
mod graph;
mod host;
mod json_ld;
mod limiter;
mod link;
mod markup;
mod mutations;
mod network;
mod offer;
mod page;
mod product;
mod resolver;
mod retry_after;
mod robots;
mod roots;
mod sale_crawl;
mod sale_list;
mod scopes;
mod server;
mod webhook;

pub use address::{Allowed, PageAddress, Refused};
pub use client::Failure;
pub use crawler::{Crawler, Visit};
pub use page::{Reading, read};
pub use sale_list::{Entry, ListedSale, SalePage};
pub use webhook::{EndpointSecret, WebhookClient};
