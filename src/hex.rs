//! Bytes as hexadecimal digits.

pub fn text(bytes: &[u8]) -> String {
    let digit = |nibble| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(super::text(&[0, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
