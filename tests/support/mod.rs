//! What the tests of whole calls share.
#![allow(dead_code, reason = "every test binary uses its own part of it")]

pub mod client;
pub mod ears;
pub mod raw;
pub mod server;
pub mod story;
pub mod strict;
pub mod tone;
