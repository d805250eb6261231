//! Who spoke when, in the forms that transcribers and players read: WebVTT and RTTM.

use super::report::{PersonReport, Segment};

/// W3C WebVTT, a cue a segment with the speaker as its voice.
pub fn vtt(people: &[PersonReport], segments: &[Segment]) -> String {
    let mut text = String::from("WEBVTT\n");
    for segment in segments {
        let name = escaped(name_of(people, &segment.jid));
        let (from, to) = (clock(segment.from_ms), clock(segment.to_ms));
        text.push_str(&format!("\n{from} --> {to}\n<v {name}>{name}\n"));
    }
    text
}

/// NIST RTTM (Rich Transcription 2009, appendix A): a `SPEAKER` line a segment, in seconds.
/// Speakers are their jids, which have no spaces.
pub fn rttm(id: &str, segments: &[Segment]) -> String {
    let line = |segment: &Segment| {
        let (from, length) = (segment.from_ms, segment.to_ms - segment.from_ms);
        let jid = &segment.jid;
        format!("SPEAKER {id} 1 {} {} <NA> <NA> {jid} <NA> <NA>\n", seconds(from), seconds(length))
    };
    segments.iter().map(line).collect()
}

fn name_of<'p>(people: &'p [PersonReport], jid: &'p str) -> &'p str {
    let person = people.iter().find(|person| person.jid == jid);
    person.map(|person| person.display_name.as_str()).filter(|name| !name.is_empty()).unwrap_or(jid)
}

fn escaped(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn clock(ms: u64) -> String {
    let (s, ms) = (ms / 1_000, ms % 1_000);
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3_600, s / 60 % 60, s % 60)
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Vec<Segment> {
        let segment =
            |from_ms, to_ms| Segment { jid: "d-1".into(), from_ms, to_ms, level_dbov: 30 };
        vec![segment(1_500, 2_750), segment(3_723_004, 3_724_000)]
    }

    #[test]
    fn a_cue_names_its_speaker_and_no_name_breaks_out_of_it() {
        let person = PersonReport {
            jid: "d-1".into(),
            display_name: "Anna <b> & Co --> 00:00".into(),
            no_record: false,
            present: vec![],
            muted: vec![],
            told_ms: vec![],
            talked_ms: 0,
        };
        let text = vtt(&[person], &segments());
        let name = "Anna &lt;b&gt; &amp; Co --&gt; 00:00";
        let cue = format!("\n00:00:01.500 --> 00:00:02.750\n<v {name}>{name}\n");
        assert!(text.starts_with(&format!("WEBVTT\n{cue}")), "{text}");
        assert!(text.contains("01:02:03.004 --> 01:02:04.000"), "{text}");
    }

    #[test]
    fn rttm_has_beginning_and_length_in_seconds() {
        let text = rttm("rec-1", &segments()[..1]);
        assert_eq!(text, "SPEAKER rec-1 1 1.500 1.250 <NA> <NA> d-1 <NA> <NA>\n");
    }
}
