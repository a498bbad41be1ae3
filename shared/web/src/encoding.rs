//! Content negotiation by `Accept-Encoding` (RFC 9110, section 12.5.3).

/// A content coding that a representation can be kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Gzip (RFC 1952).
    Gzip,
    /// None.
    Identity,
}

impl Encoding {
    /// Smallest first.
    const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Identity];

    /// As `Accept-Encoding` and `Content-Encoding` have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    /// The coding that the client likes best, the smallest of those that it likes alike; none when it takes none of them,
    /// in which case the RFC lets a server send what it has.
    pub fn preferred(accept: Option<&str>) -> Self {
        let Some(accept) = accept else { return Self::Identity };
        let best = Self::ALL.into_iter().rev().max_by_key(|encoding| encoding.weight(accept));
        best.filter(|encoding| encoding.weight(accept) > 0).unwrap_or(Self::Identity)
    }

    /// How much the client wants this coding, in thousandths.
    fn weight(self, accept: &str) -> u16 {
        let named = |name: &str| {
            let mut codings = accept.split(',').map(coding);
            codings.find_map(|(coding, weight)| coding.eq_ignore_ascii_case(name).then_some(weight))
        };
        // Identity that is not named is taken, and liked least.
        named(self.name()).or_else(|| named("*")).unwrap_or(u16::from(self == Self::Identity))
    }
}

/// `gzip;q=0.5` is `gzip` and 500. An invalid weight counts as 0.
fn coding(item: &str) -> (&str, u16) {
    let (name, parameter) = item.split_once(';').unwrap_or((item, ""));
    let weight = match parameter.trim().split_once('=') {
        Some((q, value)) if q.trim().eq_ignore_ascii_case("q") => thousandths(value.trim()),
        _ => 1000,
    };
    (name.trim(), weight)
}

fn thousandths(value: &str) -> u16 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if whole == "1" {
        return 1000;
    }
    format!("{fraction:0<3}").parse().ok().filter(|weight| whole == "0" && *weight < 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_says_what_it_takes() {
        for (accept, encoding) in [
            (None, Encoding::Identity),
            (Some(""), Encoding::Identity),
            (Some("gzip, deflate, br, zstd"), Encoding::Brotli),
            (Some("gzip"), Encoding::Gzip),
            (Some("GZIP;q=1.0, br;q=0.9"), Encoding::Gzip),
            (Some("br ; q=0, *"), Encoding::Gzip),
            (Some("*"), Encoding::Brotli),
            (Some("gzip;q=0.001, identity;q=0.5"), Encoding::Identity),
            (Some("gzip;q=0.5"), Encoding::Gzip),
            (Some("gzip;q=0"), Encoding::Identity),
            (Some("identity;q=0, br;q=0"), Encoding::Identity),
            (Some("br;q=x, gzip;q=0.05"), Encoding::Gzip),
            (Some("zstd"), Encoding::Identity),
        ] {
            assert_eq!(Encoding::preferred(accept), encoding, "{accept:?}");
        }
    }
}
