//! What a shop's page says of a product, and the reasons why it says nothing that can be watched.

use crate::{Money, id::NotAnId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The id of a watched item: a UUIDv8 of the canonical address, so that one page is one item for all users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(Uuid);

impl ItemId {
    /// The sixteen bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id of the canonical address with this SHA-256.
    pub fn of_digest(sha256: &[u8; 32]) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&sha256[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for ItemId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let id = Uuid::try_parse(text).map_err(|_| NotAnId)?;
        let id = Self(id);
        // One spelling: hyphens and lower case.
        let is_version_8 = id.0.get_version_num() == 8 && id.0.get_variant() == uuid::Variant::RFC4122;
        if is_version_8 && id.to_string() == text { Ok(id) } else { Err(NotAnId) }
    }
}

/// Whether a product can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Availability {
    /// It can be bought now.
    InStock,
    /// It cannot be bought now.
    OutOfStock,
    /// It can be ordered before it is sold for the first time.
    PreOrder,
    /// It can be ordered, and is delivered when it is in stock again.
    BackOrder,
    /// It is not sold any more.
    Discontinued,
    /// The page does not say.
    Unknown,
}

impl Availability {
    /// Reads a word of schema.org (`https://schema.org/InStock`, `InStock`) or of product feeds (`in stock`).
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let word = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let word = match word {
            Some(address) => {
                let address = address.strip_prefix("www.").unwrap_or(address);
                address.strip_prefix("schema.org/").unwrap_or_default()
            }
            None => text.strip_prefix("schema:").unwrap_or(text),
        };
        let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        match word.to_ascii_lowercase().as_str() {
            "instock" | "instoreonly" | "limitedavailability" | "onlineonly" | "available" => Self::InStock,
            "outofstock" | "soldout" | "oos" | "reserved" | "unavailable" => Self::OutOfStock,
            "preorder" | "presale" => Self::PreOrder,
            "backorder" | "madetoorder" | "availablefororder" => Self::BackOrder,
            "discontinued" => Self::Discontinued,
            _ => Self::Unknown,
        }
    }

    /// Whether a page may leave out the price.
    pub fn needs_no_price(self) -> bool {
        matches!(self, Self::OutOfStock | Self::Discontinued)
    }
}

/// What a page says of its product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The name of the product.
    pub name: String,
    /// The price; `None` for what is sold out or discontinued and has none.
    pub price: Option<Money>,
    /// Whether it can be bought.
    pub availability: Availability,
    /// Whether the price is the lowest of several.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from: bool,
}

/// What tells whether a page has changed: the headers of an earlier response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Validators {
    /// `ETag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Last-Modified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $passing:literal;)*) => {
        /// Why a page could not be read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason as clients read it.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Whether it may pass, so that the page is asked again. Other reasons are for good.
            pub fn may_pass(self) -> bool {
                match self { $(Self::$name => $passing,)* }
            }
        }
    };
}

reasons! {
    /// The address is not of http or https.
    Scheme = "scheme", false;
    /// The port is not 80 or 443.
    Port = "port", false;
    /// The address has a user name or a password.
    Credentials = "credentials", false;
    /// The host is missing, an IP literal, a single label or a special-use name.
    Host = "host", false;
    /// The host's name has an address that is not public.
    Address = "address", false;
    /// More than five redirects.
    TooManyRedirects = "too-many-redirects", false;
    /// The host's robots.txt disallows the page.
    Robots = "robots", false;
    /// The answer is not an HTML page, or in an encoding that was not asked for.
    NotHtml = "not-html", false;
    /// The page is larger than the limit.
    TooLarge = "too-large", false;
    /// The page is nested too deeply or says too much.
    TooComplex = "too-complex", false;
    /// There is no such page.
    Gone = "gone", false;
    /// The host refuses the page.
    Forbidden = "forbidden", false;
    /// The page describes no product.
    NoProduct = "no-product", false;
    /// The page describes several products or prices that differ, and its address chooses none.
    SeveralProducts = "several-products", false;
    /// The product has no price.
    NoPrice = "no-price", false;
    /// The price is not an exact amount of its currency.
    BadPrice = "bad-price", false;
    /// The price has no currency, or one that can mean several.
    NoCurrency = "no-currency", false;
    /// The currency is not an active one of ISO 4217.
    UnknownCurrency = "unknown-currency", false;
    /// The host's name has no address.
    Dns = "dns", true;
    /// The host cannot be reached, its certificate is not valid, or the connection broke.
    Connection = "connection", true;
    /// The page did not come in time.
    Timeout = "timeout", true;
    /// The host asks to come back later.
    RateLimited = "rate-limited", true;
    /// The host failed.
    ServerError = "server-error", true;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn item_ids_are_uuid_version_8_with_one_spelling() {
        let id = ItemId::of_digest(&[0xab; 32]);
        assert_eq!(id.to_string(), "abababab-abab-8bab-abab-abababababab");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in [
            "",
            "x",
            "ABABABAB-ABAB-8BAB-ABAB-ABABABABABAB",
            "abababab-abab-7bab-abab-abababababab",
            "ababababababab8babababababababab",
        ] {
            assert_eq!(text.parse::<ItemId>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn availability_is_unknown_unless_it_is_said() {
        use Availability::{BackOrder, Discontinued, InStock, OutOfStock, PreOrder, Unknown};
        for (text, expected) in [
            ("https://schema.org/InStock", InStock),
            ("http://schema.org/InStock", InStock),
            ("http://www.schema.org/instock", InStock),
            ("schema:InStock", InStock),
            ("InStock", InStock),
            (" in stock ", InStock),
            ("https://schema.org/InStoreOnly", InStock),
            ("https://schema.org/LimitedAvailability", InStock),
            ("https://schema.org/OnlineOnly", InStock),
            ("https://schema.org/OutOfStock", OutOfStock),
            ("https://schema.org/SoldOut", OutOfStock),
            ("oos", OutOfStock),
            ("https://schema.org/PreOrder", PreOrder),
            ("preorder", PreOrder),
            ("https://schema.org/PreSale", PreOrder),
            ("https://schema.org/BackOrder", BackOrder),
            ("https://schema.org/MadeToOrder", BackOrder),
            ("https://schema.org/Discontinued", Discontinued),
            ("", Unknown),
            ("maybe", Unknown),
            ("https://schema.org/", Unknown),
            ("https://schema.example/InStock", Unknown),
        ] {
            assert_eq!(Availability::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn reasons_are_written_as_their_code() {
        for reason in Reason::ALL {
            assert_eq!(json!(reason), json!(reason.code()));
        }
        assert_eq!(Reason::ALL.iter().filter(|reason| reason.may_pass()).count(), 5);
    }

    #[test]
    fn observations_say_from_only_where_it_holds() {
        let mut observation = Observation {
            name: "Tea".to_owned(),
            price: None,
            availability: Availability::OutOfStock,
            from: false,
        };
        assert_eq!(json!(observation), json!({"name": "Tea", "price": null, "availability": "outOfStock"}));
        observation.from = true;
        assert_eq!(json!(observation)["from"], json!(true));
    }
}
