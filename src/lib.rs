//! Voxhall: the call media server that stands beside a team chat. ARCHITECTURE.md has the map.

pub mod admin;
mod backoff;
pub mod call_task;
pub mod check;
pub mod clock;
pub mod config;
pub mod core;
pub mod demo;
mod effects;
mod hex;
pub mod limits;
pub mod media;
pub mod memory;
pub mod metrics;
pub mod outbox;
pub mod probe;
pub mod record;
pub mod registry;
pub mod server;
pub mod signal;
pub mod telemetry;
pub mod threads;
pub mod wire;
