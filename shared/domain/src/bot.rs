//! Which clients are programs that visit pages by themselves.

/// Parts of the names of such programs, in lower case: crawlers say what they are.
const NAMES: [&str; 9] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "headless",
    "lighthouse",
    "facebookexternalhit",
    "bingpreview",
    "mediapartners-google",
];

/// A maker of phones, whose name the browsers on them have.
const PHONES: &str = "cubot";

/// Whether a client that calls itself this (`User-Agent`) is such a program. A client that does not say what it is counts as a
/// person's, and so does a library for HTTP: the server of a shop may send the events of its visitors.
pub fn is_bot(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase().replace(PHONES, "");
    NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_and_browsers_without_a_person_are_bots() {
        for user_agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/139.0.0.0 Safari/537.36",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "CCBot/2.0 (https://commoncrawl.org/faq/)",
        ] {
            assert!(is_bot(user_agent), "{user_agent}");
        }
    }

    #[test]
    fn browsers_and_libraries_are_not() {
        for user_agent in [
            "",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 10; CUBOT_P40) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36",
            "analytics-python/2.3.4",
            "python-requests/2.32.5",
            "curl/8.15.0",
        ] {
            assert!(!is_bot(user_agent), "{user_agent}");
        }
    }
}
