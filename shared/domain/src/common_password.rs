//! The most common passwords, and passwords that are made of them.

/// The list, as build.rs compresses it.
static LIST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/common-passwords.bin"));

/// The maximum length of a piece that makes every text guessable that repeats nothing else, as in `abcabcabcabc`.
const SHORT: usize = 4;

/// Whether the text is a common password, one of the `known` words, two of these in a row, or a repetition of such a
/// text or of a few characters. All texts have to be in lower case.
pub fn is_guessable(text: &str, known: &[&str]) -> bool {
    let piece = repeated_piece(text);
    if piece.len() < text.len() && piece.chars().count() <= SHORT {
        return true;
    }
    let (piece, length) = (piece.as_bytes(), piece.len());
    // Where a word ends that the text begins with, and where one begins that the text ends with.
    let (mut ends, mut begins) = (vec![false; length + 1], vec![false; length + 1]);
    let mut mark = |word: &[u8]| {
        if piece.starts_with(word) {
            ends[word.len()] = true;
        }
        if piece.ends_with(word) {
            begins[length - word.len()] = true;
        }
    };
    for word in known {
        mark(word.as_bytes());
    }
    for_each_common(&mut mark);
    ends[length] || (1..length).any(|at| ends[at] && begins[at])
}

/// The shortest text of which the text is a repetition: itself if there is no shorter one.
fn repeated_piece(text: &str) -> &str {
    let repeats =
        |length: usize| text.as_bytes().chunks(length).all(|chunk| chunk == &text.as_bytes()[..length]);
    let lengths = (1..text.len()).filter(|length| text.len().is_multiple_of(*length));
    lengths
        .filter(|length| text.is_char_boundary(*length))
        .find(|length| repeats(*length))
        .map_or(text, |length| &text[..length])
}

/// Calls `visit` with each password of the list.
fn for_each_common(visit: &mut impl FnMut(&[u8])) {
    const LAST: u8 = 0x80;
    let mut word = Vec::new();
    let mut bytes = LIST.iter();
    while let Some(shared) = bytes.next() {
        word.truncate(usize::from(*shared));
        for byte in bytes.by_ref() {
            word.push(byte & !LAST);
            if byte & LAST != 0 {
                break;
            }
        }
        visit(&word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_as_it_was_written() {
        let mut read = Vec::new();
        for_each_common(&mut |word| read.push(String::from_utf8(word.to_vec()).unwrap()));
        let written: Vec<&str> = include_str!("../data/common-passwords.txt").lines().collect();
        assert_eq!(read, written);
        assert!(
            read.len() >= 10_000 && LIST.len() < 45_000,
            "{} passwords in {} bytes",
            read.len(),
            LIST.len()
        );
    }

    #[test]
    fn texts_of_common_passwords_are_guessable() {
        for text in [
            "123456789012",
            "administrator",
            "qwertyuiop123",
            "passwordpassword",
            "password12345",
            "iloveyouiloveyouiloveyou",
            "monkeydragonmonkeydragon",
            "aaaaaaaaaaaaa",
            "ababababababab",
            "éàéàéàéàéàéà",
        ] {
            assert!(is_guessable(text, &[]), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for text in
            ["correct horse battery", "passwordpasswore", "fjw8-ahf2-pqm6", "ünïcødé 密码 пароль", "x"]
        {
            assert!(!is_guessable(text, &[]), "{text}");
        }
    }

    #[test]
    fn known_words_count_as_common() {
        let known = ["ada.lovelace@example.com", "ada.lovelace"];
        for text in
            ["ada.lovelace@example.com", "ada.lovelace", "ada.lovelaceada.lovelace", "ada.lovelace123456"]
        {
            assert!(is_guessable(text, &known) && !is_guessable(text, &[]), "{text}");
        }
    }
}
