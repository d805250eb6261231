//! Bytes as hexadecimal digits.

pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(super::text(&[0, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
