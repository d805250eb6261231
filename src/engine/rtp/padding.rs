//! Padding: packets of one length (RFC 3550 section 5.1).

/// Pads the packet of `len` bytes at the start of `out` by `bytes`, 1 or more, which `out` has
/// room for; its new length.
pub fn pad(out: &mut [u8], len: usize, bytes: u8) -> usize {
    let end = len + usize::from(bytes);
    out[0] |= 0x20;
    out[len..end].fill(0);
    // How many there are, itself among them.
    out[end - 1] = bytes;
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::View;

    #[test]
    fn a_padded_packet_reads_as_before() {
        let packet = [0x80, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x78, 9];
        for bytes in [1, 2, 255] {
            let mut out = [0xff; 512];
            out[..packet.len()].copy_from_slice(&packet);
            let len = pad(&mut out, packet.len(), bytes);
            assert_eq!(len, packet.len() + usize::from(bytes));
            assert_eq!(View::parse(&out[..len], None), View::parse(&packet, None));
        }
    }
}
