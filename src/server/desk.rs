//! The operator's door among the parts of the node: what he is shown of them.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Notify;

use crate::admin::{self, Office, Opened};
use crate::registry::Registry;
use crate::telemetry::Verbosity;

/// Where the operator is answered.
pub struct Desk {
    pub office: Option<Office>,
    pub verbosity: Verbosity,
    pub started: SystemTime,
    pub drain: Arc<Notify>,
}

/// What people, scrapes and the operator are told of the node.
#[derive(Clone)]
pub struct Told {
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Desk {
    /// # Errors
    /// The way to it cannot be written down.
    pub fn open(self, registry: &Registry, told: Told) -> Result<Option<Opened>, admin::Fault> {
        let Desk { office, verbosity, started, drain } = self;
        let (registry, Told { metrics, ready }) = (registry.clone(), told);
        let parts = admin::Parts { registry, metrics, ready, verbosity, started, drain };
        office.map(|office| office.serve(parts)).transpose()
    }
}

/// Last of all: whoever waits for the node's end asks until there is nobody.
pub async fn close(opened: Option<Opened>) {
    if let Some(opened) = opened {
        opened.close().await;
    }
}
