//! The door as clients meet it: real sockets on the loopback, a fake node behind the core.

mod gate;
mod house;
mod http;
mod sockets;
