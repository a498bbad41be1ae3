//! All clients by name, for the tests that compare the template with what functions need.

use crate::{
    cache::Cache,
    client::{Client, Needs},
    concert_undo::ConcertUndo,
    dead_letters::{CacheWarm, DeadLetters, RatingAverage},
    limits::{Limits, LogIns, Refreshes, Registrations},
    machines::{ConcertCreate, Machines, OrderCancel, OrderPlace, ProductDelete},
    passwords::Passwords,
    payments::{PaymentProvider, PaymentWebhook},
    settlement::{Capture, Settlement, Undo},
    sweep::SweepAfter,
    table::Table,
    table_stream::TableStream,
    tokens::{SigningSecret, TokenIssuer, TokenVerifier},
};

/// All clients, by the names of their types, with what each needs from the template.
pub const CLIENTS: &[(&str, Needs)] = &[
    ("Cache", Cache::NEEDS),
    ("Capture", Capture::NEEDS),
    ("ConcertUndo", ConcertUndo::NEEDS),
    ("DeadLetters<CacheWarm>", DeadLetters::<CacheWarm>::NEEDS),
    ("DeadLetters<RatingAverage>", DeadLetters::<RatingAverage>::NEEDS),
    ("Limits<LogIns>", Limits::<LogIns>::NEEDS),
    ("Limits<Refreshes>", Limits::<Refreshes>::NEEDS),
    ("Limits<Registrations>", Limits::<Registrations>::NEEDS),
    ("Machines<ConcertCreate>", Machines::<ConcertCreate>::NEEDS),
    ("Machines<OrderCancel>", Machines::<OrderCancel>::NEEDS),
    ("Machines<OrderPlace>", Machines::<OrderPlace>::NEEDS),
    ("Machines<ProductDelete>", Machines::<ProductDelete>::NEEDS),
    ("Passwords", Passwords::NEEDS),
    ("PaymentProvider", PaymentProvider::NEEDS),
    ("PaymentWebhook", PaymentWebhook::NEEDS),
    ("Settlement", Settlement::NEEDS),
    ("SigningSecret", SigningSecret::NEEDS),
    ("SweepAfter", SweepAfter::NEEDS),
    ("Table", <Table as Client>::NEEDS),
    ("TableStream", TableStream::NEEDS),
    ("TokenIssuer", TokenIssuer::NEEDS),
    ("TokenVerifier", TokenVerifier::NEEDS),
    ("Undo", Undo::NEEDS),
];
