//! A server of a test's own: the real binary on free ports of this machine, with its data in a
//! folder that goes with it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use voxhall::demo::http::Origin;
use voxhall::demo::socket::Account;

/// A running server; dropping it kills it, and shows its log where the test has failed.
pub struct Server {
    /// `http://HOST:PORT` (or `https`), as the ready line names it.
    pub url: String,
    /// UDP port of its one media worker.
    pub media_port: u16,
    child: Child,
    data: PathBuf,
    /// The folder is a test's own, and stays.
    is_lent: bool,
    ready_line: String,
    stdout: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// What a server left behind.
#[derive(Debug)]
pub struct Stopped {
    pub status: ExitStatus,
    /// All of it, the ready line included.
    pub stdout: String,
    pub stderr: String,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// In small letters.
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header, named in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(it, _)| *it == name).map(|(_, value)| value)
    }
}

impl Server {
    /// On 127.0.0.1, as it is without any configuration.
    pub fn start() -> Self {
        Self::with(&["--http", "127.0.0.1:0"], &[])
    }

    /// With these flags and variables; it must become ready.
    pub fn with(flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let data = fresh_folder();
        Self::run(command(&data, flags, variables), data, false)
    }

    /// On 127.0.0.1 with its data in a folder that stays when it ends.
    pub fn on(data: &Path, variables: &[(&str, &str)]) -> Self {
        let command = command(data, &["--http", "127.0.0.1:0"], variables);
        Self::run(command, data.to_owned(), true)
    }

    /// As some other command runs it.
    pub fn run(mut command: Command, data: PathBuf, is_lent: bool) -> Self {
        let mut child = command.spawn().expect("cargo has built the binary");
        let (said, stdout) = sync_channel(STDOUT_LINES);
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        let mut log = child.stderr.take().expect("it is piped");
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes).expect("a pipe can be read");
            String::from_utf8(bytes).expect("logs are text")
        });
        let mut server = Self {
            url: String::new(),
            media_port: 0,
            child,
            data,
            is_lent,
            ready_line: String::new(),
            stdout,
            stderr: Some(stderr),
        };
        server.await_ready();
        server
    }

    fn await_ready(&mut self) {
        let Ok(line) = self.stdout.recv_timeout(PATIENCE) else {
            self.child.kill().expect("it is ours");
            let log = self.stderr.take().expect("read once").join();
            panic!("the server does not become ready: {log:?}");
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let url = words.iter().find(|word| word.contains("://")).expect("the line names a URL");
        self.url = url.trim_end_matches('/').to_owned();
        let port = words.last().and_then(|word| word.parse().ok());
        self.media_port = port.expect("the line ends with the media port");
        self.ready_line = line;
    }

    /// `GET` of a path: status and body.
    pub async fn fetch(&self, path: &str) -> (u16, Value) {
        self.request("GET", path, "").await
    }

    /// `POST` of a JSON body: status and body.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("POST", path, &body.to_string()).await
    }

    /// Below the team, in the name of a person.
    pub fn path(account: &Account, rest: &str) -> String {
        format!("/api/v3/teams/{}/{rest}?token={}", account.team_uid, account.token)
    }

    async fn request(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let reply = self.bytes(method, path, "", body).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text));
        (reply.status, body)
    }

    /// Any request, with header lines that end in CR LF each.
    pub async fn bytes(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        request(&self.url, method, path, headers, body).await
    }

    /// Where it keeps what it keeps.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The process, for a test that looks into its namespaces or kills it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: it writes not a byte more.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Sends SIGTERM, and does not wait for what becomes of it.
    pub fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Sends SIGHUP, by which the configuration is read again.
    pub fn hang_up(&self) {
        self.signal(libc::SIGHUP);
    }

    fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid fits");
        // SAFETY: a plain system call; the child is not yet waited for, so the pid is its own.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "the server is there to be told");
    }

    /// SIGTERM, then its end, which must come by itself.
    pub async fn stop(self) -> Stopped {
        self.terminate();
        self.ended().await
    }

    /// Waits for the end that was asked for.
    pub async fn ended(self) -> Stopped {
        let ended = tokio::task::spawn_blocking(move || self.wait());
        ended.await.expect("it ends")
    }

    fn wait(mut self) -> Stopped {
        use std::sync::mpsc::RecvTimeoutError;
        let mut stdout = std::mem::take(&mut self.ready_line);
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) => stdout = stdout + "\n" + &line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
        let status = self.child.wait().expect("it is ours");
        let stderr = self.stderr.take().expect("read once").join().expect("the log is read");
        Stopped { status, stdout, stderr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either it has ended and was waited for, or it is still ours to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.is_lent {
            let _ = std::fs::remove_dir_all(&self.data);
        }
        if let Some(log) = self.stderr.take().filter(|_| std::thread::panicking()) {
            eprintln!("the server's log:\n{}", log.join().unwrap_or_default());
        }
    }
}

/// Any request to any listener, with header lines that end in CR LF each.
pub async fn request(url: &str, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let origin = Origin::parse(url).expect("an origin");
    let mut stream = origin.connect().await.expect("the server listens");
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        origin.authority,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut reply = Vec::new();
    // TLS may end without a good-bye; what counts is parsed below.
    let _ = stream.read_to_end(&mut reply).await;
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an HTTP reply");
    let head = String::from_utf8_lossy(&reply[..end]).to_lowercase();
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    Reply { status: status.expect("a status"), head, body: reply[end + 4..].to_vec() }
}

/// Runs a server that must not come up: what it said when it ended.
pub fn refuses(flags: &[&str], variables: &[(&str, &str)]) -> Stopped {
    let data = fresh_folder();
    let mut child = command(&data, flags, variables).spawn().expect("cargo has built the binary");
    let mut ready = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut ready).expect("a pipe can be read");
    if !ready.is_empty() {
        child.kill().expect("it is ours");
    }
    let ended = child.wait_with_output().expect("it is ours");
    let _ = std::fs::remove_dir_all(data);
    let stderr = String::from_utf8(ended.stderr).expect("logs are text");
    Stopped { status: ended.status, stdout: ready, stderr }
}

fn fresh_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let data = format!("voxhall-test-{}-{number}", std::process::id());
    std::env::temp_dir().join(data)
}

/// How the binary is run with its data in a folder.
pub fn command(data: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
    dress(&mut command, data, flags, variables);
    command
}

/// The same for a command that runs the binary by itself.
pub fn dress(command: &mut Command, data: &Path, flags: &[&str], variables: &[(&str, &str)]) {
    // Whoever runs the tests may have set variables for a server of his own.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VOXHALL_") {
            command.env_remove(name);
        }
    }
    command.args(flags).args(["--media-port", "0", "--workers", "1", "--data"]).arg(data);
    // A machine whose disk is nearly full shall pass all the same.
    let floors = ["VOXHALL_RECORD_FREE_FLOOR_MIB", "VOXHALL_RECORD_FREE_FLOOR_PERCENT"];
    command.envs(floors.map(|floor| (floor, "0")));
    // Nobody calls but the test, unless it is about that.
    command.env("VOXHALL_PROBE_EVERY_S", "0");
    // Whoever waits for something asks for it again and again.
    command.env("VOXHALL_HTTP_REQUESTS_PER_S", "1000000");
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// For a start or an orderly end on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(20);
/// One line is expected; a server that says more is found out by the test that counts them.
const STDOUT_LINES: usize = 1024;
