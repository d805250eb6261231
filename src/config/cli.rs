//! The command line: `voxhall` is `voxhall serve`; `voxhall demo` brings three speaking people.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::Mix;
use super::operate::{CallFlags, CallsFlags, DrainFlags};

/// The program's arguments, as they came.
#[derive(Debug, Parser)]
#[command(
    name = "voxhall",
    version,
    about = "A call media server beside a team chat",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(flatten)]
    serve: ServeFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the server (also without any command)
    Serve(ServeFlags),
    /// Add three speaking people to a call on a running server
    Demo(DemoFlags),
    /// Prove what a node needs of its machine and of others, before the first user does
    Check(CheckFlags),
    /// Look at recordings, mix, export, mend and check them
    Recordings(RecordingsFlags),
    /// List the calls of the server that runs here
    Calls(CallsFlags),
    /// Show one call: people, legs, and who hears whom
    Call(CallFlags),
    /// Take no new calls, wait for those that go on, and stop the server
    Drain(DrainFlags),
}

/// Each flag wins over its environment variable, which wins over the file.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeFlags {
    /// Configuration file (TOML; config/default.toml lists every key)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where page, API and WebSocket listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// Address told to clients for media; repeatable [default: the machine's routable addresses
    /// and 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub media_ip: Vec<IpAddr>,
    /// Address the media sockets are bound to [default: both families, dual stack]
    #[arg(long, value_name = "IP")]
    pub media_bind: Vec<IpAddr>,
    /// UDP port of the first media worker; the others follow [default: 7880]
    #[arg(long, value_name = "N")]
    pub media_port: Option<u16>,
    /// Media workers; 0 = one a core [default: 0]
    #[arg(long, value_name = "N")]
    pub workers: Option<u16>,
    /// Where people, tokens and groups are kept [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Let in everybody who reaches the listener, over https with a self-signed certificate
    #[arg(long)]
    pub open: bool,
}

/// What is proved, and for whom.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckFlags {
    #[command(flatten)]
    pub serve: ServeFlags,
    /// One JSON object instead of lines
    #[arg(long)]
    pub json: bool,
}

/// Where the speaking people go.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct DemoFlags {
    /// The server they call
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The chat they join [default: the Lobby]
    #[arg(long, value_name = "JID")]
    pub chat: Option<String>,
}

/// What is done with recordings, and where they lie.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct RecordingsFlags {
    /// Folder of recordings [default: recordings in the data folder of the configuration]
    #[arg(long, value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// Configuration file of the server
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub action: RecordingsAction,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum RecordingsAction {
    /// List recordings, the newest last
    Ls {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one: people, who spoke when, files
    Show { id: String },
    /// Make the mix and all that is derived anew
    Mix {
        id: String,
        /// How voices lie in it [default: record.mix]
        #[arg(long, value_enum)]
        layout: Option<Mix>,
        /// Without mix.opus
        #[arg(long)]
        no_opus: bool,
    },
    /// Copy one to another folder, with each person's voice as a WAV file as long as the call
    Export {
        id: String,
        /// Where to; a folder named after the recording is made in it
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Mend and finish what was cut off; not while a server records there
    Repair {
        /// Folder of recordings [default: as --dir]
        folder: Option<PathBuf>,
    },
    /// Make the index of the archive anew from the files
    Reindex,
    /// Check every file against its checksum, and every page of every track
    Verify {
        /// Only this one
        id: Option<String>,
    },
}

impl Cli {
    /// The command that was meant: serving, where none was named.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}
