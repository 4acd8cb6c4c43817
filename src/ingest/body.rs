//! Bodies as sent: gzip is undone here, never past a bound. Real clients send gzip without saying so.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// More than is taken, as sent or once unpacked.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// `content-encoding` names something else than gzip.
    #[error("the content encoding `{0}` is not spoken here; gzip is")]
    Encoding(String),
    /// It says gzip and is none, or is cut.
    #[error("the body is not the gzip it should be")]
    NotGzip,
}

/// The body, unpacked where it is gzip: by its `content-encoding`, or because it begins like gzip.
///
/// # Errors
/// It is no gzip, of another encoding, or would be larger than `max` bytes; no more than that is ever held.
pub fn unpack(body: Vec<u8>, encoding: Option<&str>, max: usize) -> Result<Vec<u8>, BadBody> {
    let encoding = encoding.map(|text| text.trim().to_ascii_lowercase()).unwrap_or_default();
    let gzip = match encoding.as_str() {
        "" | "identity" => body.starts_with(&[0x1f, 0x8b]),
        "gzip" | "x-gzip" => true,
        other => return Err(BadBody::Encoding(other.chars().take(64).collect())),
    };
    if !gzip {
        return if body.len() > max { Err(BadBody::TooLarge(max)) } else { Ok(body) };
    }
    let mut plain = Vec::new();
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body.as_slice()).take(bound).read_to_end(&mut plain).map_err(|_| BadBody::NotGzip)?;
    if plain.len() > max { Err(BadBody::TooLarge(max)) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn gzip_is_undone_whether_it_says_so_or_not() {
        assert_eq!(unpack(gzip(b"{}"), Some("gzip"), 100).unwrap(), b"{}");
        assert_eq!(unpack(gzip(b"{}"), None, 100).unwrap(), b"{}");
        assert_eq!(unpack(b"{}".to_vec(), Some("identity"), 100).unwrap(), b"{}");
        assert_eq!(unpack(b"{}".to_vec(), Some("gzip"), 100), Err(BadBody::NotGzip));
        assert_eq!(unpack(b"{}".to_vec(), Some("br"), 100), Err(BadBody::Encoding("br".to_owned())));
    }

    #[test]
    fn a_bomb_is_never_unpacked() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        // Its end is missing, and nobody comes so far as to see it.
        let cut = bomb.split_at(bomb.len() - 8).0.to_vec();
        for bomb in [bomb, cut] {
            assert_eq!(unpack(bomb, Some("gzip"), 1 << 20), Err(BadBody::TooLarge(1 << 20)));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_unpacking_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..256), sniffed: bool) {
            if sniffed {
                bytes.splice(0..0, [0x1f, 0x8b, 8, 0]);
            }
            let _ = unpack(bytes.clone(), None, 1_000);
            let _ = unpack(bytes, Some("gzip"), 1_000);
        }
    }
}
