//! `mix.wav`, in parts where one file would be longer than its header can say.

use std::fs::File;
use std::io::BufWriter;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::{MixFault, RATE};
use crate::record::store::Folder;

/// Bytes of samples in one part: 4 GiB less a megabyte for headers, as their lengths have 32 bits.
const PART_BYTES_MAX: u64 = (1 << 32) - (1 << 20);

/// Parts, so that names stay bounded: two days of 64 channels.
const PARTS_MAX: u32 = 1_000;

/// See the module's words.
pub struct WavFiles<'f> {
    folder: &'f Folder,
    spec: WavSpec,
    part_bytes_max: u64,
    number: u32,
    open: Part,
}

struct Part {
    name: String,
    file: File,
    writer: WavWriter<BufWriter<File>>,
    bytes: u64,
}

impl<'f> WavFiles<'f> {
    pub fn create(folder: &'f Folder, channels: u16) -> Result<WavFiles<'f>, MixFault> {
        WavFiles::in_parts(folder, channels, PART_BYTES_MAX)
    }

    fn in_parts(
        folder: &'f Folder,
        channels: u16,
        part_bytes_max: u64,
    ) -> Result<WavFiles<'f>, MixFault> {
        // A mix of another layout may have had more parts.
        for name in folder.names()? {
            if name.starts_with("mix-") && name.ends_with(".wav") {
                folder.discard(&name)?;
            }
        }
        let spec = spec(channels);
        let open = Part::create(folder, spec, 1)?;
        Ok(WavFiles { folder, spec, part_bytes_max, number: 1, open })
    }

    /// Whole frames.
    pub fn write(&mut self, frames: &[i16]) -> Result<(), MixFault> {
        let bytes = frames.len() as u64 * 2;
        if self.open.bytes + bytes > self.part_bytes_max && self.number < PARTS_MAX {
            self.number += 1;
            let next = Part::create(self.folder, self.spec, self.number)?;
            std::mem::replace(&mut self.open, next).finish(self.folder)?;
        }
        self.open.bytes += bytes;
        for sample in frames {
            self.open.writer.write_sample(*sample)?;
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), MixFault> {
        self.open.finish(self.folder)
    }
}

/// 48 kHz, 16 bit.
pub fn spec(channels: u16) -> WavSpec {
    let (sample_rate, sample_format) = (RATE as u32, SampleFormat::Int);
    WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format }
}

impl Part {
    fn create(folder: &Folder, spec: WavSpec, number: u32) -> Result<Part, MixFault> {
        let name = match number {
            1 => "mix.wav".to_owned(),
            _ => format!("mix-{number}.wav"),
        };
        let file = folder.create_anew(&name)?;
        let writer = WavWriter::new(BufWriter::new(file.try_clone()?), spec)?;
        Ok(Part { name, file, writer, bytes: 0 })
    }

    fn finish(self, folder: &Folder) -> Result<(), MixFault> {
        self.writer.finalize()?;
        Ok(folder.replace(&self.name, &self.file)?)
    }
}

#[cfg(test)]
mod tests {
    use engine::Wall;

    use super::*;
    use crate::core::test_folder::TestFolder;
    use crate::record::store::{Id, Root};

    #[test]
    fn a_mix_that_one_file_cannot_hold_goes_on_in_another() {
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        let folder = root.create(&Id::new(Wall(0))).unwrap();
        folder.write("mix-9.wav", b"of a former mix").unwrap();
        let mut files = WavFiles::in_parts(&folder, 2, 4_000).unwrap();
        for _ in 0..3 {
            files.write(&[7; 1_000]).unwrap();
        }
        files.finish().unwrap();
        assert_eq!(folder.names().unwrap(), ["mix-2.wav", "mix.wav"]);
        let length = |name| hound::WavReader::open(folder.path().join(name)).unwrap().duration();
        assert_eq!((length("mix.wav"), length("mix-2.wav")), (1_000, 500));
    }
}
