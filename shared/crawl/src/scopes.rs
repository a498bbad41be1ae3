//! Collects the items of microdata or RDFa while the elements of a page open and close.

use crate::graph::{Item, LONGEST_TEXT, Value, tidy};
use domain::observation::Reason;

/// Deeper nesting of items, more items, or more properties than any product needs.
const DEEPEST: usize = 64;
const MOST_ITEMS: usize = 10_000;
const MOST_PROPERTIES: usize = 50_000;

/// References are followed from the first items of a page, where its product is.
const MOST_REFERRING: usize = 16;

/// Properties whose text is collected at once; the text of one inside another counts for both.
const MOST_CAPTURES: usize = 8;

/// What an element says.
#[derive(Debug, Default)]
pub struct Statement {
    /// The types, if the element is an item (`itemscope`, `typeof`).
    pub item: Option<Vec<String>>,
    /// The identifier of the item.
    pub id: Option<String>,
    /// Ids of elements with more properties of the item (`itemref`).
    pub refers_to: Vec<String>,
    /// The properties of which it is the value.
    pub properties: Vec<String>,
    /// The value, if an attribute has it; else it is the element's text.
    pub value: Option<String>,
    /// The `id` of the element.
    pub element_id: Option<String>,
}

#[derive(Debug)]
enum Found {
    Text(String),
    Item(usize),
}

/// A property, its owner, and its value.
#[derive(Debug)]
struct Property {
    owner: Owner,
    name: String,
    value: Found,
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Item(usize),
    /// Outside any item, in the element with this id: an index of `ids`.
    Element(usize),
}

/// An item whose properties are not assigned yet.
#[derive(Debug)]
struct Scope {
    item: Item,
    refers_to: Vec<String>,
    /// Whether it is not the value of a property.
    is_top: bool,
}

/// Text that is being collected for properties.
#[derive(Debug)]
struct Capture {
    depth: usize,
    /// Indices of the properties.
    properties: std::ops::Range<usize>,
    text: String,
}

/// The collector of one notation.
#[derive(Debug, Default)]
pub struct Scopes {
    items: Vec<Scope>,
    properties: Vec<Property>,
    /// Open items, each with the depth of its element.
    open: Vec<(usize, usize)>,
    captures: Vec<Capture>,
    /// Ids of elements outside any item, each with the one around it.
    ids: Vec<(String, Option<usize>)>,
    /// Those of open elements, each with the depth of its element.
    open_ids: Vec<(usize, usize)>,
}

impl Scopes {
    /// An element opens at this depth. A void element has no text and is not closed.
    pub fn open(&mut self, depth: usize, is_void: bool, statement: Statement) -> Result<(), Reason> {
        let Statement { item, id, refers_to, properties, value, element_id } = statement;
        if let (Some(element_id), true, false) = (element_id, self.open.is_empty(), is_void)
            && self.open_ids.len() < DEEPEST
        {
            self.ids.push((element_id, self.open_ids.last().map(|(_, index)| *index)));
            self.open_ids.push((depth, self.ids.len() - 1));
        }
        if item.is_none() && properties.is_empty() {
            return Ok(());
        }
        let of_item = self.open.last().map(|(_, item)| Owner::Item(*item));
        let owner = of_item.or_else(|| self.open_ids.last().map(|(_, id)| Owner::Element(*id)));
        let opened = item.map(|types| {
            let item = Item { types, id, properties: Vec::new() };
            self.items.push(Scope { item, refers_to, is_top: of_item.is_none() || properties.is_empty() });
            self.items.len() - 1
        });
        let first = self.properties.len();
        // Outside of items and of elements with an id nothing owns a property.
        for (name, owner) in properties.into_iter().zip(std::iter::repeat(owner)) {
            let value = opened.map_or_else(|| Found::Text(value.clone().unwrap_or_default()), Found::Item);
            self.properties.extend(owner.map(|owner| Property { owner, name, value }));
        }
        if let Some(item) = opened {
            if !is_void {
                self.open.push((depth, item));
            }
        } else if value.is_none() && !is_void && self.captures.len() < MOST_CAPTURES {
            let properties = first..self.properties.len();
            self.captures.push(Capture { depth, properties, text: String::new() });
        }
        let is_too_complex = self.open.len() > DEEPEST
            || self.items.len() > MOST_ITEMS
            || self.properties.len() > MOST_PROPERTIES;
        if is_too_complex { Err(Reason::TooComplex) } else { Ok(()) }
    }

    /// Text in the innermost open element.
    pub fn text(&mut self, text: &str) {
        for capture in &mut self.captures {
            let room = LONGEST_TEXT.saturating_sub(capture.text.len());
            capture.text.extend(text.chars().take(room));
        }
    }

    /// All elements at this depth and deeper are closed.
    pub fn close(&mut self, depth: usize) {
        while let Some(capture) = self.captures.pop_if(|capture| capture.depth >= depth) {
            let text = tidy(&capture.text);
            for property in self.properties.get_mut(capture.properties).unwrap_or_default() {
                property.value = Found::Text(text.clone());
            }
        }
        while self.open.pop_if(|(at, _)| *at >= depth).is_some() {}
        while self.open_ids.pop_if(|(at, _)| *at >= depth).is_some() {}
    }

    /// The items that are not the value of a property of another one, with the others in them.
    pub fn finish(mut self) -> Vec<Item> {
        self.close(0);
        let mut properties: Vec<Vec<(String, Found)>> = self.items.iter().map(|_| Vec::new()).collect();
        for Property { owner, name, value } in std::mem::take(&mut self.properties) {
            let owner = match owner {
                Owner::Item(item) => Some(item),
                Owner::Element(id) => self.referring_to(id),
            };
            let Some(owner) = owner else { continue };
            // An item that is referred to is in the one that refers to it, if that one comes first: no circles.
            if let Found::Item(item) = value {
                if item <= owner {
                    continue;
                }
                self.items[item].is_top = false;
            }
            properties[owner].push((name, value));
        }
        let is_top: Vec<bool> = self.items.iter().map(|scope| scope.is_top).collect();
        let mut items: Vec<Option<Item>> = self.items.into_iter().map(|scope| Some(scope.item)).collect();
        // A contained item comes after the one that contains it, and is moved into it once.
        for (index, properties) in properties.into_iter().enumerate().rev() {
            let values = properties.into_iter().filter_map(|(name, value)| match value {
                Found::Text(text) => Some((name, Value::Text(text))),
                Found::Item(item) => Some((name, Value::Item(items.get_mut(item)?.take()?))),
            });
            let values = values.collect();
            if let Some(Some(item)) = items.get_mut(index) {
                item.properties = values;
            }
        }
        items.into_iter().zip(is_top).filter(|(_, is_top)| *is_top).filter_map(|(item, _)| item).collect()
    }

    /// The first item that refers to this element or to one around it.
    fn referring_to(&self, id: usize) -> Option<usize> {
        let mut next = Some(id);
        while let Some((id, outer)) = next.and_then(|index| self.ids.get(index)) {
            let referring = self.items.iter().take(MOST_REFERRING);
            if let Some(item) = referring.into_iter().position(|scope| scope.refers_to.contains(id)) {
                return Some(item);
            }
            next = *outer;
        }
        None
    }
}
