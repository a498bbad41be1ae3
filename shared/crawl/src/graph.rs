//! What a page says in structured data, whatever its notation: items with types and properties.

/// A value of a property.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, of an attribute, an element or a JSON string.
    Text(String),
    /// A number of JSON, as it was written.
    Number(String),
    /// An item.
    Item(Item),
}

/// An item of schema.org. Types and names of properties have no prefix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    /// The types.
    pub types: Vec<String>,
    /// The identifier (`@id`, `itemid`, `resource`).
    pub id: Option<String>,
    /// Properties with their values; a property with several values is repeated.
    pub properties: Vec<(String, Value)>,
}

/// Text that is longer is cut: no name, price or address needs more.
pub const LONGEST_TEXT: usize = 4096;

impl Item {
    /// Whether one of the types is one of these.
    pub fn is_a(&self, types: &[&str]) -> bool {
        self.types.iter().any(|own| types.iter().any(|of| of.eq_ignore_ascii_case(own)))
    }

    /// All values of a property.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.properties.iter().filter(move |(own, _)| own == name).map(|(_, value)| value)
    }

    /// The items among the values of a property.
    pub fn items<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.all(name).filter_map(|value| match value {
            Value::Item(item) => Some(item),
            Value::Text(_) | Value::Number(_) => None,
        })
    }

    /// The first value of a property that is a text and not empty. An item stands for its identifier, as in
    /// `{"@id": "https://schema.org/InStock"}`, or for its name.
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.texts(name).next()
    }

    /// The values of a property as texts, without the empty ones.
    pub fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let texts = self.all(name).filter_map(|value| match value {
            Value::Text(text) | Value::Number(text) => Some(text.as_str()),
            Value::Item(item) => item.id.as_deref().or_else(|| match item.all("name").next() {
                Some(Value::Text(text)) => Some(text),
                _ => None,
            }),
        });
        texts.map(str::trim).filter(|text| !text.is_empty())
    }

    /// Whether it only refers to another item by its identifier.
    pub fn is_reference(&self) -> bool {
        self.id.is_some() && self.properties.is_empty()
    }
}

/// The name of a type or property without the prefix of schema.org.
pub fn local_name(name: &str) -> &str {
    let name = name.trim();
    let prefixes = [
        "https://schema.org/",
        "http://schema.org/",
        "https://www.schema.org/",
        "http://www.schema.org/",
        "schema:",
    ];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// A text without more than one space in a row, and not longer than [`LONGEST_TEXT`].
pub fn tidy(text: &str) -> String {
    let mut tidy = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if tidy.len() + word.len() >= LONGEST_TEXT {
            break;
        }
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    tidy
}
