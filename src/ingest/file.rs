//! What a customer's file is, by its own first bytes: neither its name nor what the browser says of it counts.

use crate::model::attachment::FileType;

/// What a file is; none for all that is not on the list.
pub fn type_of(bytes: &[u8]) -> Option<FileType> {
    let riff = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(FileType::Png),
        [0xff, 0xd8, 0xff, ..] => Some(FileType::Jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(FileType::Gif),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(FileType::Pdf),
        _ if riff => Some(FileType::Webp),
        _ => None,
    }
}

/// Width and height of a picture in pixels, as it is shown; none where its header does not say so.
pub fn dimensions(kind: FileType, bytes: &[u8]) -> Option<(u32, u32)> {
    let found = match kind {
        FileType::Png => (bytes.get(12..16)? == b"IHDR").then_some((big4(bytes, 16)?, big4(bytes, 20)?)),
        FileType::Gif => Some((little2(bytes, 6)?, little2(bytes, 8)?)),
        FileType::Jpeg => jpeg(bytes),
        FileType::Webp => webp(bytes),
        FileType::Pdf => None,
    };
    found.filter(|(width, height)| *width > 0 && *height > 0)
}

/// Walks the segments up to the one that begins the picture (ITU T.81, B.1.1). A camera's picture may lie on its side.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    let mut lies = false;
    loop {
        let [0xff, marker] = chunk::<2>(bytes, at)? else { return None };
        match marker {
            // Fill, and markers without a body.
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let (height, width) = (big2(bytes, at + 5)?, big2(bytes, at + 7)?);
                return Some(if lies { (height, width) } else { (width, height) });
            }
            // The end, or the picture itself: there was no frame before it.
            0xd9 | 0xda => return None,
            _ => {
                let length = usize::try_from(big2(bytes, at + 2)?).ok().filter(|length| *length >= 2)?;
                if marker == 0xe1 {
                    lies |= bytes.get(at + 4..at + 2 + length).and_then(lies_on_its_side).unwrap_or(false);
                }
                at += 2 + length;
            }
        }
    }
}

/// Whether Exif says that rows are to be shown as columns (TIFF tag 0x0112, values 5 to 8).
fn lies_on_its_side(segment: &[u8]) -> Option<bool> {
    let tiff = segment.strip_prefix(b"Exif\0\0")?;
    let little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let two = |at| if little { little2(tiff, at) } else { big2(tiff, at) };
    let four = |at| if little { little4(tiff, at) } else { big4(tiff, at) };
    let directory = usize::try_from(four(4)?).ok()?;
    let fields = usize::try_from(two(directory)?).ok()?;
    let mut fields = (0..fields).map(|n| directory.saturating_add(2).saturating_add(n * 12));
    let field = fields.find(|at| two(*at) == Some(0x0112))?;
    two(field.saturating_add(8)).map(|value| (5..=8).contains(&value))
}

