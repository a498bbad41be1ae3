//! The text of a page in any encoding of the web.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// Where browsers look for a declaration in the page.
const PRESCAN: usize = 1024;

/// Decodes a page: by its byte order mark, else the charset of its Content-Type, else its own declaration, else UTF-8 if
/// the bytes are valid UTF-8, else by detection. Invalid bytes become replacement characters.
pub fn decode(body: &[u8], charset: Option<&str>, top_level_domain: Option<&str>) -> String {
    let declared =
        || charset.and_then(|label| Encoding::for_label(label.as_bytes())).or_else(|| in_page(body));
    let encoding = Encoding::for_bom(body)
        .map(|(encoding, _)| encoding)
        .or_else(declared)
        .unwrap_or_else(|| detect(body, top_level_domain));
    encoding.decode(body).0.into_owned()
}

/// The encoding that a `meta` element or an XML declaration names in the first bytes.
fn in_page(body: &[u8]) -> Option<&'static Encoding> {
    let head = body.get(..PRESCAN).unwrap_or(body).to_ascii_lowercase();
    let head = String::from_utf8_lossy(&head);
    let xml = head
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split("?>").next())
        .and_then(|xml| label(xml, "encoding"));
    let mut metas = without_comments(&head);
    let meta = metas.find_map(|meta| label(&meta, "charset"));
    let encoding = xml.or(meta).and_then(|label| Encoding::for_label(label.as_bytes()))?;
    // As in the HTML standard: a declaration that was readable byte by byte is not of these.
    Some(match encoding {
        e if e == UTF_16LE || e == UTF_16BE => UTF_8,
        e if e == X_USER_DEFINED => WINDOWS_1252,
        e => e,
    })
}

/// The text of each `meta` element outside comments.
fn without_comments(head: &str) -> impl Iterator<Item = String> {
    let mut rest = head.to_owned();
    while let Some(start) = rest.find("<!--") {
        let end = rest
            .get(start..)
            .and_then(|comment| comment.find("-->"))
            .map_or(rest.len(), |end| start + end + 3);
        rest.replace_range(start..end, "");
    }
    let metas: Vec<String> =
        rest.split("<meta").skip(1).filter_map(|meta| meta.split('>').next()).map(str::to_owned).collect();
    metas.into_iter()
}

/// The value after `name=`, with or without quotes.
fn label(text: &str, name: &str) -> Option<String> {
    let (_, after) = text.split_once(name)?;
    let value = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '/' | '>');
    value.split(end).next().filter(|label| !label.is_empty()).map(str::to_owned)
}

fn detect(body: &[u8], top_level_domain: Option<&str>) -> &'static Encoding {
    if std::str::from_utf8(body).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(body, true);
    // The detector panics on a name that is not lower-case ASCII.
    let domain = top_level_domain
        .filter(|domain| domain.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit()));
    detector.guess(domain.map(str::as_bytes), Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{GBK, SHIFT_JIS};

    const JAPANESE: &str =
        "静岡県産の深蒸し茶です。送料無料でお届けします。在庫あり。価格は千九百八十円です。";
    const CHINESE: &str = "正宗西湖龙井茶叶，明前特级，限时优惠，全国包邮，欢迎选购。价格一百二十八元。";

    #[test]
    fn each_place_of_a_declaration_is_read() {
        let (japanese, ..) = SHIFT_JIS.encode(JAPANESE);
        assert_eq!(decode(&japanese, Some("Shift_JIS"), None), JAPANESE);
        for declaration in [
            "<meta charset=Shift_JIS>",
            "<META CHARSET='sjis' />",
            "<meta http-equiv='Content-Type' content='text/html; charset=Shift_JIS'>",
            "<?xml version='1.0' encoding='Shift_JIS'?>",
        ] {
            let page = [declaration.as_bytes(), &japanese].concat();
            assert_eq!(decode(&page, None, None), format!("{declaration}{JAPANESE}"), "{declaration}");
        }
    }

    #[test]
    fn an_earlier_declaration_wins() {
        let (chinese, ..) = GBK.encode(CHINESE);
        let page = [b"<meta charset=utf-8>", &chinese[..]].concat();
        assert!(decode(&page, Some("gbk"), None).ends_with(CHINESE));
        let page = ["\u{feff}", CHINESE].concat();
        assert_eq!(decode(page.as_bytes(), Some("gbk"), None), CHINESE);
        let utf_16: Vec<u8> = "\u{feff}<p>茶".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&utf_16, None, None), "<p>茶");
        let page = ["<!-- <meta charset=gbk> --><meta charset=utf-8>", CHINESE].concat();
        assert!(decode(page.as_bytes(), None, None).ends_with(CHINESE));
    }

    #[test]
    fn what_is_not_declared_is_detected() {
        assert_eq!(decode(CHINESE.as_bytes(), None, None), CHINESE);
        assert_eq!(decode(CHINESE.as_bytes(), Some("nonsense"), None), CHINESE);
        let (japanese, ..) = SHIFT_JIS.encode(JAPANESE);
        assert_eq!(decode(&japanese, None, Some("jp")), JAPANESE);
        assert_eq!(decode(&japanese, None, Some("COM")), JAPANESE);
        let (chinese, ..) = GBK.encode(CHINESE);
        assert_eq!(decode(&chinese, None, None), CHINESE);
        let french = "Thé vert bio récolté à la main, livraison dès demain, 12,50 €";
        let (french_bytes, ..) = WINDOWS_1252.encode(french);
        assert_eq!(decode(&french_bytes, None, Some("fr")), french);
    }

    #[test]
    fn a_declaration_of_utf_16_without_a_mark_means_utf_8() {
        assert_eq!(decode("<meta charset=utf-16>茶".as_bytes(), None, None), "<meta charset=utf-16>茶");
    }
}
