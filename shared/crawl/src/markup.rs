//! One pass over a page's HTML: its structured data, meta elements and canonical link. Builds no tree, so that time and
//! memory grow with the page and not with its nesting.

use crate::{
    graph::{Item, LONGEST_TEXT, local_name, tidy},
    scopes::{Scopes, Statement},
};
use domain::observation::Reason;
use html5gum::{
    Span, Tokenizer,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};
use std::{collections::HashMap, convert::Infallible, str::from_utf8};

/// More meta elements, scripts or names in an attribute than any product page needs.
const MOST_METAS: usize = 1000;
const MOST_SCRIPTS: usize = 200;
const MOST_NAMES: usize = 16;

/// What a page says, before it is understood.
#[derive(Debug, Default)]
pub struct Markup {
    /// The texts of JSON-LD scripts.
    pub scripts: Vec<String>,
    /// Name or property, and content, of meta elements.
    pub metas: Vec<(String, String)>,
    /// The `href` of the first canonical link.
    pub canonical: Option<String>,
    /// The `href` of the first base element.
    pub base: Option<String>,
    /// The title.
    pub title: String,
    /// The items of microdata.
    pub microdata: Vec<Item>,
    /// The items of RDFa.
    pub rdfa: Vec<Item>,
}

/// Attributes that are read. Others are skipped, however many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Content,
    Datetime,
    Data,
    Href,
    Id,
    Itemid,
    Itemprop,
    Itemref,
    Itemscope,
    Itemtype,
    OfMeta,
    Property,
    Rel,
    Resource,
    Src,
    Type,
    Typeof,
    Value,
}

impl Name {
    fn parse(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"content" => Self::Content,
            b"datetime" => Self::Datetime,
            b"data" => Self::Data,
            b"href" => Self::Href,
            b"id" => Self::Id,
            b"itemid" => Self::Itemid,
            b"itemprop" => Self::Itemprop,
            b"itemref" => Self::Itemref,
            b"itemscope" => Self::Itemscope,
            b"itemtype" => Self::Itemtype,
            b"name" => Self::OfMeta,
            b"property" => Self::Property,
            b"rel" => Self::Rel,
            b"resource" => Self::Resource,
            b"src" => Self::Src,
            b"type" => Self::Type,
            b"typeof" => Self::Typeof,
            b"value" => Self::Value,
            _ => return None,
        })
    }
}

/// The start tag that is being read.
#[derive(Debug, Default)]
struct Tag {
    name: Vec<u8>,
    attributes: Vec<(Name, String)>,
    /// The attribute whose value comes next: the first one of its name.
    attribute: Option<Name>,
}

impl Tag {
    fn get(&self, name: Name) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    fn words(&self, name: Name) -> Vec<String> {
        let words = self.get(name).unwrap_or_default().split_ascii_whitespace();
        words.take(MOST_NAMES).map(|word| local_name(word).to_owned()).collect()
    }
}

/// What the text of the open element is for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Text {
    #[default]
    Content,
    JsonLd,
    Title,
    /// Of a script or style.
    Skipped,
}

/// Reads a page. `is_xml`: in XHTML, every element may close itself.
///
/// Error: `TooComplex`.
pub fn read(html: &str, is_xml: bool) -> Result<Markup, Reason> {
    let mut reader = Reader { is_xml, ..Reader::default() };
    let mut failure = Ok(());
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        if failure.is_ok() {
            failure = reader.event(&event);
        }
        None
    });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
    failure?;
    let Reader { mut markup, microdata, rdfa, .. } = reader;
    markup.microdata = microdata.finish();
    markup.rdfa = rdfa.finish();
    markup.title = tidy(&markup.title);
    Ok(markup)
}

