//! The product's time format: `2019-09-27T01:01:35.264095Z`, UTC with six digits of a second.
//!
//! Reads no clock: the time to write comes in.

use time::OffsetDateTime;

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

#[cfg(test)]
mod tests {
    use super::format;

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