/// The three forms of WebP (RFC 9649, sections 2.5 to 2.7).
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8 " => (bytes.get(23..26)? == [0x9d, 0x01, 0x2a])
            .then_some((little2(bytes, 26)? & 0x3fff, little2(bytes, 28)? & 0x3fff)),
        b"VP8L" => {
            let packed = little4(bytes, 21)?;
            (*bytes.get(20)? == 0x2f).then_some(((packed & 0x3fff) + 1, ((packed >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((little3(bytes, 24)? + 1, little3(bytes, 27)? + 1)),
        _ => None,
    }
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

fn big2(bytes: &[u8], at: usize) -> Option<u32> {
    chunk(bytes, at).map(u16::from_be_bytes).map(u32::from)
}

fn big4(bytes: &[u8], at: usize) -> Option<u32> {
    chunk(bytes, at).map(u32::from_be_bytes)
}

fn little2(bytes: &[u8], at: usize) -> Option<u32> {
    chunk(bytes, at).map(u16::from_le_bytes).map(u32::from)
}

fn little3(bytes: &[u8], at: usize) -> Option<u32> {
    chunk(bytes, at).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

fn little4(bytes: &[u8], at: usize) -> Option<u32> {
    chunk(bytes, at).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hex: &str) -> Vec<u8> {
        let digits: String = hex.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    /// A JPEG of 640 by 480 pixels, up to its frame; with Exif that says how it lies where one is named.
    fn jpeg_lying(orientation: Option<(&str, u16)>) -> Vec<u8> {
        let mut bytes = of("ffd8 ffe0 0010 4a46494600 0101 00 0001 0001 00 00");
        if let Some((order, value)) = orientation {
            let tiff = match order {
                "II" => [
                    of("4949 2a00 08000000 0200 0f01 0200 01000000 00000000 1201 0300 01000000"),
                    value.to_le_bytes().to_vec(),
                ],
                _ => [
                    of("4d4d 002a 00000008 0002 010f 0002 00000001 00000000 0112 0003 00000001"),
                    value.to_be_bytes().to_vec(),
                ],
            }
            .concat();
            let length = u16::try_from(2 + 6 + tiff.len() + 6).unwrap();
            bytes.extend([&[0xff, 0xe1][..], &length.to_be_bytes(), b"Exif\0\0", &tiff, &[0; 6]].concat());
        }
        bytes.extend(of("ff ffdb 0004 0000 ffc2 0011 08 01e0 0280 03 012200 021101 031101 ffd9"));
        bytes
    }

    #[test]
    fn pictures_say_how_large_they_are() {
        let png = of("89504e470d0a1a0a 0000000d 49484452 00000320 00000258 0802000000");
        let gif = of("474946383961 2003 5802 00 00 00");
        let lossy = of("52494646 24000000 57454250 56503820 18000000 300100 9d012a 2003 5802");
        let lossless = of("52494646 24000000 57454250 5650384c 18000000 2f 1fc39500 00");
        let extended = of("52494646 24000000 57454250 56503858 0a000000 00000000 1f0300 570200");
        for (kind, bytes) in [
            (FileType::Png, png),
            (FileType::Gif, gif),
            (FileType::Webp, lossy),
            (FileType::Webp, lossless),
            (FileType::Webp, extended),
        ] {
            assert_eq!(type_of(&bytes), Some(kind));
            assert_eq!(dimensions(kind, &bytes), Some((800, 600)), "{kind:?}");
            for cut in 0..bytes.len() {
                let cut = bytes.get(..cut).unwrap();
                // Cut anywhere, it is at most not known.
                assert!(matches!(dimensions(kind, cut), None | Some((800, 600))), "{kind:?}");
            }
        }
    }

    #[test]
    fn a_cameras_picture_is_as_large_as_it_is_shown() {
        assert_eq!(type_of(&jpeg_lying(None)), Some(FileType::Jpeg));
        assert_eq!(dimensions(FileType::Jpeg, &jpeg_lying(None)), Some((640, 480)));
        for order in ["II", "MM"] {
            assert_eq!(dimensions(FileType::Jpeg, &jpeg_lying(Some((order, 1)))), Some((640, 480)), "{order}");
            assert_eq!(dimensions(FileType::Jpeg, &jpeg_lying(Some((order, 6)))), Some((480, 640)), "{order}");
        }
        let whole = jpeg_lying(Some(("II", 6)));
        for cut in 0..whole.len() {
            assert!(matches!(dimensions(FileType::Jpeg, &whole[..cut]), None | Some((480, 640))));
        }
    }

    #[test]
    fn what_is_not_on_the_list_is_nothing() {
        for other in [
            &b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"[..],
            b"<!doctype html><script>1</script>",
            b"\xef\xbb\xbf<html>",
            b"PK\x03\x04",
            b"MZ",
            b"BM",
            b"RIFF\0\0\0\0WAVE",
            b" %PDF-1.7",
            b"GIF90a",
            b"\xff\xd8",
            b"",
        ] {
            assert_eq!(type_of(other), None, "{}", String::from_utf8_lossy(other));
        }
        assert_eq!(type_of(b"%PDF-1.7\n"), Some(FileType::Pdf));
    }

    #[test]
    fn a_broken_header_says_nothing_and_ends() {
        // A segment whose length is nothing would be walked over for ever.
        assert_eq!(dimensions(FileType::Jpeg, &of("ffd8 ffe0 0000 ffe0 0000")), None);
        assert_eq!(dimensions(FileType::Jpeg, &[0xff; 100]), None);
        assert_eq!(dimensions(FileType::Png, &of("89504e470d0a1a0a 0000000d 49484452 00000000 00000258")), None);
        let far = of("ffd8 ffe1 0018 457869660000 4949 2a00 ffffffff 0000 0000 0000 ffd9");
        assert_eq!(dimensions(FileType::Jpeg, &far), None);
    }
}
