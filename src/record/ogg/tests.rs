use super::*;

fn frame(number: u8) -> Vec<u8> {
    let mut payload = vec![0x78];
    payload.extend(vec![number; 20 + usize::from(number) * 3]);
    payload
}

fn track(packets: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::begin(7, "d-anna", &mut out);
    for number in 0..packets {
        writer.packet(&frame(number), 960, &mut out);
        if number % 10 == 9 {
            writer.flush(&mut out);
        }
    }
    writer.end(&mut out);
    out
}

fn read(bytes: &[u8]) -> (Vec<TrackPacket>, Option<ReadFault>) {
    let mut packets = Vec::new();
    let mut reader = match Reader::open(bytes) {
        Ok(reader) => reader,
        Err(fault) => return (packets, Some(fault)),
    };
    loop {
        match reader.packet() {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, None),
            Err(fault) => return (packets, Some(fault)),
        }
    }
}

#[test]
fn the_checksum_is_that_of_the_format() {
    // "123456789" by this polynomial, from the catalogue of CRCs (CRC-32/MPEG-2 without its ones).
    assert_eq!(checksum(b"123456789"), 0x89a1_897f);
}

#[test]
fn what_was_written_is_read_with_its_place() {
    let (packets, fault) = read(&track(200));
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(packets.len(), 200);
    for (number, packet) in packets.iter().enumerate() {
        assert_eq!(packet.payload, frame(number as u8));
        assert_eq!((packet.sample, packet.samples), (number as u64 * 960, 960));
    }
}

#[test]
fn the_newest_packet_waits_so_that_the_last_page_has_one() {
    let mut out = Vec::new();
    let mut writer = Writer::begin(7, "", &mut out);
    writer.packet(&frame(1), 960, &mut out);
    let begun = out.len();
    writer.flush(&mut out);
    assert_eq!(out.len(), begun);
    writer.end(&mut out);
    let last = Page::parse(&out[begun..]).unwrap();
    assert_eq!((last.is_last, last.granule, last.packets().count()), (true, 960, 1));
}

#[test]
fn a_page_of_silence_is_no_longer_than_a_second() {
    let mut out = Vec::new();
    let mut writer = Writer::begin(7, "", &mut out);
    crate::record::fill::silence(60 * 48_000, |payload, samples| {
        writer.packet(payload, samples, &mut out);
    });
    writer.end(&mut out);
    let (mut pages, mut granule, mut audio) = (Pages::new(&*out), 0, 0);
    while let Some(page) = pages.page().unwrap() {
        assert!(page.granule - granule <= 48_000);
        (granule, audio) = (page.granule, audio + 1);
    }
    assert_eq!((granule, audio), (60 * 48_000, 2 + 63));
}

#[test]
fn a_page_takes_no_more_than_255_segments() {
    let mut out = Vec::new();
    let mut writer = Writer::begin(7, "", &mut out);
    for _ in 0..300 {
        writer.packet(&[0x78; 510], 960, &mut out);
    }
    writer.end(&mut out);
    let (packets, fault) = read(&out);
    assert!(fault.is_none() && packets.len() == 300, "{} {fault:?}", packets.len());
}

#[test]
fn a_file_cut_anywhere_is_good_up_to_its_last_whole_page() {
    let whole = track(60);
    let mut most = 0;
    for end in 0..=whole.len() {
        let (packets, fault) = read(&whole[..end]);
        assert!(fault.is_some() || end == whole.len() || Page::parse(&whole[end..]).is_ok());
        assert!(packets.len() >= most, "{end}");
        most = packets.len();
    }
    assert_eq!(most, 60);
}

#[test]
fn no_byte_that_is_changed_goes_unnoticed_or_ends_the_process() {
    let whole = track(12);
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            assert!(read(&bytes).1.is_some(), "byte {at}");
        }
    }
}