/// The text with its character references resolved.
pub fn decode_entities(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut decoded = Vec::new();
    // No text of a script opens a tag here: JSON is read as it is, with `<` and all.
    for (index, part) in text.split('<').enumerate() {
        if index > 0 {
            decoded.push(b'<');
        }
        let emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
            if let CallbackEvent::String { value } = event {
                decoded.extend_from_slice(value);
            }
            None
        });
        let Ok(()) = Tokenizer::new_with_emitter(part, emitter).finish();
    }
    String::from_utf8(decoded).unwrap_or_default()
}

#[derive(Debug, Default)]
struct Reader {
    is_xml: bool,
    markup: Markup,
    microdata: Scopes,
    rdfa: Scopes,
    tag: Tag,
    text: Text,
    /// The names of open elements, as numbers of `names`.
    open: Vec<usize>,
    names: HashMap<Vec<u8>, usize>,
    /// How many elements of each name are open.
    counts: Vec<usize>,
}

impl Reader {
    fn event(&mut self, event: &CallbackEvent<'_>) -> Result<(), Reason> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag = Tag { name: name.to_vec(), ..Tag::default() };
            }
            CallbackEvent::AttributeName { name } => {
                let name = Name::parse(name).filter(|name| self.tag.get(*name).is_none());
                self.tag.attribute = name;
                self.tag.attributes.extend(name.map(|name| (name, String::new())));
            }
            CallbackEvent::AttributeValue { value } => {
                if let (Some(_), Some((_, last))) =
                    (self.tag.attribute.take(), self.tag.attributes.last_mut())
                {
                    *last = String::from_utf8_lossy(value).chars().take(LONGEST_TEXT).collect();
                }
            }
            CallbackEvent::CloseStartTag { self_closing } => return self.start(*self_closing),
            CallbackEvent::EndTag { name } => self.end(name),
            CallbackEvent::String { value } => self.string(value),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, self_closing: bool) -> Result<(), Reason> {
        let tag = std::mem::take(&mut self.tag);
        self.text = match tag.name.as_slice() {
            b"script" if is_json_ld(tag.get(Name::Type)) => {
                if self.markup.scripts.len() >= MOST_SCRIPTS {
                    return Err(Reason::TooComplex);
                }
                self.markup.scripts.push(String::new());
                Text::JsonLd
            }
            b"script" | b"style" => Text::Skipped,
            b"title" if self.markup.title.is_empty() && !self.is_open(b"svg") => Text::Title,
            _ => Text::Content,
        };
        self.head(&tag)?;
        let is_void = is_void(&tag.name) || (self.is_xml && self_closing);
        if !is_void {
            self.close_implied(&tag.name);
        }
        let depth = self.open.len();
        if !is_void {
            let next = self.names.len();
            let name = *self.names.entry(tag.name.clone()).or_insert(next);
            self.counts.resize(self.names.len(), 0);
            self.open.push(name);
            self.counts[name] += 1;
        }
        self.microdata.open(depth, is_void, microdata(&tag))?;
        self.rdfa.open(depth, is_void, rdfa(&tag))
    }

    /// Meta elements, the canonical link, and the base.
    fn head(&mut self, tag: &Tag) -> Result<(), Reason> {
        match tag.name.as_slice() {
            b"meta" => {
                let name = tag.get(Name::Property).or_else(|| tag.get(Name::OfMeta));
                if let (Some(name), Some(content)) = (name, tag.get(Name::Content)) {
                    if self.markup.metas.len() >= MOST_METAS {
                        return Err(Reason::TooComplex);
                    }
                    self.markup.metas.push((name.trim().to_ascii_lowercase(), tidy(content)));
                }
            }
            b"link" if tag.words(Name::Rel).iter().any(|rel| rel.eq_ignore_ascii_case("canonical")) => {
                let href = tag.get(Name::Href).filter(|href| !href.trim().is_empty());
                self.markup.canonical = self.markup.canonical.take().or_else(|| href.map(str::to_owned));
            }
            b"base" if self.markup.base.is_none() => {
                self.markup.base = tag.get(Name::Href).map(str::to_owned);
            }
            _ => {}
        }
        Ok(())
    }

    /// Some elements end where the next of their kind begins.
    fn close_implied(&mut self, name: &[u8]) {
        let ends_itself = matches!(name, b"li" | b"p" | b"td" | b"th" | b"tr" | b"dt" | b"dd" | b"option");
        if ends_itself && self.open.last().is_some() && self.open.last() == self.names.get(name) {
            self.end(name);
        }
    }

    fn end(&mut self, name: &[u8]) {
        self.text = Text::Content;
        if !self.is_open(name) {
            return;
        }
        let Some(&name) = self.names.get(name) else { return };
        // Closes elements within it that were left open, too.
        while let Some(closed) = self.open.pop() {
            self.counts[closed] -= 1;
            if closed == name {
                break;
            }
        }
        self.microdata.close(self.open.len());
        self.rdfa.close(self.open.len());
    }

    fn is_open(&self, name: &[u8]) -> bool {
        self.names.get(name).and_then(|name| self.counts.get(*name)).is_some_and(|count| *count > 0)
    }

    fn string(&mut self, value: &[u8]) {
        let Ok(text) = from_utf8(value) else { return };
        match self.text {
            Text::JsonLd => self.markup.scripts.last_mut().unwrap_or(&mut String::new()).push_str(text),
            Text::Title => self.markup.title.extend(text.chars().take(LONGEST_TEXT)),
            Text::Skipped => {}
            Text::Content => {
                self.microdata.text(text);
                self.rdfa.text(text);
            }
        }
    }
}

