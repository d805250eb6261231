//! Which bytes of a file are asked for (RFC 9110 section 14): one range, or all of it.

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All of it, with 200: nothing else was asked for, or in a way that may be ignored.
    Whole,
    /// These bytes, with 206; `end` is the first that is not sent, `start < end <= length`.
    Part { start: u64, end: u64 },
    /// No such bytes: 416.
    Outside,
}

impl Range {
    /// Reads a header `Range` for a file of `length` bytes. More than one range, another unit, and
    /// what makes no sense are ignored, as section 14.2 allows.
    pub fn of(header: Option<&str>, length: u64) -> Range {
        let Some(ends) = header.and_then(ends) else { return Range::Whole };
        let (start, end) = match ends {
            (Some(first), Some(last)) if last < first => return Range::Whole,
            (Some(first), last) => (first, last.map_or(length, |last| last.saturating_add(1))),
            (None, Some(suffix)) => (length.saturating_sub(suffix), length),
            (None, None) => return Range::Whole,
        };
        let end = end.min(length);
        if start < end { Range::Part { start, end } } else { Range::Outside }
    }
}

/// `bytes=FIRST-LAST`, either of which may be absent.
fn ends(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = header.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| -> Option<Option<u64>> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        match text {
            "" => Some(None),
            // A number too large for us is beyond every file.
            text => is_number.then(|| Some(text.parse().unwrap_or(u64::MAX))),
        }
    };
    let ends = (number(first)?, number(last)?);
    unit.trim().eq_ignore_ascii_case("bytes").then_some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Range {
        Range::of(Some(header), 10)
    }

    #[test]
    fn one_range_is_cut_to_the_file() {
        let part = |start, end| Range::Part { start, end };
        for (header, range) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-", part(0, 10)),
            ("bytes=3-5", part(3, 6)),
            ("bytes=9-9", part(9, 10)),
            ("bytes=9-99", part(9, 10)),
            ("bytes=0-99999999999999999999999", part(0, 10)),
            ("bytes=0-18446744073709551615", part(0, 10)),
            ("bytes=-1", part(9, 10)),
            ("bytes=-10", part(0, 10)),
            ("bytes=-11", part(0, 10)),
            ("Bytes= 1-2", part(1, 3)),
        ] {
            assert_eq!(of(header), range, "{header}");
        }
    }

    #[test]
    fn bytes_behind_the_end_are_outside() {
        for header in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(of(header), Range::Outside, "{header}");
        }
        assert_eq!(Range::of(Some("bytes=0-"), 0), Range::Outside);
        assert_eq!(Range::of(Some("bytes=-5"), 0), Range::Outside);
    }

    #[test]
    fn what_makes_no_sense_is_as_if_it_were_not_there() {
        assert_eq!(Range::of(None, 10), Range::Whole);
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-3",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=--1",
            "lines=0-1",
            "bytes 0-1",
        ] {
            assert_eq!(of(header), Range::Whole, "{header}");
        }
    }
}
