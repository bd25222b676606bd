//! Words of a line, one after the other.

use std::str::FromStr;
use std::time::Duration;

/// Reads words separated by space.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    rest: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            rest: text.split_whitespace(),
        }
    }

    /// The next word; `what` says what is missing.
    pub(crate) fn next(&mut self, what: &str) -> Result<&'a str, String> {
        self.rest.next().ok_or_else(|| format!("{what} is missing"))
    }

    pub(crate) fn optional(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    pub(crate) fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        let bad = |_| format!("`{word}` is not {what}");
        word.parse().map_err(bad)
    }

    pub(crate) fn switch(&mut self) -> Result<bool, String> {
        match self.next("on or off")? {
            "on" => Ok(true),
            "off" => Ok(false),
            other => Err(format!("`{other}` is neither on nor off")),
        }
    }

    pub(crate) fn time(&mut self, what: &str) -> Result<Duration, String> {
        duration(self.next(what)?)
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<Duration>, String> {
        self.optional().map(duration).transpose()
    }

    pub(crate) fn bytes(&mut self, what: &str) -> Result<Vec<u8>, String> {
        let word = self.next(what)?;
        let bad = || format!("`{word}` is not a row of hexadecimal bytes");
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let pair = |pair: &[u8]| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        };
        let bytes = word.as_bytes().chunks(2).map(pair);
        bytes.collect::<Option<Vec<u8>>>().ok_or_else(bad)
    }

    /// That nothing is left.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        let left = self.rest.next();
        left.map_or(Ok(()), |word| Err(format!("`{word}` is too much")))
    }
}

/// A time: a whole number of `ms`, `s` or `m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is not a time such as 300ms, 2s or 1m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let count: u32 = digits.parse().map_err(|_| bad())?;
    let one = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        _ => return Err(bad()),
    };
    one.checked_mul(count).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        for bad in ["", "2", "s", "1.5s", "2h", "-1s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_are_pairs_of_digits() {
        assert_eq!(Words::new("04a1FF").bytes("x"), Ok(vec![4, 0xA1, 0xFF]));
        for bad in ["", "0", "0g", "041"] {
            assert!(Words::new(bad).bytes("x").is_err(), "{bad}");
        }
    }
}
