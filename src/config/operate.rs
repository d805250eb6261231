//! The flags of the operator's commands, which ask a server that runs.

use std::path::PathBuf;

use clap::Args;

use super::ServeFlags;

/// Which server is asked, and in which form it is told.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFlags {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder of the server, where it says how it is reached [default: ./data]
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub data: Option<String>,
    /// Its admin listener, if it is not on this machine; the token comes by VOXHALL_ADMIN_TOKEN
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// JSON for machines
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CallsFlags {
    #[command(flatten)]
    pub node: NodeFlags,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFlags {
    /// The call, or as much of its beginning as no other call has
    pub uid: String,
    /// Say only what this person hears
    #[arg(long, value_name = "JID")]
    pub listener: Option<String>,
    #[command(flatten)]
    pub node: NodeFlags,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainFlags {
    /// Do not wait until the server has ended
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub node: NodeFlags,
}

impl NodeFlags {
    /// The flags with which the server's configuration is found.
    pub fn serve(&self) -> ServeFlags {
        let (config, data) = (self.config.clone(), self.data.clone());
        ServeFlags { config, data, ..ServeFlags::default() }
    }
}
