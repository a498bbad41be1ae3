//! JSON-LD as shops write it, which is often not JSON.

use crate::{
    graph::{Item, Value, local_name},
    markup,
};
use domain::observation::Reason;
use jsonc_parser::{JsonValue, ParseOptions, errors::ParseErrorKind, parse_to_value};

/// More values in all scripts of a page than any product needs.
const MOST_VALUES: usize = 100_000;

/// Parses the JSON-LD scripts of a page to their items. A script that cannot be read is skipped.
///
/// Error: `TooComplex`.
pub fn items(scripts: &[String]) -> Result<Vec<Item>, Reason> {
    let mut left = MOST_VALUES;
    let mut items = Vec::new();
    for script in scripts {
        for value in parse(script, &mut left)? {
            if let Value::Item(item) = value {
                items.push(item);
            }
        }
    }
    Ok(items)
}

/// Tries the script without what is no JSON, then as a list of several values, then as it is, then with its entities
/// decoded.
fn parse(script: &str, left: &mut usize) -> Result<Vec<Value>, Reason> {
    let text = clean(script);
    let mut attempts = vec![text.clone(), format!("[{text}]"), script.trim().to_owned()];
    if script.contains("&quot;") || script.contains("&#34;") {
        attempts.push(clean(&markup::decode_entities(script)));
    }
    for text in attempts {
        match parse_to_value(&text, &ParseOptions::default()) {
            Ok(Some(value)) => {
                let mut values = Vec::new();
                collect(value, &mut values, left)?;
                return Ok(values);
            }
            Ok(None) => return Ok(Vec::new()),
            Err(error) if matches!(error.kind(), ParseErrorKind::NestingDepthExceeded) => {
                return Err(Reason::TooComplex);
            }
            Err(_) => {}
        }
    }
    Ok(Vec::new())
}

/// Removes what surrounds the JSON (comments of HTML, CDATA), semicolons, and control characters in strings.
fn clean(script: &str) -> String {
    let mut text = script.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    loop {
        let starts = ["<!--", "//<![CDATA[", "/*<![CDATA[*/", "// <![CDATA[", "<![CDATA["];
        let ends = ["//-->", "-->", "//]]>", "/*]]>*/", "// ]]>", "]]>"];
        let shorter = starts.iter().find_map(|start| text.strip_prefix(start));
        let shorter = shorter.or_else(|| ends.iter().find_map(|end| text.strip_suffix(end)));
        let Some(shorter) = shorter else { break };
        text = shorter.trim();
    }
    let (mut clean, mut in_string, mut escaped) = (String::with_capacity(text.len()), false, false);
    for c in text.chars() {
        let is_quote = c == '"' && !escaped;
        in_string ^= is_quote;
        escaped = in_string && c == '\\' && !escaped;
        let is_noise = if in_string { c.is_control() } else { c == ';' || (c.is_control() && c != '\n') };
        clean.push(if is_noise { ' ' } else { c });
    }
    clean
}

/// Appends the values of a JSON value: those of lists one by one.
fn collect(value: JsonValue<'_>, values: &mut Vec<Value>, left: &mut usize) -> Result<(), Reason> {
    *left = left.checked_sub(1).ok_or(Reason::TooComplex)?;
    match value {
        JsonValue::String(text) => values.push(Value::Text(markup::decode_entities(&text))),
        JsonValue::Number(number) => values.push(Value::Number(number.to_owned())),
        JsonValue::Boolean(_) | JsonValue::Null => {}
        JsonValue::Array(array) => {
            for value in array.take_inner() {
                collect(value, values, left)?;
            }
        }
        JsonValue::Object(object) => {
            let mut members: Vec<_> = object.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            let mut item = Item::default();
            for (name, value) in members {
                let mut of_member = Vec::new();
                collect(value, &mut of_member, left)?;
                match name.as_ref() {
                    // A typed value, and an ordered list, stand for what they contain.
                    "@value" | "@list" => values.append(&mut of_member),
                    "@type" => item.types.extend(texts(of_member).map(|name| local_name(&name).to_owned())),
                    "@id" => item.id = texts(of_member).next(),
                    name => {
                        let name = local_name(name).to_owned();
                        item.properties.extend(of_member.into_iter().map(|value| (name.clone(), value)));
                    }
                }
            }
            if !item.types.is_empty() || item.id.is_some() || !item.properties.is_empty() {
                values.push(Value::Item(item));
            }
        }
    }
    Ok(())
}

fn texts(values: Vec<Value>) -> impl Iterator<Item = String> {
    values.into_iter().filter_map(|value| match value {
        Value::Text(text) => Some(text),
        Value::Number(_) | Value::Item(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(script: &str) -> Option<String> {
        let items = items(&[script.to_owned()]).unwrap();
        items.first().and_then(|item| item.text("name")).map(str::to_owned)
    }

    #[test]
    fn what_is_almost_json_is_read() {
        for script in [
            r#"{"name":"Tea"}"#,
            r#"[{"name":"Tea"}]"#,
            r#"{"name":"Tea",}"#,
            r#"{"name":"Tea"};"#,
            "{\"name\":\"Tea\"} // the product",
            "/* the product */ {\"name\":\"Tea\"}",
            "{ // a comment\n\"name\":\"Tea\"}",
            "<!-- {\"name\":\"Tea\"} -->",
            "//<![CDATA[\n{\"name\":\"Tea\"}\n//]]>",
            "/*<![CDATA[*/{\"name\":\"Tea\"}/*]]>*/",
            "<![CDATA[{\"name\":\"Tea\"}]]>",
            "{'name':'Tea'}",
            "{name:\"Tea\"}",
            "{\"name\":\"Tea\",\"description\":\"two\nlines\tand \u{1} more\"}",
            r#"{"name":"Tea","url":"http:\/\/shop.com"}"#,
            r#"{"name":"Tea"}{"name":"Coffee"}"#,
            r#"{"name":"Tea"},{"name":"Coffee"}"#,
            "{&quot;name&quot;:&quot;Tea&quot;}",
            "\u{feff}{\"name\":\"Tea\"}",
            r#"{"schema:name":"Tea"}"#,
            r#"{"http://schema.org/name":"Tea"}"#,
            r#"{"name":{"@value":"Tea","@language":"en"}}"#,
            r#"{"name":["Tea","Tee"]}"#,
        ] {
            assert_eq!(name_of(script).as_deref(), Some("Tea"), "{script}");
        }
        assert_eq!(name_of(r#"{"name":"Tom &amp; Jerry&#39;s"}"#).as_deref(), Some("Tom & Jerry's"));
    }

    #[test]
    fn what_cannot_be_read_is_skipped() {
        for script in ["", "{", "function() {}", "{\"name\":", "null", "12", "<p>"] {
            assert_eq!(name_of(script), None, "{script}");
        }
        let scripts = ["{".to_owned(), r#"{"name":"Tea"}"#.to_owned()];
        assert_eq!(items(&scripts).unwrap().len(), 1);
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(items(&[deep]), Err(Reason::TooComplex));
        let many = format!("[{}]", "1,".repeat(MOST_VALUES));
        assert_eq!(items(&[many]), Err(Reason::TooComplex));
    }
}
