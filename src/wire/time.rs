//! The product's time format: `2019-09-27T01:01:35.264095Z`, UTC with six digits of a second.
//!
//! Reads no clock: the time to write comes in.

use time::{Date, Month, OffsetDateTime, Time};

/// Writes a moment given in nanoseconds since 1970 (UTC), cut to microseconds.
///
/// A moment before 1970 is written as 1970: no event of ours is that old.
pub fn format(unix_nanos: i64) -> String {
    let nanos = i128::from(unix_nanos.max(0));
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .expect("an i64 of nanoseconds ends in the year 2262");
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.microsecond()
    )
}

/// Reads what [`format`] writes: nanoseconds since 1970. `None` for anything else.
pub fn parse(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let form = "0000-00-00T00:00:00.000000Z";
    let is_same = |(is, form): (u8, u8)| is == form || (form == b'0' && is.is_ascii_digit());
    if text.len() != form.len() || !text.bytes().zip(form.bytes()).all(is_same) {
        return None;
    }
    let month = Month::try_from(u8::try_from(number(5, 7)?).ok()?).ok()?;
    let day = u8::try_from(number(8, 10)?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, day).ok()?;
    let small = |from| u8::try_from(number(from, from + 2)?).ok();
    let time = Time::from_hms_micro(small(11)?, small(14)?, small(17)?, number(20, 26)?).ok()?;
    i64::try_from(date.with_time(time).assume_utc().unix_timestamp_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::{format, parse};

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for nanos in [0, 951_782_400_000_001_000, 1_569_546_095_264_095_000] {
            assert_eq!(parse(&format(nanos)), Some(nanos));
        }
        for wrong in ["", "2019-09-27T01:01:35Z", "2019-13-27T01:01:35.264095Z"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse("2019-09-27T01:01:35.26409\u{fc}"), None);
        assert_eq!(parse("+019-09-27T01:01:35.264095Z"), None);
    }

    #[test]
    fn the_seeds_moment_is_written_as_in_the_seeds() {
        assert_eq!(format(1_569_546_095_264_095_000), "2019-09-27T01:01:35.264095Z");
    }

    #[test]
    fn six_digits_stay_where_they_are_noughts() {
        assert_eq!(format(951_782_400_000_000_999), "2000-02-29T00:00:00.000000Z");
    }

    #[test]
    fn the_ends_of_the_range_are_written() {
        assert_eq!(format(i64::MIN), "1970-01-01T00:00:00.000000Z");
        assert_eq!(format(i64::MAX), "2262-04-11T23:47:16.854775Z");
    }
}
