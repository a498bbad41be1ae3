//! What a user wants to watch.

use crate::{
    Error,
    input::{Checked, Input, Members},
    text::string,
};
use serde_json::Value;

/// A request to watch a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchDraft {
    /// The address of the page, as the user pasted it. The crawler knows the rules for it.
    pub url: String,
}

impl WatchDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let url = members.required("url", string);
        members.finish(|| Some(Self { url: url? }))
    }
}

impl Input for WatchDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_draft_has_an_address() {
        let draft = WatchDraft::from_json(json!({"url": "x"}));
        assert_eq!(draft, Ok(WatchDraft { url: "x".to_owned() }));
        for wrong in [json!({}), json!({"url": 1}), json!({"url": "x", "y": 1}), json!("x")] {
            assert!(WatchDraft::from_json(wrong).is_err());
        }
    }
}
