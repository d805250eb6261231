//! A recording for other programs: its files, and each person's voice as long as the call, so that
//! all lie beside each other in any editor.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::CommandFault;
use crate::record::finish::{FinishFault, read_report};
use crate::record::history::History;
use crate::record::mix::aligned;
use crate::record::store::{Folder, Id};

/// Copies all files, and makes `voice-<n>.wav` for each person, in the order of call.json.
pub fn export(
    id: &Id,
    folder: &Folder,
    to: &Path,
    told: &mut dyn FnMut(f32),
) -> Result<(), CommandFault> {
    let report = read_report(folder)?;
    let place = to.join(id.as_str());
    std::fs::create_dir_all(to)?;
    std::fs::create_dir(&place)?;
    let names = report.files.iter().map(|file| file.name.as_str());
    for name in names.chain([crate::record::report::REPORT]) {
        // The folder knows which names are ours: ask it before a file is made of one.
        let mut file = folder.open(name)?;
        let mut copy = OpenOptions::new();
        let mut copy = copy.write(true).create_new(true).mode(0o600).open(place.join(name))?;
        io::copy(&mut file, &mut copy)?;
    }
    let fault = |fault: FinishFault| CommandFault::Finish(id.clone(), fault);
    let history = History::read(folder).map_err(|it| fault(it.into()))?;
    for person in 0..history.people.len() {
        let name = place.join(format!("voice-{}.wav", person + 1));
        let alone = aligned(folder, &history, person, &name, &mut |done| {
            told((person as f32 + done) / history.people.len() as f32);
        });
        alone.map_err(|it| fault(it.into()))?;
    }
    Ok(())
}
