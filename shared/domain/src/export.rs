//! The export of a user's data, page by page: orders, then products, reviews, watches,
//! experiments and sessions.

use crate::{
    id::{ExperimentId, OrderId, ProductId},
    observation::ItemId,
    review::ReviewEntry,
};
use std::{fmt, str::FromStr};

/// Where a page of an export begins: what it lists, and after which id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportPosition {
    /// Orders as a customer.
    Orders(Option<OrderId>),
    /// Products as a seller.
    Products(Option<ProductId>),
    /// Reviews, by the windows in which they were written.
    Reviews(Option<ReviewEntry>),
    /// Watched items.
    Watches(Option<ItemId>),
    /// Experiments as a seller.
    Experiments(Option<ExperimentId>),
    /// Open sessions, on one page.
    Sessions,
}

impl ExportPosition {
    /// The beginning of the first page.
    pub const START: Self = Self::Orders(None);
}

impl fmt::Display for ExportPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, after) = match self {
            Self::Orders(after) => ("orders", after.map(|id| id.to_string())),
            Self::Products(after) => ("products", after.map(|id| id.to_string())),
            Self::Reviews(after) => ("reviews", after.map(|entry| entry.to_string())),
            Self::Watches(after) => ("watches", after.map(|id| id.to_string())),
            Self::Experiments(after) => ("experiments", after.map(|id| id.to_string())),
            Self::Sessions => ("sessions", None),
        };
        write!(f, "{kind}.{}", after.unwrap_or_default())
    }
}

/// The text is not a position of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnExportPosition;

impl FromStr for ExportPosition {
    type Err = NotAnExportPosition;

    fn from_str(text: &str) -> Result<Self, NotAnExportPosition> {
        fn after<P: FromStr>(position: &str) -> Result<Option<P>, NotAnExportPosition> {
            if position.is_empty() {
                Ok(None)
            } else {
                position.parse().map(Some).map_err(|_| NotAnExportPosition)
            }
        }
        match text.split_once('.').ok_or(NotAnExportPosition)? {
            ("orders", position) => after(position).map(Self::Orders),
            ("products", position) => after(position).map(Self::Products),
            ("reviews", position) => after(position).map(Self::Reviews),
            ("watches", position) => after(position).map(Self::Watches),
            ("experiments", position) => after(position).map(Self::Experiments),
            ("sessions", "") => Ok(Self::Sessions),
            _ => Err(NotAnExportPosition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, id::Id};

    #[test]
    fn positions_round_trip_as_text() {
        let now = Timestamp::from_unix_milliseconds(7);
        let product: ProductId = Id::new(now, [1; 10]);
        for position in [
            ExportPosition::START,
            ExportPosition::Orders(Some(Id::new(now, [2; 10]))),
            ExportPosition::Products(None),
            ExportPosition::Products(Some(product)),
            ExportPosition::Reviews(Some(ReviewEntry { window_start: 900, product_id: product })),
            ExportPosition::Watches(Some(ItemId::of_digest(&[3; 32]))),
            ExportPosition::Experiments(Some(Id::new(now, [4; 10]))),
            ExportPosition::Sessions,
        ] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for wrong in ["", "orders", "orders.x", "reviews.900", "sessions.x", "bands."] {
            assert_eq!(wrong.parse::<ExportPosition>(), Err(NotAnExportPosition), "{wrong}");
        }
    }
}
