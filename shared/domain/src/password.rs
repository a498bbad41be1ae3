//! Passwords.

use crate::{Fault, common_password, input::Checked, text};
use icu_normalizer::ComposingNormalizerBorrowed;
use serde_json::Value;
use std::fmt;

/// Words that are known to whoever knows the service.
const SERVICE: &[&str] = &["souk"];

const GUESSABLE: &str =
    "must not be made of common passwords, of the e-mail address or of the service's name";

/// A plain-text password in NFC (Unicode Standard Annex 15): keyboards differ in whether they compose letters and accents.
/// `Debug` does not print it, and there is no `Display`, so that it cannot reach a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A new password: 12 to 128 characters of any kind, of which one is visible. Whether it is
    /// [guessable](Self::refuse_guessable) depends on the account.
    pub fn for_registration(value: Value) -> Checked<Self> {
        let password = Self::of_length(value, 12)?;
        if password.0.chars().all(text::is_invisible) {
            return Err(vec![Fault::here("must contain a visible character")]);
        }
        Ok(password)
    }

    /// A password of a log-in attempt: 1 to 128 characters. A password that registration would refuse is wrong
    /// credentials, not an invalid request.
    pub fn for_login(value: Value) -> Checked<Self> {
        Self::of_length(value, 1)
    }

    fn of_length(value: Value, shortest: usize) -> Checked<Self> {
        let text = text::string(value)?;
        let text = ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned();
        if (shortest..=128).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(vec![Fault::here(format!("must have {shortest} to 128 characters"))])
        }
    }

    /// A fault if the password is made of common passwords, or of words that are known about the account, in lower case.
    pub fn refuse_guessable(&self, known: &[&str]) -> Option<Fault> {
        let known: Vec<&str> = known.iter().chain(SERVICE).copied().collect();
        common_password::is_guessable(&self.0.to_lowercase(), &known).then(|| Fault::here(GUESSABLE))
    }

    /// The bytes of the password, for hashing.
    pub fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn new(text: &str) -> Checked<Password> {
        Password::for_registration(json!(text))
    }

    fn guessable(text: &str, known: &[&str]) -> bool {
        new(text).unwrap().refuse_guessable(known).is_some()
    }

    #[test]
    fn passwords_have_12_to_128_characters() {
        for (length, fits) in [(11, false), (12, true), (128, true), (129, false)] {
            assert_eq!(new(&"é".repeat(length)).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let (composed, decomposed) =
            ("caf\u{e9} \u{ac00} cr\u{e8}me", "cafe\u{301} \u{1100}\u{1161} cre\u{300}me");
        assert_eq!(new(composed).unwrap().reveal(), composed.as_bytes());
        assert_eq!(new(decomposed), new(composed));
        assert_eq!(Password::for_login(json!(decomposed)), new(composed));
        // Compatibility forms stay apart: they look different, and folding them would only weaken the password.
        assert_ne!(new("ﬁne print, twelve"), new("fine print, twelve"));
        // The length is that of the composed text.
        assert!(new(&"e\u{301}".repeat(11)).is_err() && new(&"e\u{301}".repeat(128)).is_ok());
    }

    #[test]
    fn a_password_has_a_visible_character() {
        for blank in
            [" ", "\t", "\u{a0}", "\u{200b}", "\u{2060}", "\u{feff}", "\u{e0041}", "\u{3164}", " \u{ad}"]
        {
            assert!(new(&blank.repeat(12)).is_err(), "{blank:?}");
            assert!(new(&format!("{}x", blank.repeat(12))).is_ok(), "{blank:?}");
        }
    }

    #[test]
    fn common_passwords_are_guessable_in_any_letter_case() {
        for text in ["Password1234", "QWERTYuiop123", "123456789012", "letmein123456"] {
            assert!(guessable(text, &[]), "{text}");
        }
        assert!(!guessable("correct horse battery", &[]));
    }

    #[test]
    fn known_words_and_the_service_are_guessable() {
        let known = ["ada.lovelace@example.com", "ada.lovelace"];
        for text in [
            "Ada.Lovelace@Example.com",
            "ADA.LOVELACE",
            "ada.lovelacesouk",
            "Souk12345678",
            "soukada.lovelace",
        ] {
            assert!(guessable(text, &known), "{text}");
        }
        assert!(!guessable("ada.lovelace", &[]) && !guessable("correct horse", &known));
    }

    #[test]
    fn a_login_takes_what_a_registration_refuses() {
        for text in ["x", "            ", "password1234"] {
            assert!(Password::for_login(json!(text)).is_ok(), "{text}");
        }
        assert!(Password::for_login(json!("")).is_err());
    }
}
