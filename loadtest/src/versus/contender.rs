//! Contenders: what is run in turns, each with its name and how loadtest starts it.

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::Result;

use crate::{Args, absolute, janus};

/// A server, and loadtest's arguments that start and load it.
#[derive(Debug)]
pub struct Contender {
    pub name: String,
    pub environment: Vec<(String, String)>,
    pub words: Vec<String>,
}

/// A Voxhall by its name, with what makes it another than the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    name: String,
    environment: Vec<(String, String)>,
    loadtest: Vec<String>,
    voxhall: Vec<String>,
}

/// All of them, in the order of a round.
///
/// # Errors
/// When a program is not there.
pub fn all(args: &Args) -> Result<Vec<Contender>> {
    let plain = [Variant { name: "Voxhall".into(), ..Variant::default() }];
    let variants = if args.variant.is_empty() { &plain[..] } else { &args.variant };
    let mut contenders = Vec::new();
    for variant in variants {
        contenders.push(voxhall(args, variant)?);
    }
    for loops in &args.event_loops {
        contenders.push(janus::contender(args, *loops)?);
    }
    Ok(contenders)
}

fn voxhall(args: &Args, variant: &Variant) -> Result<Contender> {
    let http = SocketAddr::new(args.address, args.http_port).to_string();
    let program = absolute(&args.programs.join("voxhall"))?;
    let data = args.scratch.join("data").to_string_lossy().into_owned();
    let mut words = vec!["--url".to_owned(), format!("http://{http}")];
    words.extend(["--spawn".to_owned(), program]);
    words.extend(variant.loadtest.iter().cloned());
    words.push("--".into());
    for (flag, value) in [
        ("--http", http),
        ("--media-port", args.media_port.to_string()),
        ("--media-ip", args.address.to_string()),
        ("--workers", "1".into()),
        ("--data", data),
    ] {
        words.extend([flag.to_owned(), value]);
    }
    words.extend(args.voxhall_args.iter().chain(&variant.voxhall).cloned());
    let Variant { name, environment, .. } = variant.clone();
    Ok(Contender { name, environment, words })
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "a variant is NAME:ARGUMENTS, such as \"40 ms:--config a.toml\"";
        let (name, words) = text.split_once(':').ok_or(wanted)?;
        if name.trim().is_empty() {
            return Err(wanted.into());
        }
        let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let of_both = words.iter().take_while(|word| pair(word).is_some()).count();
        let environment = words.drain(..of_both).filter_map(|word| pair(&word)).collect();
        let loadtest = match words.iter().position(|word| word == "--") {
            Some(at) => {
                let rest = words.split_off(at + 1);
                words.pop();
                std::mem::replace(&mut words, rest)
            }
            None => Vec::new(),
        };
        Ok(Self { name: name.trim().into(), environment, loadtest, voxhall: words })
    }
}

/// `KEY=VALUE`, as before a shell's command.
fn pair(word: &str) -> Option<(String, String)> {
    let (key, value) = word.split_once('=')?;
    let is_key = key.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_');
    (is_key && !key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_tells_environment_loadtest_and_voxhall_apart() {
        let variant: Variant = "40 ms:A_B=1 --sections 2 -- --config a=b.toml".parse().unwrap();
        assert_eq!(
            variant,
            Variant {
                name: "40 ms".into(),
                environment: vec![("A_B".into(), "1".into())],
                loadtest: vec!["--sections".into(), "2".into()],
                voxhall: vec!["--config".into(), "a=b.toml".into()],
            }
        );
    }

    #[test]
    fn a_variant_may_have_nothing_but_a_name() {
        let variant: Variant = "0 ms:".parse().unwrap();
        assert_eq!(variant, Variant { name: "0 ms".into(), ..Variant::default() });
        assert!("no colon".parse::<Variant>().is_err());
    }
}
