//! Content that is compressed when a function is built and embedded in it.

use crate::{
    encoding::Encoding,
    etag,
    request::Request,
    response::{self, Body, Response},
};
use http::{StatusCode, header};

/// A text in each encoding that a client may like.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    /// Not compressed.
    pub plain: &'static str,
    /// Compressed with gzip.
    pub gzip: &'static [u8],
    /// Compressed with Brotli.
    pub brotli: &'static [u8],
}

/// The content in the encoding that the client likes best. Each encoding has a tag
/// of its own, because a strong tag identifies the bytes.
pub fn response(
    request: &Request,
    media_type: &'static str,
    content: &Content,
    cache_control: &str,
) -> Response {
    let accept = request.headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let encoding = Encoding::preferred(accept);
    let mut response = response::text(StatusCode::OK, media_type, String::new());
    let bytes = match encoding {
        Encoding::Brotli => content.brotli,
        Encoding::Gzip => content.gzip,
        Encoding::Identity => content.plain.as_bytes(),
    };
    if encoding == Encoding::Identity {
        response.body = Body::Text(content.plain.to_owned());
    } else {
        response.body = Body::Binary(bytes);
        response = response.with(header::CONTENT_ENCODING, encoding.name());
    }
    response
        .with(header::CACHE_CONTROL, cache_control)
        .with(header::ETAG, etag::of_content(bytes))
        .with(header::VARY, "accept-encoding")
}
