//! The product's words: every event and HTTP body as PROTOCOL.md spells it. serde lives here and
//! nowhere else; everything behind this module speaks in types.

pub mod admin;
pub mod client;
pub mod encode;
pub mod fields;
pub mod http;
pub mod recordings;
pub mod report;
pub mod server;
pub mod time;

pub use client::{ClientEvent, Envelope, Unusable};
pub use fields::{BadField, NotJson};
pub use server::{Frame, ServerEvent};