fn is_json_ld(media_type: Option<&str>) -> bool {
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/ld+json")
}

fn is_void(name: &[u8]) -> bool {
    const VOID: [&[u8]; 14] = [
        b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta", b"param",
        b"source", b"track", b"wbr",
    ];
    VOID.contains(&name)
}

/// The attribute that has an element's value, in microdata and RDFa alike; `None` if its text is the value.
fn value(tag: &Tag) -> Option<String> {
    let attribute = match tag.name.as_slice() {
        b"a" | b"area" | b"link" => Name::Href,
        b"audio" | b"embed" | b"iframe" | b"img" | b"source" | b"track" | b"video" => Name::Src,
        b"data" | b"meter" | b"input" => Name::Value,
        b"object" => Name::Data,
        b"time" => Name::Datetime,
        _ => Name::Content,
    };
    // `content` is for meta alone by the standard; shops write it everywhere, and search engines read it.
    let value = tag.get(Name::Content).or_else(|| tag.get(attribute));
    value.map(str::to_owned)
}

fn microdata(tag: &Tag) -> Statement {
    let is_item = tag.get(Name::Itemscope).is_some();
    Statement {
        item: is_item.then(|| tag.words(Name::Itemtype)),
        id: tag.get(Name::Itemid).map(str::to_owned),
        refers_to: tag.words(Name::Itemref),
        properties: tag.words(Name::Itemprop),
        value: value(tag),
        element_id: tag.get(Name::Id).map(str::to_owned),
    }
}

