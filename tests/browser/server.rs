//! The real server, which can be killed and started again where it was.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::folder::Folder;

pub struct Server {
    /// Without a slash at its end.
    pub url: String,
    pub data: Folder,
    child: Child,
    flags: Vec<String>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(flags: &[&str]) -> Self {
        let (data, flags) = (Folder::new(), flags.iter().map(|flag| (*flag).to_owned()));
        let flags: Vec<String> = flags.collect();
        let (child, url) = spawn("127.0.0.1:0", &data, &flags);
        Self { url, child, data, flags }
    }

    /// At once, as a crash would: no good-bye to anybody.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// After `kill`: on the same port, with the same data.
    pub fn start_again(&mut self) {
        let address = self.url.trim_start_matches("http://");
        (self.child, self.url) = spawn(address, &self.data, &self.flags);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed already, or ours to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(http: &str, data: &Folder, flags: &[String]) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
    command.args(["--http", http, "--data"]).arg(data.path()).args(flags);
    command.env("VOXHALL_MEDIA_PORT", "0").env("VOXHALL_PROBE_EVERY_S", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("cargo has built the binary");
    let mut ready = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut ready).expect("a pipe can be read");
    let url = ready.split_whitespace().find(|word| word.contains("://"));
    let url = url.unwrap_or_else(|| panic!("the server does not become ready: {ready:?}"));
    (child, url.trim_end_matches('/').to_owned())
}
