//! What a user wants to watch.

use crate::{
    Error,
    alert::Alert,
    input::{Checked, Input, Members},
    text::string,
};
use serde_json::Value;

/// A request to watch a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchDraft {
    /// The address of the page, as the user pasted it. The crawler knows the rules for it.
    pub url: String,
    /// What the user wants to be told; `None` leaves it as it is.
    pub alerts: Option<Vec<Alert>>,
}

/// A merge patch of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchPatch {
    /// What the user wants to be told; `None` leaves it as it is.
    pub alerts: Option<Vec<Alert>>,
}

impl WatchDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let url = members.required("url", string);
        let alerts = members.optional("alerts", Alert::list_from_value);
        members.finish(|| Some(Self { url: url?, alerts }))
    }
}

impl Input for WatchDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

impl Input for WatchPatch {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = || {
            let mut members = Members::of(value)?;
            // A merge patch removes a member by null.
            let rule =
                |value: Value| if value.is_null() { Ok(Vec::new()) } else { Alert::list_from_value(value) };
            let alerts = members.optional("alerts", rule);
            members.finish(|| Some(Self { alerts }))
        };
        read().map_err(Error::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_draft_has_an_address() {
        let draft = WatchDraft::from_json(json!({"url": "x"}));
        assert_eq!(draft, Ok(WatchDraft { url: "x".to_owned(), alerts: None }));
        let draft = WatchDraft::from_json(json!({"url": "x", "alerts": [{"kind": "any"}]}));
        assert_eq!(draft, Ok(WatchDraft { url: "x".to_owned(), alerts: Some(vec![Alert::Any]) }));
        let wrong_alert = json!({"url": "x", "alerts": [{"kind": "x"}]});
        let no_alerts = json!({"url": "x", "alerts": null});
        for wrong in
            [json!({}), json!({"url": 1}), json!({"url": "x", "y": 1}), json!("x"), wrong_alert, no_alerts]
        {
            assert!(WatchDraft::from_json(wrong).is_err());
        }
    }

    #[test]
    fn a_patch_replaces_the_alerts_or_leaves_them() {
        let read = |value| WatchPatch::from_json(value).map(|patch| patch.alerts);
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({"alerts": null})), Ok(Some(vec![])));
        assert_eq!(read(json!({"alerts": [{"kind": "any"}]})), Ok(Some(vec![Alert::Any])));
        for wrong in [json!({"alerts": 1}), json!({"alerts": [{}]}), json!({"url": "x"}), json!([])] {
            assert!(WatchPatch::from_json(wrong).is_err());
        }
    }
}
