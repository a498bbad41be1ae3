//! Bodies of responses: decompressed, and never larger than a limit.

use domain::observation::Reason;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::{self, Read};

/// The encodings that are asked for.
pub const ACCEPTED: &str = "gzip, deflate";

/// Decompresses a body with this `Content-Encoding` to at most `limit` bytes.
///
/// Errors: `NotHtml` for another encoding, `TooLarge`, and `Connection` for a body that was cut off.
pub fn decompress(body: &[u8], encoding: &str, limit: usize) -> Result<Vec<u8>, Reason> {
    let (decompressed, whole) = read(body, encoding, limit.saturating_add(1))?;
    if decompressed.len() > limit {
        return Err(Reason::TooLarge);
    }
    whole.map_err(|_| Reason::Connection)?;
    Ok(decompressed)
}

/// The first `limit` bytes of a body that may have been cut off.
///
/// Errors: `NotHtml` for another encoding, and `Connection` for a body that cannot be read.
pub fn decompress_start(body: &[u8], encoding: &str, limit: usize) -> Result<Vec<u8>, Reason> {
    let (start, whole) = read(body, encoding, limit)?;
    if whole.is_err() && start.is_empty() { Err(Reason::Connection) } else { Ok(start) }
}

/// Up to `limit` bytes, and whether the body could be read to there.
fn read(body: &[u8], encoding: &str, limit: usize) -> Result<(Vec<u8>, io::Result<usize>), Reason> {
    let mut source: Box<dyn Read> = match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Box::new(body),
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(body)),
        // The specification means zlib's format; some servers send the bare one.
        "deflate" if is_zlib(body) => Box::new(ZlibDecoder::new(body)),
        "deflate" => Box::new(DeflateDecoder::new(body)),
        _ => return Err(Reason::NotHtml),
    };
    let mut read = Vec::new();
    let whole = source.by_ref().take(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_end(&mut read);
    Ok((read, whole))
}

fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..] if method & 15 == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use std::io::Write;

    macro_rules! compressed {
        ($encoder:ident, $body:expr) => {{
            let mut encoder = $encoder::new(Vec::new(), Compression::fast());
            encoder.write_all($body).unwrap();
            encoder.finish().unwrap()
        }};
    }

    #[test]
    fn each_encoding_is_decompressed() {
        let page = b"<p>Tea</p>".repeat(100);
        for (body, encoding) in [
            (page.clone(), ""),
            (page.clone(), "Identity"),
            (compressed!(GzEncoder, &page), "gzip"),
            (compressed!(GzEncoder, &page), " X-GZIP"),
            (compressed!(ZlibEncoder, &page), "deflate"),
            (compressed!(DeflateEncoder, &page), "deflate"),
        ] {
            assert_eq!(decompress(&body, encoding, page.len()).as_ref(), Ok(&page), "{encoding}");
            assert_eq!(decompress(&body, encoding, page.len() - 1), Err(Reason::TooLarge), "{encoding}");
            assert_eq!(decompress_start(&body, encoding, 5).as_deref(), Ok(&page[..5]), "{encoding}");
        }
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0; 20_000_000];
        let bombs = [(compressed!(GzEncoder, &zeros), "gzip"), (compressed!(ZlibEncoder, &zeros), "deflate")];
        for (bomb, encoding) in bombs {
            assert!(bomb.len() < 200_000);
            assert_eq!(decompress(&bomb, encoding, 4_000_000), Err(Reason::TooLarge), "{encoding}");
        }
    }

    #[test]
    fn other_encodings_and_broken_bodies_are_refused() {
        for encoding in ["br", "zstd", "compress", "gzip, gzip", "identity, br", "x"] {
            assert_eq!(decompress(b"x", encoding, 10), Err(Reason::NotHtml), "{encoding}");
        }
        let mut cut = compressed!(GzEncoder, b"<p>Tea</p>");
        cut.truncate(cut.len() - 9);
        assert_eq!(decompress(&cut, "gzip", 100), Err(Reason::Connection));
        assert_eq!(decompress(b"no gzip", "gzip", 100), Err(Reason::Connection));
    }
}
