//! Janus: its configuration for a run, as Debian has it but for what the run needs: one plugin, one
//! transport, one address, no log.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use crate::contender::Contender;
use crate::{Args, absolute};

/// Janus with so many event loops; 0 is its default, a thread for each PeerConnection.
///
/// # Errors
/// When Janus is not there, or its configuration cannot be written.
pub fn contender(args: &Args, loops: usize) -> Result<Contender> {
    let program = absolute(&args.janus.join("usr/bin/janus"))?;
    let libraries = libraries(&args.janus)?;
    let folder = args.scratch.join(format!("janus-{loops}"));
    fs::create_dir_all(&folder)?;
    let folder = absolute(&folder)?;
    let at = SocketAddr::new(args.address, args.http_port + 1);
    for (name, text) in [
        ("janus.jcfg", core(args, &folder, &libraries, loops)?),
        ("janus.transport.websockets.jcfg", websockets(at)),
        ("janus.plugin.videoroom.jcfg", "general: {\n}\n".to_owned()),
    ] {
        fs::write(Path::new(&folder).join(name), text)?;
    }
    let url = format!("ws://{at}");
    let words = ["--janus", &url, "--spawn", &program, "--", "--configs-folder", &folder];
    let version = version(&args.janus);
    let upstream = version.split('-').next().unwrap_or_default();
    let name = match loops {
        0 => format!("Janus {upstream}"),
        _ => format!("Janus {upstream}, event_loops={loops}"),
    };
    Ok(Contender {
        name,
        environment: vec![("LD_LIBRARY_PATH".into(), libraries)],
        words: words.map(str::to_owned).to_vec(),
    })
}

/// Debian's version, from the name of the package that was unpacked.
pub fn version(place: &Path) -> String {
    let files = fs::read_dir(place).into_iter().flatten().flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let version =
        names.find_map(|name| Some(name.strip_prefix("janus_")?.split('_').next()?.into()));
    version.unwrap_or_else(|| "of an unknown version".into())
}

/// Where its libraries lie, by its plugins' folder: `usr/lib/x86_64-linux-gnu` or the like.
fn libraries(place: &Path) -> Result<String> {
    let mut folders = fs::read_dir(place.join("usr/lib")).into_iter().flatten().flatten();
    let found = folders.find(|folder| folder.path().join("janus/plugins").is_dir());
    absolute(&found.with_context(|| format!("no Janus in {}", place.display()))?.path())
}

fn core(args: &Args, folder: &str, libraries: &str, loops: usize) -> Result<String> {
    let plugins = format!("{libraries}/janus/plugins");
    let transports = format!("{libraries}/janus/transports");
    let other_plugins = others(&plugins, "libjanus_videoroom.so")?;
    let other_transports = others(&transports, "libjanus_websockets.so")?;
    let (address, ports) = (args.address, &args.rtp_ports);
    let loops = if loops == 0 { String::new() } else { format!("\tevent_loops = {loops}\n") };
    Ok(format!(
        "general: {{\n\tconfigs_folder = \"{folder}\"\n\tplugins_folder = \"{plugins}\"\n\
         \ttransports_folder = \"{transports}\"\n\tdebug_level = 0\n\tlog_to_stdout = false\n\
         {loops}}}\nmedia: {{\n\trtp_port_range = \"{ports}\"\n}}\n\
         nat: {{\n\tice_enforce_list = \"{address}\"\n}}\n\
         plugins: {{\n\tdisable = \"{other_plugins}\"\n}}\n\
         transports: {{\n\tdisable = \"{other_transports}\"\n}}\n"
    ))
}

fn websockets(at: SocketAddr) -> String {
    let (address, port) = (at.ip(), at.port());
    format!(
        "general: {{\n\tjson = \"compact\"\n\tws = true\n\tws_ip = \"{address}\"\n\
         \tws_port = {port}\n\twss = false\n}}\nadmin: {{\n\tadmin_ws = false\n}}\n"
    )
}

/// The modules of a folder but one, as Janus wants them listed.
fn others(folder: &str, kept: &str) -> Result<String> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder).with_context(|| format!("no {folder}"))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".so") && name != kept {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.join(","))
}
