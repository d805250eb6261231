//! A packet's header: read from a talker ([`View`]), written for a listener ([`Template`]).
//! Knows RFC 3550 section 5.1 and RFC 8285; nothing of encryption, calls or slots.

mod padding;
mod reception;
mod template;
mod view;

pub use padding::pad;
pub use reception::{Reception, Report};
pub use template::{Stamp, Template, TemplateSpec};
pub use view::View;

/// Bytes of the fixed header (RFC 3550 section 5.1).
pub const FIXED_HEADER_BYTES: usize = 12;
