//! The detector beside two others, which hear the clean track: the tables of the README.

use std::path::{Path, PathBuf};
use std::process::Command;

use engine::talking::Edge;

use crate::noise::{Noise, rms};
use crate::score::{Edges, compare, decide, edges, held, percentile};
use crate::sound::{
    FRAME, FRAMES_PER_SECOND, Pcm, Sender, Silence, Word, demo_lines, lines_of, thirds, track,
};

const TRACK_SECONDS: usize = 180;
const NOISE_SECONDS: usize = 600;
const VENV: &str = "target/speech-venv";

/// What a detector hears in a track: its name, and whether each frame is voice.
struct Reference {
    name: String,
    is_voice: Vec<bool>,
}

/// One line of a table, before it is scored.
struct Scene {
    title: String,
    /// Of the speech, while there is any.
    dbov: f32,
    /// And how many dB it lies below the speech.
    noise: Option<(Noise, f32)>,
    sender: Sender,
}

pub fn print_tables() {
    let mut speech = vec![("the demo's voices", "demo", demo_lines())];
    if let Some(folder) = std::env::var_os("VOXHALL_SPEECH").filter(|folder| !folder.is_empty()) {
        speech.push(("other voices", "other", lines_of(Path::new(&folder))));
    }
    for (title, file, lines) in &speech {
        print_speech(title, file, lines);
    }
    println!("\n### Noise alone, {NOISE_SECONDS} s each\n");
    println!("| noise | at -dBov | begins an hour | time talking | without a word of voice |");
    println!("|---|---|---|---|---|");
    for noise in Noise::ALL {
        for dbov in [60.0, 50.0, 40.0] {
            print_noise(noise, dbov, &speech[0].2);
        }
    }
}

fn print_speech(title: &str, file: &str, lines: &[Pcm]) {
    let clean = track(lines, TRACK_SECONDS, 1);
    let references = references(file, &clean);
    let agreed = compare(&references[1].is_voice, &references[0].is_voice);
    let names = [&references[0].name, &references[1].name];
    println!(
        "\n{title}: of {}'s voice {:.1} % is {}'s too, and {:.1} % the other way round.",
        names[1], agreed.precision, names[0], agreed.recall
    );
    let decided: Vec<_> = scenes()
        .into_iter()
        .map(|scene| {
            let pcm = scene.mix(&clean, &references[1].is_voice, lines);
            (scene.title, decide(&scene.sender.packets(&pcm)))
        })
        .collect();
    for Reference { name, is_voice } in &references {
        println!("\n### {title} against {name}\n\n{HEAD}");
        for (title, decided) in &decided {
            let voice = compare(&decided.voice, is_voice);
            let talking = compare(&decided.talking, &held(is_voice));
            let edges = edges(decided, is_voice);
            println!(
                "| {title} | {:.1} / {:.1} | {:.1} / {:.1} | {} |",
                voice.precision,
                voice.recall,
                talking.precision,
                talking.recall,
                told(&edges)
            );
        }
    }
}

const HEAD: &str = "\
| speech | voice: precision / recall, % | talking: precision / recall, % \
| began after, p50 / p95 ms | ceased after, p50 / p95 ms | missed, extra of turns |
|---|---|---|---|---|---|";

fn told(edges: &Edges) -> String {
    let both = |sorted: &[i64]| match (percentile(sorted, 50), percentile(sorted, 95)) {
        (Some(half), Some(most)) => format!("{half} / {most}"),
        _ => "-".to_owned(),
    };
    let (began, ceased) = (both(&edges.began), both(&edges.ceased));
    format!("{began} | {ceased} | {}, {} of {}", edges.missed, edges.extra, edges.turns)
}

fn scenes() -> Vec<Scene> {
    let scene =
        |title: &str, dbov, noise, sender| Scene { title: title.to_owned(), dbov, noise, sender };
    let desk = Sender::DESK;
    let phone = Sender { complexity: 5, ..desk };
    let dtx = Sender { silence: Silence::LeftOut, ..desk };
    let other = Sender { word: Word::Always, ..desk };
    let mut scenes = vec![
        scene("loud (20)", 20.0, None, desk),
        scene("usual (30)", 30.0, None, desk),
        scene("quiet (40)", 40.0, None, desk),
        scene("usual, telephone", 30.0, None, phone),
        scene("usual, DTX", 30.0, None, dtx),
    ];
    for noise in Noise::ALL {
        for below in [20.0, 10.0] {
            let title = format!("usual, {noise:?} {below} dB below");
            scenes.push(scene(&title, 30.0, Some((noise, below)), desk));
        }
    }
    let title = "usual, Pink 20 dB below, no word of voice";
    scenes.push(scene(title, 30.0, Some((Noise::Pink, 20.0)), other));
    scenes
}

impl Scene {
    /// The clean track at this loudness, with this noise.
    fn mix(&self, clean: &[f32], is_voice: &[bool], lines: &[Pcm]) -> Pcm {
        let spoken = clean.chunks_exact(FRAME).zip(is_voice).filter(|it| *it.1);
        let spoken: Pcm = spoken.flat_map(|it| it.0).copied().collect();
        let gain = amplitude(self.dbov) / rms(&spoken);
        let mut pcm: Pcm = clean.iter().map(|sample| sample * gain).collect();
        if let Some((noise, below)) = self.noise {
            let gain = amplitude(self.dbov + below);
            let noise = noise.make(pcm.len(), lines, 2);
            pcm.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += gain * noise);
        }
        pcm.iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
        pcm
    }
}

fn print_noise(noise: Noise, dbov: f32, lines: &[Pcm]) {
    let mut pcm = noise.make(NOISE_SECONDS * FRAMES_PER_SECOND * FRAME, lines, 3);
    pcm.iter_mut().for_each(|sample| *sample = (*sample * amplitude(dbov)).clamp(-1.0, 1.0));
    let told = [Word::Found, Word::Always].map(|word| {
        let decided = decide(&Sender { word, ..Sender::DESK }.packets(&pcm));
        let begins = decided.edges.iter().filter(|edge| edge.1 == Edge::Began).count();
        let talking = decided.talking.iter().filter(|talking| **talking).count();
        let percent = 100.0 * talking as f64 / decided.talking.len() as f64;
        (begins * 3_600 / NOISE_SECONDS, format!("{percent:.1} %"))
    });
    let [(begins, talking), (others, longer)] = &told;
    println!("| {noise:?} | {dbov} | {begins} | {talking} | {others}, {longer} |");
}

fn references(file: &str, clean: &[f32]) -> Vec<Reference> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let track = root.join(VENV).join(format!("{file}.s16"));
    let bytes: Vec<u8> = thirds(clean).into_iter().flat_map(i16::to_le_bytes).collect();
    std::fs::write(&track, bytes).expect("the venv is there: tests/speech/run makes it");
    let python = root.join(VENV).join("bin/python");
    let script = root.join("tests/speech/reference.py");
    let told = Command::new(python).arg(script).arg(track).output().expect("Python");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).expect("names and digits");
    let reference = |line: &str| {
        let (name, digits) = line.split_once(' ').expect("a name and digits");
        let is_voice = digits.bytes().map(|digit| digit == b'1').collect();
        Reference { name: name.to_owned(), is_voice }
    };
    text.lines().map(reference).collect()
}

fn amplitude(dbov: f32) -> f32 {
    10_f32.powf(-dbov / 20.0)
}
