//! Who comes in: whoever shows the token.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use crate::wire::http::ErrorCode;

/// What opens the door.
#[derive(Clone)]
pub struct Pass {
    digest: [u8; 32],
}

impl Pass {
    pub fn new(token: &str) -> Pass {
        Pass { digest: Sha256::digest(token).into() }
    }

    /// Compared by digests, so that the time it takes tells nothing.
    ///
    /// # Errors
    /// No token was shown, or a wrong one.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ErrorCode> {
        let shown = headers.get(AUTHORIZATION).ok_or(ErrorCode::EmptyToken)?;
        // The scheme is a word in whichever letters (RFC 9110 section 11.1).
        let (scheme, token) = shown.as_bytes().split_at_checked(SCHEME.len()).unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(token).into();
        match scheme.eq_ignore_ascii_case(SCHEME) && digest == self.digest {
            true => Ok(()),
            false => Err(ErrorCode::InvalidToken),
        }
    }
}

const SCHEME: &[u8] = b"bearer ";

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_whole_token_opens_and_its_scheme_is_a_word() {
        let pass = Pass::new("0123456789");
        let shown = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(text));
            pass.check(&headers)
        };
        assert_eq!(pass.check(&HeaderMap::new()), Err(ErrorCode::EmptyToken));
        for fine in ["Bearer 0123456789", "bearer 0123456789", "BEARER 0123456789"] {
            assert_eq!(shown(fine), Ok(()), "{fine}");
        }
        let digest = "Bearer 84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 012345678",
            "Bearer 01234567890",
            "0123456789",
            digest,
            "Basic 0123456789",
            "Bearer  0123456789",
            "Token 0123456789",
        ] {
            assert_eq!(shown(wrong), Err(ErrorCode::InvalidToken), "{wrong}");
        }
    }
}
