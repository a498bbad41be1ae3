//! The header `Link` (RFC 8288).

/// The target of the first link with this relation whose context is the page itself.
pub fn target<'a>(header: &'a str, relation: &str) -> Option<&'a str> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, parameters) = link.split_once('>')?;
        let (is_wanted, after) = read_parameters(parameters, relation);
        if is_wanted {
            return Some(target.trim());
        }
        rest = after;
    }
    None
}

/// Whether the parameters of a link have this relation and no other context, and what comes after the link.
fn read_parameters<'a>(text: &'a str, relation: &str) -> (bool, &'a str) {
    let (mut relations, mut has_anchor, mut rest) = (None, false, text);
    loop {
        rest = rest.trim_start();
        let Some(parameter) = rest.strip_prefix(';') else { break };
        let end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
        let (name, after) = parameter.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            Some(value) => read_value(value.trim_start()),
            None => (String::new(), after),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            // Of several, the first one counts (section 3.3).
            "rel" if relations.is_none() => relations = Some(value),
            "anchor" => has_anchor = true,
            _ => {}
        }
        rest = after;
    }
    let relations = relations.unwrap_or_default();
    let has_relation = relations.split_ascii_whitespace().any(|own| own.eq_ignore_ascii_case(relation));
    // Text that is neither a parameter nor the next link is skipped up to the next comma.
    let after = rest.split_once(',').map_or("", |(_, after)| after);
    (has_relation && !has_anchor, after)
}

/// A quoted string without its quotes, or a token; and what comes after it.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (token, after) = text.split_at(end);
        return (token.trim().to_owned(), after);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (index, c) in quoted.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (value, quoted.get(index + 1..).unwrap_or_default()),
            c => {
                value.push(c);
                escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn relations_are_found_among_others() {
        for (header, next) in [
            ("</a?page=2>; rel=\"next\"", Some("/a?page=2")),
            ("</a?page=2>; rel=next", Some("/a?page=2")),
            ("< /a?page=2 > ; REL = \"Next\"", Some("/a?page=2")),
            ("</z>; rel=\"last\", </b>; rel=\"next\"", Some("/b")),
            ("</b>; rel=\"prefetch next\"; title=\"x\"", Some("/b")),
            ("</b>; title=\"a, <c>; rel=\\\"next\\\"\"; rel=next", Some("/b")),
            ("</b>; title=\"a, <c>; rel=next\"", None),
            ("<https://shop.com/a,b;c?page=2>; rel=next", Some("https://shop.com/a,b;c?page=2")),
            ("</b>; rel=prev; rel=next", None),
            ("</b>; rel=next; anchor=\"/other\", </c>; rel=next", Some("/c")),
            ("</b>; crossorigin; rel=next", Some("/b")),
            ("nonsense, </b>; rel=next", Some("/b")),
            ("</b>; rel=nextpage", None),
            ("</b>", None),
            ("</b; rel=next", None),
            ("", None),
        ] {
            assert_eq!(target(header, "next"), next, "{header}");
        }
        assert_eq!(target("</b>; rel=next, </z>; rel=\"last\"", "last"), Some("/z"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_header_is_read(header in "[<>;,=\" a-z\\\\/]{0,60}") {
            let target = target(&header, "a");
            prop_assert!(target.is_none_or(|target| header.contains(target)));
        }
    }
}