fn rdfa(tag: &Tag) -> Statement {
    let is_item = tag.get(Name::Typeof).is_some();
    let resource = tag.get(Name::Resource).map(str::to_owned);
    Statement {
        item: is_item.then(|| tag.words(Name::Typeof)),
        id: resource.clone(),
        // Names with another prefix, as those of Open Graph, are no properties of schema.org.
        properties: tag.words(Name::Property).into_iter().filter(|name| !name.contains(':')).collect(),
        value: value(tag).or(resource),
        ..Statement::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_read() {
        let page = r#"<base href="/shop/"><title> Green
            tea </title><link rel="alternate canonical" href="/p"><link rel=canonical href=/q>
            <meta property="og:title" content="Tea &amp; more"><meta name=x><svg><title>Icon</title></svg>
            <script type="application/ld+json; charset=utf-8">{"a": "</p>"}</script><script>var a = "<title>";</script>"#;
        let markup = read(page, false).unwrap();
        assert_eq!(markup.title, "Green tea");
        assert_eq!(markup.canonical.as_deref(), Some("/p"));
        assert_eq!(markup.base.as_deref(), Some("/shop/"));
        assert_eq!(markup.metas, [("og:title".to_owned(), "Tea & more".to_owned())]);
        assert_eq!(markup.scripts, [r#"{"a": "</p>"}"#]);
    }

    #[test]
    fn items_contain_the_properties_of_their_elements() {
        let page = r#"<div itemscope itemtype="https://schema.org/Product"><h1 itemprop=name>Green <b>tea</b></h1>
            <p>text<p itemprop=offers itemscope itemtype=http://schema.org/Offer>
            <span itemprop="price" content="12.50">12,50 €</span><link itemprop=availability href="https://schema.org/InStock">
            </p><span itemprop=sku>7</div><span itemprop=sku>8</span>"#;
        let markup = read(page, false).unwrap();
        let [product] = &markup.microdata[..] else { panic!("{:?}", markup.microdata) };
        assert!(product.is_a(&["Product"]));
        assert_eq!(product.text("name"), Some("Green tea"));
        assert_eq!(product.texts("sku").collect::<Vec<_>>(), ["7"]);
        let offer = product.items("offers").next().unwrap();
        assert_eq!(
            [offer.text("price"), offer.text("availability")],
            [Some("12.50"), Some("https://schema.org/InStock")]
        );
    }

    #[test]
    fn references_add_properties_from_elsewhere() {
        let page = r#"<div itemscope itemtype="https://schema.org/Product" itemref="offer name"></div>
            <div id=name><span itemprop=name>Tea</span></div>
            <div id=offer itemprop=offers itemscope itemtype=https://schema.org/Offer><b itemprop=price>3</b></div>"#;
        let markup = read(page, false).unwrap();
        let [product] = &markup.microdata[..] else { panic!("{:?}", markup.microdata) };
        assert_eq!(product.text("name"), Some("Tea"));
        assert_eq!(product.items("offers").next().unwrap().text("price"), Some("3"));
    }

    #[test]
    fn rdfa_is_read_in_its_prefixes() {
        for page in [
            r#"<div vocab="https://schema.org/" typeof="Product"><b property="name">Tea</b><i property="og:title">x</i></div>"#,
            r#"<div prefix="schema: https://schema.org/" typeof="schema:Product"><b property="schema:name">Tea</b></div>"#,
        ] {
            let markup = read(page, false).unwrap();
            let [product] = &markup.rdfa[..] else { panic!("{:?}", markup.rdfa) };
            assert!(product.is_a(&["Product"]));
            assert_eq!(product.text("name"), Some("Tea"), "{page}");
            assert_eq!(product.properties.len(), 1);
        }
    }

    #[test]
    fn in_xhtml_elements_close_themselves() {
        let page = r#"<div itemscope="" itemtype="https://schema.org/Product"><b itemprop="name" content="Tea"/></div><div itemprop="sku">1</div>"#;
        assert_eq!(read(page, true).unwrap().microdata[0].text("name"), Some("Tea"));
    }

    #[test]
    fn nested_items_are_bounded_and_nested_elements_are_not() {
        assert!(read(&"<div>".repeat(100_000), false).is_ok());
        let items = "<div itemscope itemprop='a b'>";
        assert!(read(&items.repeat(60), false).is_ok());
        assert_eq!(read(&items.repeat(100), false).err(), Some(Reason::TooComplex));
        let flat = "<meta itemprop=a content=b>".repeat(60_000);
        assert_eq!(read(&format!("<div itemscope>{flat}"), false).err(), Some(Reason::TooComplex));
    }

    #[test]
    fn entities_are_decoded_and_tags_are_not() {
        assert_eq!(
            decode_entities("Tom &amp; Jerry&#39;s &euro;5 <b>&lt;</b> & co"),
            "Tom & Jerry's €5 <b><</b> & co"
        );
    }
}
