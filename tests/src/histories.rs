//! The number of random histories that a test runs.

use std::env;

/// `SOUK_HISTORIES` per cent of the full number, at least 1; the full number if the variable is not set. `tests/run
/// --quick` runs fewer; a value above 100 helps to find rare faults.
pub fn histories(full: u32) -> u32 {
    let share = env::var("SOUK_HISTORIES").unwrap_or_else(|_| "100".to_owned());
    of(full, share.parse().unwrap_or_else(|_| panic!("SOUK_HISTORIES={share}: a whole number, in per cent")))
}

fn of(full: u32, percent: u32) -> u32 {
    let share = u64::from(full) * u64::from(percent) / 100;
    u32::try_from(share).expect("fewer than 2^32 histories").max(1)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_share_is_rounded_down_to_one_at_least() {
        assert_eq!([of(80, 100), of(80, 5), of(80, 1), of(80, 250), of(80, 0)], [80, 4, 1, 200, 1]);
    }
}
